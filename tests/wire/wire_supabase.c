/* A relay on Supabase: how often it asks, what it says while the project is away, and that it comes back by
 * itself. The project is nginx with TLS, the real PostgREST and PostgreSQL: see tests/rigs/supabase.py. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../harness.h"
#include "../harness_process.h"
#include "../harness_store.h"

enum { SOON_MS = 20 * 1000, BOUND_MS = 10 * 1000, AT_ONCE_MS = 1000, POLL_MS = 4000 };

static struct relay_process *relay;
static char *front, *back, *project; /* tokens; the project's URL */

/* Promises to acknowledge, and does not: so the relay has nothing to do behind its answer. */
static const char *const acks[] = {"X-Patchcord-Ack: 1", NULL};

static void begin(void)
{
    static const char *const env[] = {
        "PATCHCORD_CIRCUIT_BREAKER_SECONDS=1", "PATCHCORD_POLL_SECONDS=0", NULL};
    relay = relay_start(NULL, env);
    front = relay_token(relay, "frontend@shop");
    back = relay_token(relay, "backend@shop");
    project = harness_project_url(relay->data_dir);
}

static void end(void)
{
    free(front);
    free(back);
    free(project);
}

static const char *name_of_project(void)
{
    return strrchr(project, '/') + 1;
}

/* PATCHCORD_CA_FILE for a relay whose project the test names itself; the caller frees. */
static char *trust(void)
{
    return xasprintf("PATCHCORD_CA_FILE=%s", getenv("PATCHCORD_TEST_SUPABASE_CA"));
}

/* ---- round trips ---- */

/* What nginx logged for the project, up to a request of ours that is not the relay's. */
static char *log_until_now(void)
{
    static int number;
    struct http_reply reply;
    char *url = xasprintf("%s/rest/v1/marker%d", project, ++number), *marker = strstr(url + 8, "/wire_");
    const char *const key[] = {"apikey: sb_secret_test", NULL};
    char *path = xasprintf("%s/access.log", getenv("PATCHCORD_TEST_SUPABASE_DIR"));
    struct buf log = {0};
    const int64_t until_us = now_us() + SOON_MS * 1000;
    http_call("GET", url, key, NULL, &reply);
    http_reply_free(&reply);
    while (!strstr(buf_text(&log), marker)) {
        FILE *file = fopen(path, "r");
        char line[1024];
        ck_assert(file && now_us() < until_us);
        buf_reset(&log);
        while (fgets(line, sizeof line, file)) {
            if (strstr(line, name_of_project()))
                buf_puts(&log, line);
        }
        fclose(file);
    }
    free(path);
    free(url);
    return buf_take(&log);
}

static int lines_with(const char *log, const char *text)
{
    int count = 0;
    for (const char *at = log; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static size_t counted; /* bytes of the log that were */

/* Requests of the relay since the last call of this. */
static int requests(void)
{
    char *log = log_until_now();
    /* The harness asks for metrics. */
    const int count = lines_with(log + counted, "/rpc/") - lines_with(log + counted, "/rpc/patchcord_stats");
    counted = strlen(log);
    free(log);
    return count;
}

static char *ask(const char *token, const char *tool, const char *args)
{
    char *params = xasprintf("{\"name\":\"%s\",\"arguments\":%s}", tool, args);
    struct json_object *answer = mcp_request_with(relay, token, "tools/call", params, acks, NULL);
    bool failed;
    char *text = xstrdup(mcp_result_text(answer, &failed));
    ck_assert_msg(!failed, "%s %s: %s", tool, args, text);
    json_object_put(answer);
    free(params);
    return text;
}

static void expect_one(const char *token, const char *tool, const char *args)
{
    (void)requests();
    free(ask(token, tool, args));
    const int count = requests();
    printf("%-18s %d round trip%s\n", tool, count, count == 1 ? "" : "s");
    ck_assert_msg(count == 1, "%s: %d round trips", tool, count);
}

static char *with_id(const char *format, const char *id)
{
    return xasprintf(strchr(format, '%') ? "{\"message_id\":\"%s\"%s}" : "%s%s", id, format + 2);
}

START_TEST(a_tool_asks_once)
{
    static const char send[] = "{\"to\":\"backend\",\"content\":\"hello\"}";
    /* Who they are is asked once in 30 s. */
    free(ask(front, "recall", "{}"));
    free(ask(back, "inbox", "{}"));
    expect_one(front, "send_message", send);
    char *text = ask(front, "send_message", send), *id = id_of_sent(text);
    expect_one(back, "inbox", "{}");
    char *reply = with_id("%s,\"content\":\"yes\"", id);
    expect_one(back, "reply", reply);
    expect_one(front, "wait_for_message", "{\"timeout_seconds\":5}");
    expect_one(front, "recall", "{\"query\":\"hello\"}");
    free(text);
    free(id);
    free(ask(back, "wait_for_message", "{\"timeout_seconds\":1}"));
    text = ask(front, "send_message", send);
    id = id_of_sent(text);
    char *unsend = with_id("%s", id);
    expect_one(front, "unsend_message", unsend);
    free(unsend);
    free(reply);
    free(text);
    free(id);
}
END_TEST

START_TEST(a_wait_asks_once_more_when_it_wakes)
{
    static const char params[] = "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":60}}";
    free(ask(front, "recall", "{}"));
    free(ask(back, "inbox", "{}"));
    (void)requests();
    struct open_call *wait = call_begin(relay, back, "tools/call", params, acks);
    ck_assert(relay_await_parked(relay, 1));
    ck_assert_int_eq(requests(), 1);
    free(ask(front, "send_message", "{\"to\":\"backend\",\"content\":\"wake up\"}"));
    ck_assert(call_hears(wait, "> wake up", SOON_MS));
    const int count = requests();
    printf("wait_for_message   1 round trip to park, %d when a message wakes it\n", count - 1);
    ck_assert_int_eq(count, 2); /* the send's, and the wait's */
    call_end(wait);
}
END_TEST

START_TEST(connections_are_kept_and_speak_http_2)
{
    for (int i = 0; i < 5; i++)
        free(ask(back, "inbox", "{}"));
    char *log = log_until_now();
    ck_assert_int_gt(lines_with(log, "HTTP/2.0"), 5);
    free(log);
}
END_TEST

/* ---- faults ---- */

static void set_fault(const char *fault)
{
    harness_project_fault(project, fault);
}

/* True where it was acknowledged. */
static bool send_number(int number)
{
    char *args = xasprintf("{\"to\":\"backend\",\"content\":\"number %d.\"}", number);
    bool failed;
    char *text = mcp_tool(relay, front, "send_message", args, &failed);
    if (failed) /* one line that says what to do */
        ck_assert_msg(strstr(text, "Try again") && !strchr(text, '\n'), "%s", text);
    free(args);
    free(text);
    return !failed;
}

static bool is_back(void *number)
{
    return send_number(*(int *)number);
}

static bool acknowledged[20];

static void expect_all(int last)
{
    struct buf seen = {0};
    bool failed = false;
    for (int i = 0; i < 20 && !strstr(buf_text(&seen), "0 pending"); i++) {
        char *text = mcp_tool(relay, back, "inbox", "{}", &failed);
        ck_assert_msg(!failed, "%s", text);
        buf_puts(&seen, text);
        free(text);
    }
    for (int number = 1; number <= last; number++) {
        char *wanted = xasprintf("> number %d.", number);
        const int count = lines_with(buf_text(&seen), wanted);
        ck_assert_msg(count == 1 || (count == 0 && !acknowledged[number]), "%s came %d times", wanted, count);
        free(wanted);
    }
    buf_free(&seen);
}

static const struct {
    const char *name;
    int calls;
    const char *logged;
} faults[] = {
    {"stopped", 8, "status 502"},
    {"slow", 1, "did not answer within 8 s"},
    {"503", 8, "code PGRST000: its database is away"},
    {"500", 8, "status 500"},
    {"401", 8, "code PGRST301: the key is refused"},
    {"half", 4, "broke off"},
};

START_TEST(a_fault_is_told_and_passes)
{
    int number = 0;
    memset(acknowledged, 0, sizeof acknowledged);
    acknowledged[++number] = send_number(1);
    ck_assert(acknowledged[1]);
    free(ask(back, "recall", "{}"));
    set_fault(faults[_i].name);
    int64_t longest_us = 0;
    for (int i = 0; i < faults[_i].calls; i++) {
        const int64_t began_us = now_us();
        ++number;
        acknowledged[number] = send_number(number);
        ck_assert_msg(!acknowledged[number], "%s: acknowledged", faults[_i].name);
        const int64_t took_us = now_us() - began_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
        ck_assert_int_lt(took_us / 1000, harness_patience(BOUND_MS));
    }
    ck_assert_msg(relay_log_has(relay, faults[_i].logged), "%s: no '%s' in the log", faults[_i].name,
        faults[_i].logged);
    set_fault(NULL);
    const int64_t cured_us = now_us();
    number++;
    ck_assert(poll_until(is_back, &number, SOON_MS));
    acknowledged[number] = true;
    printf("%-8s %d calls failed, the longest after %" PRId64 " ms; back %" PRId64 " ms after the cure\n",
        faults[_i].name, faults[_i].calls, longest_us / 1000, (now_us() - cured_us) / 1000);
    expect_all(number);
}
END_TEST

/* Five failures in a row, and nobody waits for it any more. */
START_TEST(what_is_away_is_not_waited_for)
{
    relay_stop(relay);
    relay_restart(relay,
        (const char *const[]){"PATCHCORD_CIRCUIT_BREAKER_SECONDS=300", "PATCHCORD_POLL_SECONDS=0", NULL});
    ck_assert(send_number(1));
    set_fault("stopped");
    for (int i = 2; i < 8; i++)
        (void)send_number(i);
    const int64_t began_us = now_us();
    ck_assert(!send_number(8));
    ck_assert_int_lt((now_us() - began_us) / 1000, AT_ONCE_MS);
    ck_assert(relay_log_has(relay, "supabase_away"));
    set_fault(NULL);
    int number = 9;
    ck_assert(poll_until(is_back, &number, SOON_MS));
    ck_assert(relay_log_has(relay, "supabase_back"));
}
END_TEST

/* ---- keys and settings ---- */

/* How a relay's start with that key ends; the caller frees. */
static char *start_with(const char *key)
{
    struct program_result result;
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", temp_folder());
    char *url = xasprintf("SUPABASE_URL=%s", project), *setting = xasprintf("SUPABASE_KEY=%s", key);
    char *ca = trust();
    const char *const env[] = {data, url, setting, ca, NULL};
    run_program((const char *const[]){"patchcord-relay", "token", "list", NULL}, env, NULL, SOON_MS, &result);
    char *said = result.exit_code == 0 ? NULL : xstrdup(buf_text(&result.err));
    ck_assert(!said || !strstr(said, key));
    program_result_free(&result);
    free(setting);
    free(ca);
    free(data);
    free(url);
    return said;
}

static void refuse_key(const char *key, const char *why)
{
    char *said = start_with(key);
    ck_assert_msg(said && strstr(said, why), "%s", said ? said : "it was taken");
    free(said);
}

START_TEST(keys_are_told_apart)
{
    ck_assert_ptr_null(start_with("sb_secret_test"));
    ck_assert_ptr_null(start_with(getenv("PATCHCORD_TEST_SUPABASE_KEY")));
    refuse_key(getenv("PATCHCORD_TEST_SUPABASE_ANON_KEY"), "SUPABASE_KEY has to be a secret");
    refuse_key(getenv("PATCHCORD_TEST_SUPABASE_OLD_KEY"), "has expired");
    refuse_key("sb_publishable_test", "publishable key");
    refuse_key("sb_secret_other", "SUPABASE_KEY");
    ck_assert(!relay_log_has(relay, getenv("PATCHCORD_TEST_SUPABASE_KEY")));
}
END_TEST

START_TEST(a_project_without_the_schema_says_what_to_run)
{
    char *own = project;
    char *url = harness_database_url("/no/schema");
    harness_sql(
        url, "set client_min_messages = warning; drop schema public cascade; create schema public", NULL);
    harness_sql(url, "grant usage on schema public to anon, authenticated, service_role", NULL);
    project = harness_project_url("/no/schema");
    refuse_key("sb_secret_test", "migrations/postgres/0001_");
    free(project);
    project = own;
    free(url);
}
END_TEST

/* ---- attachments ---- */

/* As upload_attachment says, by curl's own hand. */
START_TEST(a_file_goes_into_storage_and_out_of_it)
{
    struct program_result result;
    char *text = tool_ok(relay, front, "upload_attachment", "{\"filename\":\"notes.txt\"}");
    char *line = strstr(text, "curl -fsS -T "), *path = strstr(text, "Path: ");
    ck_assert_msg(
        line && path && strstr(line, "/storage/v1/object/upload/sign/attachments/shop/"), "%s", text);
    path = xmemdup_text(path + 6, strcspn(path + 6, "\n"));
    char *command = xasprintf(
        "cd %s && echo from curl > notes.txt && %.*s", temp_folder(), (int)strcspn(line, "\n"), line);
    char *bundle = xasprintf("CURL_CA_BUNDLE=%s", getenv("PATCHCORD_TEST_SUPABASE_CA"));
    const char *const env[] = {bundle, NULL};
    run_program((const char *const[]){"/bin/sh", "-c", command, NULL}, env, NULL, SOON_MS, &result);
    ck_assert_msg(result.exit_code == 0, "%s: %s", command, buf_text(&result.err));
    program_result_free(&result);
    char *args = xasprintf("{\"path\":\"%s\"}", path);
    tool_says(relay, back, "get_attachment", args, "> from curl");
    ck_assert(relay_log_has(relay, "attachments=supabase"));
    free(args);
    free(bundle);
    free(command);
    free(path);
    free(text);
}
END_TEST

/* ---- several relays ---- */

START_TEST(relays_of_one_project_find_each_others_messages)
{
    static const char params[] = "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":60}}";
    char *url = xasprintf("SUPABASE_URL=%s", project), *ca = trust();
    struct relay_process *other = relay_start(NULL,
        (const char *const[]){url, ca, "SUPABASE_KEY=sb_secret_test", "PATCHCORD_POLL_SECONDS=1", NULL});
    struct open_call *wait = call_begin(other, back, "tools/call", params, acks);
    ck_assert(relay_await_parked(other, 1));
    const int64_t began_us = now_us();
    ck_assert(send_number(1));
    ck_assert(call_hears(wait, "> number 1.", harness_patience(POLL_MS)));
    printf("two relays: heard after %" PRId64 " ms\n", (now_us() - began_us) / 1000);
    call_end(wait);
    free(ca);
    free(url);
}
END_TEST

int main(int argc, char **argv)
{
    (void)argc;
    if (!getenv("PATCHCORD_TEST_SUPABASE")) {
        execl("tests/supabase.sh", "tests/supabase.sh", argv[0], NULL);
        perror("tests/supabase.sh");
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("supabase");
    TCase *tests = tcase_create("supabase");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 90);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, a_tool_asks_once);
    tcase_add_test(tests, a_wait_asks_once_more_when_it_wakes);
    tcase_add_test(tests, connections_are_kept_and_speak_http_2);
    tcase_add_loop_test(tests, a_fault_is_told_and_passes, 0, (int)LENGTH_OF(faults));
    tcase_add_test(tests, what_is_away_is_not_waited_for);
    tcase_add_test(tests, keys_are_told_apart);
    tcase_add_test(tests, a_project_without_the_schema_says_what_to_run);
    tcase_add_test(tests, a_file_goes_into_storage_and_out_of_it);
    tcase_add_test(tests, relays_of_one_project_find_each_others_messages);
    return run_suite(suite);
}
