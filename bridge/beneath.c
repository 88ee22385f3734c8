#include "beneath.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/openat2.h>
#include <sys/syscall.h>
#endif

/* ---- links ---- */

struct walk {
    int root;
    char *done;          /* PATH_MAX bytes: resolved so far */
    char rest[PATH_MAX]; /* still to be walked */
    int links;
};

static bool fails(int error)
{
    errno = error;
    return false;
}

static bool push(struct walk *walk, const char *part)
{
    size_t len = strlen(walk->done);
    int put = snprintf(walk->done + len, PATH_MAX - len, "%s%s", len > 0 ? "/" : "", part);
    return put > 0 && (size_t)put < PATH_MAX - len ? true : fails(ENAMETOOLONG);
}

/* What was resolved has no links, so that its parent is the path without its last part. */
static bool pop(struct walk *walk)
{
    if (walk->done[0] == '\0')
        return fails(EXDEV);
    char *slash = strrchr(walk->done, '/');
    *(slash ? slash : walk->done) = '\0';
    return true;
}

/* The link that done ends in gives way to what it says. */
static bool follow(struct walk *walk, const char *target)
{
    char longer[PATH_MAX];
    if (++walk->links > BENEATH_LINKS_MAX)
        return fails(ELOOP);
    if (target[0] == '/')
        return fails(EXDEV);
    int len = snprintf(longer, sizeof longer, "%s/%s", target, walk->rest);
    if (len < 0 || (size_t)len >= sizeof longer)
        return fails(ENAMETOOLONG);
    strlcpy(walk->rest, longer, sizeof walk->rest);
    return pop(walk);
}

static bool step(struct walk *walk, const char *part)
{
    char target[PATH_MAX];
    if (strcmp(part, "") == 0 || strcmp(part, ".") == 0)
        return true;
    if (strcmp(part, "..") == 0)
        return pop(walk);
    if (!push(walk, part))
        return false;
    ssize_t len = readlinkat(walk->root, walk->done, target, sizeof target - 1);
    if (len < 0)
        return errno == EINVAL; /* there, and no link */
    target[len] = '\0';
    return follow(walk, target);
}

bool beneath_resolve(int root, const char *path, char out[static PATH_MAX])
{
    struct walk walk = {.root = root, .done = out};
    out[0] = '\0';
    if (path[0] == '/')
        return fails(EXDEV);
    if (strlcpy(walk.rest, path, sizeof walk.rest) >= sizeof walk.rest)
        return fails(ENAMETOOLONG);
    while (walk.rest[0]) {
        char part[NAME_MAX + 1];
        size_t len = strcspn(walk.rest, "/");
        if (len >= sizeof part)
            return fails(ENAMETOOLONG);
        memcpy(part, walk.rest, len);
        part[len] = '\0';
        const char *next = walk.rest + len + (walk.rest[len] == '/');
        memmove(walk.rest, next, strlen(next) + 1);
        if (!step(&walk, part))
            return false;
    }
    return true;
}

/* ---- opening ---- */

/* One folder after the other, none of them through a link. */
static int open_portably(int root, const char *path, int flags)
{
    int folder = root;
    char part[NAME_MAX + 1];
    for (;;) {
        size_t len = strcspn(path, "/");
        if (len >= sizeof part || len == 0) {
            errno = len ? ENAMETOOLONG : ENOENT;
            break;
        }
        memcpy(part, path, len);
        part[len] = '\0';
        bool last = path[len] == '\0';
        if (strcmp(part, "..") == 0) {
            errno = EXDEV;
            break;
        }
        int next = openat(folder, part, (last ? flags : O_RDONLY | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        int error = errno;
        if (folder != root)
            close(folder);
        errno = error;
        if (next < 0 || last)
            return next;
        folder = next;
        path += len + 1;
    }
    int error = errno;
    if (folder != root)
        close(folder);
    errno = error;
    return -1;
}

#ifdef SYS_openat2
/* -2: this system does not have it, or a sandbox keeps it from us. */
static int open_at_once(int root, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned long long)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
    };
    long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    return fd < 0 && (errno == ENOSYS || errno == EPERM) ? -2 : (int)fd;
}
#else
static int open_at_once(int root, const char *path, int flags)
{
    (void)root, (void)path, (void)flags;
    return -2;
}
#endif

int beneath_open(int root, const char *path, int flags, enum beneath_way way)
{
    int fd = way == BENEATH_BEST ? open_at_once(root, path, flags) : -2;
    return fd == -2 ? open_portably(root, path, flags) : fd;
}
