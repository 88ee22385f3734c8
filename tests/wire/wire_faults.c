/* What the system refuses: writes, syncs and opens that fail, a full or read-only disk, connections that
 * break, a clock that jumps, a database that is busy or damaged. Nothing that was acknowledged is lost or
 * doubled, nothing crashes, and service comes back by itself. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"
#include "../harness_faults.h"
#include "../harness_store.h"

enum { SENDS_MAX = 400, TAKE_ROUNDS_MAX = 200, SOON_MS = 10 * 1000, START_MS = 20 * 1000 };
enum { HOUR_MS = 3600 * 1000 };

static struct faults *faults;
static struct relay_process *relay;
static char *frontend, *backend;

static void start_in(const char *data_dir)
{
    faults = faults_new();
    relay = relay_start(data_dir, faults_env(faults));
    frontend = relay_token(relay, "frontend@myproject");
    backend = relay_token(relay, "backend@myproject");
}

static void setup(void)
{
    start_in(NULL);
}

static void teardown(void)
{
    faults_end(faults);
    free(frontend);
    free(backend);
    harness_cleanup();
    faults_free(faults);
}

/* ---- numbered messages: what was acknowledged, and what arrived ---- */

enum fate { FATE_NONE, FATE_REFUSED, FATE_SENT };
static enum fate fates[SENDS_MAX];
static int arrived[SENDS_MAX];

static void id_of(int number, char id[static 37])
{
    snprintf(id, 37, "00000000-0000-4000-8000-%012d", number);
}

/* Tries once, under the number's own id, as a caller that repeats what failed. False: it was not
 * acknowledged. */
static bool send_once(int number, size_t bytes)
{
    static const char *const headers[] = {"X-Patchcord-Ack: 1", NULL};
    char id[37], *noise = xcalloc(bytes + 1, 1);
    id_of(number, id);
    memset(noise, 'x', bytes);
    char *params =
        xasprintf("{\"name\":\"send_message\",\"arguments\":{\"to\":\"backend\",\"content\":\"number "
                  "%d.%s\"},\"_meta\":{\"patchcord/message-id\":\"%s\"}}",
            number, noise, id);
    int status = 0;
    bool is_error = true;
    struct json_object *answer = mcp_request_with(relay, frontend, "tools/call", params, headers, &status);
    if (status == 200)
        mcp_result_text(answer, &is_error);
    else
        ck_assert_msg(status == 503 || status == 0, "HTTP %d", status);
    ck_assert_msg(status != 200 || !is_error, "%s", json_object_to_json_string(answer));
    json_object_put(answer);
    free(params);
    free(noise);
    if (number < SENDS_MAX && fates[number] != FATE_SENT)
        fates[number] = status == 200 ? FATE_SENT : FATE_REFUSED;
    return status == 200;
}

/* Notes what an inbox shows; how many messages. */
static int note_shown(const char *text)
{
    int count = 0, number = 0;
    for (const char *at = text; (at = strstr(at, "> number ")); at++, count++) {
        ck_assert_int_eq(sscanf(at, "> number %d.", &number), 1);
        ck_assert_int_lt(number, SENDS_MAX);
        arrived[number]++;
    }
    return count;
}

static void take_everything(void)
{
    for (int i = 0; i < TAKE_ROUNDS_MAX; i++) {
        char *text = tool_ok(relay, backend, "inbox", "{}");
        const int count = note_shown(text);
        const bool empty = strstr(text, "| 0 pending") && !strstr(text, "in delivery");
        free(text);
        if (count == 0 && empty)
            return;
    }
    ck_abort_msg("the inbox does not become empty");
}

/* Each acknowledged message arrived once; of the others none came twice. */
static void check_arrivals(void)
{
    take_everything();
    for (int i = 0; i < SENDS_MAX; i++) {
        if (fates[i] == FATE_SENT)
            ck_assert_msg(arrived[i] == 1, "number %d was acknowledged and arrived %d times", i, arrived[i]);
        else
            ck_assert_msg(arrived[i] <= 1, "number %d was refused and arrived %d times", i, arrived[i]);
    }
}

static bool works_again(void *arg)
{
    return send_once(*(int *)arg, 0);
}

static void service_returns(int number)
{
    ck_assert_msg(poll_until(works_again, &number, SOON_MS), "no send goes through any more");
}

/* ---- the Nth call fails ---- */

static const struct {
    enum faulty_call call;
    int error, burst;
} single_faults[] = {
    {FAULT_WRITE, EIO, 1},
    {FAULT_WRITE, ENOSPC, 1},
    {FAULT_WRITE, 0, 1},
    {FAULT_WRITE, EIO, 7},
    {FAULT_SYNC, EIO, 1},
    {FAULT_SYNC, ENOSPC, 3},
};

/* Each call of the store fails once, in turn; half of what was refused is repeated. The relay is killed in
 * the end. */
START_TEST(the_nth_call_of_the_store_fails)
{
    enum { ROUNDS = 60, PER_ROUND = 3 };
    int number = 0, refused = 0;
    int64_t hits = 0;

    for (int n = 0; n < ROUNDS; n++) {
        faults_fail(faults, single_faults[_i].call, n, single_faults[_i].burst, single_faults[_i].error);
        for (int i = 0; i < PER_ROUND; i++, number++) {
            if (!send_once(number, 200) && ++refused % 2)
                service_returns(number);
        }
        hits += faults_hits(faults, single_faults[_i].call);
        faults_end(faults);
    }
    ck_assert_int_gt(hits, 0);
    service_returns(number);
    relay_kill(relay);
    relay_restart(relay, NULL);
    check_arrivals();
}
END_TEST

/* The relay's answer, or the request on its way, is lost; the repeat under the same id finds the first. */
START_TEST(the_nth_call_of_a_socket_fails)
{
    enum { ROUNDS = 40 };
    const enum faulty_call call = _i ? FAULT_RECV : FAULT_SEND;

    for (int number = 0; number < ROUNDS; number++) {
        faults_fail(faults, call, number % 4, 1, ECONNRESET);
        service_returns(number);
        service_returns(number);
    }
    faults_end(faults);
    check_arrivals();
}
END_TEST

/* The same under a bridge: its agent sees no error. */
START_TEST(a_bridge_lives_through_broken_calls)
{
    enum { ROUNDS = 12 };
    struct faults *own = faults_new();
    struct bridge_process *sender = bridge_start(relay, frontend, faults_env(own));
    struct bridge_process *recipient = bridge_start(relay, backend, faults_env(own));
    const enum faulty_call call = _i ? FAULT_RECV : FAULT_SEND;

    for (int number = 0; number < ROUNDS; number++) {
        char *args = xasprintf("{\"to\":\"backend\",\"content\":\"number %d.\"}", number);
        bool is_error = true;
        faults_fail(own, call, number % 3, 1, ECONNRESET);
        char *text = bridge_tool(sender, "send_message", args, &is_error);
        ck_assert_msg(!is_error, "%s", text);
        fates[number] = FATE_SENT;
        free(text);
        faults_fail(own, call, number % 3, 1, ECONNRESET);
        text = bridge_tool(recipient, "wait_for_message", "{\"timeout_seconds\":60}", &is_error);
        ck_assert_msg(!is_error, "%s", text);
        ck_assert_int_eq(note_shown(text), 1);
        free(text);
        free(args);
    }
    faults_end(own);
    ck_assert_int_eq(bridge_end(sender), 0);
    ck_assert_int_eq(bridge_end(recipient), 0);
    check_arrivals();
    faults_free(own);
}
END_TEST

/* ---- disks ---- */

/* Until the disk can be written again: sends are refused, what is stored can be read, the relay lives. */
START_TEST(a_disk_that_takes_nothing)
{
    static const int errors[] = {ENOSPC, EROFS};

    ck_assert(send_once(0, 0));
    faults_fail(faults, FAULT_WRITE, 0, FAULTS_ALL, errors[_i]);
    ck_assert(!send_once(1, 0));
    ck_assert(!send_once(2, 0));
    tool_says(relay, frontend, "recall", "{}", "> number 0.\n");
    tool_fails(relay, frontend, "send_message", "{\"to\":\"backend\",\"content\":\"unstored\"}",
        "nothing was done. Try again");
    struct http_reply reply;
    relay_call(relay, "GET", "/health", NULL, NULL, NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    http_reply_free(&reply);
    faults_end(faults);
    service_returns(1);
    check_arrivals();
    ck_assert_int_eq(arrived[2], 0);
}
END_TEST

/* Mounts here are this test's own, and gone with it. False: only root may do that. */
static bool mount_disk(const char *folder, unsigned long flags, const char *size)
{
    static bool apart;
    if (!apart && (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0))
        return false;
    apart = true;
    return mount("none", folder, "tmpfs", flags, size) == 0;
}

static void write_ballast(const char *path, size_t bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(posix_fallocate(fd, 0, (off_t)bytes), 0);
    close(fd);
}

/* A small disk of its own, really full. */
START_TEST(a_full_disk)
{
    enum { BALLAST = 5 << 20, BYTES = 40 * 1000, REFUSED_WANTED = 5 };
    const char *folder = temp_folder();
    if (!mount_disk(folder, 0, "size=12m")) {
        printf("a_full_disk: only root can mount a small disk: not tried\n");
        return;
    }
    char *data_dir = xasprintf("%s/data", folder), *ballast = xasprintf("%s/ballast", folder);
    write_ballast(ballast, BALLAST);
    start_in(data_dir);
    int number = 0, refused = 0;
    for (; refused < REFUSED_WANTED && number < SENDS_MAX - 1; number++)
        refused += !send_once(number, BYTES);
    ck_assert_int_eq(refused, REFUSED_WANTED);
    tool_says(relay, frontend, "recall", "{}", "> number ");
    relay_kill(relay);
    ck_assert_int_eq(unlink(ballast), 0);
    relay_restart(relay, NULL);
    service_returns(number);
    check_arrivals();
    ck_assert_int_eq(relay_stop(relay), 0);
    ck_assert_int_eq(umount2(folder, MNT_DETACH), 0);
    free(frontend);
    free(backend);
    harness_cleanup();
    faults_free(faults);
    free(ballast);
    free(data_dir);
}
END_TEST

static void assert_refused(const char *data_dir, const char *const env[], const char *why)
{
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", data_dir);
    const char *all[8] = {data, "PATCHCORD_PORT=0"};
    struct program_result result;
    for (size_t i = 0; env && env[i]; i++)
        all[2 + i] = env[i];
    run_program((const char *const[]){"patchcord-relay", "serve", NULL}, all, NULL, START_MS, &result);
    ck_assert_msg(result.exit_code == EXIT_FAILURE, "exit code %d", result.exit_code);
    ck_assert_msg(
        strstr(buf_text(&result.err), why) != NULL, "expected \"%s\" in:\n%s", why, buf_text(&result.err));
    program_result_free(&result);
    free(data);
}

START_TEST(a_read_only_disk_is_refused_at_the_start)
{
    const char *folder = temp_folder();
    struct faults *own = faults_new();
    faults_fail(own, FAULT_CREATE, 0, FAULTS_ALL, EROFS);
    assert_refused(folder, faults_env(own), "Read-only file system");
    faults_free(own);
    if (mount_disk(folder, MS_RDONLY, "size=1m")) {
        assert_refused(folder, NULL, "Read-only file system");
        ck_assert_int_eq(umount2(folder, MNT_DETACH), 0);
    }
    harness_cleanup();
}
END_TEST

/* ---- the clock ---- */

static struct json_object *take_with_lease(const char *lease)
{
    static const char *const headers[] = {"X-Patchcord-Ack: 1", NULL};
    char *params =
        xasprintf("{\"name\":\"inbox\",\"arguments\":{},\"_meta\":{\"patchcord/lease\":\"%s\"}}", lease);
    struct json_object *answer = mcp_request_with(relay, backend, "tools/call", params, headers, NULL);
    free(params);
    return answer;
}

/* Sends go on, in order; a wait lasts as long as it was asked to; a lease as long as a lease lasts. */
START_TEST(the_clock_jumps)
{
    static const int64_t jumps[] = {HOUR_MS, -HOUR_MS};
    char lease[37];

    ck_assert(send_once(0, 0));
    id_of(77, lease);
    struct json_object *answer = take_with_lease(lease);
    ck_assert_ptr_nonnull(strstr(mcp_result_text(answer, NULL), "> number 0."));
    json_object_put(answer);

    struct open_call *wait = call_begin(relay, backend, "tools/call",
        "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":3}}", NULL);
    ck_assert(relay_await_parked(relay, 1));
    faults_set_clock(faults, jumps[_i]);
    ck_assert(!call_hears(wait, "No message after", 500));
    ck_assert(call_hears(wait, "No message after 3 s.", SOON_MS));
    call_end(wait);

    /* The lease is still held: one by the clock of before, with a minute to go. */
    tool_says(relay, backend, "inbox", "{}", "| 0 pending, 1 in delivery");
    ck_assert(send_once(1, 0));
    ck_assert(send_once(2, 0));
    char *text = tool_ok(relay, backend, "inbox", "{}"), *first = strstr(text, "> number 1."),
         *second = strstr(text, "> number 2.");
    ck_assert_msg(first && second && first < second, "%s", text);
    note_shown(text);
    free(text);

    /* And runs out when its minute is over. */
    faults_pass_time(faults, 61 * 1000);
    text = tool_ok(relay, backend, "wait_for_message", "{\"timeout_seconds\":5}");
    ck_assert_msg(strstr(text, "> number 0.") && strstr(text, "attempt 2"), "%s", text);
    note_shown(text);
    free(text);
    check_arrivals();
}
END_TEST

/* ---- the database ---- */

static sqlite3 *database_open(void)
{
    char *path = xasprintf("%s/patchcord.db", relay->data_dir);
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "begin immediate", NULL, NULL, NULL), SQLITE_OK);
    free(path);
    return db;
}

static void database_let_go(sqlite3 *db)
{
    ck_assert_int_eq(sqlite3_exec(db, "rollback", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* Another program holds the database: a send waits for it; after ten seconds it is refused. */
START_TEST(a_busy_database)
{
    static const char params[] =
        "{\"name\":\"send_message\",\"arguments\":{\"to\":\"backend\",\"content\":\"number 0.\"}}";
    sqlite3 *db = database_open();
    struct open_call *call = call_begin(relay, frontend, "tools/call", params, NULL);
    ck_assert(!call_hears(call, "Sent to backend", 500));
    database_let_go(db);
    ck_assert(call_hears(call, "Sent to backend", SOON_MS));
    call_end(call);
    fates[0] = FATE_SENT;

    db = database_open();
    ck_assert(!send_once(1, 0));
    tool_says(relay, frontend, "recall", "{}", "> number 0.\n");
    database_let_go(db);
    service_returns(2);
    check_arrivals();
    ck_assert_int_eq(arrived[1], 0);
}
END_TEST

static void run_relay(const char *command, const char *folder, const char *data_dir)
{
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", data_dir);
    struct program_result result;
    run_program((const char *const[]){"patchcord-relay", command, folder, NULL},
        (const char *const[]){data, NULL}, NULL, START_MS, &result);
    ck_assert_msg(result.exit_code == 0, "%s: %s", command, buf_text(&result.err));
    program_result_free(&result);
    free(data);
}

enum { DAMAGE_HEADER, DAMAGE_MIDDLE, DAMAGE_CUT, DAMAGES };

static void damage(const char *path, int how)
{
    enum { NOISE = 600 };
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat info;
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &info), 0);
    char noise[NOISE];
    memset(noise, 0x5a, sizeof noise);
    if (how == DAMAGE_CUT) {
        ck_assert_int_eq(ftruncate(fd, info.st_size / 2), 0);
    } else {
        /* Of the middle, the beginnings of many pages. */
        const off_t step = 4096, from = how == DAMAGE_HEADER ? 0 : step,
                    to = how == DAMAGE_HEADER ? 1 : info.st_size;
        for (off_t at = from; at < to; at += step)
            ck_assert_int_eq(pwrite(fd, noise, sizeof noise, at), NOISE);
    }
    close(fd);
}

/* A damaged file is refused with what to do, and a backup brings back what it held. */
START_TEST(a_damaged_database_is_refused_and_restored)
{
    char *copy = xasprintf("%s/copy", temp_folder()), *path = xasprintf("%s/patchcord.db", relay->data_dir);
    for (int i = 0; i < 50; i++)
        ck_assert(send_once(i, 1000));
    run_relay("backup", copy, relay->data_dir);
    ck_assert_int_eq(relay_stop(relay), 0);
    damage(path, _i);
    assert_refused(relay->data_dir, NULL, path);

    char *set_aside = xasprintf("%s.damaged", relay->data_dir);
    ck_assert_int_eq(rename(relay->data_dir, set_aside), 0);
    run_relay("restore", copy, relay->data_dir);
    relay_restart(relay, NULL);
    check_arrivals();
    free(set_aside);
    free(path);
    free(copy);
}
END_TEST

/* Damaged while it serves: what needs the damaged part fails, the relay goes on, and says so in its log. */
START_TEST(a_database_damaged_under_the_relay)
{
    char *path = xasprintf("%s/patchcord.db", relay->data_dir);
    for (int i = 0; i < 20; i++)
        ck_assert(send_once(i, 1000));
    relay_stop(relay);
    relay_restart(relay, NULL);
    damage(path, DAMAGE_MIDDLE);
    ck_assert(!send_once(20, 0));
    ck_assert(relay_log_has(relay, "store_fault"));
    struct http_reply reply;
    relay_call(relay, "GET", "/ready", NULL, NULL, NULL, &reply);
    http_reply_free(&reply);
    ck_assert_int_eq(relay_stop(relay), 0);
    assert_refused(relay->data_dir, NULL, path);
    free(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    TCase *tests = tcase_create("faults"), *alone = tcase_create("alone");

    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    if (harness_store_is("sqlite"))
        tcase_add_loop_test(tests, the_nth_call_of_the_store_fails, 0, (int)LENGTH_OF(single_faults));
    if (harness_store_is("sqlite"))
        tcase_add_loop_test(tests, the_nth_call_of_a_socket_fails, 0, 2);
    tcase_add_loop_test(tests, a_bridge_lives_through_broken_calls, 0, 2);
    if (harness_store_is("sqlite"))
        tcase_add_loop_test(tests, a_disk_that_takes_nothing, 0, 2);
    if (harness_store_is("sqlite"))
        tcase_add_loop_test(tests, the_clock_jumps, 0, 2);
    harness_add_embedded(tests, a_busy_database);
    if (harness_store_is("sqlite"))
        tcase_add_loop_test(tests, a_damaged_database_is_refused_and_restored, 0, DAMAGES);
    harness_add_embedded(tests, a_database_damaged_under_the_relay);
    suite_add_tcase(suite, tests);
    /* These bring their own relay, or none. */
    tcase_set_timeout(alone, 120);
    harness_add_embedded(alone, a_full_disk);
    harness_add_embedded(alone, a_read_only_disk_is_refused_at_the_start);
    suite_add_tcase(suite, alone);
    return run_suite(suite);
}
