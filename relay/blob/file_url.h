/* file_url.h: the file store's signed URLs: <public url>/files/<path>?expires=…&signature=…, for uploads with
 * the largest size and the type between. The signature is HMAC-SHA-256 over method, path, expiry, size and
 * type. Pure. */
#ifndef RELAY_BLOB_FILE_URL_H
#define RELAY_BLOB_FILE_URL_H

#include "blob.h"

enum { FILE_URL_KEY_BYTES = 32 };

void file_url_write(const uint8_t key[static FILE_URL_KEY_BYTES], const char *public_url,
    const struct blob_grant *grant, struct buf *out);

/* As blob_check_url, at that wall time. *grant is filled in for VALID alone. */
MUST_CHECK enum blob_url file_url_check(const uint8_t key[static FILE_URL_KEY_BYTES], bool is_upload,
    const char *path, const char *(*parameter)(const void *request, const char *name), const void *request,
    int64_t now_ms, struct blob_grant *grant);

#endif
