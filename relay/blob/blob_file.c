/* blob_file.c: blobs as files below the data folder.
 *
 * A blob is data_dir/files/<its path>: the content, and behind it file_trailer.h. It is written to
 * data_dir/files.incoming (which no backup has) under a random name, and renamed once it is whole and on
 * disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/folder_sync.h"
#include "../../common/key_file.h"
#include "../../common/log.h"
#include "../../common/uuid.h"
#include "blob_ops.h"
#include "file_quota.h"
#include "file_trailer.h"
#include "file_tree.h"
#include "file_url.h"
#include "incoming.h"

#define FILE_KEY_NAME "files.key"
_Static_assert((int)FILE_URL_KEY_BYTES == (int)KEY_FILE_BYTES, "the key that is kept is the one that signs");

struct file_store {
    struct blob_store base;
    uint8_t key[FILE_URL_KEY_BYTES];
    char *folder, *incoming, *public_url;
    int64_t download_url_ms;
    struct file_quota *quota;
};

struct file_upload {
    struct blob_upload base;
    struct blob_info info; /* size: bytes written so far */
    int fd;
    int64_t max_bytes, claimed;
    crypto_hash_sha256_state hash;
    char *temporary;
};

static struct file_store *files_of(struct blob_store *s)
{
    return (struct file_store *)s;
}

static enum blob_status fault(const char *doing, const char *path)
{
    log_error("file_store", LOG_STR("doing", doing), LOG_STR("path", path), LOG_STR("why", strerror(errno)));
    return BLOB_FAULT;
}

static char *place_of(const struct file_store *f, const struct blob_path *path)
{
    return xasprintf("%s/%s", f->folder, path->text);
}

/* ---- storing ---- */

static enum blob_status claim(struct file_upload *u, int64_t bytes)
{
    struct file_store *f = files_of(u->base.store);
    switch (file_quota_claim(f->quota, u->info.path.namespace_part, bytes)) {
    case QUOTA_CLAIMED:
        u->claimed += bytes;
        return BLOB_DONE;
    case QUOTA_FULL:
        return BLOB_OVER_QUOTA;
    default:
        return fault("measure", u->info.path.namespace_part);
    }
}

/* Frees the upload, and removes what is left of it. */
static void upload_end(struct file_upload *u)
{
    struct file_store *f = files_of(u->base.store);
    if (u->fd >= 0) {
        (void)close(u->fd);
        (void)unlink(u->temporary);
    }
    file_quota_release(f->quota, u->info.path.namespace_part, u->claimed);
    free(u->temporary);
    free(u);
}

static enum blob_status upload_open(struct file_upload *u)
{
    struct file_store *f = files_of(u->base.store);
    char id[UUID_SIZE];
    uuid_v4(id);
    u->temporary = xasprintf("%s/%s", f->incoming, id);
    u->fd = open(u->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return u->fd >= 0 ? BLOB_DONE : fault("create", u->temporary);
}

static bool is_taken(const struct file_store *f, const struct blob_path *path)
{
    struct stat st;
    char *place = place_of(f, path);
    const bool taken = lstat(place, &st) == 0;
    free(place);
    return taken;
}

static enum blob_status file_begin(struct blob_store *s, const struct blob_path *path, const char *type,
    int64_t max_bytes, int64_t announced, struct blob_upload **upload)
{
    if (is_taken(files_of(s), path))
        return BLOB_EXISTS;
    struct file_upload *u = xcalloc(1, sizeof *u);
    u->base.store = s;
    u->info.path = *path;
    memccpy(u->info.type, type, '\0', sizeof u->info.type);
    u->fd = -1;
    u->max_bytes = max_bytes;
    crypto_hash_sha256_init(&u->hash);
    enum blob_status status = claim(u, file_quota_charge(announced));
    if (status == BLOB_DONE)
        status = upload_open(u);
    if (status == BLOB_DONE)
        *upload = &u->base;
    else
        upload_end(u);
    return status;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t wrote = write(fd, bytes, len);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        bytes += wrote;
        len -= (size_t)wrote;
    }
    return true;
}

static enum blob_status file_write(struct blob_upload *upload, const void *bytes, size_t len)
{
    struct file_upload *u = (struct file_upload *)upload;
    if ((uint64_t)len > (uint64_t)(u->max_bytes - u->info.size))
        return BLOB_TOO_LARGE;
    const int64_t size = u->info.size + (int64_t)len;
    if (size > u->claimed) {
        const enum blob_status status = claim(u, size - u->claimed);
        if (status != BLOB_DONE)
            return status;
    }
    if (!write_all(u->fd, bytes, len))
        return fault("write", u->temporary);
    u->info.size = size;
    crypto_hash_sha256_update(&u->hash, bytes, len);
    return BLOB_DONE;
}

static bool make_folder(char *path, char *end)
{
    *end = '\0';
    const bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
    *end = '/';
    return made;
}

/* Gives the file its name, where that is free, and makes the folders on the way. */
static bool move_in(const struct file_store *f, const char *temporary, char *place)
{
    char *agent_end = strrchr(place, '/');
    char *namespace_end = place + strlen(f->folder) + 1;
    namespace_end += strcspn(namespace_end, "/");
    if (!make_folder(place, namespace_end) || !make_folder(place, agent_end))
        return false;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, place, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    /* A file system that lacks it. */
    return link(temporary, place) == 0 && unlink(temporary) == 0;
}

struct moving {
    const struct file_store *files;
    const char *temporary;
    char *place;
};

static bool publish(void *arg)
{
    enum { TRIES = 5 }; /* a cleanup by another process may remove an empty folder in between */
    const struct moving *m = arg;
    for (int i = 0; i < TRIES; i++) {
        if (move_in(m->files, m->temporary, m->place))
            return true;
        if (errno != ENOENT)
            return false;
    }
    return false;
}

/* The entries of the folder, of the one above it, and of the one above that: each may be new. */
static bool sync_folders(const struct file_store *f, char *place)
{
    bool synced = true;
    while (synced && strlen(place) > strlen(f->folder)) {
        *strrchr(place, '/') = '\0';
        synced = folder_sync(place);
    }
    return synced;
}

static bool retract(void *arg)
{
    return unlink(arg) == 0;
}

static enum blob_status upload_publish(struct file_upload *u)
{
    struct file_store *f = files_of(u->base.store);
    char *place = place_of(f, &u->info.path);
    const char *part = u->info.path.namespace_part;
    struct moving moving = {.files = f, .temporary = u->temporary, .place = place};
    const int64_t charge = file_quota_charge(u->info.size);
    enum blob_status status = BLOB_DONE;

    if (!file_quota_apply(f->quota, part, charge, u->claimed, publish, &moving)) {
        status = errno == EEXIST ? BLOB_EXISTS : fault("rename", place);
    } else {
        u->claimed = 0; /* it is stored now */
        (void)close(u->fd);
        u->fd = -1; /* there is nothing left to remove */
        if (!sync_folders(f, place)) {
            status = fault("synchronise", place);
            free(place);
            place = place_of(f, &u->info.path);
            if (!file_quota_apply(f->quota, part, -charge, 0, retract, place))
                status = fault("remove", place);
        }
    }
    free(place);
    return status;
}

static enum blob_status file_commit(struct blob_upload *upload, struct blob_info *info)
{
    struct file_upload *u = (struct file_upload *)upload;
    unsigned char hash[crypto_hash_sha256_BYTES];
    char trailer[FILE_TRAILER_BYTES];
    enum blob_status status;

    crypto_hash_sha256_final(&u->hash, hash);
    sodium_bin2hex(u->info.sha256, sizeof u->info.sha256, hash, sizeof hash);
    u->info.stored_ms = clock_wall_ms();
    file_trailer_write(&u->info, trailer);
    if (!write_all(u->fd, trailer, sizeof trailer) || fsync(u->fd) != 0)
        status = fault("write", u->temporary);
    else
        status = upload_publish(u);
    if (status == BLOB_DONE)
        *info = u->info;
    upload_end(u);
    return status;
}

static void file_abort(struct blob_upload *upload)
{
    upload_end((struct file_upload *)upload);
}

/* ---- reading ---- */

/* Reads the trailer. Something that is no blob of ours is a fault, not an absence. */
static enum blob_status read_info(
    int fd, const struct blob_path *path, const char *place, struct blob_info *info)
{
    struct stat st;
    char trailer[FILE_TRAILER_BYTES];
    if (fstat(fd, &st) != 0)
        return fault("read", place);
    if (!S_ISREG(st.st_mode) || st.st_size < FILE_TRAILER_BYTES ||
        pread(fd, trailer, sizeof trailer, st.st_size - FILE_TRAILER_BYTES) != sizeof trailer ||
        !file_trailer_read(trailer, st.st_size, info)) {
        log_error("file_store", LOG_STR("doing", "read"), LOG_STR("path", place),
            LOG_STR("why", "the file is damaged"));
        return BLOB_FAULT;
    }
    info->path = *path;
    return BLOB_DONE;
}

static enum blob_status file_open(
    struct blob_store *s, const struct blob_path *path, struct blob_info *info, int *fd, int64_t *at)
{
    char *place = place_of(files_of(s), path);
    enum blob_status status;
    *fd = open(place, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    *at = 0;
    if (*fd < 0)
        status = errno == ENOENT || errno == ENOTDIR ? BLOB_ABSENT : fault("open", place);
    else
        status = read_info(*fd, path, place, info);
    if (status != BLOB_DONE && *fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
    free(place);
    return status;
}

static enum blob_status file_stat(struct blob_store *s, const struct blob_path *path, struct blob_info *info)
{
    int fd;
    int64_t at;
    const enum blob_status status = file_open(s, path, info, &fd, &at);
    if (status == BLOB_DONE)
        (void)close(fd);
    return status;
}

static enum blob_status read_range(
    int fd, const struct blob_info *info, int64_t offset, size_t len, struct buf *out)
{
    if (offset >= info->size)
        return BLOB_DONE;
    if ((int64_t)len > info->size - offset)
        len = (size_t)(info->size - offset);
    char *into = buf_reserve(out, len);
    for (size_t done = 0; done < len;) {
        const ssize_t got = pread(fd, into + done, len - done, offset + (int64_t)done);
        if (got <= 0)
            return fault("read", info->path.text);
        done += (size_t)got;
    }
    buf_commit(out, len);
    return BLOB_DONE;
}

static enum blob_status file_read(
    struct blob_store *s, const struct blob_path *path, int64_t offset, size_t len, struct buf *out)
{
    struct blob_info info;
    int fd;
    int64_t at;
    enum blob_status status = file_open(s, path, &info, &fd, &at);
    if (status != BLOB_DONE)
        return status;
    status = read_range(fd, &info, offset, len, out);
    (void)close(fd);
    return status;
}

/* ---- signed URLs ---- */

static enum blob_status file_sign(struct blob_store *s, struct blob_grant *grant, struct buf *url)
{
    const struct file_store *f = files_of(s);
    const int64_t last_ms = grant->is_upload ? BLOB_UPLOAD_URL_MS : f->download_url_ms;
    if (!f->public_url) {
        errno = ENOKEY;
        return fault("sign", grant->path.text);
    }
    /* Whole seconds, as the URL has them. */
    grant->expires_ms = (clock_wall_ms() + last_ms) / MS_PER_SECOND * MS_PER_SECOND;
    if (grant->is_upload && (grant->max_bytes <= 0 || grant->max_bytes > s->max_bytes))
        grant->max_bytes = s->max_bytes;
    file_url_write(f->key, f->public_url, grant, url);
    return BLOB_DONE;
}

static enum blob_url file_check_url(struct blob_store *s, bool is_upload, const char *path,
    const char *(*parameter)(const void *request, const char *name), const void *request,
    struct blob_grant *grant)
{
    const struct file_store *f = files_of(s);
    if (!f->public_url)
        return BLOB_URL_FORGED;
    return file_url_check(f->key, is_upload, path, parameter, request, clock_wall_ms(), grant);
}

/* ---- housekeeping ---- */

static int64_t content_bytes(int64_t file_bytes)
{
    return file_bytes > FILE_TRAILER_BYTES ? file_bytes - FILE_TRAILER_BYTES : 0;
}

static bool add_charge(void *arg, const struct blob_path *path, int64_t file_bytes)
{
    (void)path;
    int64_t *sum = arg;
    *sum += file_quota_charge(content_bytes(file_bytes));
    return true;
}

static bool measure_namespace(void *arg, const char *namespace_part, int64_t *bytes)
{
    const struct file_store *f = arg;
    return file_tree_walk(f->folder, namespace_part, add_charge, bytes);
}

static enum blob_status file_used(struct blob_store *s, const char *namespace_id, int64_t *bytes)
{
    char part[NAME_SIZE];
    blob_path_owner(namespace_id, part);
    return file_quota_used(files_of(s)->quota, part, bytes) ? BLOB_DONE : fault("measure", part);
}

/* Removes the file, and the folders that are empty then. */
static bool unlink_file(void *arg)
{
    char *place = arg;
    if (unlink(place) != 0)
        return false;
    for (int levels = 2; levels > 0; levels--) {
        *strrchr(place, '/') = '\0';
        if (rmdir(place) != 0)
            break;
    }
    return true;
}

static enum blob_status remove_file(struct file_store *f, const struct blob_path *path, int64_t file_bytes)
{
    char *place = place_of(f, path);
    enum blob_status status = BLOB_DONE;
    if (!file_quota_apply(f->quota, path->namespace_part, -file_quota_charge(content_bytes(file_bytes)), 0,
            unlink_file, place))
        status = errno == ENOENT || errno == ENOTDIR ? BLOB_ABSENT : fault("remove", place);
    free(place);
    return status;
}

static enum blob_status file_remove(struct blob_store *s, const struct blob_path *path)
{
    struct stat st;
    char *place = place_of(files_of(s), path);
    const bool is_there = lstat(place, &st) == 0;
    free(place);
    return is_there ? remove_file(files_of(s), path, st.st_size) : BLOB_ABSENT;
}

struct listing {
    struct blob_store *store;
    bool (*each)(void *arg, const struct blob_info *info);
    void *arg;
};

/* A damaged file was logged, and is passed over. */
static bool list_file(void *arg, const struct blob_path *path, int64_t file_bytes)
{
    (void)file_bytes;
    const struct listing *l = arg;
    struct blob_info info;
    return file_stat(l->store, path, &info) != BLOB_DONE || l->each(l->arg, &info);
}

static enum blob_status file_list(
    struct blob_store *s, bool (*each)(void *arg, const struct blob_info *info), void *arg)
{
    struct listing listing = {.store = s, .each = each, .arg = arg};
    const struct file_store *f = files_of(s);
    return file_tree_walk(f->folder, NULL, list_file, &listing) ? BLOB_DONE : fault("list", f->folder);
}

struct sweep {
    struct file_store *files;
    int64_t before_ms; /* what was made earlier goes */
    bool dry_run;
    struct blob_cleanup_result *result;
};

static bool sweep_file(void *arg, const struct blob_path *path, int64_t file_bytes)
{
    struct sweep *sweep = arg;
    if (path->made_ms >= sweep->before_ms)
        return true;
    if (sweep->dry_run || remove_file(sweep->files, path, file_bytes) == BLOB_DONE) {
        sweep->result->removed++;
        sweep->result->bytes += content_bytes(file_bytes);
    }
    return true;
}

static enum blob_status file_cleanup(
    struct blob_store *s, int64_t max_age_ms, bool dry_run, struct blob_cleanup_result *result)
{
    struct file_store *f = files_of(s);
    const int64_t now_ms = clock_wall_ms();
    struct sweep sweep = {.files = f, .before_ms = now_ms - max_age_ms, .dry_run = dry_run, .result = result};
    if (!file_tree_walk(f->folder, NULL, sweep_file, &sweep))
        return fault("list", f->folder);
    /* A transfer that writes nothing for so long has ended long ago. */
    return incoming_sweep(
               f->incoming, now_ms - BLOB_UPLOAD_URL_MS, dry_run, &result->abandoned, &result->bytes)
               ? BLOB_DONE
               : fault("list", f->incoming);
}

/* ---- life ---- */

static void file_close(struct blob_store *s)
{
    struct file_store *f = files_of(s);
    if (f->quota)
        file_quota_free(f->quota);
    sodium_memzero(f->key, sizeof f->key);
    free(f->folder);
    free(f->incoming);
    free(f->public_url);
    free(f);
}

static const struct blob_ops file_ops = {
    .begin = file_begin,
    .write = file_write,
    .commit = file_commit,
    .abort = file_abort,
    .stat = file_stat,
    .read = file_read,
    .open = file_open,
    .check_url = file_check_url,
    .sign = file_sign,
    .used = file_used,
    .remove = file_remove,
    .list = file_list,
    .cleanup = file_cleanup,
    .close = file_close,
};

static bool prepare_folder(const char *path, struct buf *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    buf_printf(why, "cannot create %s: %s", path, strerror(errno));
    return false;
}

static bool collect_unfinished(const struct file_store *f, struct buf *why)
{
    int64_t count = 0, bytes = 0;
    if (!incoming_sweep(f->incoming, INT64_MAX, false, &count, &bytes)) {
        buf_printf(why, "cannot read %s: %s", f->incoming, strerror(errno));
        return false;
    }
    if (count > 0)
        log_info("unfinished_uploads_removed", LOG_INT("count", count), LOG_INT("bytes", bytes));
    return true;
}

struct blob_store *blob_open_files(const struct blob_options *options, struct buf *why)
{
    struct file_store *f = xcalloc(1, sizeof *f);
    f->base = (struct blob_store){
        .ops = &file_ops, .max_bytes = options->max_bytes, .quota_bytes = options->quota_bytes};
    f->folder = xasprintf("%s/" BLOB_FILES_FOLDER, options->data_dir);
    f->incoming = xasprintf("%s/" BLOB_INCOMING_FOLDER, options->data_dir);
    f->public_url =
        options->is_serving ? xstrdup_or_null(options->public_url) : NULL; /* else there is no key */
    f->download_url_ms = options->download_url_ms;
    f->quota = file_quota_new(options->quota_bytes, 0, measure_namespace, f);
    if (!options->is_serving ||
        (prepare_folder(f->folder, why) && prepare_folder(f->incoming, why) && collect_unfinished(f, why) &&
            key_file_load(options->data_dir, FILE_KEY_NAME, "signed URLs", f->key, why)))
        return &f->base;
    file_close(&f->base);
    return NULL;
}
