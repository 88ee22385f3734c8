/* blob.h: where attachments lie, as whole operations. No other part of the relay knows a disk or another
 * server.
 *
 * A blob appears whole or not at all, under a path that blob_path_make made, and is never changed or
 * overwritten. When blob_commit returns BLOB_DONE it is on disk. Every function may be called from any thread
 * and blocks until it is done; an upload belongs to one thread at a time. */
#ifndef RELAY_BLOB_BLOB_H
#define RELAY_BLOB_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "../../common/secret.h"
#include "blob_path.h"
#include "media_type.h"

struct blob_store;
struct blob_upload;

enum blob_status {
    BLOB_DONE,
    BLOB_ABSENT,     /* there is no such blob */
    BLOB_EXISTS,     /* the path is taken: nothing is overwritten */
    BLOB_TOO_LARGE,  /* over the limit of one blob, or of this upload */
    BLOB_OVER_QUOTA, /* the namespace has no room for it */
    BLOB_BUSY,       /* it was uploaded past the relay, which is still checking it; nothing was changed */
    BLOB_FAULT,      /* the store failed (logged); nothing was changed; the caller may try again */
};
/* A clause for people: "is longer than allowed". */
const char *blob_status_text(enum blob_status status);

struct blob_info {
    struct blob_path path;
    int64_t size; /* bytes */
    char type[MEDIA_TYPE_SIZE];
    char sha256[SHA256_HEX_SIZE];
    int64_t stored_ms; /* wall clock */
};

/* ---- storing ---- */

/* Begins to store what will have that type. max_bytes: what it may have at most (0: the store's own limit,
 * which counts in any case); announced: how much will come, where that is known (else -1), so that what has
 * no room is refused at once. DONE: *upload must be ended by blob_commit or blob_abort. */
MUST_CHECK enum blob_status blob_begin(struct blob_store *s, const struct blob_path *path, const char *type,
    int64_t max_bytes, int64_t announced, struct blob_upload **upload);
/* After anything but DONE the upload can only be aborted. */
MUST_CHECK enum blob_status blob_write(struct blob_upload *upload, const void *bytes, size_t len);
/* Ends the upload whatever it returns. *info may be NULL. */
MUST_CHECK enum blob_status blob_commit(struct blob_upload *upload, struct blob_info *info);
/* Ends the upload, and leaves nothing of it. NULL is fine. */
void blob_abort(struct blob_upload *upload);
/* All of it at once. */
MUST_CHECK enum blob_status blob_put(struct blob_store *s, const struct blob_path *path, const char *type,
    const void *bytes, size_t len, struct blob_info *info);

/* ---- reading ---- */

MUST_CHECK enum blob_status blob_stat(
    struct blob_store *s, const struct blob_path *path, struct blob_info *info);
/* Appends at most len bytes of the content from offset on (none beyond its end). */
MUST_CHECK enum blob_status blob_read(
    struct blob_store *s, const struct blob_path *path, int64_t offset, size_t len, struct buf *out);
/* A descriptor (the caller closes it) whose bytes from *at on are the content. Only where blob_has_files. */
MUST_CHECK enum blob_status blob_open(
    struct blob_store *s, const struct blob_path *path, struct blob_info *info, int *fd, int64_t *at);
/* True where the relay itself serves what the signed URLs ask for (blob_open, blob_check_url). */
bool blob_has_files(const struct blob_store *s);

/* ---- signed URLs ---- */

/* Lets whoever has the URL do that one thing until then, with nothing else to prove. */
struct blob_grant {
    bool is_upload; /* PUT; else GET and HEAD */
    struct blob_path path;
    int64_t expires_ms; /* wall clock */
    /* uploads: */
    int64_t max_bytes;
    char type[MEDIA_TYPE_SIZE]; /* the Content-Type that the request must have */
};

enum { BLOB_UPLOAD_URL_MS = 2 * 3600 * 1000 };
/* Appends the URL. grant->expires_ms is set by the store (0 beforehand), from its own limits. */
MUST_CHECK enum blob_status blob_sign(struct blob_store *s, struct blob_grant *grant, struct buf *url);

enum blob_url {
    BLOB_URL_VALID,
    BLOB_URL_MALFORMED,
    BLOB_URL_FORGED,       /* the signature is not ours, or for something else */
    BLOB_URL_OTHER_METHOD, /* it is for downloads where this is an upload, or the other way round */
    BLOB_URL_EXPIRED,
};
/* Holds a request against its signature (FORGED where !blob_has_files). path: what follows "/files/",
 * decoded; parameter: a query parameter's decoded value by name, or NULL. Does not block. */
MUST_CHECK enum blob_url blob_check_url(struct blob_store *s, bool is_upload, const char *path,
    const char *(*parameter)(const void *request, const char *name), const void *request,
    struct blob_grant *grant);

/* ---- housekeeping ---- */

/* Bytes that the namespace's blobs and uploads under way count against its quota. */
MUST_CHECK enum blob_status blob_used(struct blob_store *s, const char *namespace_id, int64_t *bytes);
int64_t blob_max_bytes(const struct blob_store *s);
int64_t blob_quota_bytes(const struct blob_store *s);

MUST_CHECK enum blob_status blob_remove(struct blob_store *s, const struct blob_path *path);

/* Calls each for every blob until it returns false, in no order. */
MUST_CHECK enum blob_status blob_list(
    struct blob_store *s, bool (*each)(void *arg, const struct blob_info *info), void *arg);

struct blob_cleanup_result {
    int64_t removed;   /* blobs past the retention */
    int64_t abandoned; /* uploads that were begun and never finished */
    int64_t bytes;     /* of both */
};
/* Removes what is older than max_age_ms, and what was begun and cannot be finished any more. dry_run only
 * counts. */
MUST_CHECK enum blob_status blob_cleanup(
    struct blob_store *s, int64_t max_age_ms, bool dry_run, struct blob_cleanup_result *result);

/* ---- life ---- */

/* In the data folder. The second has no backup: nothing in it is whole. */
#define BLOB_FILES_FOLDER    "files"
#define BLOB_INCOMING_FOLDER "files.incoming"

struct blob_options {
    const char *data_dir;           /* exists */
    const char *public_url;         /* what signed URLs begin with; NULL: none are made */
    int64_t max_bytes, quota_bytes; /* of one blob; of a namespace */
    int64_t download_url_ms;        /* how long a download's URL lasts */
    bool is_serving; /* the one relay of this folder: makes what is missing, and collects what an earlier one
                        left unfinished. Else nothing is made by looking, and no URL is signed or valid */
};
/* Blobs as files below data_dir/files, and a key for their URLs in data_dir/files.key. NULL: why has one
 * line. */
struct blob_store *blob_open_files(const struct blob_options *options, struct buf *why);
/* The process is to end: what waits for another server is broken off within seconds. From any thread. */
void blob_stop(struct blob_store *s);
/* Every upload must have ended. NULL is fine. */
void blob_close(struct blob_store *s);

#endif
