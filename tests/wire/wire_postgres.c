/* Relays that share a PostgreSQL: a message that comes in at one wakes who waits at the other; one that is
 * killed loses nothing; the database may restart. Runs with tests/postgres.sh alone. */
#include <check.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../common/uuid.h"
#include "../harness.h"
#include "../harness_process.h"
#include "../harness_store.h"

enum { WAKES = 41, ROUNDS = 8, WAKE_MAX_US = 5 * 1000, WAIT_MS = 20 * 1000 };
enum { SENDERS = 16, SENDS = 10000, QUEUES = 20 };

static struct relay_process *one, *other;
static char *database, *frontend, *backend;

/* Both in folders of their own, on the database of the first. */
static void start_both(void)
{
    one = relay_start(NULL, NULL);
    char *url = harness_database_url(one->data_dir);
    database = xasprintf("PATCHCORD_DATABASE_URL=%s", url);
    free(url);
    other = relay_start(NULL, (const char *const[]){database, NULL});
    frontend = relay_token(one, "frontend@shop");
    backend = relay_token(one, "backend@shop");
}

static void forget(void)
{
    free(database);
    free(frontend);
    free(backend);
}

static int compare(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* From a send through one relay to the answer of a wait at the other: how much longer than at the relay
 * itself. */
static int64_t median_wake(const struct relay_process *at)
{
    int64_t took[WAKES];
    for (int i = 0; i < WAKES; i++) {
        char *text = xasprintf("message %d of %d", i, at->port);
        struct open_call *wait = call_begin(at, backend, "tools/call",
            "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":60}}", NULL);
        ck_assert(relay_await_parked(at, 1));
        char *id = tool_send(one, frontend, "backend", text);
        const int64_t sent = now_us();
        ck_assert_msg(call_hears(wait, text, WAIT_MS), "%s", call_heard(wait));
        took[i] = now_us() - sent;
        call_end(wait);
        char *ack = xasprintf("{\"ids\":[\"%s\"]}", id);
        struct http_reply reply;
        relay_call(at, "POST", "/api/ack", backend, NULL, ack, &reply);
        ck_assert_int_eq(reply.status, 200);
        http_reply_free(&reply);
        free(ack);
        free(id);
        free(text);
        ck_assert(relay_await_parked(at, 0));
    }
    qsort(took, WAKES, sizeof *took, compare);
    return took[WAKES / 2];
}

/* A busy machine is given several rounds. */
START_TEST(a_send_at_one_wakes_a_wait_at_the_other)
{
    start_both();
    int64_t here = 0, there = INT64_MAX;
    for (int round = 0; round < ROUNDS && there - here > WAKE_MAX_US; round++) {
        here = median_wake(one);
        there = median_wake(other);
        fprintf(stderr, "send to wake, median: %lld us at the same relay, %lld us at the other\n",
            (long long)here, (long long)there);
    }
    ck_assert_int_le(there - here, harness_patience(WAKE_MAX_US));
    forget();
}
END_TEST

START_TEST(a_token_that_ends_at_one_ends_at_the_other)
{
    start_both();
    tool_says(other, frontend, "inbox", "{}", "frontend@shop");
    struct program_result result = {0};
    ck_assert_int_eq(relay_command(one, "token revoke --agent frontend@shop", NULL, &result), 0);
    program_result_free(&result);
    struct http_reply reply = {0};
    for (const int64_t until = now_us() + 1000 * 1000 * (int64_t)harness_patience(1); reply.status != 401;) {
        ck_assert_msg(now_us() < until, "it still answers %d", reply.status);
        http_reply_free(&reply);
        relay_call(other, "GET", "/api/inbox?count_only=1", frontend, NULL, NULL, &reply);
    }
    http_reply_free(&reply);
    forget();
}
END_TEST

START_TEST(a_killed_relay_leaves_its_messages_to_the_other)
{
    start_both();
    char *id = tool_send(one, frontend, "backend", "before the kill");
    relay_kill(one);
    tool_says(other, backend, "inbox", "{}", "before the kill");
    tool_soon_says(other, backend, "inbox", "{}", "0 pending");
    free(tool_send(other, frontend, "backend", "after it"));
    tool_says(other, backend, "inbox", "{}", "after it");
    relay_restart(one, NULL);
    tool_says(one, backend, "recall", "{}", "before the kill");
    free(id);
    forget();
}
END_TEST

/* ---- many messages, while everything falls over ---- */

/* Their addresses, which stay while relays come and go. */
static struct relay_process targets[2];
static _Atomic int done;

static bool send_once(const struct relay_process *relay, const char *id, int number)
{
    char *params =
        xasprintf("{\"name\":\"send_message\",\"arguments\":{\"to\":\"to%d\",\"content\":\"number %d\"},"
                  "\"_meta\":{\"patchcord/message-id\":\"%s\",\"patchcord/queued\":true}}",
            number % QUEUES, number, id);
    int status = 0;
    struct json_object *answer = mcp_request_with(relay, frontend, "tools/call", params, NULL, &status);
    bool is_error = true;
    const bool is_sent =
        answer && status == 200 && strncmp(mcp_result_text(answer, &is_error), "Sent to", 7) == 0;
    json_object_put(answer);
    free(params);
    return is_sent && !is_error;
}

/* Sends its share, each under one id until somebody says that it is stored, through the one relay and the
 * other. */
static void *send_share(void *arg)
{
    for (int number = (int)(intptr_t)arg; number < SENDS; number += SENDERS) {
        char id[UUID_SIZE];
        uuid_v7(id);
        for (int tries = number; !send_once(&targets[tries % 2], id, number); tries++)
            usleep(20 * 1000); /* as a bridge would wait */
        done++;
    }
    return NULL;
}

static bool is_that_far(void *arg)
{
    return done >= *(const int *)arg;
}

static void await_done(int wanted)
{
    ck_assert_msg(poll_until(is_that_far, &wanted, 300 * 1000), "%d of %d were sent", done, wanted);
}

static void restart_database(void)
{
    ck_assert_int_eq(system(getenv("PATCHCORD_TEST_RESTART")), 0);
}

static void assert_count(const char *sql, int wanted)
{
    PGconn *link = PQconnectdb(database + strlen("PATCHCORD_DATABASE_URL="));
    PGresult *result = PQexec(link, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(link));
    ck_assert_int_eq(atoi(PQgetvalue(result, 0, 0)), wanted);
    PQclear(result);
    PQfinish(link);
}

START_TEST(nothing_is_lost_or_doubled_while_everything_restarts)
{
    start_both();
    for (int i = 0; i < QUEUES; i++) {
        char *address = xasprintf("to%d@shop", i);
        free(relay_token(one, address));
        free(address);
    }
    targets[0] = *one;
    targets[1] = *other;
    targets[0].url = xstrdup(one->url);
    targets[1].url = xstrdup(other->url);
    pthread_t threads[SENDERS];
    const int64_t began = now_us();
    for (intptr_t i = 0; i < SENDERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, send_share, (void *)i), 0);
    await_done(SENDS / 5);
    restart_database();
    await_done(SENDS * 2 / 5);
    relay_kill(other);
    await_done(SENDS * 3 / 5);
    restart_database();
    relay_restart(other, NULL);
    for (size_t i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    fprintf(stderr, "%d messages in %lld ms, with two restarts of the database and one relay killed\n", SENDS,
        (long long)(now_us() - began) / 1000);
    assert_count("select count(*) from agent_messages", SENDS);
    assert_count("select count(distinct content) from agent_messages", SENDS);
    free(targets[0].url);
    free(targets[1].url);
    forget();
}
END_TEST

/* An older Patchcord's clients and their tokens, which were open to anybody. */
START_TEST(migrate_lists_who_had_logged_in)
{
    struct relay_process place = {.data_dir = xstrdup(temp_folder())};
    struct program_result result = {0};
    char *url = harness_database_url(place.data_dir);
    harness_sql(url,
        "set client_min_messages = warning; drop schema public cascade; create schema public;"
        "create table oauth_clients (client_id text primary key, namespace_id text not null default "
        "'default',"
        " agent_id text not null, client_info jsonb not null, created_at timestamptz not null default now(),"
        " updated_at timestamptz not null default now());"
        "create table oauth_access_tokens (access_token text primary key, client_id text not null,"
        " namespace_id text not null, agent_id text not null, scope text not null default 'patchcord',"
        " expires_at timestamptz not null, created_at timestamptz not null default now());"
        "insert into oauth_clients (client_id, agent_id, client_info)"
        " values ('web', 'webapp', '{\"client_name\": \"OldChat\"}');"
        "insert into oauth_access_tokens (access_token, client_id, namespace_id, agent_id, expires_at)"
        " values ('old', 'web', 'default', 'webapp', now() + interval '1 day')",
        NULL);
    ck_assert_msg(relay_command(&place, "migrate", NULL, &result) == 0, "%s", buf_text(&result.err));
    ck_assert_ptr_nonnull(strstr(buf_text(&result.out), "grants revoke --all"));
    ck_assert_ptr_nonnull(strstr(buf_text(&result.out), "webapp@default"));
    ck_assert_ptr_nonnull(strstr(buf_text(&result.out), "OldChat"));
    ck_assert_int_eq(relay_command(&place, "migrate", NULL, &result), 0);
    ck_assert_ptr_null(strstr(buf_text(&result.out), "OldChat"));
    ck_assert_int_eq(relay_command(&place, "grants revoke --all", NULL, &result), 0);
    ck_assert_str_eq(buf_text(&result.out), "1 revoked\n");
    program_result_free(&result);
    free(place.data_dir);
    free(url);
}
END_TEST

/* The setting, without the password in it, and with one more parameter. The caller frees. */
static char *without_password(void)
{
    const char *colon = strchr(strstr(database, "//"), ':'), *at = strchr(colon, '@');
    return xasprintf("%.*s%s&application_name=other", (int)(colon - database), database, at);
}

/* The status of joining at the other relay with an invitation of the first; -1: it was not given. */
static int invite_and_join(const char *const env[], struct program_result *result)
{
    struct http_reply reply;
    if (relay_command(one, "invite alice@shop", env, result) != 0)
        return -1;
    const char *code = strstr(buf_text(&result->out), " --code ") + strlen(" --code ");
    char *body = xasprintf("{\"code\":\"%.*s\",\"machine\":\"m\"}", (int)strcspn(code, "\n"), code);
    relay_call(other, "POST", "/api/join", NULL, NULL, body, &reply);
    const int status = reply.status;
    http_reply_free(&reply);
    free(body);
    return status;
}

/* However each of them writes the URL. */
START_TEST(relays_of_a_database_take_each_others_codes)
{
    static const char key[] = "PATCHCORD_CODE_KEY=a key of thirty-two characters, at least";
    struct program_result result = {0};
    start_both();
    ck_assert_int_eq(invite_and_join(NULL, &result), 200);
    char *named = xasprintf("%s&application_name=other", database), *bare = without_password();
    ck_assert_int_eq(invite_and_join((const char *const[]){named, NULL}, &result), 200);

    /* Nothing to make a key of: it is not made of what anybody can guess. */
    ck_assert_int_eq(invite_and_join((const char *const[]){bare, NULL}, &result), -1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "set PATCHCORD_CODE_KEY"));
    ck_assert_int_eq(invite_and_join((const char *const[]){bare, key, NULL}, &result), 401);
    other = relay_start(NULL, (const char *const[]){bare, key, NULL});
    ck_assert_int_eq(invite_and_join((const char *const[]){bare, key, NULL}, &result), 200);
    ck_assert_int_eq(invite_and_join(NULL, &result), 401);
    program_result_free(&result);
    free(named);
    free(bare);
    forget();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres");
    TCase *tests = harness_case(suite, "two relays");
    tcase_set_timeout(tests, 600);
    if (harness_store_is("postgres")) {
        tcase_add_test(tests, a_send_at_one_wakes_a_wait_at_the_other);
        tcase_add_test(tests, a_token_that_ends_at_one_ends_at_the_other);
        tcase_add_test(tests, relays_of_a_database_take_each_others_codes);
        tcase_add_test(tests, a_killed_relay_leaves_its_messages_to_the_other);
        tcase_add_test(tests, migrate_lists_who_had_logged_in);
    }
    /* Not beside other tests on the same server. */
    if (harness_store_is("postgres") && getenv("PATCHCORD_TEST_ALONE"))
        tcase_add_test(tests, nothing_is_lost_or_doubled_while_everything_restarts);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
