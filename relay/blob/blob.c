#include "blob.h"

#include <stdlib.h>
#include <string.h>

#include "blob_ops.h"

const char *blob_status_text(enum blob_status status)
{
    static const char *const texts[] = {
        [BLOB_DONE] = "is stored",
        [BLOB_ABSENT] = "does not exist, or was removed after its time",
        [BLOB_EXISTS] = "is stored already, and nothing is overwritten",
        [BLOB_TOO_LARGE] = "is larger than allowed",
        [BLOB_OVER_QUOTA] = "does not fit into what this namespace may still store",
        [BLOB_BUSY] = "is still being checked: try again in a few seconds",
        [BLOB_FAULT] = "could not be handled: the file store failed",
    };
    return texts[status];
}

enum blob_status blob_begin(struct blob_store *s, const struct blob_path *path, const char *type,
    int64_t max_bytes, int64_t announced, struct blob_upload **upload)
{
    *upload = NULL;
    if (max_bytes <= 0 || max_bytes > s->max_bytes)
        max_bytes = s->max_bytes;
    if (announced > max_bytes)
        return BLOB_TOO_LARGE;
    return s->ops->begin(s, path, type, max_bytes, announced, upload);
}

enum blob_status blob_write(struct blob_upload *upload, const void *bytes, size_t len)
{
    return len == 0 ? BLOB_DONE : upload->store->ops->write(upload, bytes, len);
}

enum blob_status blob_commit(struct blob_upload *upload, struct blob_info *info)
{
    struct blob_info unused;
    return upload->store->ops->commit(upload, info ? info : &unused);
}

void blob_abort(struct blob_upload *upload)
{
    if (upload)
        upload->store->ops->abort(upload);
}

enum blob_status blob_put(struct blob_store *s, const struct blob_path *path, const char *type,
    const void *bytes, size_t len, struct blob_info *info)
{
    struct blob_upload *upload;
    enum blob_status status = blob_begin(s, path, type, 0, (int64_t)len, &upload);
    if (status != BLOB_DONE)
        return status;
    status = blob_write(upload, bytes, len);
    if (status == BLOB_DONE)
        return blob_commit(upload, info);
    blob_abort(upload);
    return status;
}

enum blob_status blob_stat(struct blob_store *s, const struct blob_path *path, struct blob_info *info)
{
    memset(info, 0, sizeof *info);
    return s->ops->stat(s, path, info);
}

enum blob_status blob_read(
    struct blob_store *s, const struct blob_path *path, int64_t offset, size_t len, struct buf *out)
{
    return s->ops->read(s, path, offset, len, out);
}

enum blob_status blob_open(
    struct blob_store *s, const struct blob_path *path, struct blob_info *info, int *fd, int64_t *at)
{
    memset(info, 0, sizeof *info);
    return s->ops->open(s, path, info, fd, at);
}

bool blob_has_files(const struct blob_store *s)
{
    return s->ops->open != NULL;
}

enum blob_status blob_sign(struct blob_store *s, struct blob_grant *grant, struct buf *url)
{
    return s->ops->sign(s, grant, url);
}

enum blob_url blob_check_url(struct blob_store *s, bool is_upload, const char *path,
    const char *(*parameter)(const void *request, const char *name), const void *request,
    struct blob_grant *grant)
{
    if (!s->ops->check_url)
        return BLOB_URL_FORGED; /* perhaps of a time when it kept files */
    return s->ops->check_url(s, is_upload, path, parameter, request, grant);
}

enum blob_status blob_used(struct blob_store *s, const char *namespace_id, int64_t *bytes)
{
    *bytes = 0;
    return s->ops->used(s, namespace_id, bytes);
}

int64_t blob_max_bytes(const struct blob_store *s)
{
    return s->max_bytes;
}

int64_t blob_quota_bytes(const struct blob_store *s)
{
    return s->quota_bytes;
}

enum blob_status blob_remove(struct blob_store *s, const struct blob_path *path)
{
    return s->ops->remove(s, path);
}

enum blob_status blob_list(
    struct blob_store *s, bool (*each)(void *arg, const struct blob_info *info), void *arg)
{
    return s->ops->list(s, each, arg);
}

enum blob_status blob_cleanup(
    struct blob_store *s, int64_t max_age_ms, bool dry_run, struct blob_cleanup_result *result)
{
    memset(result, 0, sizeof *result);
    return s->ops->cleanup(s, max_age_ms, dry_run, result);
}

void blob_stop(struct blob_store *s)
{
    if (s->ops->stop)
        s->ops->stop(s);
}

void blob_close(struct blob_store *s)
{
    if (s)
        s->ops->close(s);
}
