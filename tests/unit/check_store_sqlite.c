/* What the SQLite store promises beyond store.h: concurrent operations share a commit, one that fails takes
 * no other along, and no statement of a call reads all that is stored. */
#include "store_case.h"

#include <pthread.h>

#include "../../relay/store/migration.h"
#include "../../relay/store/sqlite_store.h"
#include "unit.h"

/* ---- sharing a commit ---- */

enum { CALLERS = 16, CALLS = 50 };

static void *send_many(void *arg)
{
    for (int i = 0; i < CALLS; i++)
        must_send(s, "a", "b", "x", NULL);
    return arg;
}

START_TEST(concurrent_operations_share_a_commit)
{
    pthread_t threads[CALLERS];
    const int64_t before = writer_commits(sqlite_store(s)->writer);
    for (size_t i = 0; i < CALLERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, send_many, NULL), 0);
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_lt(writer_commits(sqlite_store(s)->writer) - before, CALLERS * CALLS);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), CALLERS * CALLS);
}
END_TEST

START_TEST(what_changes_nothing_commits_nothing)
{
    const int64_t before = writer_commits(sqlite_store(s)->writer);
    const struct store_caller caller = as("a");
    ck_assert_uint_eq(offered(s, "a", LEASE), 0);
    ck_assert_uint_eq(offered(s, "a", NULL), 0);
    ck_assert_int_eq(store_touch(s, &caller), STORE_DONE);
    ck_assert_int_eq(store_ack(s, &caller, NULL, NULL, 0, RELEASE_NONE, NULL), STORE_DONE);
    ck_assert_int_eq(count_of(s, "a", MESSAGE_PENDING), 0);
    ck_assert_int_eq(writer_commits(sqlite_store(s)->writer), before);
}
END_TEST

/* ---- one that fails ---- */

struct ban_job {
    char hash[SHA256_HEX_SIZE];
    bool fails;
    int runs;
    enum store_status status;
};

static enum store_status ban_run(struct db *db, void *arg)
{
    struct ban_job *job = arg;
    job->runs++;
    const bool stored =
        db_run(db, STATEMENT_BAN_PUT, db_text(job->hash), DB_INT(INT64_MAX), DB_INT(db->now_ms));
    return stored && !job->fails ? STORE_DONE : STORE_FAULT;
}

static void *submit(void *arg)
{
    struct ban_job *job = arg;
    struct write write = {.run = ban_run, .job = job, .is_durable = true};
    job->status = writer_submit(sqlite_store(s)->writer, &write);
    return NULL;
}

START_TEST(an_operation_that_fails_takes_no_other_along)
{
    static struct ban_job jobs[CALLERS];
    pthread_t threads[CALLERS];
    for (size_t i = 0; i < CALLERS; i++) {
        snprintf(jobs[i].hash, sizeof jobs[i].hash, "ban %zu", i);
        jobs[i].fails = i % 3 == 0;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, submit, &jobs[i]), 0);
    }
    size_t expected = 0;
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(jobs[i].status, jobs[i].fails ? STORE_FAULT : STORE_DONE);
        ck_assert_int_le(jobs[i].runs, 2); /* in the batch, and then alone */
        expected += !jobs[i].fails;
    }
    struct store_ban *bans = NULL;
    size_t count = 0;
    ck_assert_int_eq(store_ban_list(s, &bans, &count), STORE_DONE);
    ck_assert_uint_eq(count, expected);
    free(bans);
}
END_TEST

/* ---- statements ---- */

/* Those that list, count or clean up may read more than what they return. */
static bool may_scan(enum statement which)
{
    return which >= STATEMENT_TOKEN_LIST;
}

/* A line of a query plan that goes through a whole table of messages, or all their words. */
static bool is_scan(const char *detail)
{
    if (strncmp(detail, "SCAN w ", 7) == 0)
        return strstr(detail, ":M1") == NULL;
    return strncmp(detail, "SCAN agent_messages", 19) == 0 || strcmp(detail, "SCAN m") == 0 ||
           strncmp(detail, "SCAN m ", 7) == 0;
}

START_TEST(no_call_reads_all_that_is_stored)
{
    struct db db;
    struct buf why = {0};
    ck_assert(db_open(&db, sqlite_store(s)->path, DB_READ, &why));
    for (enum statement which = 0; which < STATEMENT_COUNT; which++) {
        char *sql = xasprintf("explain query plan %s", statement_sql[which]);
        sqlite3_stmt *plan = NULL;
        ck_assert_msg(sqlite3_prepare_v2(db.handle, sql, -1, &plan, NULL) == SQLITE_OK, "%s: %s", sql,
            sqlite3_errmsg(db.handle));
        while (!may_scan(which) && sqlite3_step(plan) == SQLITE_ROW) {
            const char *detail = (const char *)sqlite3_column_text(plan, 3);
            ck_assert_msg(!is_scan(detail), "%s: %s", sql, detail);
        }
        sqlite3_finalize(plan);
        free(sql);
    }
    db_close(&db);
}
END_TEST

/* ---- this machine's clock ---- */

static enum store_refusal ask_for_device(const struct store_device *device)
{
    const struct store_token token = {.hash = "token"};
    struct store_subject subject;
    enum store_refusal refusal;
    ck_assert_int_eq(
        store_device_redeem(s, device->device_hash, &token, 5000, &subject, &refusal), STORE_REFUSED);
    return refusal;
}

START_TEST(a_clock_that_is_set_back_keeps_no_device_waiting)
{
    const struct store_device device = {
        .device_hash = "device", .user_hash = "user", .expires_ms = clock_wall_ms() + MS_PER_HOUR};
    enum store_refusal refusal;
    ck_assert_int_eq(store_device_add(s, &device, 1, &refusal), STORE_DONE);
    ck_assert_int_eq(ask_for_device(&device), REFUSAL_PENDING);
    ck_assert_int_eq(ask_for_device(&device), REFUSAL_SLOW_DOWN);
    clock_shift_wall(-MS_PER_HOUR);
    ck_assert_int_eq(ask_for_device(&device), REFUSAL_PENDING);
}
END_TEST

START_TEST(migrations_are_numbered_from_one)
{
    int number = 0;
    for (const struct migration *m = migrations_sqlite; m->number != 0; m++)
        ck_assert_int_eq(m->number, ++number);
    ck_assert_int_gt(number, 0);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_sqlite", &tests);
    tcase_add_test(tests, concurrent_operations_share_a_commit);
    tcase_add_test(tests, what_changes_nothing_commits_nothing);
    tcase_add_test(tests, an_operation_that_fails_takes_no_other_along);
    tcase_add_test(tests, no_call_reads_all_that_is_stored);
    tcase_add_test(tests, a_clock_that_is_set_back_keeps_no_device_waiting);
    tcase_add_test(tests, migrations_are_numbered_from_one);
    return run_unit(suite);
}
