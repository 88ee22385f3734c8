#include "private_folder.h"

#include <bsd/string.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/uuid.h"

enum { LEFT_OVER_S = 3600, READ_CHUNK = 16 * 1024 };

/* ---- folders ---- */

static int failed_with(int fd, int error)
{
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

static bool is_private(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

/* A folder that is not on the disk yet could take with it what is put into it. */
static bool make_folder(int base, const char *path)
{
    if (mkdirat(base, path, S_IRWXU) < 0)
        return errno == EEXIST || faccessat(base, path, F_OK, 0) == 0;
    const char *slash = strrchr(path, '/');
    char *above = slash == path ? xstrdup("/")
                  : slash       ? xmemdup_text(path, (size_t)(slash - path))
                                : xstrdup(".");
    int fd = openat(base, above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(above);
    bool kept = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return kept;
}

static bool make_folders(int base, const char *path)
{
    char *partial = xstrdup(path);
    bool made = true;
    for (char *slash = strchr(partial + 1, '/'); slash && made; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        made = make_folder(base, partial);
        *slash = '/';
    }
    free(partial);
    return made && make_folder(base, path);
}

int private_folder_open(int base, const char *path, bool create)
{
    enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    int fd = openat(base, path, FLAGS);
    if (fd < 0 && errno == ENOENT && create && make_folders(base, path))
        fd = openat(base, path, FLAGS);
    if (fd >= 0 && !is_private(fd))
        return failed_with(fd, EPERM);
    return fd;
}

/* ---- files ---- */

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

/* True once the file stands under that name, complete. */
static bool write_new(int folder, const char *name, const struct buf *text, bool durable)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return false;
    bool written = write_whole(fd, text) && (!durable || fsync(fd) == 0);
    int error = errno;
    if (close(fd) < 0 && written) {
        written = false;
        error = errno;
    }
    errno = error;
    return written;
}

bool private_file_put(int folder, const char *name, const struct buf *text, bool durable)
{
    char id[UUID_SIZE], fresh[sizeof FILE_NEW_PREFIX + UUID_SIZE];
    uuid_v4(id);
    strlcpy(fresh, FILE_NEW_PREFIX, sizeof fresh);
    strlcat(fresh, id, sizeof fresh);
    const char *left = fresh;
    if (write_new(folder, fresh, text, durable) && renameat(folder, fresh, folder, name) == 0) {
        if (!durable || fsync(folder) == 0)
            return true;
        left = name;
    }
    int error = errno;
    unlinkat(folder, left, 0);
    errno = error;
    return false;
}

static bool is_fit(int fd, size_t max_bytes)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1 &&
           (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 && st.st_size >= 0 && (size_t)st.st_size <= max_bytes;
}

static enum private_read read_open(int fd, size_t max_bytes, struct buf *out)
{
    if (!is_fit(fd, max_bytes))
        return PRIVATE_UNFIT;
    for (size_t before = out->len;;) {
        ssize_t got = read(fd, buf_reserve(out, READ_CHUNK), READ_CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return PRIVATE_FAULT;
        if (got == 0)
            return PRIVATE_READ;
        buf_commit(out, (size_t)got);
        if (out->len - before > max_bytes)
            return PRIVATE_UNFIT;
    }
}

enum private_read private_file_read(int folder, const char *name, size_t max_bytes, struct buf *out)
{
    /* Without O_NONBLOCK a FIFO in the file's place would hang us. */
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return PRIVATE_GONE;
    if (fd < 0)
        return errno == ENFILE || errno == EMFILE || errno == EIO || errno == ENOMEM ? PRIVATE_FAULT
                                                                                     : PRIVATE_UNFIT;
    enum private_read result = read_open(fd, max_bytes, out);
    close(fd);
    return result;
}

/* ---- listing ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void remove_left_over(int folder, const char *name)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
        time(NULL) - st.st_mtime > LEFT_OVER_S)
        unlinkat(folder, name, 0);
}

static void add_name(int folder, struct file_names *names, size_t *room, const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    if (strncmp(name, FILE_NEW_PREFIX, sizeof FILE_NEW_PREFIX - 1) == 0) {
        remove_left_over(folder, name);
        return;
    }
    if (names->count == *room) {
        *room = *room ? 2 * *room : 16;
        names->list = xreallocarray(names->list, *room, sizeof *names->list);
    }
    strlcpy(names->list[names->count++], name, FILE_NAME_SIZE);
}

bool private_folder_list(int folder, struct file_names *out)
{
    *out = (struct file_names){0};
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        failed_with(fd, errno);
        return false;
    }
    size_t room = 0;
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(dir)) != NULL)
        add_name(folder, out, &room, entry->d_name);
    int error = errno;
    closedir(dir);
    if (error != 0) {
        file_names_free(out);
        errno = error;
        return false;
    }
    if (out->count > 1)
        qsort(out->list, out->count, sizeof *out->list, by_name);
    return true;
}

void file_names_free(struct file_names *names)
{
    free(names->list);
    *names = (struct file_names){0};
}
