/* The outbox on the disk: what it holds, in which order, within which bounds, and what becomes of what is
 * none of its own. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../bridge/outbox.h"
#include "../../bridge/outbox_news.h"
#include "../../bridge/private_folder.h"
#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "unit.h"

#define ORIGIN "https://relay.example.com"
#define AGENT  "frontend@demo"

static char base[PATH_MAX];
static char *root;
static struct outbox *outbox;
static int64_t max_entries, max_bytes;

static struct outbox *open_as(const char *agent, const char *token)
{
    return outbox_new(&(struct outbox_setup){.root = root,
        .origin = ORIGIN,
        .agent = agent,
        .token = token,
        .max_entries = max_entries,
        .max_bytes = max_bytes});
}

static void setup(void)
{
    secret_init();
    unit_folder(base);
    root = xasprintf("%s/state/patchcord/outbox", base);
    max_entries = 1000;
    max_bytes = 1024 * 1024;
    outbox = open_as(AGENT, "pc_one");
}

static void teardown(void)
{
    outbox_free(outbox);
    free(root);
}

/* ---- the disk's seam ---- */

/* In the place of the C library's: what happened to the disk, in order ('f' a flush, 'r' a rename), and the
 * flush that fails. */
static char disk[64];
static int failing_flush; /* counted from 1; 0: none */

static int flushes(void)
{
    int count = 0;
    for (const char *at = disk; *at; at++)
        count += *at == 'f';
    return count;
}

static void note(char what)
{
    size_t len = strlen(disk);
    if (len + 1 < sizeof disk)
        disk[len] = what;
}

int fsync(int fd)
{
    note('f');
    if (failing_flush == flushes()) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int renameat(int from, const char *old, int to, const char *new)
{
    note('r');
    return (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

/* ---- helpers ---- */

static struct json_object *args_of(const char *to, const char *content)
{
    struct json_object *args = json_new_object(), *names = json_new_array();
    json_append_text(names, to);
    json_add(args, "to", names);
    json_add_text(args, "content", content);
    return args;
}

static struct outbox_entry make(const char *content)
{
    struct outbox_entry entry;
    char id[UUID_SIZE];
    uuid_v7(id);
    struct json_object *args = args_of("backend", content);
    outbox_entry_make("send_message", id, args, &entry);
    json_object_put(args);
    return entry;
}

/* Adds one; its id in a buffer of its own. */
static const char *add(struct outbox *to, const char *content, size_t at)
{
    static char id[UUID_SIZE];
    struct outbox_entry entry = make(content);
    struct buf why = {0};
    size_t position = 0;
    ck_assert_msg(outbox_add(to, &entry, &position, &why) == OUTBOX_ADDED, "%s", buf_text(&why));
    ck_assert_uint_eq(position, at);
    memcpy(id, entry.id, sizeof id);
    outbox_entry_free(&entry);
    return id;
}

static void expect_refused(const char *content, enum outbox_added result, const char *part)
{
    struct outbox_entry entry = make(content);
    struct buf why = {0};
    size_t position = 0;
    ck_assert_int_eq(outbox_add(outbox, &entry, &position, &why), result);
    ck_assert_msg(strstr(buf_text(&why), part) != NULL, "%s", buf_text(&why));
    outbox_entry_free(&entry);
    buf_free(&why);
}

/* The content of the oldest entry, which it leaves or takes out. */
static void expect_first(struct outbox *of, const char *content, bool take)
{
    struct outbox_entry entry;
    ck_assert(outbox_lock(of));
    ck_assert(outbox_first(of, &entry));
    ck_assert_str_eq(json_text_or(entry.args, "content", ""), content);
    if (take)
        outbox_delivered(of, &entry, false);
    outbox_entry_free(&entry);
}

static void expect_empty(struct outbox *of)
{
    struct outbox_entry entry;
    ck_assert(!outbox_first(of, &entry));
    ck_assert_uint_eq(outbox_waiting(of), 0);
}

/* The one folder below root whose name begins so. Caller frees. */
static char *folder(const char *begins)
{
    struct file_names names;
    int fd = private_folder_open(AT_FDCWD, root, false);
    ck_assert_int_ge(fd, 0);
    ck_assert(private_folder_list(fd, &names));
    close(fd);
    char *found = NULL;
    for (size_t i = 0; i < names.count; i++) {
        if (strncmp(names.list[i], begins, strlen(begins)) == 0)
            found = xasprintf("%s/%s", root, names.list[i]);
    }
    file_names_free(&names);
    ck_assert_msg(found != NULL, "no folder %s", begins);
    return found;
}

static char *queue_path(const char *name)
{
    char *at = folder("frontend_demo,"), *path = xasprintf("%s/%s", at, name);
    free(at);
    return path;
}

static void put_file(const char *name, const char *text, mode_t mode)
{
    char *path = queue_path(name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
    free(path);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_mode & 07777;
}

/* The name of the only entry's file. */
static const char *only_name(void)
{
    static char name[OUTBOX_NAME_SIZE];
    struct outbox_entry entry;
    ck_assert(outbox_first(outbox, &entry));
    memcpy(name, entry.name, sizeof name);
    outbox_entry_free(&entry);
    return name;
}

/* ---- the queue ---- */

START_TEST(an_empty_outbox_leaves_no_trace)
{
    expect_empty(outbox);
    ck_assert(!outbox_lock(outbox));
    ck_assert_int_eq(access(root, F_OK), -1);
}
END_TEST

START_TEST(entries_come_out_in_order)
{
    char content[16];
    for (int i = 1; i <= 200; i++) {
        snprintf(content, sizeof content, "m%d", i);
        add(outbox, content, (size_t)i);
    }
    ck_assert_uint_eq(outbox_waiting(outbox), 200);
    for (int i = 1; i <= 200; i++) {
        snprintf(content, sizeof content, "m%d", i);
        expect_first(outbox, content, true);
    }
    expect_empty(outbox);
}
END_TEST

START_TEST(a_clock_that_is_set_back_reorders_nothing)
{
    add(outbox, "first", 1);
    clock_shift_wall(-(int64_t)MS_PER_HOUR);
    add(outbox, "second", 2);
    clock_shift_wall(0);
    add(outbox, "third", 3);
    expect_first(outbox, "first", true);
    expect_first(outbox, "second", true);
    expect_first(outbox, "third", true);
}
END_TEST

START_TEST(files_are_ours_alone)
{
    umask(0);
    add(outbox, "x", 1);
    char *path = queue_path(only_name()), *at = folder("frontend_demo,");
    ck_assert_uint_eq(mode_of(path), 0600);
    ck_assert_uint_eq(mode_of(at), 0700);
    ck_assert_uint_eq(mode_of(root), 0700);
    ck_assert(outbox_lock(outbox));
    ck_assert_int_eq(chmod(at, 0755), 0);
    expect_refused("y", OUTBOX_FAULT, "chmod 700");
    free(path);
    free(at);
}
END_TEST

START_TEST(it_is_full_at_its_bounds)
{
    max_entries = 2;
    outbox_free(outbox);
    outbox = open_as(AGENT, "pc_one");
    add(outbox, "1", 1);
    add(outbox, "2", 2);
    expect_refused("3", OUTBOX_FULL, "PATCHCORD_OUTBOX_MAX_ENTRIES");
    expect_first(outbox, "1", true);
    add(outbox, "3", 2);
}
END_TEST

START_TEST(bytes_are_bounded_too)
{
    struct outbox_entry entry = make("x");
    struct buf text = {0};
    outbox_entry_write(&entry, &text);
    max_bytes = 2 * (int64_t)text.len;
    outbox_free(outbox);
    outbox = open_as(AGENT, "pc_one");
    add(outbox, "x", 1);
    expect_refused("xx", OUTBOX_FULL, "PATCHCORD_OUTBOX_MAX_BYTES");
    add(outbox, "x", 2);
    buf_free(&text);
    outbox_entry_free(&entry);
}
END_TEST

START_TEST(without_a_place_nothing_is_queued)
{
    outbox_free(outbox);
    outbox = outbox_new(
        &(struct outbox_setup){.origin = ORIGIN, .token = "t", .max_entries = 9, .max_bytes = 9999});
    expect_empty(outbox);
    expect_refused("x", OUTBOX_FAULT, "HOME");
}
END_TEST

START_TEST(a_crash_while_writing_leaves_nothing_that_is_read)
{
    add(outbox, "x", 1);
    put_file(".new-0192f0c1", "{\"version\":1", 0600);
    ck_assert_uint_eq(outbox_waiting(outbox), 1);
    char *path = queue_path(".new-0192f0c1");
    ck_assert_int_eq(access(path, F_OK), 0);
    /* Somebody may be writing it; an hour later nobody is. */
    struct timespec times[2] = {{.tv_sec = time(NULL) - 4000}, {.tv_sec = time(NULL) - 4000}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    ck_assert_uint_eq(outbox_waiting(outbox), 1);
    ck_assert_int_eq(access(path, F_OK), -1);
    ck_assert_uint_eq(outbox_aside(outbox), 0);
    free(path);
}
END_TEST

/* ---- what is no entry ---- */

#define GOOD_ID   "0192f0c1-0000-7000-8000-000000000001"
#define GOOD_NAME "0000000000001-" GOOD_ID ".json"
#define GOOD_TEXT                                                                                            \
    "{\"version\":1,\"id\":\"" GOOD_ID "\",\"kind\":\"send\",\"args\":{\"to\":[\"b\"],\"content\":\"x\"},"   \
    "\"created\":1,\"attempts\":0}"

static const struct foreign {
    const char *name, *text;
    mode_t mode;
} foreign[] = {
    {"notes.txt", "mine", 0600},
    {"0000000000001-" GOOD_ID ".json~", GOOD_TEXT, 0600},
    {"1-" GOOD_ID ".json", GOOD_TEXT, 0600},
    {"00000000000001-" GOOD_ID ".json", GOOD_TEXT, 0600},
    {"0000000000001-0192F0C1-0000-7000-8000-000000000001.json", GOOD_TEXT, 0600},
    {"0000000000001-0192f0c1-0000-7000-8000-000000000002.json", GOOD_TEXT, 0600},
    {GOOD_NAME, "", 0600},
    {GOOD_NAME, "{", 0600},
    {GOOD_NAME, "null", 0600},
    {GOOD_NAME, "{\"version\":1}", 0600},
    {GOOD_NAME, GOOD_TEXT "x", 0600},
    {GOOD_NAME, GOOD_TEXT, 0622},
};

START_TEST(a_foreign_file_is_set_aside_and_blocks_nothing)
{
    add(outbox, "x", 1);
    put_file(foreign[_i].name, foreign[_i].text, foreign[_i].mode);
    expect_first(outbox, "x", true);
    expect_empty(outbox);
    ck_assert_uint_eq(outbox_aside(outbox), 1);
}
END_TEST

/* What is said to be queued must be read as an entry: a name behind the last one that there is would not be.
 */
START_TEST(a_file_of_the_last_time_is_no_trap)
{
    add(outbox, "x", 1);
    put_file("9999999999999-" GOOD_ID ".json", "{", 0600);
    expect_refused("y", OUTBOX_FAULT, "nothing comes after");
    expect_first(outbox, "x", true);
    expect_empty(outbox);
    ck_assert_uint_eq(outbox_aside(outbox), 1);
    add(outbox, "y", 1);
    expect_first(outbox, "y", true);
}
END_TEST

START_TEST(a_good_file_is_an_entry)
{
    add(outbox, "y", 1);
    put_file(GOOD_NAME, GOOD_TEXT, 0600);
    expect_first(outbox, "x", true);
    expect_first(outbox, "y", true);
    ck_assert_uint_eq(outbox_aside(outbox), 0);
}
END_TEST

START_TEST(links_fifos_and_folders_are_set_aside)
{
    add(outbox, "x", 1);
    char *link_path = queue_path(GOOD_NAME), *real = queue_path(only_name());
    char *fifo = queue_path("0000000000002-0192f0c1-0000-7000-8000-000000000002.json");
    char *inner = queue_path("0000000000003-0192f0c1-0000-7000-8000-000000000003.json");
    char *hard = queue_path("0000000000004-0192f0c1-0000-7000-8000-000000000004.json");
    char *other = xasprintf("%s/elsewhere", base);
    FILE *file = fopen(other, "w");
    ck_assert_ptr_nonnull(file);
    fputs(GOOD_TEXT, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(symlink(real, link_path), 0);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    ck_assert_int_eq(link(other, hard), 0);
    expect_first(outbox, "x", true);
    expect_empty(outbox);
    ck_assert_uint_eq(outbox_aside(outbox), 4);
    free(link_path);
    free(real);
    free(fifo);
    free(inner);
    free(hard);
    free(other);
}
END_TEST

START_TEST(somebody_elses_file_is_set_aside)
{
    if (geteuid() != 0)
        return; /* only root can make one */
    add(outbox, "x", 1);
    put_file(GOOD_NAME, GOOD_TEXT, 0600);
    char *path = queue_path(GOOD_NAME);
    ck_assert_int_eq(chown(path, 12345, (gid_t)-1), 0);
    expect_first(outbox, "x", true);
    ck_assert_uint_eq(outbox_aside(outbox), 1);
    free(path);
}
END_TEST

/* ---- fates ---- */

struct seen {
    size_t count;
    char problem[128];
};

static bool see(void *arg, const struct outbox_entry *entry)
{
    struct seen *seen = arg;
    seen->count++;
    snprintf(seen->problem, sizeof seen->problem, "%s", entry->problem ? entry->problem : "");
    return true;
}

static struct seen on_shelf(enum outbox_shelf shelf)
{
    struct seen seen = {0};
    outbox_each(outbox, shelf, see, &seen);
    return seen;
}

static void expect_news(const char *line)
{
    struct buf out = {0};
    ck_assert(outbox_tell(outbox, &out) == (line != NULL));
    ck_assert_str_eq(buf_text(&out), line ? line : "");
    buf_free(&out);
}

START_TEST(fates_are_told_once)
{
    struct outbox_entry entry;
    char id[UUID_SIZE];
    expect_news(NULL);
    add(outbox, "1", 1);
    add(outbox, "2", 2);
    memcpy(id, add(outbox, "3", 3), sizeof id);
    ck_assert(outbox_lock(outbox));
    for (int i = 0; i < 3; i++) {
        ck_assert(outbox_first(outbox, &entry));
        if (i < 2)
            outbox_delivered(outbox, &entry, true);
        else
            outbox_refused(outbox, &entry, "Unknown recipient backend.\nSecond line.", true);
        outbox_entry_free(&entry);
    }
    char *line =
        xasprintf("Outbox: 2 queued messages were delivered since, to backend. Refused: the one to backend "
                  "[%s]: Unknown recipient backend.\n",
            id);
    expect_news(line);
    expect_news(NULL);
    expect_empty(outbox);
    struct seen failed = on_shelf(OUTBOX_FAILED);
    ck_assert_uint_eq(failed.count, 1);
    ck_assert_str_eq(failed.problem, "Unknown recipient backend.\nSecond line.");
    ck_assert_int_eq(outbox_drop(outbox, id, false), OUTBOX_DROPPED);
    ck_assert_uint_eq(on_shelf(OUTBOX_FAILED).count, 0);
    free(line);
}
END_TEST

START_TEST(a_failed_try_is_written_down)
{
    struct outbox_entry entry;
    add(outbox, "x", 1);
    ck_assert(outbox_lock(outbox));
    ck_assert(outbox_first(outbox, &entry));
    outbox_retry(outbox, &entry, "because", true);
    outbox_entry_free(&entry);
    ck_assert(outbox_first(outbox, &entry));
    ck_assert_int_eq(entry.attempts, 1);
    ck_assert(entry.uncertain);
    ck_assert_str_eq(entry.problem, "because");
    outbox_retry(outbox, &entry, NULL, false);
    ck_assert(entry.uncertain);
    outbox_entry_free(&entry);
    ck_assert_str_eq(on_shelf(OUTBOX_QUEUE).problem, "");
}
END_TEST

START_TEST(only_what_never_left_is_taken_back)
{
    struct outbox_entry entry;
    char id[UUID_SIZE];
    ck_assert_int_eq(outbox_drop(outbox, GOOD_ID, false), OUTBOX_ABSENT);
    memcpy(id, add(outbox, "x", 1), sizeof id);
    ck_assert_int_eq(outbox_drop(outbox, id, false), OUTBOX_DROPPED);
    expect_empty(outbox);

    /* On the wire. */
    memcpy(id, add(outbox, "x", 1), sizeof id);
    ck_assert(outbox_lock(outbox));
    ck_assert(outbox_first(outbox, &entry));
    outbox_begin(outbox, &entry);
    ck_assert_int_eq(outbox_drop(outbox, id, false), OUTBOX_TRIED);
    /* Its sender was killed there. */
    outbox_unlock(outbox);
    ck_assert_int_eq(outbox_drop(outbox, id, false), OUTBOX_TRIED);
    /* It came back: it certainly did not arrive. */
    ck_assert(outbox_lock(outbox));
    outbox_retry(outbox, &entry, "nobody there", false);
    outbox_unlock(outbox);
    ck_assert_int_eq(outbox_drop(outbox, id, false), OUTBOX_DROPPED);
    outbox_entry_free(&entry);

    memcpy(id, add(outbox, "x", 1), sizeof id);
    ck_assert(outbox_lock(outbox));
    ck_assert(outbox_first(outbox, &entry));
    outbox_retry(outbox, &entry, "it broke", true);
    outbox_entry_free(&entry);
    ck_assert_int_eq(outbox_drop(outbox, id, false), OUTBOX_TRIED);
    ck_assert_int_eq(outbox_drop(outbox, id, true), OUTBOX_DROPPED);
    expect_empty(outbox);
}
END_TEST

START_TEST(what_was_dropped_does_not_come_back)
{
    struct outbox_entry entry;
    const char *id = add(outbox, "x", 1);
    ck_assert(outbox_lock(outbox));
    ck_assert(outbox_first(outbox, &entry));
    ck_assert_int_eq(outbox_drop(outbox, id, true), OUTBOX_DROPPED);
    outbox_retry(outbox, &entry, "late", false);
    outbox_entry_free(&entry);
    expect_empty(outbox);
}
END_TEST

START_TEST(an_entry_is_on_the_disk_before_it_counts)
{
    add(outbox, "x", 1); /* this one makes folders too */
    memset(disk, 0, sizeof disk);
    add(outbox, "y", 2);
    ck_assert_str_eq(disk, "frf");
}
END_TEST

START_TEST(a_flush_that_fails_is_no_queue)
{
    add(outbox, "x", 1);
    for (int which = 1; which <= 2; which++) {
        memset(disk, 0, sizeof disk);
        failing_flush = which;
        expect_refused("y", OUTBOX_FAULT, "cannot be written");
        failing_flush = 0;
        ck_assert_uint_eq(outbox_waiting(outbox), 1);
    }
    add(outbox, "z", 2);
}
END_TEST

START_TEST(a_full_disk_is_no_queue)
{
    struct outbox_entry entry;
    const char *id = add(outbox, "x", 1);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit none = {.rlim_cur = 10, .rlim_max = RLIM_INFINITY};
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    expect_refused("y", OUTBOX_FAULT, "cannot be written");
    /* What is refused leaves the queue all the same, and is not lost. */
    ck_assert(outbox_lock(outbox));
    ck_assert(outbox_first(outbox, &entry));
    outbox_retry(outbox, &entry, "because", true);
    ck_assert_uint_eq(outbox_waiting(outbox), 1);
    outbox_refused(outbox, &entry, "no", true);
    outbox_entry_free(&entry);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    expect_empty(outbox);
    ck_assert_uint_eq(on_shelf(OUTBOX_FAILED).count, 1);
    ck_assert_int_eq(outbox_drop(outbox, id, false), OUTBOX_DROPPED);
    add(outbox, "z", 1);
}
END_TEST

/* What is kept to be looked at is kept for twelve days after its fate, however old the message is. */
START_TEST(shelves_are_cleared)
{
    struct outbox_entry entry;
    const int days[] = {1, 11, 13};
    for (size_t i = 0; i < LENGTH_OF(days); i++) {
        add(outbox, "x", 1);
        ck_assert(outbox_lock(outbox));
        ck_assert(outbox_first(outbox, &entry));
        char *shelved = xasprintf("failed/%s", entry.name), *path = queue_path(shelved);
        outbox_refused(outbox, &entry, "no", false);
        struct timespec times[2];
        times[0].tv_sec = times[1].tv_sec = time(NULL) - days[i] * 86400;
        times[0].tv_nsec = times[1].tv_nsec = 0;
        ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
        outbox_entry_free(&entry);
        free(shelved);
        free(path);
    }
    ck_assert_uint_eq(on_shelf(OUTBOX_FAILED).count, 3);
    add(outbox, "x", 1);
    ck_assert(outbox_first(outbox, &entry));
    outbox_refused(outbox, &entry, "no", false);
    outbox_entry_free(&entry);
    ck_assert_uint_eq(on_shelf(OUTBOX_FAILED).count, 3);
}
END_TEST

/* ---- one at a time ---- */

START_TEST(one_process_delivers)
{
    const char *id = add(outbox, "x", 1);
    struct outbox *other = open_as(AGENT, "pc_two");
    ck_assert(outbox_lock(outbox));
    ck_assert(outbox_lock(outbox));
    ck_assert(!outbox_lock(other));
    /* It may be on the wire this moment. */
    ck_assert_int_eq(outbox_drop(other, id, false), OUTBOX_TRIED);
    outbox_unlock(outbox);
    ck_assert(outbox_lock(other));
    ck_assert(!outbox_lock(outbox));
    outbox_free(other);
    ck_assert(outbox_lock(outbox));
}
END_TEST

START_TEST(a_killed_process_gives_the_lock_up)
{
    int ready[2];
    char byte;
    add(outbox, "x", 1);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (outbox_lock(outbox) && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert(!outbox_lock(outbox));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert(outbox_lock(outbox));
    close(ready[0]);
    close(ready[1]);
}
END_TEST

/* ---- identity ---- */

START_TEST(an_agents_outbox_outlives_its_token)
{
    add(outbox, "x", 1);
    struct outbox *later = open_as(AGENT, "pc_two"), *other = open_as("backend@demo", "pc_three");
    expect_first(later, "x", false);
    ck_assert_uint_eq(outbox_waiting(other), 0);
    ck_assert(outbox_identify(later, AGENT));
    ck_assert(!outbox_identify(later, "backend@demo"));
    outbox_free(later);
    outbox_free(other);
}
END_TEST

/* Messages of one millisecond have an order in one outbox, by counting on, and none between two. */
static void await_later_ms(void)
{
    enum { COUNTED_ON_MS = 2 };
    const int64_t passed = clock_wall_ms() + COUNTED_ON_MS;
    while (clock_wall_ms() <= passed)
        continue;
}

START_TEST(what_waits_under_a_token_moves_to_its_agent)
{
    struct outbox *first = open_as(NULL, "pc_one"), *second = open_as(NULL, "pc_one");
    ck_assert_ptr_null(outbox_agent(first));
    add(first, "1", 1);
    add(first, "2", 2);
    await_later_ms();
    add(outbox, "3", 1);
    ck_assert(outbox_lock(first));
    ck_assert(outbox_identify(first, AGENT));
    ck_assert_str_eq(outbox_agent(first), AGENT);
    ck_assert_uint_eq(outbox_waiting(first), 3);
    /* Another process with that token follows; so does a later one. */
    ck_assert_uint_eq(outbox_waiting(second), 3);
    add(second, "4", 4);
    struct outbox *third = open_as(NULL, "pc_one");
    ck_assert_str_eq(outbox_agent(third), AGENT);
    expect_first(third, "1", true);
    expect_first(third, "2", true);
    expect_first(third, "3", true);
    expect_first(third, "4", true);
    outbox_free(first);
    outbox_free(second);
    outbox_free(third);
}
END_TEST

START_TEST(relays_and_agents_are_kept_apart)
{
    add(outbox, "x", 1);
    struct outbox *elsewhere = outbox_new(&(struct outbox_setup){.root = root,
        .origin = "https://other.example.com",
        .agent = AGENT,
        .token = "pc_one",
        .max_entries = 9,
        .max_bytes = 9999});
    ck_assert_uint_eq(outbox_waiting(elsewhere), 0);
    outbox_free(elsewhere);
}
END_TEST

/* ---- the words ---- */

static void expect_unsound(const char *tool, const char *text, const char *part)
{
    enum json_fault fault;
    struct json_object *args = json_parse(text, strlen(text), &fault);
    struct outbox_entry entry;
    struct buf why = {0};
    outbox_entry_make(tool, GOOD_ID, args, &entry);
    ck_assert(outbox_entry_sound(&entry, &why) == (part == NULL));
    ck_assert_msg(!part || strstr(buf_text(&why), part), "%s", buf_text(&why));
    outbox_entry_free(&entry);
    json_object_put(args);
    buf_free(&why);
}

START_TEST(what_any_relay_refuses_is_not_queued)
{
    expect_unsound("send_message", "{\"to\":[\"b\"],\"content\":\"x\"}", NULL);
    expect_unsound("send_message", "{\"to\":[],\"content\":\"x\"}", "to is empty");
    expect_unsound("send_message", "{\"to\":[\"b\",\"no name!\"],\"content\":\"x\"}", "Not an agent's name");
    expect_unsound("send_message", "{\"to\":[\"b\"],\"content\":\"\"}", "content is empty");
    expect_unsound("reply", "{\"message_id\":\"17\",\"content\":\"x\"}", "not a message's id");
    expect_unsound("reply", "{\"message_id\":\"" GOOD_ID "\"}", "content is empty");
    expect_unsound("reply", "{\"message_id\":\"" GOOD_ID "\",\"defer\":true}", NULL);
    expect_unsound("reply", "{\"message_id\":\"" GOOD_ID "\",\"resolve\":true}", NULL);
}
END_TEST

START_TEST(content_is_bounded_in_characters)
{
    for (size_t count = 50000; count <= 50001; count++) {
        struct buf text = {0};
        buf_puts(&text, "{\"to\":[\"b\"],\"content\":\"");
        for (size_t i = 0; i < count; i++)
            buf_puts(&text, "\xc3\xa4");
        buf_puts(&text, "\"}");
        expect_unsound(
            "send_message", buf_text(&text), count > 50000 ? "content has 50001 characters" : NULL);
        buf_free(&text);
    }
}
END_TEST

START_TEST(news_stay_short)
{
    struct outbox_news news = {0};
    struct buf line = {0};
    for (int i = 0; i < 1000; i++) {
        struct buf note = {0};
        struct json_object *args = args_of(i % 2 ? "backend" : "back", "x");
        struct outbox_entry entry;
        outbox_entry_make("send_message", GOOD_ID, args, &entry);
        char problem[2000];
        memset(problem, 'p', sizeof problem - 1);
        problem[sizeof problem - 1] = '\0';
        outbox_news_write(&entry, i % 4 == 0 ? problem : NULL, &note);
        outbox_news_add(&news, buf_text(&note), note.len);
        outbox_entry_free(&entry);
        json_object_put(args);
        buf_free(&note);
    }
    ck_assert(outbox_news_end(&news, &line));
    ck_assert_uint_lt(line.len, 2500);
    ck_assert_ptr_nonnull(
        strstr(line.data, "750 queued messages were delivered since, to backend, back and others."));
    ck_assert_ptr_nonnull(strstr(line.data, "And 245 more"));
    ck_assert_ptr_eq(strchr(line.data, '\n'), line.data + line.len - 1);
    buf_free(&line);
}
END_TEST

START_TEST(news_that_are_not_ours_are_passed_over)
{
    static const char *const notes[] = {
        "{\"id\": \"not a uuid\", \"to\": \"backend\"}",
        "{\"id\": \"" GOOD_ID "\", \"to\": \"back\\nend\"}",
        "{\"id\": \"" GOOD_ID "\", \"to\": \"\"}",
        "{\"id\": \"" GOOD_ID "\", \"to\": \"backend\", \"problem\": \"\\u001b[2J\"}",
    };
    struct outbox_news news = {0};
    struct buf line = {0};
    for (size_t i = 0; i < LENGTH_OF(notes); i++)
        outbox_news_add(&news, notes[i], strlen(notes[i]));
    ck_assert(!outbox_news_end(&news, &line));
    ck_assert_uint_eq(line.len, 0);
    buf_free(&line);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("outbox", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_empty_outbox_leaves_no_trace);
    tcase_add_test(tests, entries_come_out_in_order);
    tcase_add_test(tests, news_that_are_not_ours_are_passed_over);
    tcase_add_test(tests, a_clock_that_is_set_back_reorders_nothing);
    tcase_add_test(tests, files_are_ours_alone);
    tcase_add_test(tests, it_is_full_at_its_bounds);
    tcase_add_test(tests, bytes_are_bounded_too);
    tcase_add_test(tests, without_a_place_nothing_is_queued);
    tcase_add_test(tests, a_crash_while_writing_leaves_nothing_that_is_read);
    tcase_add_loop_test(tests, a_foreign_file_is_set_aside_and_blocks_nothing, 0, (int)LENGTH_OF(foreign));
    tcase_add_test(tests, a_file_of_the_last_time_is_no_trap);
    tcase_add_test(tests, a_good_file_is_an_entry);
    tcase_add_test(tests, links_fifos_and_folders_are_set_aside);
    tcase_add_test(tests, somebody_elses_file_is_set_aside);
    tcase_add_test(tests, fates_are_told_once);
    tcase_add_test(tests, a_failed_try_is_written_down);
    tcase_add_test(tests, only_what_never_left_is_taken_back);
    tcase_add_test(tests, what_was_dropped_does_not_come_back);
    tcase_add_test(tests, an_entry_is_on_the_disk_before_it_counts);
    tcase_add_test(tests, a_flush_that_fails_is_no_queue);
    tcase_add_test(tests, a_full_disk_is_no_queue);
    tcase_add_test(tests, shelves_are_cleared);
    tcase_add_test(tests, one_process_delivers);
    tcase_add_test(tests, a_killed_process_gives_the_lock_up);
    tcase_add_test(tests, an_agents_outbox_outlives_its_token);
    tcase_add_test(tests, what_waits_under_a_token_moves_to_its_agent);
    tcase_add_test(tests, relays_and_agents_are_kept_apart);
    tcase_add_test(tests, what_any_relay_refuses_is_not_queued);
    tcase_add_test(tests, content_is_bounded_in_characters);
    tcase_add_test(tests, news_stay_short);
    return run_unit(suite);
}
