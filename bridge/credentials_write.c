#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/json.h"
#include "../common/url.h"
#include "credentials.h"
#include "private_folder.h"

#define LOCK_NAME "credentials.lock"
#define NEW_FILE  "{\"version\": 1, \"entries\": []}"

/* Changes take milliseconds; whoever has the lock for longer hangs, or is stopped. */
enum { LOCK_PATIENCE_MS = 5000, LOCK_LOOK_MS = 10 };

/* A change of the file: opened, changed in memory, put in place. */
struct change {
    const char *path;
    int folder, lock;
    struct json_object *root, *entries; /* entries: borrowed from root */
};

/* ---- the folder and its lock ---- */

/* What people make by hand is mostly open for others to list. */
static bool close_to_others(int folder)
{
    struct stat st;
    if (fstat(folder, &st) < 0)
        return false;
    if (st.st_uid != geteuid()) {
        errno = EPERM;
        return false;
    }
    return (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 || fchmod(folder, S_IRWXU) == 0;
}

/* -1: errno. */
static int open_folder(const char *path)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 && errno == ENOENT)
        folder = private_folder_open(AT_FDCWD, path, true);
    if (folder >= 0 && !close_to_others(folder)) {
        int error = errno;
        close(folder);
        errno = error;
        return -1;
    }
    return folder;
}

/* -1: errno; EWOULDBLOCK where another process has it for too long. */
static int take_lock(int folder)
{
    int fd = openat(folder, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return -1;
    for (int64_t until = clock_mono_ms() + LOCK_PATIENCE_MS; flock(fd, LOCK_EX | LOCK_NB) < 0;) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || clock_mono_ms() > until) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_LOOK_MS * 1000000L}, NULL);
    }
    return fd;
}

static void change_end(struct change *change)
{
    if (change->lock >= 0)
        close(change->lock);
    if (change->folder >= 0)
        close(change->folder);
    json_object_put(change->root);
}

/* ---- reading and writing ---- */

static bool is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static bool read_file(struct change *change, struct buf *why)
{
    struct buf text = {0};
    struct buf problem = {0};
    struct credentials checked = {0};
    enum json_fault fault;
    bool ok = credentials_read(change->path, &text, why);
    if (ok && text.len == 0)
        buf_puts(&text, NEW_FILE);
    if (ok && !credentials_parse(buf_text(&text), text.len, &checked, &problem)) {
        buf_printf(why, "%s: %s", change->path, buf_text(&problem));
        ok = false;
    }
    if (ok) {
        change->root = json_parse(buf_text(&text), text.len, &fault);
        ok = json_get_array(change->root, "entries", &change->entries) == JSON_FIELD_FOUND;
    }
    credentials_free(&checked);
    buf_free(&problem);
    buf_wipe(&text);
    return ok;
}

static bool change_begin(struct change *change, const char *path, struct buf *why)
{
    *change = (struct change){.path = path, .folder = -1, .lock = -1};
    const char *slash = strrchr(path, '/');
    char *folder = xmemdup_text(path, slash ? (size_t)(slash - path) : 0);
    bool ok = false;
    change->folder = open_folder(folder);
    if (change->folder < 0) {
        buf_printf(why, "%s: %s", folder, strerror(errno));
        goto out;
    }
    change->lock = take_lock(change->folder);
    if (change->lock < 0 && errno == EWOULDBLOCK)
        buf_printf(why, "%s is being changed by another process; try again", path);
    else if (change->lock < 0)
        buf_printf(why, "%s/" LOCK_NAME ": %s", folder, strerror(errno));
    else if (is_link(path))
        buf_printf(why, "%s is a link; put the file itself there", path);
    else
        ok = read_file(change, why);
out:
    free(folder);
    if (!ok)
        change_end(change);
    return ok;
}

/* What was changed has to be what credentials_load takes, in size and number, too. */
static bool still_valid(const struct buf *text, const char *path, struct buf *why)
{
    struct credentials checked;
    struct buf problem = {0};
    bool ok = text->len <= CREDENTIALS_MAX_BYTES;
    if (!ok)
        buf_printf(why, "%s would have more than %d bytes", path, CREDENTIALS_MAX_BYTES);
    else if (!credentials_parse(text->data, text->len, &checked, &problem)) {
        ok = false;
        buf_printf(why, "%s was left as it is: %s", path, buf_text(&problem));
    } else
        credentials_free(&checked);
    buf_free(&problem);
    return ok;
}

/* A process that was killed in between leaves tokens in a file of another name. */
static void remove_left_overs(int folder)
{
    struct file_names names;
    if (private_folder_list(folder, &names))
        file_names_free(&names);
}

static bool change_commit(struct change *change, struct buf *why)
{
    struct buf text = {0};
    size_t len;
    const char *pretty = json_object_to_json_string_length(change->root,
        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    buf_append(&text, pretty, len);
    buf_putc(&text, '\n');
    remove_left_overs(change->folder);
    bool ok = still_valid(&text, change->path, why);
    if (ok && !private_file_put(change->folder, strrchr(change->path, '/') + 1, &text, true)) {
        ok = false;
        buf_printf(why, "%s: %s", change->path, strerror(errno));
    }
    buf_wipe(&text);
    return ok;
}

/* ---- entries ---- */

static bool same_text(struct json_object *entry, const char *key, const char *text)
{
    return strcmp(json_text_or(entry, key, ""), text ? text : "") == 0;
}

static char *origin_of(const char *text)
{
    struct url url;
    if (!url_parse(text, &url))
        return NULL;
    char *origin = url_origin(&url);
    url_free(&url);
    return origin;
}

static bool same_origin(struct json_object *stored, const char *url)
{
    char *a = origin_of(json_text_or(stored, "url", "")), *b = origin_of(url);
    bool same = a && b && strcmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

static bool same_agent(struct json_object *stored, const char *agent)
{
    struct ident who;
    char address[ADDRESS_SIZE];
    if (!ident_parse(json_text_or(stored, "agent", ""), &who))
        return false;
    ident_format(who.namespace_id, who.agent, address);
    return strcmp(address, agent) == 0;
}

/* The stored entry that this one takes the place of; NULL: none. */
static struct json_object *find_same(struct json_object *entries, const struct credential *entry)
{
    for (size_t i = 0; i < json_object_array_length(entries); i++) {
        struct json_object *stored = json_object_array_get_idx(entries, i);
        if (same_agent(stored, entry->agent) && same_origin(stored, entry->url) &&
            same_text(stored, "folder", entry->folder) && same_text(stored, "client", entry->client))
            return stored;
    }
    return NULL;
}

static void fill(struct json_object *stored, const struct credential *entry)
{
    json_add_text(stored, "agent", entry->agent);
    json_add_text(stored, "url", entry->url);
    json_add_text(stored, "token", entry->token);
    if (entry->folder)
        json_add_text(stored, "folder", entry->folder);
    if (entry->client)
        json_add_text(stored, "client", entry->client);
    /* The relay may have got another certificate. */
    json_object_object_del(stored, "ca");
    if (entry->ca)
        json_add_text(stored, "ca", entry->ca);
    if (!entry->allow_paths)
        return;
    struct json_object *paths = json_new_array();
    for (char *const *path = entry->allow_paths; *path; path++)
        json_append_text(paths, *path);
    json_add(stored, "allow_paths", paths);
}

bool credentials_put(const char *path, const struct credential *entry, struct buf *why)
{
    struct change change;
    if (!change_begin(&change, path, why))
        return false;
    struct json_object *stored = find_same(change.entries, entry);
    if (!stored) {
        stored = json_new_object();
        json_append(change.entries, stored);
    }
    fill(stored, entry);
    bool ok = change_commit(&change, why);
    change_end(&change);
    return ok;
}

/* Takes out the entries of that folder and client (NULL: of every one) that stand for another identity than
 * but (NULL: all). */
static size_t remove_entries(
    struct json_object *entries, const char *folder, const char *client, const struct credential *but)
{
    size_t removed = 0;
    for (size_t i = json_object_array_length(entries); i > 0; i--) {
        struct json_object *stored = json_object_array_get_idx(entries, i - 1);
        bool meant = same_text(stored, "folder", folder) && (!client || same_text(stored, "client", client));
        if (!meant || (but && same_agent(stored, but->agent) && same_origin(stored, but->url)))
            continue;
        json_object_array_del_idx(entries, i - 1, 1);
        removed++;
    }
    return removed;
}

static bool remove_from(const char *path, const char *folder, const char *client,
    const struct credential *but, size_t *count, struct buf *why)
{
    struct change change;
    *count = 0;
    if (access(path, F_OK) < 0 && errno == ENOENT && !is_link(path))
        return true; /* nothing to lock, and no folder to make */
    if (!change_begin(&change, path, why))
        return false;
    size_t removed = remove_entries(change.entries, folder, client, but);
    bool ok = removed == 0 || change_commit(&change, why);
    change_end(&change);
    if (ok)
        *count = removed;
    return ok;
}

bool credentials_remove(
    const char *path, const char *folder, const char *client, size_t *count, struct buf *why)
{
    return remove_from(path, folder, client, NULL, count, why);
}

bool credentials_remove_others(const char *path, const struct credential *entry, struct buf *why)
{
    size_t count;
    return remove_from(path, entry->folder, entry->client ? entry->client : "", entry, &count, why);
}
