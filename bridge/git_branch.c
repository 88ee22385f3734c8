#include "git_branch.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/alloc.h"

#define BRANCH_REF "ref: refs/heads/"
#define WORKTREE   "gitdir: "

enum { SHA1_DIGITS = 40, SHA256_DIGITS = 64 };

/* ---- HEAD ---- */

static size_t line_len(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);
    return end ? (size_t)(end - text) : len;
}

static void append_plain(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len && i < GIT_BRANCH_MAX; i++) {
        bool plain = isalnum((unsigned char)text[i]) || (text[i] && strchr("._/+@#-", text[i]));
        buf_putc(out, plain ? text[i] : '_');
    }
}

static bool is_hash(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isxdigit((unsigned char)text[i]))
            return false;
    return len == SHA1_DIGITS || len == SHA256_DIGITS;
}

bool git_head_branch(const char *text, size_t len, struct buf *out)
{
    size_t end = line_len(text, len), prefix = strlen(BRANCH_REF);
    if (is_hash(text, end)) {
        append_plain(out, text, GIT_COMMIT_DIGITS);
        return true;
    }
    if (end <= prefix || memcmp(text, BRANCH_REF, prefix) != 0)
        return false;
    append_plain(out, text + prefix, end - prefix);
    return true;
}

/* ---- files ---- */

/* A short regular file. */
static bool read_file(const char *path, struct buf *out)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        do
            got = read(fd, buf_reserve(out, GIT_HEAD_MAX_BYTES), GIT_HEAD_MAX_BYTES);
        while (got < 0 && errno == EINTR);
    }
    if (got > 0)
        buf_commit(out, (size_t)got);
    close(fd);
    return got > 0;
}

/* Where the HEAD is: in .git, or in the folder that a worktree's .git names. NULL: there is none here. */
static char *head_path(const char *folder)
{
    char *git = xasprintf("%s/.git", folder), *head = NULL;
    struct stat st;
    struct buf text = {0};
    if (stat(git, &st) != 0)
        goto out;
    if (S_ISDIR(st.st_mode)) {
        head = xasprintf("%s/HEAD", git);
        goto out;
    }
    if (!read_file(git, &text) || strncmp(buf_text(&text), WORKTREE, strlen(WORKTREE)) != 0)
        goto out;
    char *named = text.data + strlen(WORKTREE);
    named[strcspn(named, "\r\n")] = '\0';
    head = named[0] == '/' ? xasprintf("%s/HEAD", named) : xasprintf("%s/%s/HEAD", folder, named);
out:
    buf_free(&text);
    free(git);
    return head;
}

bool git_branch(const char *folder, struct buf *out)
{
    char *at = xstrdup(folder), *head = head_path(at), *slash;
    while (!head && (slash = strrchr(at, '/')) != NULL) {
        *slash = '\0';
        head = head_path(at);
    }
    struct buf text = {0};
    bool found = head && read_file(head, &text) && git_head_branch(text.data, text.len, out);
    buf_free(&text);
    free(head);
    free(at);
    return found;
}
