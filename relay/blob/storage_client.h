/* storage_client.h: requests to one bucket of Supabase Storage. Nearly every error there is a status of 400
 * with a body that says what it is; so bodies decide. Blocks, in bounded time; any thread. Faults are logged
 * here. */
#ifndef RELAY_BLOB_STORAGE_CLIENT_H
#define RELAY_BLOB_STORAGE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "media_type.h"

struct storage_options {
    const char *url, *key; /* the project's */
    const char *bucket;
    int64_t max_bytes; /* of a file: told to the bucket when it is made */
    const char *ca_file;
    size_t connections;
};

enum storage_status {
    STORAGE_DONE,
    STORAGE_ABSENT,
    STORAGE_EXISTS,
    STORAGE_TOO_LARGE,
    STORAGE_NO_BUCKET,
    STORAGE_FAULT, /* logged */
};

struct storage_client;
/* NULL: why has one line. */
struct storage_client *storage_client_new(const struct storage_options *options, struct buf *why);
void storage_client_free(struct storage_client *client);
/* As upstream_stop. */
void storage_client_stop(struct storage_client *client);

/* What an error's body says, whatever its HTTP status; FAULT where it says nothing known. Pure. */
enum storage_status storage_error(const char *body, size_t len);

/* Appends a URL that lets anybody store a file there, once. Makes the bucket where it is missing. */
MUST_CHECK enum storage_status storage_sign_upload(
    struct storage_client *client, const char *path, struct buf *url);
/* Appends a URL that lets anybody read the file; saved_as: under which name a browser saves it. */
MUST_CHECK enum storage_status storage_sign_download(struct storage_client *client, const char *path,
    int64_t expires_s, const char *saved_as, struct buf *url);

/* Stores size bytes of fd, where nothing is there. */
MUST_CHECK enum storage_status storage_put(
    struct storage_client *client, const char *path, const char *type, int fd, int64_t size);

struct storage_get {
    int64_t offset, len; /* len bytes, or what there is of them; len -1: all (offset 0) */
    bool (*take)(void *arg, const void *bytes, size_t len);
    void (*restart)(void *arg); /* what was taken is void: it begins anew */
    void *arg;
    char type[MEDIA_TYPE_SIZE]; /* of the answer */
};
MUST_CHECK enum storage_status storage_get(
    struct storage_client *client, const char *path, struct storage_get *get);

/* Removes files; how many of them were there. */
enum { STORAGE_BULK_MAX = 100 };
MUST_CHECK enum storage_status storage_remove(
    struct storage_client *client, const char *const *paths, size_t count, size_t *removed);

/* Calls each for what is in the folder ("" is the top): size is -1 for a folder. */
MUST_CHECK enum storage_status storage_list(struct storage_client *client, const char *folder,
    void (*each)(void *arg, const char *name, int64_t size), void *arg);

#endif
