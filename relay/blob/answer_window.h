/* answer_window.h: the part of a blob that a read wants, as another server's answer brings it. For the take
 * and restart of s3_get and storage_get. */
#ifndef RELAY_BLOB_ANSWER_WINDOW_H
#define RELAY_BLOB_ANSWER_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/buf.h"

struct answer_window {
    struct buf *out;
    size_t before, len; /* what was in it already; the most that is added */
};

struct answer_window answer_window(struct buf *out, size_t len);
/* Appends what still fits; what is beyond is passed over. */
bool answer_window_take(void *window, const void *bytes, size_t len);
/* The answer begins anew. */
void answer_window_restart(void *window);

#endif
