#include "outbox.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/fence.h"
#include "../common/ident.h"
#include "../common/log.h"
#include "../common/secret.h"
#include "../common/url.h"
#include "outbox_news.h"
#include "private_folder.h"
#include "state_folder.h"

enum { KEY_DIGITS = 32, KEY_SIZE = KEY_DIGITS + 1, SHELF_MAX_FILES = 1000 };
/* For what is kept only to be looked at. */
#define SHELF_EXPIRY_MS (2 * OUTBOX_EXPIRY_MS)

#define LOCK_FILE    "lock"
#define FAILED_SHELF "failed"
#define NEWS_SHELF   "news"
#define ASIDE_SHELF  "aside"
#define LINKS_FOLDER "links"

struct outbox {
    char *root; /* NULL: no outbox is kept */
    char *origin;
    char token_key[KEY_SIZE];
    char agent[ADDRESS_SIZE]; /* "": not known */
    char *folder;             /* below root */
    int64_t max_entries, max_bytes;
    int lock; /* open while it is held; -1 */
};

/* ---- where it is ---- */

char *outbox_root(void)
{
    return state_path("outbox");
}

static void make_key(const char *origin, const char *of, char out[static KEY_SIZE])
{
    char hex[SHA256_HEX_SIZE];
    struct buf text = {0};
    buf_printf(&text, "%s\n%s", origin, of);
    secret_sha256_hex(text.data, text.len, hex);
    strlcpy(out, hex, KEY_SIZE);
    buf_wipe(&text);
}

static char *folder_of_token(const struct outbox *outbox)
{
    return xasprintf("token,%s", outbox->token_key);
}

static char *folder_of_agent(const char *origin, const char *agent)
{
    char key[KEY_SIZE];
    struct buf name = {0};
    make_key(origin, agent, key);
    fence_word(&name, agent, FENCE_WORD_MAX);
    buf_printf(&name, ",%s", key);
    return buf_take(&name);
}

static int root_open(const struct outbox *outbox, bool create)
{
    if (!outbox->root) {
        errno = ENOENT;
        return -1;
    }
    return private_folder_open(AT_FDCWD, outbox->root, create);
}

static int below(int base, const char *name, bool create)
{
    return base < 0 ? -1 : private_folder_open(base, name, create);
}

static void close_kept(int fd)
{
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
}

static int named_folder_open(const struct outbox *outbox, const char *name, bool create)
{
    int root = root_open(outbox, create), fd = below(root, name, create);
    close_kept(root);
    return fd;
}

/* ---- whose it is ---- */

/* The agent that the relay once named for this token. */
static bool read_link(const struct outbox *outbox, char agent[static ADDRESS_SIZE])
{
    struct buf text = {0};
    int links = named_folder_open(outbox, LINKS_FOLDER, false);
    bool found = links >= 0 &&
                 private_file_read(links, outbox->token_key, ADDRESS_SIZE, &text) == PRIVATE_READ &&
                 text.len > 0 && text.len < ADDRESS_SIZE;
    agent[0] = '\0';
    if (found)
        strlcpy(agent, buf_text(&text), ADDRESS_SIZE);
    close_kept(links);
    buf_free(&text);
    return agent[0] != '\0';
}

static void write_link(const struct outbox *outbox)
{
    struct buf text = {0}, old = {0};
    int links = named_folder_open(outbox, LINKS_FOLDER, true);
    buf_puts(&text, outbox->agent);
    bool known = links >= 0 &&
                 private_file_read(links, outbox->token_key, ADDRESS_SIZE, &old) == PRIVATE_READ &&
                 strcmp(buf_text(&old), outbox->agent) == 0;
    if (links >= 0 && !known && !private_file_put(links, outbox->token_key, &text, true))
        log_warn("outbox_link_failed", LOG_STR("error", strerror(errno)));
    close_kept(links);
    buf_free(&old);
    buf_free(&text);
}

static void move_files(int from, int to)
{
    struct file_names names;
    int64_t ms;
    char id[UUID_SIZE];
    if (from < 0 || to < 0 || !private_folder_list(from, &names))
        return;
    for (size_t i = 0; i < names.count; i++) {
        if (outbox_name_read(names.list[i], &ms, id))
            renameat(from, names.list[i], to, names.list[i]);
    }
    fsync(to);
    fsync(from);
    file_names_free(&names);
}

/* What waited while only the token was known. Names order the queue, so what is moved finds its place. */
static void adopt_token_folder(const struct outbox *outbox)
{
    static const char *const shelves[] = {FAILED_SHELF, NEWS_SHELF};
    char *name = folder_of_token(outbox);
    int from = named_folder_open(outbox, name, false);
    int to = from < 0 ? -1 : named_folder_open(outbox, outbox->folder, true);
    move_files(from, to);
    for (size_t i = 0; i < LENGTH_OF(shelves); i++) {
        int shelf = below(from, shelves[i], false), into = shelf < 0 ? -1 : below(to, shelves[i], true);
        move_files(shelf, into);
        close_kept(into);
        close_kept(shelf);
    }
    close_kept(to);
    close_kept(from);
    free(name);
}

static void become(struct outbox *outbox, const char *agent)
{
    strlcpy(outbox->agent, agent, sizeof outbox->agent);
    free(outbox->folder);
    outbox->folder = folder_of_agent(outbox->origin, agent);
    adopt_token_folder(outbox);
}

/* Another process with the same token may have been told whose it is. */
static void follow_link(struct outbox *outbox)
{
    char agent[ADDRESS_SIZE];
    if (outbox->agent[0] || !read_link(outbox, agent))
        return;
    outbox_unlock(outbox);
    become(outbox, agent);
}

struct outbox *outbox_new(const struct outbox_setup *setup)
{
    secret_init();
    struct outbox *outbox = xcalloc(1, sizeof *outbox);
    outbox->root = xstrdup_or_null(setup->root);
    outbox->origin = xstrdup(setup->origin);
    outbox->max_entries = setup->max_entries;
    outbox->max_bytes = setup->max_bytes;
    outbox->lock = -1;
    make_key(setup->origin, setup->token, outbox->token_key);
    if (setup->agent)
        become(outbox, setup->agent);
    else
        outbox->folder = folder_of_token(outbox);
    follow_link(outbox);
    return outbox;
}

struct outbox *outbox_of(const struct config *config)
{
    char *root = outbox_root();
    struct url url;
    /* config_load has seen that it is one. */
    char *origin = url_parse(config->url, &url) ? url_origin(&url) : NULL;
    struct outbox *outbox = outbox_new(&(struct outbox_setup){.root = root,
        .origin = origin ? origin : config->url,
        .agent = config->agent,
        .token = config->token,
        .max_entries = config->outbox_max_entries,
        .max_bytes = config->outbox_max_bytes});
    if (origin)
        url_free(&url);
    free(origin);
    free(root);
    return outbox;
}

void outbox_free(struct outbox *outbox)
{
    if (!outbox)
        return;
    outbox_unlock(outbox);
    free(outbox->root);
    free(outbox->origin);
    free(outbox->folder);
    free(outbox);
}

const char *outbox_agent(const struct outbox *outbox)
{
    return outbox->agent[0] ? outbox->agent : NULL;
}

bool outbox_identify(struct outbox *outbox, const char *agent)
{
    if (outbox->agent[0] && strcmp(outbox->agent, agent) != 0)
        return false;
    if (!outbox->agent[0]) {
        outbox_unlock(outbox);
        become(outbox, agent);
    }
    write_link(outbox);
    return true;
}

/* ---- the queue's files ---- */

static int queue_open(struct outbox *outbox, bool create)
{
    follow_link(outbox);
    return named_folder_open(outbox, outbox->folder, create);
}

static bool is_ours(const char *name)
{
    static const char *const known[] = {LOCK_FILE, FAILED_SHELF, NEWS_SHELF, ASIDE_SHELF};
    for (size_t i = 0; i < LENGTH_OF(known); i++) {
        if (strcmp(known[i], name) == 0)
            return true;
    }
    return false;
}

static void set_aside(int queue, const char *name, const char *why)
{
    int shelf = below(queue, ASIDE_SHELF, true);
    bool moved = shelf >= 0 && renameat(queue, name, shelf, name) == 0;
    log_warn(moved ? "outbox_set_aside" : "outbox_not_set_aside", LOG_STR("name", name), LOG_STR("why", why));
    close_kept(shelf);
}

/* The names of entries, in the queue's order; other files are set aside. */
static bool list_queue(int queue, struct file_names *out)
{
    int64_t ms;
    char id[UUID_SIZE];
    *out = (struct file_names){0};
    if (queue < 0 || !private_folder_list(queue, out))
        return false;
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        bool is_entry = outbox_name_read(out->list[i], &ms, id);
        if (is_entry && kept != i)
            memcpy(out->list[kept], out->list[i], FILE_NAME_SIZE);
        else if (!is_entry && !is_ours(out->list[i]))
            set_aside(queue, out->list[i], "it is no message's name");
        kept += is_entry;
    }
    out->count = kept;
    return true;
}

/* Reads one; bad: set where it can never be read as an entry. */
static bool read_entry(int folder, const char *name, struct outbox_entry *out, struct buf *why, bool *bad)
{
    struct buf text = {0};
    int64_t ms;
    char id[UUID_SIZE];
    bool ok = false;
    enum private_read read = private_file_read(folder, name, OUTBOX_ENTRY_MAX_BYTES, &text);
    *bad = read == PRIVATE_UNFIT;
    if (read == PRIVATE_UNFIT)
        buf_puts(why, "it is a link, too long, or not ours alone");
    if (read == PRIVATE_READ) {
        ok = outbox_name_read(name, &ms, id) && outbox_entry_parse(buf_text(&text), text.len, out, why);
        if (ok && strcmp(id, out->id) != 0) {
            buf_puts(why, "its id is not that of its name");
            outbox_entry_free(out);
            ok = false;
        }
        *bad = !ok;
    }
    if (ok)
        strlcpy(out->name, name, sizeof out->name);
    buf_free(&text);
    return ok;
}

size_t outbox_waiting(struct outbox *outbox)
{
    struct file_names names;
    int queue = queue_open(outbox, false);
    size_t count = list_queue(queue, &names) ? names.count : 0;
    file_names_free(&names);
    close_kept(queue);
    return count;
}

/* ---- adding ---- */

static int64_t bytes_of(int queue, const struct file_names *names)
{
    int64_t sum = 0;
    struct stat st;
    for (size_t i = 0; i < names->count; i++) {
        if (fstatat(queue, names->list[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
            sum += st.st_size;
    }
    return sum;
}

static bool has_room(
    const struct outbox *outbox, int queue, const struct file_names *names, size_t len, struct buf *why)
{
    if ((int64_t)names->count >= outbox->max_entries) {
        buf_printf(
            why, "the outbox is full: %zu messages wait in it (PATCHCORD_OUTBOX_MAX_ENTRIES)", names->count);
        return false;
    }
    if (bytes_of(queue, names) + (int64_t)len > outbox->max_bytes || len > OUTBOX_ENTRY_MAX_BYTES) {
        buf_printf(why,
            "the outbox has no room for it: its %zu messages have nearly %lld bytes "
            "(PATCHCORD_OUTBOX_MAX_BYTES)",
            names->count, (long long)outbox->max_bytes);
        return false;
    }
    return true;
}

/* Later than every other name, also where the clock was set back. False where none can be: such a name would
 * not be read as an entry's. */
static bool name_last(const struct file_names *names, struct outbox_entry *entry)
{
    int64_t ms = clock_wall_ms(), last;
    char id[UUID_SIZE];
    if (names->count > 0 && outbox_name_read(names->list[names->count - 1], &last, id) && last >= ms)
        ms = last + 1;
    outbox_name_make(ms, entry->id, entry->name);
    return outbox_name_read(entry->name, &last, id);
}

static enum outbox_added explain_fault(struct buf *why)
{
    if (errno == EPERM)
        buf_puts(
            why, "the outbox's folder belongs to another user or is open to others; run chmod 700 on it");
    else
        buf_printf(why, "the outbox cannot be written: %s", strerror(errno));
    return OUTBOX_FAULT;
}

enum outbox_added outbox_add(
    struct outbox *outbox, struct outbox_entry *entry, size_t *position, struct buf *why)
{
    struct file_names names = {0};
    struct buf text = {0};
    enum outbox_added added = OUTBOX_ADDED;
    if (!outbox->root) {
        buf_puts(why, "there is no place for an outbox: neither XDG_STATE_HOME nor HOME is set");
        return OUTBOX_FAULT;
    }
    outbox_entry_write(entry, &text);
    int queue = queue_open(outbox, true);
    if (queue < 0 || !list_queue(queue, &names)) {
        added = explain_fault(why);
    } else if (!has_room(outbox, queue, &names, text.len, why)) {
        added = OUTBOX_FULL;
    } else if (!name_last(&names, entry)) {
        buf_puts(why, "a file there has a time in its name that nothing comes after");
        added = OUTBOX_FAULT;
    } else {
        *position = names.count + 1;
        if (!private_file_put(queue, entry->name, &text, true))
            added = explain_fault(why);
    }
    file_names_free(&names);
    close_kept(queue);
    buf_free(&text);
    return added;
}

/* ---- shelves: what was refused, and news ---- */

/* By the time at which it was put there: what was refused for its age is still to be seen for a while. */
static bool is_old(int shelf, const char *name)
{
    struct stat st;
    return fstatat(shelf, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           clock_wall_ms() - (int64_t)st.st_mtime * MS_PER_SECOND > SHELF_EXPIRY_MS;
}

static void purge(int shelf)
{
    struct file_names names;
    if (!private_folder_list(shelf, &names))
        return;
    for (size_t i = 0; i < names.count; i++) {
        if (names.count - i > SHELF_MAX_FILES || is_old(shelf, names.list[i]))
            unlinkat(shelf, names.list[i], 0);
    }
    file_names_free(&names);
}

static bool put_on_shelf(int queue, const char *name, const char *file, const struct buf *text, bool durable)
{
    int shelf = below(queue, name, true);
    bool put = shelf >= 0 && private_file_put(shelf, file, text, durable);
    if (put)
        purge(shelf);
    close_kept(shelf);
    return put;
}

static void put_news(int queue, const struct outbox_entry *entry, const char *problem)
{
    struct buf text = {0};
    outbox_news_write(entry, problem, &text);
    if (!put_on_shelf(queue, NEWS_SHELF, entry->name, &text, false))
        log_warn("outbox_news_failed", LOG_STR("message", entry->id), LOG_STR("error", strerror(errno)));
    buf_free(&text);
}

/* ---- delivering ---- */

bool outbox_lock(struct outbox *outbox)
{
    if (outbox->lock >= 0)
        return true;
    int queue = queue_open(outbox, false);
    int fd = queue < 0 ? -1
                       : openat(queue, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                             S_IRUSR | S_IWUSR);
    close_kept(queue);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        outbox->lock = fd;
    else
        close_kept(fd);
    return outbox->lock >= 0;
}

void outbox_unlock(struct outbox *outbox)
{
    close_kept(outbox->lock);
    outbox->lock = -1;
}

bool outbox_first(struct outbox *outbox, struct outbox_entry *out)
{
    struct file_names names;
    bool found = false;
    int queue = queue_open(outbox, false);
    list_queue(queue, &names);
    for (size_t i = 0; i < names.count && !found; i++) {
        struct buf why = {0};
        bool bad;
        found = read_entry(queue, names.list[i], out, &why, &bad);
        if (bad)
            set_aside(queue, names.list[i], buf_text(&why));
        buf_free(&why);
        if (!found && !bad)
            break; /* it could not be read just now: nothing may overtake it */
    }
    file_names_free(&names);
    close_kept(queue);
    return found;
}

/* The lock file says what is on the wire, for whoever looks after a crash. */
static void mark(const struct outbox *outbox, const char *id)
{
    if (outbox->lock < 0 || ftruncate(outbox->lock, 0) < 0 || id[0] == '\0')
        return;
    if (pwrite(outbox->lock, id, strlen(id), 0) < 0)
        log_warn("outbox_mark_failed", LOG_STR("error", strerror(errno)));
}

void outbox_begin(struct outbox *outbox, const struct outbox_entry *entry)
{
    mark(outbox, entry->id);
}

void outbox_retry(struct outbox *outbox, struct outbox_entry *entry, const char *problem, bool uncertain)
{
    struct buf text = {0};
    entry->attempts++;
    entry->uncertain |= uncertain;
    free(entry->problem);
    entry->problem = xstrdup_or_null(problem);
    outbox_entry_write(entry, &text);
    int queue = queue_open(outbox, false);
    /* Somebody may have dropped it meanwhile. */
    if (queue >= 0 && faccessat(queue, entry->name, F_OK, 0) == 0 &&
        private_file_put(queue, entry->name, &text, true))
        mark(outbox, "");
    close_kept(queue);
    buf_free(&text);
}

static void leave_queue(struct outbox *outbox, int queue, const struct outbox_entry *entry)
{
    if (unlinkat(queue, entry->name, 0) < 0 && errno != ENOENT)
        log_warn("outbox_entry_stays", LOG_STR("message", entry->id), LOG_STR("error", strerror(errno)));
    mark(outbox, "");
}

void outbox_delivered(struct outbox *outbox, const struct outbox_entry *entry, bool news)
{
    int queue = queue_open(outbox, false);
    if (queue < 0)
        return;
    if (news)
        put_news(queue, entry, NULL);
    leave_queue(outbox, queue, entry);
    close_kept(queue);
}

void outbox_refused(struct outbox *outbox, struct outbox_entry *entry, const char *problem, bool news)
{
    struct buf text = {0};
    int queue = queue_open(outbox, false);
    if (queue < 0)
        return;
    free(entry->problem);
    entry->problem = xstrdup(problem);
    outbox_entry_write(entry, &text);
    if (news)
        put_news(queue, entry, problem);
    /* On a full disk it is kept as it is, without the reason. */
    int shelf = -1;
    if (!put_on_shelf(queue, FAILED_SHELF, entry->name, &text, true) &&
        (shelf = below(queue, FAILED_SHELF, true)) >= 0)
        renameat(queue, entry->name, shelf, entry->name);
    close_kept(shelf);
    leave_queue(outbox, queue, entry);
    close_kept(queue);
    buf_free(&text);
}

/* ---- looking and taking back ---- */

void outbox_each(struct outbox *outbox, enum outbox_shelf shelf,
    bool (*see)(void *arg, const struct outbox_entry *entry), void *arg)
{
    struct file_names names = {0};
    int queue = queue_open(outbox, false),
        failed = shelf == OUTBOX_FAILED ? below(queue, FAILED_SHELF, false) : -1;
    int folder = shelf == OUTBOX_FAILED ? failed : queue;
    bool listed = shelf == OUTBOX_FAILED ? folder >= 0 && private_folder_list(folder, &names)
                                         : list_queue(folder, &names);
    for (size_t i = 0; listed && i < names.count; i++) {
        struct outbox_entry entry;
        struct buf why = {0};
        bool bad, goes_on = true;
        if (read_entry(folder, names.list[i], &entry, &why, &bad)) {
            goes_on = see(arg, &entry);
            outbox_entry_free(&entry);
        }
        buf_free(&why);
        if (!goes_on)
            break;
    }
    file_names_free(&names);
    close_kept(failed);
    close_kept(queue);
}

size_t outbox_aside(struct outbox *outbox)
{
    struct file_names names = {0};
    int queue = queue_open(outbox, false), shelf = below(queue, ASIDE_SHELF, false);
    size_t count = shelf >= 0 && private_folder_list(shelf, &names) ? names.count : 0;
    file_names_free(&names);
    close_kept(shelf);
    close_kept(queue);
    return count;
}

/* The file of that id; false where the folder has none. */
static bool find_by_id(int folder, const char *wanted, char name[static OUTBOX_NAME_SIZE])
{
    struct file_names names;
    int64_t ms;
    char id[UUID_SIZE];
    bool found = false;
    if (folder < 0 || !private_folder_list(folder, &names))
        return false;
    for (size_t i = 0; i < names.count && !found; i++) {
        found = outbox_name_read(names.list[i], &ms, id) && strcmp(id, wanted) == 0;
        if (found)
            strlcpy(name, names.list[i], OUTBOX_NAME_SIZE);
    }
    file_names_free(&names);
    return found;
}

static bool is_marked(const struct outbox *outbox, const char *id)
{
    char text[UUID_SIZE] = "";
    return pread(outbox->lock, text, UUID_LEN, 0) == UUID_LEN && strcmp(text, id) == 0;
}

static bool was_tried(struct outbox *outbox, int queue, const char *name, const char *id)
{
    struct outbox_entry entry;
    struct buf why = {0};
    bool bad, tried = true;
    /* Who holds the lock may be sending it this moment. */
    bool held = outbox->lock >= 0;
    if (outbox_lock(outbox) && !is_marked(outbox, id) && read_entry(queue, name, &entry, &why, &bad)) {
        tried = entry.uncertain;
        outbox_entry_free(&entry);
    }
    if (!held && tried)
        outbox_unlock(outbox);
    buf_free(&why);
    return tried;
}

static enum outbox_found drop_queued(
    struct outbox *outbox, int queue, const char *name, const char *id, bool force)
{
    bool held = outbox->lock >= 0;
    if (!force && was_tried(outbox, queue, name, id))
        return OUTBOX_TRIED;
    bool gone = unlinkat(queue, name, 0) == 0 && fsync(queue) == 0;
    if (!held)
        outbox_unlock(outbox);
    return gone ? OUTBOX_DROPPED : OUTBOX_TRIED;
}

enum outbox_found outbox_drop(struct outbox *outbox, const char *id, bool force)
{
    enum outbox_found found = OUTBOX_ABSENT;
    char name[OUTBOX_NAME_SIZE];
    int queue = queue_open(outbox, false), failed = below(queue, FAILED_SHELF, false);
    if (find_by_id(queue, id, name))
        found = drop_queued(outbox, queue, name, id, force);
    else if (find_by_id(failed, id, name) && unlinkat(failed, name, 0) == 0)
        found = OUTBOX_DROPPED;
    close_kept(failed);
    close_kept(queue);
    return found;
}

/* ---- news ---- */

bool outbox_tell(struct outbox *outbox, struct buf *out)
{
    struct file_names names = {0};
    struct outbox_news news = {0};
    int queue = queue_open(outbox, false), shelf = below(queue, NEWS_SHELF, false);
    bool listed = shelf >= 0 && private_folder_list(shelf, &names);
    for (size_t i = 0; listed && i < names.count; i++) {
        struct buf text = {0};
        if (private_file_read(shelf, names.list[i], OUTBOX_NEWS_MAX_BYTES, &text) == PRIVATE_READ)
            outbox_news_add(&news, buf_text(&text), text.len);
        unlinkat(shelf, names.list[i], 0);
        buf_free(&text);
    }
    file_names_free(&names);
    close_kept(shelf);
    close_kept(queue);
    return outbox_news_end(&news, out);
}
