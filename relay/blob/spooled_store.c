#include "spooled_store.h"

#include <bsd/string.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "spool.h"

struct spooled_upload {
    struct blob_upload base;
    struct blob_info info; /* size: bytes written so far */
    struct spool spool;
    int64_t max_bytes, claimed;
};

static struct spooled_store *spooled_of(struct blob_store *s)
{
    return (struct spooled_store *)s;
}

/* ---- the quota ---- */

static enum blob_status claim(struct spooled_store *s, const struct blob_path *path, int64_t bytes)
{
    switch (file_quota_claim(s->quota, path->namespace_part, bytes)) {
    case QUOTA_CLAIMED:
        return BLOB_DONE;
    case QUOTA_FULL:
        return BLOB_OVER_QUOTA;
    default:
        return BLOB_FAULT;
    }
}

enum blob_status spooled_used(struct blob_store *s, const char *namespace_id, int64_t *bytes)
{
    char part[NAME_SIZE];
    blob_path_owner(namespace_id, part);
    return file_quota_used(spooled_of(s)->quota, part, bytes) ? BLOB_DONE : BLOB_FAULT;
}

/* A claim that would be refused measures anew. */
static enum blob_status check_room(struct spooled_store *s, const struct blob_path *path)
{
    const enum blob_status status = claim(s, path, FILE_QUOTA_LEAST);
    if (status == BLOB_DONE)
        file_quota_release(s->quota, path->namespace_part, FILE_QUOTA_LEAST);
    return status;
}

enum blob_status spooled_grant(struct spooled_store *s, struct blob_grant *grant)
{
    int64_t used;
    const enum blob_status status = check_room(s, &grant->path);
    if (status != BLOB_DONE)
        return status;
    if (!file_quota_used(s->quota, grant->path.namespace_part, &used))
        return BLOB_FAULT;
    if (grant->max_bytes <= 0 || grant->max_bytes > s->base.max_bytes)
        grant->max_bytes = s->base.max_bytes;
    if (grant->max_bytes > s->base.quota_bytes - used)
        grant->max_bytes = s->base.quota_bytes - used;
    return BLOB_DONE;
}

/* ---- uploads ---- */

static void upload_end(struct spooled_upload *u)
{
    struct spooled_store *s = spooled_of(u->base.store);
    file_quota_release(s->quota, u->info.path.namespace_part, u->claimed);
    spool_close(&u->spool);
    free(u);
}

static enum blob_status spool_fault(const char *folder)
{
    log_error(
        "object_store", LOG_STR("doing", "spool"), LOG_STR("path", folder), LOG_STR("why", strerror(errno)));
    return BLOB_FAULT;
}

enum blob_status spooled_begin(struct blob_store *s, const struct blob_path *path, const char *type,
    int64_t max_bytes, int64_t announced, struct blob_upload **upload)
{
    struct spooled_store *spooled = spooled_of(s);
    const int64_t claimed = file_quota_charge(announced > 0 ? announced : 0);
    const enum blob_status status = claim(spooled, path, claimed);
    if (status != BLOB_DONE)
        return status;
    struct spooled_upload *u = xcalloc(1, sizeof *u);
    u->base.store = s;
    u->info.path = *path;
    u->max_bytes = max_bytes;
    u->claimed = claimed;
    strlcpy(u->info.type, type, sizeof u->info.type);
    if (!spool_open(&u->spool, spooled->data_dir)) {
        file_quota_release(spooled->quota, path->namespace_part, claimed);
        free(u);
        return spool_fault(spooled->data_dir);
    }
    *upload = &u->base;
    return BLOB_DONE;
}

enum blob_status spooled_write(struct blob_upload *upload, const void *bytes, size_t len)
{
    struct spooled_upload *u = (struct spooled_upload *)upload;
    struct spooled_store *s = spooled_of(upload->store);
    if ((uint64_t)len > (uint64_t)(u->max_bytes - u->info.size))
        return BLOB_TOO_LARGE;
    const int64_t size = u->info.size + (int64_t)len;
    if (size > u->claimed) {
        const enum blob_status status = claim(s, &u->info.path, size - u->claimed);
        if (status != BLOB_DONE)
            return status;
        u->claimed = size;
    }
    if (!spool_write(&u->spool, bytes, len))
        return spool_fault(s->data_dir);
    u->info.size = size;
    return BLOB_DONE;
}

enum blob_status spooled_commit(struct blob_upload *upload, struct blob_info *info)
{
    struct spooled_upload *u = (struct spooled_upload *)upload;
    struct spooled_store *s = spooled_of(upload->store);
    const int64_t began_ms = clock_mono_ms();

    spool_sha256(&u->spool, u->info.sha256);
    u->info.stored_ms = clock_wall_ms();
    const enum blob_status status = s->put(&s->base, &u->info, u->spool.fd);
    if (status == BLOB_DONE) {
        file_quota_settle(
            s->quota, u->info.path.namespace_part, file_quota_charge(u->info.size), u->claimed, began_ms);
        u->claimed = 0; /* it is stored now */
        *info = u->info;
    }
    upload_end(u);
    return status;
}

void spooled_abort(struct blob_upload *upload)
{
    upload_end((struct spooled_upload *)upload);
}

/* ---- life ---- */

bool spooled_store_init(struct spooled_store *s, const struct blob_options *options, int64_t quota_stale_ms,
    bool (*measure)(void *arg, const char *namespace_part, int64_t *bytes), struct buf *why)
{
    if (options->is_serving && mkdir(options->data_dir, 0700) != 0 && errno != EEXIST) {
        buf_printf(why, "cannot create %s: %s", options->data_dir, strerror(errno));
        return false;
    }
    s->base.max_bytes = options->max_bytes;
    s->base.quota_bytes = options->quota_bytes;
    s->quota = file_quota_new(options->quota_bytes, quota_stale_ms, measure, s);
    s->data_dir = xstrdup(options->data_dir);
    s->download_url_ms = options->download_url_ms;
    return true;
}

void spooled_store_clear(struct spooled_store *s)
{
    file_quota_free(s->quota);
    free(s->data_dir);
}
