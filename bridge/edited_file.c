#include "edited_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/uuid.h"

/* ---- reading ---- */

static bool is_beneath(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || (len == 1 && folder[0] == '/'));
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xmemdup_text(path, (size_t)(slash - path));
}

/* Where a path whose last parts are missing leads: the real path of what is there, and the rest. NULL: errno;
 * ENOENT where a link leads nowhere. */
static char *resolve(const char *path)
{
    char *whole = realpath(path, NULL);
    if (whole || errno != ENOENT)
        return whole;
    struct stat st;
    if (lstat(path, &st) == 0 || strcmp(path, ".") == 0 || strcmp(path, "/") == 0) {
        errno = ENOENT;
        return NULL;
    }
    char *folder = folder_of(path);
    char *above = resolve(folder);
    free(folder);
    if (!above)
        return NULL;
    const char *slash = strrchr(path, '/');
    char *joined = xasprintf("%s/%s", strcmp(above, "/") == 0 ? "" : above, slash ? slash + 1 : path);
    free(above);
    return joined;
}

static int read_whole(int fd, struct buf *into)
{
    enum { CHUNK = 64 * 1024 };
    for (;;) {
        ssize_t got = read(fd, buf_reserve(into, CHUNK), CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : 0;
        buf_commit(into, (size_t)got);
        if (into->len > EDITED_FILE_MAX_BYTES)
            return EFBIG;
    }
}

/* NULL, or why the file is left alone. */
static const char *unfit(const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        return "is not a regular file";
    if (st->st_uid != geteuid())
        return "belongs to another user";
    if (!(st->st_mode & S_IWUSR))
        return "is read-only";
    return NULL;
}

static bool read_target(struct edited_file *file, struct buf *why)
{
    /* Without O_NONBLOCK a FIFO in the file's place would hang us. */
    int fd = open(file->target, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return true;
    int failed = fd < 0 || fstat(fd, &file->seen) < 0 ? errno : 0;
    const char *problem = failed ? NULL : unfit(&file->seen);
    if (!failed && !problem)
        failed = read_whole(fd, &file->text);
    if (fd >= 0)
        close(fd);
    if (problem || failed) {
        buf_printf(why, "%s %s", file->path, problem ? problem : strerror(failed));
        return false;
    }
    file->exists = true;
    buf_append(&file->before, buf_text(&file->text), file->text.len);
    return true;
}

bool edited_file_open(const char *path, const char *within, struct edited_file *out, struct buf *why)
{
    *out = (struct edited_file){.path = xstrdup(path), .target = resolve(path)};
    bool ok = false;
    if (!out->target)
        buf_printf(why, "%s %s", path, errno == ENOENT ? "is a link that leads nowhere" : strerror(errno));
    else if (within && !is_beneath(out->target, within))
        buf_printf(why, "%s is a link that leads out of %s", path, within);
    else
        ok = read_target(out, why);
    if (!ok)
        edited_file_free(out);
    return ok;
}

bool edited_file_changed(const struct edited_file *file)
{
    return file->text.len != file->before.len ||
           memcmp(buf_text(&file->text), buf_text(&file->before), file->text.len) != 0;
}

void edited_file_free(struct edited_file *file)
{
    free(file->path);
    free(file->target);
    buf_wipe(&file->text);
    buf_wipe(&file->before);
    *file = (struct edited_file){0};
}

/* ---- writing ---- */

static bool make_folders(const char *path, mode_t mode)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return true;
    if (errno != ENOENT)
        return false;
    char *above = folder_of(path);
    bool made = make_folders(above, mode) && (mkdir(path, mode) == 0 || errno == EEXIST);
    free(above);
    return made;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Whether the file is what it was when it was read. */
static bool is_as_seen(const struct edited_file *file)
{
    struct stat now;
    if (lstat(file->target, &now) < 0)
        return errno == ENOENT && !file->exists;
    return file->exists && now.st_ino == file->seen.st_ino && now.st_dev == file->seen.st_dev &&
           now.st_size == file->seen.st_size && same_time(&now.st_mtim, &file->seen.st_mtim);
}

static bool write_whole(int fd, const struct buf *text)
{
    for (size_t put = 0; put < text->len;) {
        ssize_t n = write(fd, text->data + put, text->len - put);
        if (n < 0 && errno != EINTR)
            return false;
        put += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* A new file gets the mode that open(2) gave it. */
static bool dress(int fd, const struct edited_file *file)
{
    if (!file->exists)
        return true;
    if (file->seen.st_gid != getegid() && fchown(fd, (uid_t)-1, file->seen.st_gid) < 0)
        return false;
    return fchmod(fd, file->seen.st_mode & 07777) == 0;
}

static bool write_new(const char *path, const struct edited_file *file, mode_t mode)
{
    int fd = open(
        path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file->exists ? S_IRUSR | S_IWUSR : mode);
    if (fd < 0)
        return false;
    bool ok = write_whole(fd, &file->text) && dress(fd, file) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) < 0 && ok) {
        ok = false;
        error = errno;
    }
    errno = error;
    return ok;
}

static bool sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return ok;
}

static bool put_in_place(struct edited_file *file, const char *folder, mode_t mode, struct buf *why)
{
    char id[UUID_SIZE];
    uuid_v4(id);
    char *fresh = xasprintf("%s/.patchcord-%s", folder, id);
    bool ok = write_new(fresh, file, mode);
    if (ok && !is_as_seen(file)) {
        buf_printf(why, "%s was changed by another program meanwhile; try again", file->path);
        ok = false;
    } else if (!ok || rename(fresh, file->target) < 0 || !sync_folder(folder)) {
        ok = false;
        buf_printf(why, "%s: %s", file->path, strerror(errno));
    }
    if (!ok)
        unlink(fresh);
    free(fresh);
    return ok;
}

bool edited_file_commit(struct edited_file *file, mode_t mode, struct buf *why)
{
    if (!edited_file_changed(file))
        return true;
    char *folder = folder_of(file->target);
    mode_t search = (mode & (S_IRUSR | S_IRGRP | S_IROTH)) >> 2;
    bool ok = make_folders(folder, mode | search);
    if (!ok)
        buf_printf(why, "%s: %s", folder, strerror(errno));
    ok = ok && put_in_place(file, folder, mode, why);
    free(folder);
    return ok;
}

bool edited_file_remove(struct edited_file *file, struct buf *why)
{
    if (!file->exists)
        return true;
    if (!is_as_seen(file)) {
        buf_printf(why, "%s was changed by another program meanwhile; try again", file->path);
        return false;
    }
    struct stat st;
    bool link = lstat(file->path, &st) == 0 && S_ISLNK(st.st_mode);
    if (unlink(file->target) == 0 && (!link || unlink(file->path) == 0))
        return true;
    buf_printf(why, "%s: %s", file->path, strerror(errno));
    return false;
}
