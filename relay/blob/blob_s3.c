#include "blob_s3.h"

#include <bsd/string.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "answer_window.h"
#include "claims.h"
#include "sigv4.h"
#include "spooled_store.h"

enum { INCOMING_KEY_SIZE = sizeof S3_INCOMING + BLOB_PATH_SIZE, PUBLISH_TRIES = 3 };

struct bucket_store {
    struct spooled_store spooled; /* first: a struct blob_store * is one of these */
    struct s3_client *client;
    struct claims *publishing; /* paths: two would copy the same twice */
    struct claims *measuring;  /* namespaces: two uploads that fit one by one are not both dropped */
};

static struct bucket_store *bucket_of(struct blob_store *s)
{
    return (struct bucket_store *)s;
}

/* What the server's client logged is not logged again. */
static enum blob_status status_of(enum s3_status status)
{
    static const enum blob_status meanings[] = {
        [S3_DONE] = BLOB_DONE,
        [S3_ABSENT] = BLOB_ABSENT,
        [S3_CHANGED] = BLOB_EXISTS,
        [S3_FAULT] = BLOB_FAULT,
    };
    return meanings[status];
}

static void incoming_key(const struct blob_path *path, char out[static INCOMING_KEY_SIZE])
{
    strlcpy(out, S3_INCOMING, INCOMING_KEY_SIZE);
    strlcat(out, path->text, INCOMING_KEY_SIZE);
}

/* ---- the quota ---- */

static bool add_charge(void *arg, const char *key, int64_t size)
{
    int64_t *sum = arg;
    (void)key;
    *sum += file_quota_charge(size);
    return true;
}

static bool measure_namespace(void *arg, const char *namespace_part, int64_t *bytes)
{
    struct bucket_store *b = arg;
    char *own = xasprintf("%s/", namespace_part), *incoming = xasprintf(S3_INCOMING "%s/", namespace_part);
    const bool measured = s3_list(b->client, own, add_charge, bytes) == S3_DONE &&
                          s3_list(b->client, incoming, add_charge, bytes) == S3_DONE;
    free(own);
    free(incoming);
    return measured;
}

/* ---- storing ---- */

static struct s3_object object_of(const struct blob_info *info)
{
    struct s3_object object = {.size = info->size, .stored_ms = info->stored_ms};
    strlcpy(object.type, info->type, sizeof object.type);
    strlcpy(object.sha256, info->sha256, sizeof object.sha256);
    return object;
}

static enum blob_status put(struct blob_store *s, const struct blob_info *info, int fd)
{
    const struct s3_object object = object_of(info);
    const enum s3_status status = s3_put(bucket_of(s)->client, info->path.text, fd, &object);
    return status == S3_ABSENT ? BLOB_FAULT : status_of(status); /* no bucket any more */
}

/* ---- what came by a presigned URL ---- */

static bool hash_bytes(void *arg, const void *bytes, size_t len)
{
    crypto_hash_sha256_update(arg, bytes, len);
    return true;
}

static void hash_anew(void *arg)
{
    crypto_hash_sha256_init(arg);
}

static enum s3_status hash_object(struct bucket_store *b, const char *key, struct s3_object *object)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    const struct s3_get get = {
        .len = -1, .etag = object->etag, .take = hash_bytes, .restart = hash_anew, .arg = &state};
    crypto_hash_sha256_init(&state);
    const enum s3_status status = s3_get(b->client, key, &get);
    crypto_hash_sha256_final(&state, digest);
    sodium_bin2hex(object->sha256, sizeof object->sha256, digest, sizeof digest);
    return status;
}

/* It counts already, below S3_INCOMING, perhaps unseen: what is asked is whether all of it may stay. */
static enum blob_status check_limits(
    struct bucket_store *b, const struct blob_path *path, const struct s3_object *object)
{
    if (object->size > b->spooled.base.max_bytes)
        return BLOB_TOO_LARGE;
    int64_t used;
    file_quota_forget(b->spooled.quota, path->namespace_part);
    if (!file_quota_used(b->spooled.quota, path->namespace_part, &used))
        return BLOB_FAULT;
    return used > b->spooled.base.quota_bytes ? BLOB_OVER_QUOTA : BLOB_DONE;
}

static enum blob_status drop(
    struct bucket_store *b, const struct blob_path *path, const char *key, enum blob_status because)
{
    log_warn("upload_dropped", LOG_STR("path", path->text), LOG_STR("why", blob_status_text(because)));
    if (s3_delete(b->client, key) == S3_DONE)
        file_quota_forget(b->spooled.quota, path->namespace_part);
    return because;
}

/* What may not stay is removed. */
static enum blob_status admit(
    struct bucket_store *b, const struct blob_path *path, const char *key, const struct s3_object *object)
{
    if (!claims_take(b->measuring, path->namespace_part))
        return BLOB_BUSY;
    enum blob_status status = check_limits(b, path, object);
    if (status == BLOB_TOO_LARGE || status == BLOB_OVER_QUOTA)
        status = drop(b, path, key, status);
    claims_give_back(b->measuring, path->namespace_part);
    return status;
}

/* EXISTS: it was overwritten meanwhile. */
static enum blob_status publish_once(
    struct bucket_store *b, const struct blob_path *path, struct s3_object *object)
{
    char key[INCOMING_KEY_SIZE];
    incoming_key(path, key);
    enum blob_status status = status_of(s3_head(b->client, key, object));
    if (status == BLOB_DONE)
        status = admit(b, path, key, object);
    if (status == BLOB_DONE)
        status = status_of(hash_object(b, key, object));
    object->stored_ms = clock_wall_ms();
    if (status == BLOB_DONE)
        status = status_of(s3_copy(b->client, key, path->text, object));
    if (status != BLOB_DONE)
        return status;
    log_info("file_stored", LOG_STR("path", path->text), LOG_INT("bytes", object->size));
    if (s3_delete(b->client, key) != S3_DONE) /* it goes with age, and counts until then */
        file_quota_forget(b->spooled.quota, path->namespace_part);
    return BLOB_DONE;
}

/* The path is claimed. */
static enum blob_status publish_claimed(
    struct bucket_store *b, const struct blob_path *path, struct s3_object *object)
{
    /* Perhaps somebody else did, who had the claim. */
    enum blob_status status = status_of(s3_head(b->client, path->text, object));
    if (status != BLOB_ABSENT)
        return status;
    status = BLOB_EXISTS;
    for (int i = 0; status == BLOB_EXISTS && i < PUBLISH_TRIES; i++)
        status = publish_once(b, path, object);
    return status == BLOB_EXISTS ? BLOB_FAULT : status;
}

static enum blob_status publish(
    struct bucket_store *b, const struct blob_path *path, struct s3_object *object)
{
    if (!claims_take(b->publishing, path->text))
        return BLOB_BUSY;
    const enum blob_status status = publish_claimed(b, path, object);
    claims_give_back(b->publishing, path->text);
    return status;
}

/* ---- reading ---- */

static enum blob_status bucket_stat(
    struct blob_store *s, const struct blob_path *path, struct blob_info *info)
{
    struct bucket_store *b = bucket_of(s);
    struct s3_object object;
    enum blob_status status = status_of(s3_head(b->client, path->text, &object));
    if (status == BLOB_ABSENT)
        status = publish(b, path, &object);
    if (status != BLOB_DONE)
        return status;
    info->path = *path;
    info->size = object.size;
    info->stored_ms = object.stored_ms;
    strlcpy(info->type, object.type, sizeof info->type);
    strlcpy(info->sha256, object.sha256, sizeof info->sha256);
    return BLOB_DONE;
}

static enum blob_status bucket_read(
    struct blob_store *s, const struct blob_path *path, int64_t offset, size_t len, struct buf *out)
{
    struct bucket_store *b = bucket_of(s);
    struct blob_info info;
    struct answer_window window = answer_window(out, len);
    const struct s3_get get = {.offset = offset,
        .len = (int64_t)len,
        .take = answer_window_take,
        .restart = answer_window_restart,
        .arg = &window};
    if (len == 0)
        return bucket_stat(s, path, &info);
    enum blob_status status = status_of(s3_get(b->client, path->text, &get));
    if (status != BLOB_ABSENT)
        return status;
    status = bucket_stat(s, path, &info);
    return status == BLOB_DONE ? status_of(s3_get(b->client, path->text, &get)) : status;
}

/* ---- signed URLs ---- */

static int64_t seconds_of(const struct bucket_store *b, bool is_upload)
{
    const int64_t seconds = (is_upload ? BLOB_UPLOAD_URL_MS : b->spooled.download_url_ms) / MS_PER_SECOND;
    return seconds < SIGV4_EXPIRES_MAX_S ? seconds : SIGV4_EXPIRES_MAX_S;
}

static enum blob_status bucket_sign(struct blob_store *s, struct blob_grant *grant, struct buf *url)
{
    struct bucket_store *b = bucket_of(s);
    char incoming[INCOMING_KEY_SIZE];
    struct s3_grant asked = {.key = grant->path.text, .filename = grant->path.name};

    asked.expires_s = seconds_of(b, grant->is_upload);
    if (grant->is_upload) {
        const enum blob_status status = spooled_grant(&b->spooled, grant);
        if (status != BLOB_DONE)
            return status;
        incoming_key(&grant->path, incoming);
        asked.key = incoming;
        asked.type = grant->type;
    }
    grant->expires_ms = (clock_wall_ms() / MS_PER_SECOND + asked.expires_s) * MS_PER_SECOND;
    s3_presign(b->client, &asked, url);
    return BLOB_DONE;
}

/* ---- housekeeping ---- */

static enum blob_status bucket_remove(struct blob_store *s, const struct blob_path *path)
{
    struct bucket_store *b = bucket_of(s);
    char incoming[INCOMING_KEY_SIZE];
    const char *key = path->text;
    struct s3_object object;
    incoming_key(path, incoming);
    enum blob_status status = status_of(s3_head(b->client, key, &object));
    if (status == BLOB_ABSENT) {
        key = incoming;
        status = status_of(s3_head(b->client, key, &object));
    }
    const int64_t began_ms = clock_mono_ms();
    if (status == BLOB_DONE)
        status = status_of(s3_delete(b->client, key));
    if (status == BLOB_DONE)
        file_quota_settle(
            b->spooled.quota, path->namespace_part, -file_quota_charge(object.size), 0, began_ms);
    return status;
}

struct found {
    char *key; /* in the bucket */
    struct blob_path path;
    int64_t size;
    bool is_incoming;
};

/* All blobs' objects, gathered before anything is done with them. Others' are passed over. */
struct gathering {
    struct found *items;
    size_t count, room;
};

static bool gather(void *arg, const char *key, int64_t size)
{
    enum { ROOM_FIRST = 64 };
    struct gathering *g = arg;
    const char *problem;
    struct found found = {.size = size};
    found.is_incoming = strncmp(key, S3_INCOMING, sizeof S3_INCOMING - 1) == 0;
    const char *path = found.is_incoming ? key + sizeof S3_INCOMING - 1 : key;
    if (!blob_path_parse(path, &found.path, &problem) || strcmp(found.path.text, path) != 0)
        return true;
    if (g->count == g->room) {
        g->room = g->room ? 2 * g->room : ROOM_FIRST;
        g->items = xreallocarray(g->items, g->room, sizeof *g->items);
    }
    found.key = xstrdup(key);
    g->items[g->count++] = found;
    return true;
}

static void gathering_free(struct gathering *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->items[i].key);
    free(g->items);
}

static enum blob_status bucket_list(
    struct blob_store *s, bool (*each)(void *arg, const struct blob_info *info), void *arg)
{
    struct gathering g = {0};
    const enum blob_status status = status_of(s3_list(bucket_of(s)->client, "", gather, &g));
    for (size_t i = 0; i < g.count; i++) {
        struct blob_info info;
        if (blob_stat(s, &g.items[i].path, &info) == BLOB_DONE && !each(arg, &info))
            break;
    }
    gathering_free(&g);
    return status;
}

static void sweep(struct bucket_store *b, const struct found *found, bool dry_run, int64_t *count,
    struct blob_cleanup_result *result)
{
    const int64_t began_ms = clock_mono_ms();
    if (!dry_run && s3_delete(b->client, found->key) != S3_DONE)
        return;
    if (!dry_run)
        file_quota_settle(
            b->spooled.quota, found->path.namespace_part, -file_quota_charge(found->size), 0, began_ms);
    ++*count;
    result->bytes += found->size;
}

static enum blob_status bucket_cleanup(
    struct blob_store *s, int64_t max_age_ms, bool dry_run, struct blob_cleanup_result *result)
{
    struct bucket_store *b = bucket_of(s);
    struct gathering g = {0};
    const int64_t before_ms = clock_wall_ms() - max_age_ms;
    const enum blob_status status = status_of(s3_list(b->client, "", gather, &g));
    for (size_t i = 0; status == BLOB_DONE && i < g.count; i++) {
        const struct found *found = &g.items[i];
        if (found->path.made_ms < before_ms)
            sweep(b, found, dry_run, &result->removed, result);
        else if (found->is_incoming && found->size > s->max_bytes)
            sweep(b, found, dry_run, &result->abandoned, result);
    }
    gathering_free(&g);
    return status;
}

/* ---- life ---- */

static void bucket_stop(struct blob_store *s)
{
    s3_client_stop(bucket_of(s)->client);
}

static void bucket_close(struct blob_store *s)
{
    struct bucket_store *b = bucket_of(s);
    spooled_store_clear(&b->spooled);
    s3_client_free(b->client);
    claims_free(b->publishing);
    claims_free(b->measuring);
    free(b);
}

static const struct blob_ops bucket_ops = {
    .begin = spooled_begin,
    .write = spooled_write,
    .commit = spooled_commit,
    .abort = spooled_abort,
    .stat = bucket_stat,
    .read = bucket_read,
    .sign = bucket_sign,
    .used = spooled_used,
    .remove = bucket_remove,
    .list = bucket_list,
    .cleanup = bucket_cleanup,
    .stop = bucket_stop,
    .close = bucket_close,
};

struct blob_store *blob_open_s3(
    const struct blob_options *options, const struct s3_options *s3, struct buf *why)
{
    struct bucket_store *b = xcalloc(1, sizeof *b);
    b->client = s3_client_new(s3, why);
    if (!b->client || !spooled_store_init(&b->spooled, options, S3_QUOTA_STALE_MS, measure_namespace, why)) {
        s3_client_free(b->client);
        free(b);
        return NULL;
    }
    b->spooled.base.ops = &bucket_ops;
    b->spooled.put = put;
    b->publishing = claims_new(&first_looks);
    b->measuring = claims_new(&first_looks);
    return &b->spooled.base;
}
