#include "blob_supabase.h"

#include <bsd/string.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "answer_window.h"
#include "claims.h"
#include "spooled_store.h"

struct storage_store {
    struct spooled_store spooled; /* first: a struct blob_store * is one of these */
    struct storage_client *client;
    struct claims *describing; /* paths: two would read the same twice */
    pthread_mutex_t lock;
    struct blob_info
        *known[STORAGE_KNOWN_MAX]; /* under lock: by the hash of their paths; a newer one takes the place */
};

static struct storage_store *storage_of(struct blob_store *s)
{
    return (struct storage_store *)s;
}

/* What the server's client logged is not logged again. */
static enum blob_status status_of(enum storage_status status)
{
    static const enum blob_status meanings[] = {
        [STORAGE_DONE] = BLOB_DONE,
        [STORAGE_ABSENT] = BLOB_ABSENT,
        [STORAGE_EXISTS] = BLOB_EXISTS,
        [STORAGE_TOO_LARGE] = BLOB_TOO_LARGE,
        [STORAGE_NO_BUCKET] = BLOB_ABSENT,
        [STORAGE_FAULT] = BLOB_FAULT,
    };
    return meanings[status];
}

/* ---- what is known of files ---- */

static struct blob_info **slot_of(struct storage_store *t, const struct blob_path *path)
{
    uint64_t hash;
    static const unsigned char key[crypto_shorthash_KEYBYTES];
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)path->text, strlen(path->text), key);
    return &t->known[hash % STORAGE_KNOWN_MAX];
}

static bool recall(struct storage_store *t, const struct blob_path *path, struct blob_info *info)
{
    pthread_mutex_lock(&t->lock);
    const struct blob_info *known = *slot_of(t, path);
    const bool is_known = known && strcmp(known->path.text, path->text) == 0;
    if (is_known)
        *info = *known;
    pthread_mutex_unlock(&t->lock);
    return is_known;
}

static void remember(struct storage_store *t, const struct blob_info *info)
{
    pthread_mutex_lock(&t->lock);
    struct blob_info **slot = slot_of(t, &info->path);
    if (!*slot)
        *slot = xmalloc(sizeof **slot);
    **slot = *info;
    pthread_mutex_unlock(&t->lock);
}

/* ---- storing ---- */

static enum blob_status put(struct blob_store *s, const struct blob_info *info, int fd)
{
    struct storage_store *t = storage_of(s);
    const enum storage_status status = storage_put(t->client, info->path.text, info->type, fd, info->size);
    if (status == STORAGE_DONE)
        remember(t, info);
    return status == STORAGE_ABSENT || status == STORAGE_NO_BUCKET ? BLOB_FAULT : status_of(status);
}

/* ---- reading ---- */

struct reading {
    crypto_hash_sha256_state hash;
    int64_t size;
};

static bool take_hash(void *arg, const void *bytes, size_t len)
{
    struct reading *reading = arg;
    crypto_hash_sha256_update(&reading->hash, bytes, len);
    reading->size += (int64_t)len;
    return true;
}

static void hash_anew(void *arg)
{
    struct reading *reading = arg;
    crypto_hash_sha256_init(&reading->hash);
    reading->size = 0;
}

static bool take_nothing(void *arg, const void *bytes, size_t len)
{
    (void)arg, (void)bytes, (void)len;
    return true;
}

static enum blob_status drop_large(struct storage_store *t, const struct blob_path *path)
{
    const char *const paths[] = {path->text};
    size_t removed;
    log_warn("upload_dropped", LOG_STR("path", path->text), LOG_STR("why", blob_status_text(BLOB_TOO_LARGE)));
    if (storage_remove(t->client, paths, 1, &removed) == STORAGE_DONE)
        file_quota_forget(t->spooled.quota, path->namespace_part);
    return BLOB_TOO_LARGE;
}

static enum blob_status describe(
    struct storage_store *t, const struct blob_path *path, struct blob_info *info)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    struct reading reading;
    struct storage_get get = {.len = -1, .take = take_hash, .restart = hash_anew, .arg = &reading};
    hash_anew(&reading);
    const enum blob_status status = status_of(storage_get(t->client, path->text, &get));
    if (status != BLOB_DONE)
        return status;
    if (reading.size > t->spooled.base.max_bytes)
        return drop_large(t, path);
    memset(info, 0, sizeof *info);
    info->path = *path;
    info->size = reading.size;
    info->stored_ms = path->made_ms; /* or a little later */
    strlcpy(info->type, get.type, sizeof info->type);
    crypto_hash_sha256_final(&reading.hash, digest);
    sodium_bin2hex(info->sha256, sizeof info->sha256, digest, sizeof digest);
    remember(t, info);
    return BLOB_DONE;
}

static enum blob_status describe_once(
    struct storage_store *t, const struct blob_path *path, struct blob_info *info)
{
    if (!claims_take(t->describing, path->text))
        return BLOB_BUSY;
    /* Perhaps somebody else did, who had the claim. */
    const enum blob_status status = recall(t, path, info) ? BLOB_DONE : describe(t, path, info);
    claims_give_back(t->describing, path->text);
    return status;
}

/* Of a file that is known one byte is asked for: others may have removed it. */
static enum blob_status storage_stat(
    struct blob_store *s, const struct blob_path *path, struct blob_info *info)
{
    struct storage_store *t = storage_of(s);
    struct storage_get get = {.len = 1, .take = take_nothing};
    if (!recall(t, path, info))
        return describe_once(t, path, info);
    return status_of(storage_get(t->client, path->text, &get));
}

static enum blob_status storage_read(
    struct blob_store *s, const struct blob_path *path, int64_t offset, size_t len, struct buf *out)
{
    struct blob_info info;
    struct answer_window window = answer_window(out, len);
    struct storage_get get = {.offset = offset,
        .len = (int64_t)len,
        .take = answer_window_take,
        .restart = answer_window_restart,
        .arg = &window};
    if (len == 0)
        return storage_stat(s, path, &info);
    return status_of(storage_get(storage_of(s)->client, path->text, &get));
}

/* ---- signed URLs ---- */

static enum blob_status storage_sign(struct blob_store *s, struct blob_grant *grant, struct buf *url)
{
    struct storage_store *t = storage_of(s);
    const int64_t last_ms = grant->is_upload ? BLOB_UPLOAD_URL_MS : t->spooled.download_url_ms;
    enum blob_status status = BLOB_DONE;
    grant->expires_ms = (clock_wall_ms() + last_ms) / MS_PER_SECOND * MS_PER_SECOND;
    if (grant->is_upload)
        status = spooled_grant(&t->spooled, grant);
    if (status != BLOB_DONE)
        return status;
    return status_of(grant->is_upload ? storage_sign_upload(t->client, grant->path.text, url)
                                      : storage_sign_download(t->client, grant->path.text,
                                            last_ms / MS_PER_SECOND, grant->path.name, url));
}

/* ---- listings ---- */

struct found {
    struct blob_path path;
    int64_t size;
};

struct gathering {
    struct found *items;
    size_t count, room;
    char **folders; /* still to be looked at */
    size_t folders_count;
    const char *folder; /* the one that is */
};

static void gather(void *arg, const char *name, int64_t size)
{
    enum { ROOM_FIRST = 64 };
    struct gathering *g = arg;
    const char *problem;
    struct found found = {.size = size};
    char *path = xasprintf("%s%s%s", g->folder, g->folder[0] ? "/" : "", name);
    if (size < 0) {
        g->folders = xreallocarray(g->folders, g->folders_count + 1, sizeof *g->folders);
        g->folders[g->folders_count++] = path;
        return;
    }
    if (blob_path_parse(path, &found.path, &problem) && strcmp(found.path.text, path) == 0) {
        if (g->count == g->room) {
            g->room = g->room ? 2 * g->room : ROOM_FIRST;
            g->items = xreallocarray(g->items, g->room, sizeof *g->items);
        }
        g->items[g->count++] = found;
    }
    free(path);
}

/* A blob is in a folder in a folder; what lies deeper is others'. */
static bool is_too_deep(const char *folder)
{
    const char *slash = strchr(folder, '/');
    return slash && strchr(slash + 1, '/');
}

/* All blobs below a folder ("": of all). */
static enum storage_status gather_all(struct storage_store *t, const char *top, struct gathering *g)
{
    enum storage_status status = STORAGE_DONE;
    g->folders = xreallocarray(NULL, 1, sizeof *g->folders);
    g->folders[g->folders_count++] = xstrdup(top);
    while (g->folders_count > 0 && status == STORAGE_DONE) {
        char *folder = g->folders[--g->folders_count];
        g->folder = folder;
        if (!is_too_deep(folder))
            status = storage_list(t->client, folder, gather, g);
        free(folder);
    }
    return status;
}

static void gathering_free(struct gathering *g)
{
    for (size_t i = 0; i < g->folders_count; i++)
        free(g->folders[i]);
    free(g->folders);
    free(g->items);
}

static bool measure_namespace(void *arg, const char *namespace_part, int64_t *bytes)
{
    struct gathering g = {0};
    const bool measured = gather_all(arg, namespace_part, &g) == STORAGE_DONE;
    for (size_t i = 0; i < g.count; i++)
        *bytes += file_quota_charge(g.items[i].size);
    gathering_free(&g);
    return measured;
}

static enum blob_status storage_each(
    struct blob_store *s, bool (*each)(void *arg, const struct blob_info *info), void *arg)
{
    struct gathering g = {0};
    const enum blob_status status = status_of(gather_all(storage_of(s), "", &g));
    for (size_t i = 0; i < g.count; i++) {
        struct blob_info info;
        if (blob_stat(s, &g.items[i].path, &info) == BLOB_DONE && !each(arg, &info))
            break;
    }
    gathering_free(&g);
    return status;
}

/* ---- removing ---- */

static enum blob_status storage_remove_one(struct blob_store *s, const struct blob_path *path)
{
    struct storage_store *t = storage_of(s);
    const char *const paths[] = {path->text};
    size_t removed;
    const enum storage_status status = storage_remove(t->client, paths, 1, &removed);
    if (status == STORAGE_DONE)
        file_quota_forget(t->spooled.quota, path->namespace_part);
    if (status == STORAGE_DONE && removed == 0)
        return BLOB_ABSENT;
    return status_of(status);
}

struct sweep {
    const char *paths[STORAGE_BULK_MAX];
    size_t count;
};

static enum storage_status remove_swept(struct storage_store *t, struct sweep *sweep)
{
    size_t removed;
    if (sweep->count == 0)
        return STORAGE_DONE;
    const enum storage_status status = storage_remove(t->client, sweep->paths, sweep->count, &removed);
    sweep->count = 0;
    return status;
}

static enum storage_status sweep_all(struct storage_store *t, const struct gathering *g, int64_t before_ms,
    bool dry_run, struct blob_cleanup_result *result)
{
    struct sweep sweep = {.count = 0};
    enum storage_status status = STORAGE_DONE;
    for (size_t i = 0; i < g->count && status == STORAGE_DONE; i++) {
        const struct found *found = &g->items[i];
        if (found->path.made_ms >= before_ms)
            continue;
        result->removed++;
        result->bytes += found->size;
        if (dry_run)
            continue;
        sweep.paths[sweep.count++] = found->path.text;
        file_quota_forget(t->spooled.quota, found->path.namespace_part);
        if (sweep.count == STORAGE_BULK_MAX)
            status = remove_swept(t, &sweep);
    }
    return status == STORAGE_DONE ? remove_swept(t, &sweep) : status;
}

static enum blob_status storage_cleanup(
    struct blob_store *s, int64_t max_age_ms, bool dry_run, struct blob_cleanup_result *result)
{
    struct storage_store *t = storage_of(s);
    struct gathering g = {0};
    enum storage_status status = gather_all(t, "", &g);
    if (status == STORAGE_DONE)
        status = sweep_all(t, &g, clock_wall_ms() - max_age_ms, dry_run, result);
    gathering_free(&g);
    return status_of(status);
}

/* ---- life ---- */

static void storage_stop(struct blob_store *s)
{
    storage_client_stop(storage_of(s)->client);
}

static void storage_close(struct blob_store *s)
{
    struct storage_store *t = storage_of(s);
    spooled_store_clear(&t->spooled);
    storage_client_free(t->client);
    for (size_t i = 0; i < STORAGE_KNOWN_MAX; i++)
        free(t->known[i]);
    claims_free(t->describing);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static const struct blob_ops storage_ops = {
    .begin = spooled_begin,
    .write = spooled_write,
    .commit = spooled_commit,
    .abort = spooled_abort,
    .stat = storage_stat,
    .read = storage_read,
    .sign = storage_sign,
    .used = spooled_used,
    .remove = storage_remove_one,
    .list = storage_each,
    .cleanup = storage_cleanup,
    .stop = storage_stop,
    .close = storage_close,
};

struct blob_store *blob_open_supabase(
    const struct blob_options *options, const struct storage_options *storage, struct buf *why)
{
    struct storage_store *t = xcalloc(1, sizeof *t);
    t->client = storage_client_new(storage, why);
    if (!t->client ||
        !spooled_store_init(&t->spooled, options, STORAGE_QUOTA_STALE_MS, measure_namespace, why)) {
        storage_client_free(t->client);
        free(t);
        return NULL;
    }
    t->spooled.base.ops = &storage_ops;
    t->spooled.put = put;
    t->describing = claims_new(&first_looks);
    pthread_mutex_init(&t->lock, NULL);
    return &t->spooled.base;
}
