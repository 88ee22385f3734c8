/* spooled_store.h: what the kinds of blob stores share that are other servers: an upload waits in a spool
 * until all of it is there, and its namespace has a quota. */
#ifndef RELAY_BLOB_SPOOLED_STORE_H
#define RELAY_BLOB_SPOOLED_STORE_H

#include "blob_ops.h"
#include "file_quota.h"

/* The head of such a kind's own struct. */
struct spooled_store {
    struct blob_store base;
    struct file_quota *quota;
    char *data_dir; /* where uploads wait */
    int64_t download_url_ms;
    /* Sends info->size bytes of fd to where the path says, unless something is there. */
    enum blob_status (*put)(struct blob_store *s, const struct blob_info *info, int fd);
};

/* Fills in all but ops and put. measure: as file_quota_new's, with arg the store. False: why has one line,
 * and nothing is to be freed. */
MUST_CHECK bool spooled_store_init(struct spooled_store *s, const struct blob_options *options,
    int64_t quota_stale_ms, bool (*measure)(void *arg, const char *namespace_part, int64_t *bytes),
    struct buf *why);
void spooled_store_clear(struct spooled_store *s);

/* ---- operations, as blob_ops.h has them ---- */
enum blob_status spooled_begin(struct blob_store *s, const struct blob_path *path, const char *type,
    int64_t max_bytes, int64_t announced, struct blob_upload **upload);
enum blob_status spooled_write(struct blob_upload *upload, const void *bytes, size_t len);
enum blob_status spooled_commit(struct blob_upload *upload, struct blob_info *info);
void spooled_abort(struct blob_upload *upload);
enum blob_status spooled_used(struct blob_store *s, const char *namespace_id, int64_t *bytes);

/* Holds an upload by URL against the quota, and sets how much it may have. */
MUST_CHECK enum blob_status spooled_grant(struct spooled_store *s, struct blob_grant *grant);

#endif
