#include "buf.h"

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

enum { BUF_FIRST_CAP = 64 };

char *buf_reserve(struct buf *b, size_t len)
{
    if (b->data && b->cap - b->len > len) {
        return b->data + b->len;
    }
    /* An overflow becomes a size that no allocator grants, which is fatal there. */
    size_t need = len > SIZE_MAX - 1 - b->len ? SIZE_MAX : b->len + len + 1;
    size_t cap = b->cap > BUF_FIRST_CAP ? b->cap : BUF_FIRST_CAP;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    }
    b->data = xreallocarray(b->data, cap, 1);
    b->data[b->len] = '\0';
    b->cap = cap;
    return b->data + b->len;
}

void buf_commit(struct buf *b, size_t len)
{
    assert(len < b->cap - b->len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    char *end = buf_reserve(b, len);
    if (len > 0) {
        memcpy(end, bytes, len);
    }
    end[len] = '\0';
    b->len += len;
}

void buf_puts(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_putc(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);

    char *end = buf_reserve(b, (size_t)len);
    va_start(args, format);
    vsnprintf(end, (size_t)len + 1, format, args);
    va_end(args);
    b->len += (size_t)len;
}

void buf_splice(struct buf *b, size_t from, size_t to, const void *bytes, size_t len)
{
    assert(from <= to && to <= b->len);
    size_t rest = b->len - to;
    (void)buf_reserve(b, len);
    memmove(b->data + from + len, b->data + to, rest);
    if (len > 0) {
        memcpy(b->data + from, bytes, len);
    }
    b->len = from + len + rest;
    b->data[b->len] = '\0';
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= b->len);
    if (len == 0) {
        return;
    }
    b->len -= len;
    memmove(b->data, b->data + len, b->len + 1);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    if (b->data) {
        b->data[0] = '\0';
    }
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_wipe(struct buf *b)
{
    if (b->data) {
        sodium_memzero(b->data, b->cap);
    }
    buf_free(b);
}

const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
    char *text = b->data ? b->data : xmemdup_text("", 0);
    *b = (struct buf){0};
    return text;
}
