/* sigv4.h: AWS Signature Version 4, as S3 wants it: in the Authorization header, or in the query of a URL
 * (presigned). Pure.
 *
 * Paths are signed as they stand: they must have unreserved characters and '/' alone, or be encoded. */
#ifndef RELAY_BLOB_SIGV4_H
#define RELAY_BLOB_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"

#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"

enum { SIGV4_DATE_SIZE = 17, SIGV4_EXPIRES_MAX_S = 7 * 86400 };

struct sigv4_key {
    const char *access_key, *secret_key;
    const char *region, *service; /* "us-east-1", "s3" */
};

struct sigv4_pair {
    const char *name, *value;
};

struct sigv4_request {
    const char *method, *path; /* "GET", "/bucket/key" */
    const struct sigv4_pair *query;
    size_t query_count; /* not encoded, in any order */
    const struct sigv4_pair *headers;
    size_t headers_count;     /* what is signed: names in lower case and sorted, host among them */
    const char *payload_hash; /* lower-case hex of the body's SHA-256, or SIGV4_UNSIGNED */
    int64_t at_ms;            /* wall clock */
};

/* "20130524T000000Z", what x-amz-date has. */
void sigv4_date(int64_t at_ms, char out[static SIGV4_DATE_SIZE]);

/* Appends the value of the Authorization header. x-amz-date has to be among the headers. */
void sigv4_authorize(const struct sigv4_key *key, const struct sigv4_request *request, struct buf *out);

/* Appends the whole query (without '?') of a URL that lets anybody make this request for so many seconds (at
 * most SIGV4_EXPIRES_MAX_S). */
void sigv4_presign(
    const struct sigv4_key *key, const struct sigv4_request *request, int64_t expires_s, struct buf *out);

/* Appends the query as it is sent: encoded and sorted, without '?'. */
void sigv4_query(const struct sigv4_pair *query, size_t count, struct buf *out);

#endif
