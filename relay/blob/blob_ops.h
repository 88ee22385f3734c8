/* blob_ops.h: what a kind of blob store implements; blob.c wraps each operation. */
#ifndef RELAY_BLOB_BLOB_OPS_H
#define RELAY_BLOB_BLOB_OPS_H

#include "blob.h"

struct blob_ops {
    enum blob_status (*begin)(struct blob_store *s, const struct blob_path *path, const char *type,
        int64_t max_bytes, int64_t announced, struct blob_upload **upload);
    enum blob_status (*write)(struct blob_upload *upload, const void *bytes, size_t len);
    enum blob_status (*commit)(struct blob_upload *upload, struct blob_info *info);
    void (*abort)(struct blob_upload *upload);

    enum blob_status (*stat)(struct blob_store *s, const struct blob_path *path, struct blob_info *info);
    enum blob_status (*read)(
        struct blob_store *s, const struct blob_path *path, int64_t offset, size_t len, struct buf *out);
    /* These two: NULL where another server answers the signed URLs. */
    enum blob_status (*open)(
        struct blob_store *s, const struct blob_path *path, struct blob_info *info, int *fd, int64_t *at);
    enum blob_url (*check_url)(struct blob_store *s, bool is_upload, const char *path,
        const char *(*parameter)(const void *request, const char *name), const void *request,
        struct blob_grant *grant);
    enum blob_status (*sign)(struct blob_store *s, struct blob_grant *grant, struct buf *url);

    enum blob_status (*used)(struct blob_store *s, const char *namespace_id, int64_t *bytes);
    enum blob_status (*remove)(struct blob_store *s, const struct blob_path *path);
    enum blob_status (*list)(
        struct blob_store *s, bool (*each)(void *arg, const struct blob_info *info), void *arg);
    enum blob_status (*cleanup)(
        struct blob_store *s, int64_t max_age_ms, bool dry_run, struct blob_cleanup_result *result);
    void (*stop)(struct blob_store *s); /* NULL: nothing here takes long */
    void (*close)(struct blob_store *s);
};

/* The head of every kind's own struct. */
struct blob_store {
    const struct blob_ops *ops;
    int64_t max_bytes, quota_bytes;
};

/* The head of every kind's own upload. */
struct blob_upload {
    struct blob_store *store;
};

#endif
