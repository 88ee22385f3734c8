/* What the original's own client scripts ask, request for request with their headers, and the answers that
 * they go by: fields are there under these names, and no others where a script reads them all. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/compiler.h"
#include "../../common/json.h"
#include "../harness.h"
#include "../harness_store.h"

enum { LOGINS_A_MINUTE = 3, CALLS_A_MINUTE = 5 };

static struct relay_process *relay;
static char *frontend, *backend; /* tokens */
static struct http_reply reply;

static void setup_with(const char *const env[])
{
    relay = relay_start(NULL, env);
    frontend = relay_token(relay, "frontend@shop");
    backend = relay_token(relay, "backend@shop");
}

static void setup(void)
{
    setup_with((const char *const[]){"PATCHCORD_CLEANUP_TOKEN=operator", NULL});
}

static void setup_with_limits(void)
{
    setup_with((const char *const[]){
        "PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=3", "PATCHCORD_RATE_LIMIT_PER_MINUTE=5", NULL});
}

static void teardown(void)
{
    http_reply_free(&reply);
    free(frontend);
    free(backend);
}

/* As the scripts introduce themselves: the newer ones, and the older. */
static const char *const newer[] = {"X-Patchcord-Machine: laptop", "X-Patchcord-Client-Type: claude_code",
    "X-Patchcord-Platform: linux", "X-Patchcord-Display-Name: Ada",
    "X-Patchcord-Install-Path: /home/ada/shop", NULL};
static const char *const older[] = {
    "X-Machine-Name: laptop", "X-Client-Type: codex", "X-Platform: darwin", NULL};

static int ask(
    const char *method, const char *path, const char *token, const char *const headers[], const char *body)
{
    http_reply_free(&reply);
    relay_call(relay, method, path, token, headers, body, &reply);
    return reply.status;
}

/* The object has just these fields, in whatever order. */
static void expect_fields(struct json_object *object, const char *const fields[])
{
    int count = 0;
    ck_assert_msg(json_object_is_type(object, json_type_object), "%s", buf_text(&reply.body));
    for (; fields[count]; count++)
        ck_assert_msg(json_object_object_get_ex(object, fields[count], NULL), "no %s in %s", fields[count],
            json_object_to_json_string(object));
    ck_assert_msg(json_object_object_length(object) == count, "%s", json_object_to_json_string(object));
}

static struct json_object *first_of(const char *key)
{
    struct json_object *array = reply.json;
    if (key)
        ck_assert_int_eq(json_get_array(reply.json, key, &array), JSON_FIELD_FOUND);
    ck_assert_uint_ge(json_object_array_length(array), 1);
    return json_object_array_get_idx(array, 0);
}

static const char *text(const char *key)
{
    return json_text_or(reply.json, key, "");
}

static char *send_to_backend(void)
{
    ck_assert_int_eq(ask("POST", "/api/channel/send", frontend, newer,
                         "{\"to_agent\": \"backend\", \"content\": \"hello\"}"),
        200);
    expect_fields(reply.json, (const char *const[]){"id", "status", "to_agent", NULL});
    ck_assert_str_eq(text("status"), "sent");
    return xstrdup(text("id"));
}

/* ---- setting up, hooks, status line ---- */

START_TEST(a_token_is_tried)
{
    static const char path[] = "/api/inbox?status=pending&limit=0";
    ck_assert_int_eq(ask("GET", path, backend, newer, NULL), 200);
    ck_assert_str_eq(text("agent_id"), "backend");
    ck_assert_str_eq(text("namespace_id"), "shop");
    ck_assert_str_eq(text("machine_name"), "laptop");
    ck_assert_int_eq(ask("GET", path, "pc_wrong", newer, NULL), 401);
    ck_assert_ptr_nonnull(json_text_or(reply.json, "error", NULL));
    ck_assert_int_eq(ask("GET", path, NULL, newer, NULL), 401);
}
END_TEST

START_TEST(the_stop_hook_and_the_status_line_look)
{
    char *id = send_to_backend();
    ck_assert_int_eq(ask("GET", "/api/inbox?status=pending&limit=5", backend, older, NULL), 200);
    expect_fields(reply.json, (const char *const[]){"pending_count", "messages", "agent_id", "namespace_id",
                                  "machine_name", "rate_limit_per_minute", NULL});
    expect_fields(
        first_of("messages"), (const char *const[]){"message_id", "from", "preview", "sent_at", NULL});
    ck_assert_str_eq(json_text_or(first_of("messages"), "message_id", ""), id);
    ck_assert_str_eq(text("machine_name"), "laptop");
    ck_assert_int_eq(
        ask("GET", "/api/inbox?status=pending&limit=100&count_only=1", backend, newer, NULL), 200);
    int64_t count = 0;
    ck_assert_int_eq(json_get_int(reply.json, "count", &count), JSON_FIELD_FOUND);
    ck_assert_int_eq(count, 1);
    free(id);
}
END_TEST

/* ---- the channel plugin ---- */

START_TEST(the_channel_polls_and_replies)
{
    char *id = send_to_backend(), *answer = xasprintf("{\"message_id\": \"%s\", \"content\": \"done\"}", id);
    ck_assert_int_eq(ask("POST", "/api/channel/poll", backend, newer, "{}"), 200);
    expect_fields(first_of(NULL),
        (const char *const[]){"id", "from_agent", "content", "created_at", "namespace_id", "reply_to", NULL});
    ck_assert_int_eq(ask("POST", "/api/channel/reply", backend, newer, answer), 200);
    expect_fields(reply.json, (const char *const[]){"id", "status", "to_agent", NULL});
    ck_assert_str_eq(text("status"), "replied");
    ck_assert_str_eq(text("to_agent"), "frontend");
    ck_assert_int_eq(ask("POST", "/api/channel/poll", frontend, older, NULL), 200);
    ck_assert_str_eq(json_text_or(first_of(NULL), "reply_to", ""), id);
    ck_assert_int_eq(ask("POST", "/api/channel/poll", "pc_wrong", newer, "{}"), 401);
    ck_assert_ptr_nonnull(json_text_or(reply.json, "error", NULL));
    free(answer);
    free(id);
}
END_TEST

/* ---- what this relay does not have ---- */

static const struct {
    const char *method, *path, *body;
    int status;
} absent[] = {
    {"GET", "/api/realtime/ticket", NULL, 501},
    {"GET", "/api/skills/shop/backend", NULL, 404},
    {"POST", "/api/agent/install-path", "{\"install_path\": \"/home/ada/shop\"}", 404},
};

START_TEST(what_is_absent_counts_against_nobody)
{
    for (size_t n = 0; n < 3 * (LOGINS_A_MINUTE + 1); n++) {
        const size_t i = n % LENGTH_OF(absent);
        ck_assert_int_eq(
            ask(absent[i].method, absent[i].path, "pc_wrong", newer, absent[i].body), absent[i].status);
        ck_assert_ptr_nonnull(json_text_or(reply.json, "error", NULL));
    }
    ck_assert_int_eq(ask("GET", "/api/inbox?limit=0", backend, newer, NULL), 200);
}
END_TEST

START_TEST(who_is_too_fast_is_told_for_how_long)
{
    int status = 200;
    for (size_t n = 0; n <= CALLS_A_MINUTE && status == 200; n++)
        status = ask("POST", "/api/channel/poll", backend, newer, "{}");
    ck_assert_int_eq(status, 429);
    expect_fields(reply.json, (const char *const[]){"error", "retry_after", NULL});
    ck_assert_str_eq(text("error"), "rate_limited");
    ck_assert_ptr_nonnull(strcasestr(buf_text(&reply.headers), "\r\nretry-after: "));
}
END_TEST

/* ---- a store that fails ---- */

static void break_store(void)
{
    sqlite3 *db;
    char *path = xasprintf("%s/patchcord.db", relay->data_dir);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    ck_assert_int_eq(
        sqlite3_exec(db, "alter table agent_messages rename to gone", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    free(path);
}

START_TEST(a_store_that_fails_is_said)
{
    char *id = send_to_backend(), *answer = xasprintf("{\"message_id\": \"%s\", \"content\": \"done\"}", id);
    break_store();
    ck_assert_int_eq(ask("GET", "/api/inbox?status=pending&limit=5", backend, newer, NULL), 502);
    ck_assert_ptr_nonnull(json_text_or(reply.json, "error", NULL));
    ck_assert_int_eq(ask("POST", "/api/channel/poll", backend, newer, "{}"), 500);
    ck_assert_int_eq(ask("POST", "/api/channel/reply", backend, newer, answer), 500);
    ck_assert_int_eq(
        ask("POST", "/api/channel/send", frontend, newer, "{\"to_agent\": \"backend\", \"content\": \"x\"}"),
        500);
    ck_assert_ptr_nonnull(json_text_or(reply.json, "error", NULL));
    relay_kill(relay);
    free(answer);
    free(id);
}
END_TEST

/* ---- the operator's scripts ---- */

START_TEST(the_cleanup_jobs_run)
{
    ck_assert_int_eq(ask("POST", "/api/cleanup?dry_run=1&max_age_days=7", "operator", NULL, NULL), 200);
    expect_fields(reply.json, (const char *const[]){"status", "dry_run", "max_age_days", "messages",
                                  "registry_marked_offline", "attachments", NULL});
    ck_assert_int_eq(ask("POST", "/api/cleanup/oauth?dry_run=1", "operator", NULL, NULL), 200);
    ck_assert_str_eq(text("status"), "ok");
    ck_assert_int_eq(ask("POST", "/api/cleanup", backend, NULL, NULL), 401);
    ck_assert_str_eq(buf_text(&reply.body), "{\"status\":\"error\",\"message\":\"Unauthorized\"}");
    ck_assert_int_eq(ask("GET", "/health", NULL, NULL, NULL), 200);
    ck_assert_str_eq(buf_text(&reply.body), "{\"status\":\"ok\",\"service\":\"patchcord\"}");
}
END_TEST

/* ---- the set-up lines that people have ---- */

static const struct {
    const char *path, *type;
} lines[] = {{"/mcp", "claude_code"}, {"/mcp/bearer", "codex"}};

START_TEST(the_set_up_lines_connect)
{
    char *type = xasprintf("X-Patchcord-Client-Type: %s", lines[_i].type);
    const char *const headers[] = {
        "Content-Type: application/json", "Accept: application/json, text/event-stream", type, NULL};
    ck_assert_int_eq(
        ask("POST", lines[_i].path, backend, headers,
            "{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"initialize\", \"params\": {\"protocolVersion\": "
            "\"2025-06-18\", \"capabilities\": {}, \"clientInfo\": {\"name\": \"c\", \"version\": \"1\"}}}"),
        200);
    ck_assert_int_eq(
        ask("POST", lines[_i].path, backend, headers,
            "{\"jsonrpc\": \"2.0\", \"id\": 2, \"method\": \"tools/call\", \"params\": {\"name\": \"inbox\", "
            "\"arguments\": {}}}"),
        200);
    ck_assert_ptr_nonnull(strstr(buf_text(&reply.body), "backend@shop | 0 pending"));
    char *shown = xasprintf("backend (%s)", lines[_i].type);
    tool_says(relay, frontend, "inbox", "{}", shown);
    free(shown);
    free(type);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("original");
    TCase *tcase = harness_case(suite, "scripts");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_token_is_tried);
    tcase_add_test(tcase, the_stop_hook_and_the_status_line_look);
    tcase_add_test(tcase, the_channel_polls_and_replies);
    harness_add_embedded(tcase, a_store_that_fails_is_said);
    tcase_add_test(tcase, the_cleanup_jobs_run);
    tcase_add_loop_test(tcase, the_set_up_lines_connect, 0, LENGTH_OF(lines));
    TCase *limited = harness_case(suite, "limits");
    tcase_add_checked_fixture(limited, setup_with_limits, teardown);
    tcase_add_test(limited, what_is_absent_counts_against_nobody);
    tcase_add_test(limited, who_is_too_fast_is_told_for_how_long);
    return run_suite(suite);
}
