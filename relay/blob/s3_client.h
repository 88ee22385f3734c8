/* s3_client.h: requests to one bucket of an S3-compatible server, signed by sigv4.h. Keys are of unreserved
 * characters and '/' (RFC 3986 section 2.3). Blocks, in bounded time; any thread. Faults are logged here, by
 * the code that the server gave. */
#ifndef RELAY_BLOB_S3_CLIENT_H
#define RELAY_BLOB_S3_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "../../common/secret.h"
#include "media_type.h"

struct s3_options {
    const char *endpoint;        /* "https://s3.eu-central-1.amazonaws.com", perhaps with a path */
    const char *public_endpoint; /* what presigned URLs begin with; NULL: the same */
    const char *region, *bucket, *access_key, *secret_key;
    bool path_style; /* the bucket in the path; else in front of the host */
    const char *ca_file;
    size_t connections;
};

enum { S3_ETAG_SIZE = 128 };

struct s3_object {
    int64_t size;
    char type[MEDIA_TYPE_SIZE];
    char etag[S3_ETAG_SIZE];      /* as the server writes it */
    char sha256[SHA256_HEX_SIZE]; /* "" where the object came without: by a presigned URL */
    int64_t stored_ms;            /* wall clock; 0 with that */
};

enum s3_status {
    S3_DONE,
    S3_ABSENT,  /* no such key */
    S3_CHANGED, /* a condition does not hold: the key is taken, or its object another by now */
    S3_FAULT,   /* logged */
};

struct s3_client;
/* NULL: why has one line. */
struct s3_client *s3_client_new(const struct s3_options *options, struct buf *why);
void s3_client_free(struct s3_client *client);
/* As upstream_stop. */
void s3_client_stop(struct s3_client *client);

/* Stores object->size bytes of fd with what *object says of them, where the key is free. */
MUST_CHECK enum s3_status s3_put(
    struct s3_client *client, const char *key, int fd, const struct s3_object *object);
MUST_CHECK enum s3_status s3_head(struct s3_client *client, const char *key, struct s3_object *object);

struct s3_get {
    int64_t offset, len; /* len bytes, or what there is of them; len -1: all (offset 0) */
    const char *etag;    /* only of that object; NULL: of any */
    bool (*take)(void *arg, const void *bytes, size_t len); /* false ends it: FAULT, not logged */
    void (*restart)(void *arg);                             /* what was taken is void: it begins anew */
    void *arg;
};
MUST_CHECK enum s3_status s3_get(struct s3_client *client, const char *key, const struct s3_get *get);
/* Copies within the bucket, if the object is still that of the etag; what is known of it becomes *object's.
 */
MUST_CHECK enum s3_status s3_copy(
    struct s3_client *client, const char *from, const char *to, const struct s3_object *object);
/* DONE also where nothing was there. */
MUST_CHECK enum s3_status s3_delete(struct s3_client *client, const char *key);
/* Calls each for every key that begins so, until it returns false. Where there is no bucket one is made. */
MUST_CHECK enum s3_status s3_list(struct s3_client *client, const char *prefix,
    bool (*each)(void *arg, const char *key, int64_t size), void *arg);

struct s3_grant {
    const char *key;
    const char *type;     /* an upload of that Content-Type; NULL: a download, */
    const char *filename; /* which is saved under that name (of safe characters) */
    int64_t expires_s;
};
/* Appends a URL. */
void s3_presign(struct s3_client *client, const struct s3_grant *grant, struct buf *url);

#endif
