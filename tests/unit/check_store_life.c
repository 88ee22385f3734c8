/* Many callers at once, a kill, a full disk, the data folder, other processes, backups. */
#include "store_case.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "unit.h"

/* ---- many at once, and the end of a process ---- */

static _Atomic int sends_seen;

static void count_sends(const char *operation, int64_t micros, enum store_status status)
{
    ck_assert_int_ge(micros, 0);
    if (strcmp(operation, "send") == 0 && status == STORE_DONE)
        sends_seen++;
}

enum { SENDERS = 16, SENDS_EACH = 50 };

static void *send_many(void *arg)
{
    for (int i = 0; i < SENDS_EACH; i++) {
        char content[32];
        snprintf(content, sizeof content, "%d %d", *(int *)arg, i);
        must_send(s, "a", "b", content, NULL);
    }
    return NULL;
}

START_TEST(senders_at_once_each_keep_their_order)
{
    pthread_t threads[SENDERS];
    int numbers[SENDERS], next[SENDERS] = {0};
    store_observe(s, count_sends);
    for (int i = 0; i < SENDERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, send_many, &numbers[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(sends_seen, SENDERS * SENDS_EACH);
    struct store_offer_result offer;
    must_offer(s, "b", LEASE, SENDERS * SENDS_EACH, &offer);
    ck_assert_uint_eq(offer.messages.count, SENDERS * SENDS_EACH);
    for (size_t i = 0; i < offer.messages.count; i++) {
        int sender = 0, number = 0;
        ck_assert_int_eq(sscanf(offer.messages.items[i].content, "%d %d", &sender, &number), 2);
        ck_assert_int_eq(number, next[sender]++);
    }
    store_offer_result_free(&offer);
}
END_TEST

static _Atomic int taken;

static void *take_many(void *arg)
{
    for (;;) {
        char lease[UUID_SIZE];
        uuid_v4(lease);
        struct store_offer_result offer;
        must_offer(s, "b", lease, 3, &offer);
        const size_t count = offer.messages.count;
        for (size_t i = 0; i < count; i++)
            must_ack(s, "b", offer.messages.items[i].id);
        store_offer_result_free(&offer);
        if (count == 0)
            return arg;
        taken += (int)count;
    }
}

START_TEST(two_sessions_never_get_the_same_message)
{
    for (int i = 0; i < 200; i++)
        must_send(s, "a", "b", "x", NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < LENGTH_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_many, NULL), 0);
    for (size_t i = 0; i < LENGTH_OF(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(taken, 200);
}
END_TEST

/* Sends without end, and tells of each that was acknowledged. */
static void send_until_killed(const char *path, int out)
{
    struct store *mine = fixture_open(path);
    fixture_agent(mine, "x");
    fixture_agent(mine, "y");
    for (int i = 0;; i++) {
        char id[UUID_SIZE];
        struct store_send_result result;
        uuid_v7(id);
        if (send_as(mine, "x", "y", "lasting", id, NULL, true, &result) != STORE_DONE)
            _exit(1);
        store_send_result_free(&result);
        if (write(out, id, UUID_LEN) != UUID_LEN)
            _exit(1);
    }
}

START_TEST(what_was_acknowledged_survives_a_kill)
{
    char *path = fixture_folder();
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0)
        send_until_killed(path, pipes[1]);
    close(pipes[1]);
    char ids[200][UUID_SIZE] = {0};
    size_t count = 0;
    FILE *in = fdopen(pipes[0], "r");
    for (; count < 100 && fread(ids[count], UUID_LEN, 1, in) == 1; count++)
        continue;
    kill(child, SIGKILL);
    for (; count < LENGTH_OF(ids) && fread(ids[count], UUID_LEN, 1, in) == 1; count++)
        continue;
    waitpid(child, NULL, 0);
    fclose(in);
    ck_assert_uint_ge(count, 100);
    struct store *mine = fixture_open(path);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(status_of(mine, "y", ids[i]), MESSAGE_PENDING);
    store_close(mine);
    fixture_remove(path);
}
END_TEST

START_TEST(a_full_disk_is_an_error_and_not_the_end)
{
    char id[UUID_SIZE], *large = xmalloc(50001);
    memset(large, 'x', 50000);
    large[50000] = '\0';
    must_send(s, "a", "b", "before", id);
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit tight = {.rlim_cur = 300 * 1000, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    struct store_send_result result;
    int stored = 0;
    enum store_status status = STORE_DONE;
    for (int i = 0; status == STORE_DONE && i < 100; i++) {
        status = send_as(s, "a", "b", large, NULL, NULL, true, &result);
        stored += status == STORE_DONE;
        store_send_result_free(&result);
    }
    ck_assert_int_eq(status, STORE_FAULT);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), stored + 1);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    must_send(s, "a", "b", large, NULL);
    reopen();
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), stored + 2);
    free(large);
}
END_TEST

/* ---- life ---- */

static void refused_open(const char *path, enum store_role role, const char *reason)
{
    struct buf why = {0};
    const struct store_options options = {.data_dir = path, .role = role};
    ck_assert_ptr_null(store_open_sqlite(&options, &why));
    ck_assert_msg(strstr(buf_text(&why), reason) != NULL, "%s", buf_text(&why));
    ck_assert_ptr_null(strchr(buf_text(&why), '\n'));
    buf_free(&why);
}

START_TEST(one_relay_serves_a_folder)
{
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
    refused_open(folder, STORE_ROLE_RELAY, pid);
    refused_open(folder, STORE_ROLE_RELAY, folder);
    reopen(); /* the lock went with the store */
    must_send(s, "a", "b", "x", NULL);
}
END_TEST

static _Atomic int changes;

static void note_change(void *arg)
{
    ck_assert_ptr_eq(arg, &changes);
    changes++;
}

static void wait_for_changes(int wanted)
{
    for (int i = 0; i < 500 && changes < wanted; i++)
        usleep(10 * 1000);
    ck_assert_int_eq(changes, wanted);
}

START_TEST(a_command_beside_the_relay_takes_effect)
{
    store_close(s);
    struct buf why = {0};
    struct store_options relay = {.data_dir = folder,
        .database_url = rig_url(),
        .role = STORE_ROLE_RELAY,
        .changed = note_change,
        .changed_arg = &changes};
    s = store_open(&relay, &why);
    ck_assert_ptr_nonnull(s);
    must_send(s, "a", "b", "its own change", NULL);
    relay.role = STORE_ROLE_ADMIN;
    struct store *command = store_open(&relay, &why);
    ck_assert_msg(command != NULL, "%s", buf_text(&why));
    int64_t ended = 0;
    ck_assert_int_eq(store_token_end(command, NULL, NS, "a", 0, &ended), STORE_DONE);
    wait_for_changes(1);
    char hash[SHA256_HEX_SIZE];
    hash_of("a", hash);
    struct store_tokens found;
    ck_assert_int_eq(store_token_find(s, hash, &found), STORE_ABSENT);
    must_send(s, "b", "c", "while both are open", NULL);
    ck_assert_int_eq(store_token_end(command, NULL, NS, "b", 0, &ended), STORE_DONE);
    wait_for_changes(2);
    store_close(command);
}
END_TEST

START_TEST(a_folder_is_private)
{
    char *deep = xasprintf("%s/not/there", folder), *file = xasprintf("%s/patchcord.db", deep);
    struct store *mine = fixture_open(deep);
    fixture_agent(mine, "x");
    struct stat info;
    ck_assert_int_eq(stat(deep, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0700);
    const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < LENGTH_OF(suffixes); i++) {
        char *name = xasprintf("%s%s", file, suffixes[i]);
        ck_assert_int_eq(stat(name, &info), 0);
        ck_assert_int_eq(info.st_mode & 0777, 0600);
        free(name);
    }
    store_close(mine);
    fixture_remove(deep);
    char *parent = xasprintf("%s/not", folder);
    fixture_remove(parent);
    free(file);
}
END_TEST

START_TEST(a_folder_that_cannot_be_used_is_refused)
{
    char *file = xasprintf("%s/file", folder), *below = xasprintf("%s/folder", file);
    const int fd = open(file, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    refused_open(below, STORE_ROLE_RELAY, "PATCHCORD_DATA_DIR");
    refused_open(file, STORE_ROLE_RELAY, "PATCHCORD_DATA_DIR");
    refused_open("/proc/1", STORE_ROLE_ADMIN, "/proc/1");
    free(file);
    free(below);
}
END_TEST

/* Writes over the start of the database, or a stretch of it. */
static void damage(long offset, const char *bytes, size_t len)
{
    char *file = xasprintf("%s/patchcord.db", folder);
    const int fd = open(file, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, bytes, len, offset), (ssize_t)len);
    close(fd);
    free(file);
}

START_TEST(a_file_of_something_else_is_refused)
{
    store_close(s);
    damage(68, "\0\0\0\x07", 4); /* the application id */
    refused_open(folder, STORE_ROLE_RELAY, "not one of Patchcord's");
    damage(0, "no database, but a text of some length", 38);
    refused_open(folder, STORE_ROLE_RELAY, "patchcord.db");
    fixture_remove(folder);
    folder = fixture_folder();
    s = fixture_open(folder);
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
    store_close(s);
    damage(60, "\0\0\x03\xE7", 4); /* the schema's number */
    refused_open(folder, STORE_ROLE_RELAY, "schema 999");
    refused_open(folder, STORE_ROLE_ADMIN, "schema 999");
    fixture_remove(folder);
    folder = fixture_folder();
    s = fixture_open(folder);
}
END_TEST

START_TEST(a_damaged_file_is_refused)
{
    for (int i = 0; i < 50; i++)
        must_send(s, "a", "b", "some text to fill a page or two", NULL);
    store_close(s);
    char noise[20000];
    memset(noise, 0x5A, sizeof noise);
    damage(8192, noise, sizeof noise);
    refused_open(folder, STORE_ROLE_RELAY, "restore a backup");
    fixture_remove(folder);
    folder = fixture_folder();
    s = fixture_open(folder);
}
END_TEST

START_TEST(migrations_are_applied_once)
{
    int applied = -1;
    struct buf why = {0};
    ck_assert(store_migrate(s, &applied, &why));
    ck_assert_int_eq(applied, 0);
    reopen();
    ck_assert_int_eq(count_of(s, "a", MESSAGE_PENDING), 0);
    ck_assert(store_ready(s));
}
END_TEST

START_TEST(a_backup_is_a_store)
{
    char id[UUID_SIZE], *copy = fixture_folder();
    struct buf why = {0};
    must_send(s, "a", "b", "kept", id);
    ck_assert_msg(store_backup(s, copy, &why), "%s", buf_text(&why));
    must_send(s, "a", "b", "later", NULL);
    ck_assert(!store_backup(s, copy, &why)); /* it writes over nothing */
    ck_assert_ptr_nonnull(strstr(buf_text(&why), copy));
    buf_free(&why);
    struct store *restored = fixture_open(copy);
    ck_assert_int_eq(status_of(restored, "b", id), MESSAGE_PENDING);
    ck_assert_int_eq(count_of(restored, "b", MESSAGE_PENDING), 1);
    store_close(restored);
    fixture_remove(copy);
    refused_open(folder, STORE_ROLE_RELAY, "served by another relay");
}
END_TEST

/* What only a store in a folder has. */
static void add_tests_of_folders(TCase *tests)
{
    tcase_add_test(tests, a_full_disk_is_an_error_and_not_the_end);
    tcase_add_test(tests, one_relay_serves_a_folder);
    tcase_add_test(tests, a_folder_is_private);
    tcase_add_test(tests, a_folder_that_cannot_be_used_is_refused);
    tcase_add_test(tests, a_file_of_something_else_is_refused);
    tcase_add_test(tests, a_newer_schema_is_refused);
    tcase_add_test(tests, a_damaged_file_is_refused);
    tcase_add_test(tests, migrations_are_applied_once);
    tcase_add_test(tests, a_backup_is_a_store);
}

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_life", &tests);
    tcase_add_test(tests, senders_at_once_each_keep_their_order);
    tcase_add_test(tests, two_sessions_never_get_the_same_message);
    tcase_add_test(tests, a_command_beside_the_relay_takes_effect);
    if (!rig_server())
        add_tests_of_folders(tests);
    TCase *forking = tcase_create("kill"); /* forks, so no thread may run before */
    tcase_set_timeout(forking, 60);
    tcase_add_test(forking, what_was_acknowledged_survives_a_kill);
    suite_add_tcase(suite, forking);
    return run_unit(suite);
}
