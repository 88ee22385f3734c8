/* buf.h: a growable run of bytes, always followed by a NUL that is not counted.
 *
 * A zeroed struct is an empty buffer. The owner frees it with buf_free, or takes the bytes with buf_take. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stddef.h>

#include "compiler.h"

struct buf {
    char *data; /* NULL while nothing was ever appended */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
};

void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* Makes room for len further bytes and returns where they go; buf_commit counts those that were written
 * there. */
char *buf_reserve(struct buf *b, size_t len);
/* Takes over len bytes (no more than were reserved) that were written where buf_reserve said. */
void buf_commit(struct buf *b, size_t len);
/* Puts len bytes (not of b) in place of those from from to to (from <= to <= b->len). */
void buf_splice(struct buf *b, size_t from, size_t to, const void *bytes, size_t len);
/* Drops the first len bytes (len <= b->len). */
void buf_consume(struct buf *b, size_t len);
void buf_reset(struct buf *b);
void buf_free(struct buf *b);
/* Wipes the bytes (sodium_memzero) before it frees them: for buffers that held a secret. */
void buf_wipe(struct buf *b);
/* The bytes as a C string, "" for an empty buffer. Borrowed until the next call on b. */
const char *buf_text(const struct buf *b);
/* Hands the bytes to the caller, who frees them; b is empty afterwards. Never NULL. */
char *buf_take(struct buf *b);

#endif
