#include "project_files.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/fence.h"
#include "../common/utf8.h"

/* ---- the rules of a path ---- */

/* Characters that a reader would not see: some file systems ignore them too, so that they hide a dot. */
static bool has_unseen(const char *text, size_t len)
{
    for (size_t at = 0, size; at < len; at += size) {
        uint32_t c = 0;
        size = utf8_decode(text + at, len - at, &c);
        if (size == 0 || c < ' ' || fence_is_unseen(c))
            return true;
    }
    return false;
}

/* Joiners are parts of many a name, but where one comes first, HFS+ finds what begins behind it. */
static bool begins_unseen(const char *part)
{
    return strncmp(part, "\u200c", 3) == 0 || strncmp(part, "\u200d", 3) == 0;
}

/* FAT and NTFS find .env as ENV~1, too. */
static bool is_short_name(const char *part, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (part[i] == '~' && part[i + 1] >= '0' && part[i + 1] <= '9')
            return true;
    }
    return false;
}

static bool part_allowed(const char *part, size_t len, struct buf *why)
{
    if (len == 2 && memcmp(part, "..", 2) == 0)
        buf_puts(why, "\"..\" is not taken in a path");
    else if (part[0] == '.')
        buf_printf(why, "hidden files and folders (%.*s) are neither sent nor written", (int)len, part);
    else if (is_short_name(part, len))
        buf_printf(why, "%.*s may be the short name of a hidden file", (int)len, part);
    else if (begins_unseen(part))
        buf_puts(why, "a name in the path begins with a character that cannot be seen");
    else if (len > NAME_MAX)
        buf_printf(why, "a name in it is longer than %d bytes", NAME_MAX);
    return why->len == 0;
}

bool project_path_read(const char *path, struct buf *out, struct buf *why)
{
    size_t whole = strlen(path);
    if (whole >= PATH_MAX) {
        buf_printf(why, "the path is longer than %d bytes", PATH_MAX - 1);
        return false;
    }
    /* First, because the other rules show what they refuse. */
    if (has_unseen(path, whole)) {
        buf_puts(why, "the path has characters that cannot be seen");
        return false;
    }
    size_t before = out->len;
    for (size_t len; *path; path += len + (path[len] == '/')) {
        len = strcspn(path, "/");
        if (len == 0 || (len == 1 && path[0] == '.'))
            continue;
        if (!part_allowed(path, len, why))
            return false;
        buf_printf(out, "%s%.*s", out->len > before ? "/" : "", (int)len, path);
    }
    if (out->len == before)
        buf_puts(why, "the path names no file");
    return out->len > before;
}

/* ---- the folders ---- */

static bool same_place(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* True where the folder is that home or above it. */
static bool holds_home(const struct stat *folder, const char *home)
{
    char *at = home && home[0] == '/' ? realpath(home, NULL) : NULL;
    bool holds = false;
    while (at && !holds) {
        struct stat st;
        holds = stat(at, &st) == 0 && same_place(&st, folder);
        char *slash = strrchr(at, '/');
        if (at[1] == '\0')
            break;
        slash[slash == at] = '\0';
    }
    free(at);
    return holds;
}

/* The environment may have been made by the project: it does not decide alone what home is. */
static bool is_project(int root)
{
    struct stat folder, top;
    if (fstat(root, &folder) < 0 || stat("/", &top) < 0 || same_place(&folder, &top))
        return false;
    const struct passwd *user = getpwuid(geteuid());
    return !holds_home(&folder, getenv("HOME")) && !holds_home(&folder, user ? user->pw_dir : NULL);
}

bool project_is_folder(const char *path)
{
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool fits = root >= 0 && is_project(root);
    if (root >= 0)
        close(root);
    return fits;
}

#define HOW_TO_ALLOW "; the person can allow a folder with patchcord mcp --allow-path FOLDER"

static int open_project(const struct project_files *files, struct buf *why)
{
    int root = open(files->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        buf_printf(why, "the project's folder cannot be opened (%s)", strerror(errno));
        return -1;
    }
    if (is_project(root))
        return root;
    close(root);
    buf_printf(
        why, "%s is no project's folder: files are only taken from a project" HOW_TO_ALLOW, files->folder);
    return -1;
}

/* What of an absolute path lies beneath the folder; NULL where it does not. */
static const char *rest_beneath(const char *folder, const char *path)
{
    size_t len = strlen(folder);
    while (len > 0 && folder[len - 1] == '/')
        len--;
    return strncmp(path, folder, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

/* Opens the folder that path is beneath; *rest is the path from there. */
static int open_root(const struct project_files *files, const char *path, const char **rest, struct buf *why)
{
    *rest = path;
    if (path[0] != '/')
        return open_project(files, why);
    for (char *const *folder = files->allowed; folder && *folder; folder++) {
        *rest = rest_beneath(*folder, path);
        int root = *rest ? open(*folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (root >= 0)
            return root;
    }
    *rest = rest_beneath(files->folder, path);
    if (*rest)
        return open_project(files, why);
    buf_printf(why, "only files of the project (%s) are taken" HOW_TO_ALLOW, files->folder);
    return -1;
}

/* ---- files ---- */

static void explain(const char *path, int error, struct buf *why)
{
    if (error == EXDEV)
        buf_printf(why, "%s is, or goes through, a link that leads out of the folder", path);
    else
        buf_printf(why, "%s: %s", path, strerror(error));
}

/* Where the path leads, links followed, which has to obey the rules too. */
static bool resolve(int root, const char *path, char resolved[static PATH_MAX], struct buf *why)
{
    struct buf again = {0};
    if (!beneath_resolve(root, path, resolved)) {
        explain(path, errno, why);
        return false;
    }
    bool allowed = resolved[0] == '\0' || project_path_read(resolved, &again, why);
    buf_free(&again);
    return allowed;
}

static bool is_regular(int root, const char *path, int fd)
{
    struct stat st;
    int known = fd < 0 ? fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) : fstat(fd, &st);
    return known == 0 && S_ISREG(st.st_mode);
}

/* A device is not even opened: that can have effects. Without O_NONBLOCK a FIFO put there meanwhile would
 * hang us. */
static int open_regular(int root, const char *path, enum beneath_way way, struct buf *why)
{
    int fd = -1;
    if (path[0] && is_regular(root, path, -1)) {
        fd = beneath_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, way);
        if (fd < 0) {
            explain(path, errno, why);
            return -1;
        }
        if (is_regular(root, path, fd))
            return fd;
        close(fd);
    }
    buf_printf(why, "%s is no regular file", path[0] ? path : "the folder itself");
    return -1;
}

int project_files_open(const struct project_files *files, const char *path, struct buf *why)
{
    struct buf plain = {0};
    char resolved[PATH_MAX];
    const char *rest;
    int fd = -1, root = open_root(files, path, &rest, why);
    if (root < 0)
        return -1;
    if (project_path_read(rest, &plain, why) && resolve(root, buf_text(&plain), resolved, why))
        fd = open_regular(root, resolved, files->way, why);
    buf_free(&plain);
    close(root);
    return fd;
}

/* Opens the resolved folder, "" being the root itself. */
static int open_folder(int root, const char *path, enum beneath_way way)
{
    int flags = O_RDONLY | O_DIRECTORY;
    return path[0] ? beneath_open(root, path, flags, way) : openat(root, ".", flags | O_CLOEXEC);
}

/* Splits "a/b/c" into "a/b" and "c". */
static void split(char *path, char **folder, char name[static NAME_MAX + 1])
{
    char *slash = strrchr(path, '/');
    strlcpy(name, slash ? slash + 1 : path, NAME_MAX + 1);
    *(slash ? slash : path) = '\0';
    *folder = path;
}

static int place(int root, char *path, enum beneath_way way, char name[static NAME_MAX + 1], struct buf *why)
{
    char resolved[PATH_MAX], *folder;
    struct stat st;
    split(path, &folder, name);
    if (!resolve(root, folder, resolved, why))
        return -1;
    int fd = open_folder(root, resolved, way);
    if (fd < 0) {
        explain(folder[0] ? folder : ".", errno, why);
        return -1;
    }
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return fd; /* whatever the reason: creating it will tell */
    buf_printf(why, "%s is there already, and nothing is overwritten; choose another name", name);
    close(fd);
    return -1;
}

int project_files_place(
    const struct project_files *files, const char *path, char name[static NAME_MAX + 1], struct buf *why)
{
    struct buf plain = {0};
    const char *rest;
    int fd = -1, root = open_root(files, path, &rest, why);
    if (root < 0)
        return -1;
    size_t len = strlen(rest);
    if (len > 0 && rest[len - 1] == '/')
        buf_puts(why, "the path ends in a slash: name the new file itself");
    else if (project_path_read(rest, &plain, why))
        fd = place(root, plain.data, files->way, name, why);
    buf_free(&plain);
    close(root);
    return fd;
}
