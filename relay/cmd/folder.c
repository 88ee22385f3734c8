#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"

enum { COPY_CHUNK = 64 * 1024 };

static bool fail(struct buf *why, const char *doing, const char *path)
{
    buf_printf(why, "cannot %s %s: %s", doing, path, strerror(errno));
    return false;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The next entry that counts, or NULL; errno is 0 at the end. */
static struct dirent *next_entry(DIR *dir, bool (*ignore)(const char *name))
{
    struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(dir);
    } while (entry && (is_dots(entry->d_name) || (ignore && ignore(entry->d_name))));
    return entry;
}

bool folder_prepare_empty(const char *path, bool (*ignore)(const char *name), struct buf *why)
{
    if (mkdir(path, 0700) == 0)
        return true;
    if (errno != EEXIST)
        return fail(why, "create", path);
    DIR *dir = opendir(path);
    if (!dir)
        return fail(why, "read", path);
    const bool empty = next_entry(dir, ignore) == NULL;
    (void)closedir(dir);
    if (!empty)
        buf_printf(why, "%s is not empty", path);
    return empty;
}

/* ---- copying ---- */

static bool copy_bytes(int from, int to)
{
    char *chunk = xmalloc(COPY_CHUNK);
    ssize_t got;
    bool fine = true;
    while (fine && (got = read(from, chunk, COPY_CHUNK)) > 0) {
        for (ssize_t done = 0, wrote; fine && done < got; done += wrote) {
            wrote = write(to, chunk + done, (size_t)(got - done));
            fine = wrote > 0;
        }
    }
    free(chunk);
    return fine && got == 0 && fsync(to) == 0;
}

static bool copy_file(const char *from, const char *to, struct buf *why)
{
    const int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0)
        return errno == ENOENT || fail(why, "read", from);
    const int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool fine = out >= 0 && copy_bytes(in, out);
    if (!fine)
        (void)fail(why, "write", to);
    if (out >= 0 && close(out) != 0 && fine)
        fine = fail(why, "write", to);
    (void)close(in);
    return fine;
}

static bool sync_folder(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool fine = fsync(fd) == 0;
    (void)close(fd);
    return fine;
}

static bool copy_inner(const char *from, const char *to, bool (*ignore)(const char *name), struct buf *why);

/* The one recursion here goes as deep as the folders do. What was removed since the folder was read is
 * passed over. */
static bool copy_entry(const char *from, const char *to, struct buf *why)
{
    struct stat st;
    if (lstat(from, &st) != 0)
        return errno == ENOENT || fail(why, "read", from);
    if (S_ISREG(st.st_mode))
        return copy_file(from, to, why);
    if (!S_ISDIR(st.st_mode)) {
        buf_printf(why, "%s is neither a file nor a folder", from);
        return false;
    }
    if (mkdir(to, 0700) != 0)
        return fail(why, "create", to);
    return copy_inner(from, to, NULL, why);
}

static bool copy_inner(const char *from, const char *to, bool (*ignore)(const char *name), struct buf *why)
{
    DIR *dir = opendir(from);
    if (!dir)
        return errno == ENOENT || fail(why, "read", from);
    bool fine = true;
    const struct dirent *entry;
    while (fine && (entry = next_entry(dir, ignore))) {
        char *source = xasprintf("%s/%s", from, entry->d_name), *copy = xasprintf("%s/%s", to, entry->d_name);
        fine = copy_entry(source, copy, why);
        free(source);
        free(copy);
    }
    if (fine && errno != 0)
        fine = fail(why, "read", from);
    (void)closedir(dir);
    return fine && (sync_folder(to) || fail(why, "write", to));
}

bool folder_copy(const char *from, const char *to, bool (*ignore)(const char *name), struct buf *why)
{
    if (access(from, R_OK | X_OK) != 0)
        return fail(why, "read", from);
    return copy_inner(from, to, ignore, why);
}

/* ---- removing ---- */

void folder_empty(const char *path, bool (*ignore)(const char *name))
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    const struct dirent *entry;
    while ((entry = next_entry(dir, ignore))) {
        char *inner = xasprintf("%s/%s", path, entry->d_name);
        if (unlink(inner) != 0 && errno == EISDIR) {
            folder_empty(inner, NULL);
            (void)rmdir(inner);
        }
        free(inner);
    }
    (void)closedir(dir);
}

bool folder_is_within(const char *path, const char *outer)
{
    char *inner_path = realpath(path, NULL), *outer_path = realpath(outer, NULL);
    const size_t len = outer_path ? strlen(outer_path) : 0;
    const bool within = inner_path && outer_path && strncmp(inner_path, outer_path, len) == 0 &&
                        (inner_path[len] == '\0' || inner_path[len] == '/');
    free(inner_path);
    free(outer_path);
    return within;
}
