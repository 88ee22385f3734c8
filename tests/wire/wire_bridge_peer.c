/* The real bridge against a scripted relay: what it sends, how it repeats, when it acknowledges, how it ends.
 */
#include <stdatomic.h>
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../common/uuid.h"
#include "../harness.h"
#include "../harness_peer.h"

#define MCP "/mcp/bearer"
#define ACK "/api/ack"

#define MESSAGE_ID "0192f0c1-0000-7000-8000-000000000001"
#define LEASE      "6f1e1f2a-0000-4000-8000-000000000003"

enum { ANSWER_MS = 10 * 1000, NOTHING_MS = 150, CALLS_MAX = 64 };

static struct peer *peer;
static struct bridge_process *bridge;

static void begin(peer_script_fn *script)
{
    peer = peer_start(script);
    bridge = bridge_start(peer_relay(peer), "pc_secret", NULL);
}

/* ---- looking into requests ---- */

static struct json_object *meta_of(int number)
{
    struct json_object *params, *meta;
    ck_assert_int_eq(
        json_get_object(peer_request(peer, MCP, number)->body, "params", &params), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(params, "_meta", &meta), JSON_FIELD_FOUND);
    return meta;
}

static struct json_object *arguments_of(int number)
{
    struct json_object *params, *arguments;
    ck_assert_int_eq(
        json_get_object(peer_request(peer, MCP, number)->body, "params", &params), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(params, "arguments", &arguments), JSON_FIELD_FOUND);
    return arguments;
}

static const char *uuid_in(struct json_object *holder, const char *key)
{
    char parsed[UUID_SIZE];
    const char *text = json_text_or(holder, key, "");
    ck_assert_msg(uuid_parse(text, strlen(text), parsed), "%s is \"%s\"", key, text);
    return text;
}

static bool has_header(int number, const char *line)
{
    char *wanted = xasprintf("\r\n%s\r\n", line);
    bool found = strcasestr(peer_request(peer, MCP, number)->headers, wanted) != NULL;
    free(wanted);
    return found;
}

static void expect_ack(int number, const char *lease, const char *ids, bool release)
{
    bool released;
    struct json_object *list, *body;
    peer_await(peer, ACK, number);
    body = peer_request(peer, ACK, number)->body;
    ck_assert_str_eq(json_text_or(body, "lease", ""), lease);
    ck_assert_int_eq(json_get_array(body, "ids", &list), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN), ids);
    ck_assert_int_eq(json_get_bool(body, "release", &released), JSON_FIELD_FOUND);
    ck_assert_int_eq(released, release);
}

/* Calls the tool; its text has to begin with that. */
static void expect_text(const char *tool, const char *args, bool is_error, const char *begins)
{
    bool failed;
    char *text = bridge_tool(bridge, tool, args, &failed);
    ck_assert_msg(strncmp(text, begins, strlen(begins)) == 0, "%s: %s", tool, text);
    ck_assert_int_eq(failed, is_error);
    free(text);
}

static void expect_silence(void)
{
    struct json_object *line = bridge_read(bridge, NOTHING_MS);
    ck_assert_msg(line == NULL, "unexpected: %s", json_object_to_json_string(line));
}

static void cancel(int64_t id)
{
    char *line = xasprintf(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%lld,"
        "\"reason\":\"test\"}}",
        (long long)id);
    bridge_send_line(bridge, line);
    free(line);
}

/* ---- what is sent ---- */

static void script_ok(const struct peer_request *request, struct peer_answer *answer)
{
    (void)request;
    answer->body = peer_result("fine");
}

START_TEST(a_call_is_a_modern_request)
{
    begin(script_ok);
    bridge_send_line(bridge,
        "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-"
        "06-18\","
        "\"capabilities\":{},\"clientInfo\":{\"name\":\"codex-mcp-client\",\"version\":\"1\"}}}");
    json_object_put(bridge_read(bridge, ANSWER_MS));
    bridge_send_line(bridge,
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/"
        "call\",\"params\":{\"name\":\"inbox\",\"arguments\":{"
        "\"all_agents\":true,\"unknown\":1},\"_meta\":{\"progressToken\":1,\"patchcord/lease\":\"mine\","
        "\"patchcord/peek\":true}}}");
    json_object_put(bridge_read(bridge, ANSWER_MS));
    static const char *const headers[] = {"Authorization: Bearer pc_secret", "Content-Type: application/json",
        "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call", "Mcp-Name: inbox", "X-Patchcord-Ack: 1",
        "X-Patchcord-Client-Type: codex", "X-Patchcord-Platform: linux"};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        ck_assert_msg(
            has_header(1, headers[i]), "no %s in %s", headers[i], peer_request(peer, MCP, 1)->headers);
    ck_assert(strcasestr(peer_request(peer, MCP, 1)->headers, "\r\nX-Patchcord-Machine: "));
    struct json_object *meta = meta_of(1), *part;
    ck_assert_str_eq(json_text_or(meta, "io.modelcontextprotocol/protocolVersion", ""), "2026-07-28");
    ck_assert_int_eq(
        json_get_object(meta, "io.modelcontextprotocol/clientCapabilities", &part), JSON_FIELD_FOUND);
    uuid_in(meta, "patchcord/lease");
    ck_assert(!json_object_object_get_ex(meta, "patchcord/peek", NULL));
    ck_assert(!json_object_object_get_ex(meta, "progressToken", NULL));
    ck_assert_str_eq(
        json_object_to_json_string_ext(arguments_of(1), JSON_C_TO_STRING_PLAIN), "{\"all_agents\":true}");
}
END_TEST

START_TEST(the_answer_is_of_the_clients_era)
{
    begin(script_ok);
    int64_t id = bridge_call_begin(bridge, "recall", "{}");
    struct json_object *answer = bridge_read(bridge, ANSWER_MS);
    ck_assert_int_eq(json_object_get_int64(json_object_object_get(answer, "id")), id);
    ck_assert_str_eq(
        json_object_to_json_string_ext(json_object_object_get(answer, "result"), JSON_C_TO_STRING_PLAIN),
        "{\"content\":[{\"type\":\"text\",\"text\":\"fine\"}],\"isError\":false}");
    json_object_put(answer);
    bridge_send_line(bridge,
        "{\"jsonrpc\":\"2.0\",\"id\":\"m\",\"method\":\"tools/"
        "call\",\"params\":{\"name\":\"recall\",\"_meta\":{"
        "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientCapabilities\":{},"
        "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"claude-code\",\"version\":\"2\"}}}}");
    answer = bridge_read(bridge, ANSWER_MS);
    struct json_object *result;
    ck_assert_int_eq(json_get_object(answer, "result", &result), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(result, "resultType", ""), "complete");
    ck_assert(has_header(2, "X-Patchcord-Client-Type: claude_code"));
    json_object_put(answer);
}
END_TEST

/* ---- refusals ---- */

struct refusal {
    int status;
    const char *headers, *part;
    int tries;
    const char *tool;
};
static const struct refusal *_Atomic refusal; /* the peer's threads read it */

static void script_refuse(const struct peer_request *request, struct peer_answer *answer)
{
    (void)request;
    const struct refusal *now = atomic_load(&refusal);
    answer->status = now->status;
    answer->headers = now->headers;
    answer->body = xstrdup("<html>no</html>");
}

START_TEST(refusals_are_tool_errors_that_say_what_to_do)
{
    static const struct refusal cases[] = {
        {401, NULL, "Check PATCHCORD_TOKEN", 1, "send_message"},
        {403, NULL, "belong together", 1, "send_message"},
        {404, NULL, "There is no Patchcord relay", 1, "send_message"},
        {413, NULL, "too large", 1, "send_message"},
        {302, "Location: http://127.0.0.1:1/\r\n", "redirects to another address", 1, "send_message"},
        {200, NULL, "not MCP", 1, "send_message"},
        {429, "Retry-After: 77\r\n", "Nothing was sent; call again in 77 s.", 1, "recall"},
        {503, "Retry-After: 77\r\n", "Nothing was sent; call again in 77 s.", 3, "recall"},
        {429, "Retry-After: 21600\r\n", "call again in 21600 s.", 1, "recall"},
        {429, "Retry-After: 99999999999\r\n", "call again in 21600 s.", 1, "recall"},
        {503, NULL, "Nothing was sent; try again later", 3, "recall"},
        {502, NULL, "could not reach it (502). Try again.", 3, "recall"},
    };
    int asked = 0;
    begin(script_refuse);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool failed;
        atomic_store(&refusal, &cases[i]);
        char *text = bridge_tool(bridge, cases[i].tool, "{\"to\":\"b\",\"content\":\"x\"}", &failed);
        ck_assert_msg(failed && strstr(text, cases[i].part) && !strstr(text, "pc_secret"), "%d: %s",
            cases[i].status, text);
        asked += cases[i].tries;
        ck_assert_int_eq(peer_count(peer, MCP), asked);
        free(text);
    }
}
END_TEST

static void script_rpc_error(const struct peer_request *request, struct peer_answer *answer)
{
    answer->status = 400;
    answer->body = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":%d,\"message\":\"because\"}}",
        request->number == 1 ? -32602 : -32020);
}

START_TEST(protocol_errors_keep_the_clients_id)
{
    begin(script_rpc_error);
    for (int64_t i = 1; i <= 2; i++) {
        struct json_object *error;
        int64_t id = bridge_call_begin(bridge, "recall", "{}"), code;
        struct json_object *answer = bridge_read(bridge, ANSWER_MS);
        ck_assert_int_eq(json_object_get_int64(json_object_object_get(answer, "id")), id);
        ck_assert_int_eq(json_get_object(answer, "error", &error), JSON_FIELD_FOUND);
        ck_assert_int_eq(json_get_int(error, "code", &code), JSON_FIELD_FOUND);
        ck_assert_int_eq(code, i == 1 ? -32602 : -32603);
        ck_assert_str_eq(json_text_or(error, "message", ""), "because");
        json_object_put(answer);
    }
}
END_TEST

static void script_limit_once(const struct peer_request *request, struct peer_answer *answer)
{
    if (request->number % 3 == 0) {
        answer->body = peer_result("fine");
        return;
    }
    answer->status = 429;
    answer->headers = "Retry-After: 1\r\n";
}

START_TEST(a_short_limit_is_waited_out_once)
{
    begin(script_limit_once);
    expect_text("recall", "{}", true, "The relay at");
    ck_assert_int_eq(peer_count(peer, MCP), 2);
    expect_text("recall", "{}", false, "fine");
}
END_TEST

/* ---- repeats ---- */

static void script_break_off(const struct peer_request *request, struct peer_answer *answer)
{
    answer->status = request->number < 3 ? 0 : 200;
    answer->body = peer_result("Sent to b");
}

START_TEST(a_broken_send_is_repeated_under_its_id)
{
    begin(script_break_off);
    expect_text("send_message", "{\"to\":\"b\",\"content\":\"x\"}", false, "Sent to b");
    ck_assert_int_eq(peer_count(peer, MCP), 3);
    const char *id = uuid_in(meta_of(1), "patchcord/message-id");
    ck_assert_str_eq(uuid_in(meta_of(2), "patchcord/message-id"), id);
    ck_assert_str_eq(uuid_in(meta_of(3), "patchcord/message-id"), id);
    expect_text("send_message", "{\"to\":\"b\",\"content\":\"x\"}", false, "Sent to b");
    ck_assert_str_ne(uuid_in(meta_of(4), "patchcord/message-id"), id);
}
END_TEST

static void script_always_break_off(const struct peer_request *request, struct peer_answer *answer)
{
    (void)request;
    answer->status = 0;
}

START_TEST(what_is_unknown_is_said)
{
    begin(script_always_break_off);
    expect_text("recall", "{}", true, "The connection to the relay at http");
    ck_assert_int_eq(peer_count(peer, MCP), 3);
    bool failed;
    char *text = bridge_tool(bridge, "unsend_message", "{\"message_id\":\"" MESSAGE_ID "\"}", &failed);
    ck_assert(failed);
    ck_assert_ptr_nonnull(strstr(text, "may have been withdrawn: check with recall"));
    free(text);
    /* A withdrawal has no id under which it could be repeated. */
    ck_assert_int_eq(peer_count(peer, MCP), 4);
}
END_TEST

static void script_no_http(const struct peer_request *request, struct peer_answer *answer)
{
    (void)request;
    answer->no_http = true;
}

/* What was sent to somebody who speaks something else may have been carried out all the same. */
START_TEST(what_answers_may_speak_no_http)
{
    begin(script_no_http);
    bool failed;
    char *text = bridge_tool(bridge, "send_message", "{\"to\":\"b\",\"content\":\"x\"}", &failed);
    ck_assert(!failed);
    ck_assert_ptr_nonnull(strstr(text, "is no HTTP"));
    ck_assert_ptr_nonnull(strstr(text, "It may have arrived there"));
    free(text);
    ck_assert_int_eq(peer_count(peer, MCP), 1);
    expect_text("wait_for_message", "{\"timeout_seconds\":60}", true, "What answers at http");
}
END_TEST

/* ---- waits ---- */

static void script_rough_wait(const struct peer_request *request, struct peer_answer *answer)
{
    static const int statuses[] = {503, 0, 502, 429, 200};
    answer->status = request->number <= 5 ? statuses[request->number - 1] : 200;
    answer->headers = answer->status == 503 || answer->status == 429 ? "Retry-After: 1\r\n" : NULL;
    if (request->number == 5)
        answer->body = peer_timed_out("No message after 50 s.");
    else if (answer->status == 200)
        answer->body = peer_offer("> hello", LEASE, MESSAGE_ID);
}

START_TEST(a_wait_goes_on_through_trouble)
{
    begin(script_rough_wait);
    expect_text("wait_for_message", "{\"timeout_seconds\":120}", false, "> hello");
    ck_assert_int_eq(peer_count(peer, MCP), 6);
    const char *lease = uuid_in(meta_of(1), "patchcord/lease");
    for (int i = 1; i <= 6; i++) {
        int64_t seconds;
        ck_assert_str_eq(uuid_in(meta_of(i), "patchcord/lease"), lease);
        ck_assert_int_eq(json_get_int(arguments_of(i), "timeout_seconds", &seconds), JSON_FIELD_FOUND);
        ck_assert_int_eq(seconds, 50);
    }
    expect_ack(1, LEASE, "[\"" MESSAGE_ID "\"]", false);
}
END_TEST

static void script_no_message(const struct peer_request *request, struct peer_answer *answer)
{
    (void)request;
    answer->body = peer_timed_out("No message after 1 s.\\nmore");
}

START_TEST(a_wait_that_ran_out_names_its_whole_time)
{
    begin(script_no_message);
    int64_t began = now_us();
    expect_text("wait_for_message", "{\"timeout_seconds\":2}", false, "No message after 2 s.\nmore");
    /* The peer answers at once: it is not asked in a tight loop. */
    ck_assert_int_ge(now_us() - began, 1000 * 1000);
    ck_assert_int_le(peer_count(peer, MCP), 3);
}
END_TEST

START_TEST(a_wait_for_a_relay_that_stays_away_runs_out)
{
    static const struct refusal unavailable = {.status = 503};
    atomic_store(&refusal, &unavailable);
    begin(script_refuse);
    bool failed;
    char *text = bridge_tool(bridge, "wait_for_message", "{\"timeout_seconds\":1}", &failed);
    ck_assert(failed);
    ck_assert_ptr_nonnull(strstr(text, "is not available"));
    ck_assert_int_gt(peer_count(peer, MCP), 2);
    free(text);
}
END_TEST

/* ---- acknowledgements ---- */

static int ack_refusals;

static void script_offer(const struct peer_request *request, struct peer_answer *answer)
{
    if (strcmp(request->path, ACK) == 0)
        answer->status = request->number <= ack_refusals ? 503 : 200;
    else if (strstr(request->headers, "Mcp-Name: inbox"))
        answer->body = peer_offer("> hello", LEASE, MESSAGE_ID);
    else
        answer->body = peer_result("fine");
}

static bool readable(void *arg)
{
    (void)arg;
    struct pollfd fd = {.fd = bridge->out, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

START_TEST(nothing_is_acknowledged_before_it_is_read)
{
    ack_refusals = 0;
    begin(script_offer);
    int64_t id = bridge_call_begin(bridge, "inbox", "{}");
    ck_assert(poll_until(readable, NULL, ANSWER_MS));
    /* The answer is in the pipe, unread; the bridge works on meanwhile. */
    int64_t other = bridge_call_begin(bridge, "recall", "{}");
    peer_await(peer, MCP, 2);
    poll(NULL, 0, NOTHING_MS);
    ck_assert_int_eq(peer_count(peer, ACK), 0);
    free(bridge_call_end(bridge, other, ANSWER_MS, NULL));
    free(bridge_call_end(bridge, id, ANSWER_MS, NULL));
    expect_ack(1, LEASE, "[\"" MESSAGE_ID "\"]", false);
    ck_assert(strstr(peer_request(peer, ACK, 1)->headers, "Authorization: Bearer pc_secret"));
}
END_TEST

START_TEST(an_acknowledgement_is_repeated_or_rides_along)
{
    ack_refusals = 2;
    begin(script_offer);
    expect_text("inbox", "{}", false, "> hello");
    peer_await(peer, ACK, 2);
    struct json_object *ids;
    int carried = 0;
    for (int call = 2; carried == 0 && peer_count(peer, ACK) < 3; call++) {
        expect_text("recall", "{}", false, "fine");
        if (json_get_array(meta_of(call), "patchcord/ack", &ids) == JSON_FIELD_FOUND)
            carried = call;
    }
    /* Either the next call took it, or its own repeat was sooner. */
    if (carried == 0) {
        expect_ack(3, LEASE, "[\"" MESSAGE_ID "\"]", false);
        return;
    }
    ck_assert_str_eq(json_object_to_json_string_ext(ids, JSON_C_TO_STRING_PLAIN), "[\"" MESSAGE_ID "\"]");
    expect_text("recall", "{}", false, "fine");
    ck_assert(!json_object_object_get_ex(meta_of(carried + 1), "patchcord/ack", NULL));
    ck_assert_int_eq(bridge_end(bridge), 0);
    ck_assert_int_eq(peer_count(peer, ACK), 2);
}
END_TEST

START_TEST(an_answer_that_is_not_read_is_released_at_the_end)
{
    ack_refusals = 0;
    begin(script_offer);
    bridge_call_begin(bridge, "inbox", "{}");
    ck_assert(poll_until(readable, NULL, ANSWER_MS));
    ck_assert_int_eq(bridge_end(bridge), 0);
    expect_ack(1, LEASE, "[]", true);
}
END_TEST

START_TEST(an_answer_that_is_cancelled_unread_is_released)
{
    ack_refusals = 0;
    begin(script_offer);
    int64_t id = bridge_call_begin(bridge, "inbox", "{}");
    ck_assert(poll_until(readable, NULL, ANSWER_MS));
    cancel(id);
    expect_ack(1, LEASE, "[]", true);
}
END_TEST

/* ---- cancelling ---- */

static void script_silent(const struct peer_request *request, struct peer_answer *answer)
{
    answer->silent = strcmp(request->path, MCP) == 0;
    answer->body = peer_result("Sent to b");
}

START_TEST(a_cancelled_wait_is_broken_off_and_released)
{
    begin(script_silent);
    int64_t id = bridge_call_begin(bridge, "wait_for_message", "{}");
    peer_await(peer, MCP, 1);
    cancel(id);
    peer_await_broken_off(peer, MCP, 1);
    expect_ack(1, uuid_in(meta_of(1), "patchcord/lease"), "[]", true);
    expect_silence();
}
END_TEST

START_TEST(a_cancelled_send_is_left_to_finish)
{
    begin(script_silent);
    int64_t id = bridge_call_begin(bridge, "send_message", "{\"to\":\"b\",\"content\":\"x\"}");
    peer_await(peer, MCP, 1);
    cancel(id);
    expect_silence();
    ck_assert(!peer_request(peer, MCP, 1)->broken_off);
    peer_let_go(peer);
    expect_silence();
    expect_text("recall", "{}", false, "Sent to b");
    ck_assert_int_eq(peer_count(peer, MCP), 2);
}
END_TEST

START_TEST(cancelling_what_is_unknown_does_nothing)
{
    begin(script_ok);
    cancel(99);
    bridge_send_line(bridge, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{}}");
    bridge_send_line(bridge, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}");
    bridge_send_line(bridge, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/made-up\",\"params\":{}}");
    expect_text("recall", "{}", false, "fine");
    expect_silence();
}
END_TEST

/* ---- many at once ---- */

START_TEST(calls_beyond_the_limit_queue_and_the_rest_goes_on)
{
    begin(script_silent);
    int64_t first = bridge_call_begin(bridge, "wait_for_message", "{}");
    for (int i = 1; i < CALLS_MAX; i++)
        bridge_call_begin(bridge, "wait_for_message", "{}");
    peer_await(peer, MCP, CALLS_MAX);
    int64_t queued = bridge_call_begin(bridge, "recall", "{\"limit\":1}");
    int64_t dropped = bridge_call_begin(bridge, "recall", "{\"limit\":2}");
    int64_t last = bridge_call_begin(bridge, "recall", "{\"limit\":3}");
    /* What needs no relay is answered meanwhile, and cancellations are heard. */
    bridge_send_line(bridge, "{\"jsonrpc\":\"2.0\",\"id\":\"ping\",\"method\":\"ping\"}");
    struct json_object *pong = bridge_read(bridge, ANSWER_MS);
    ck_assert_str_eq(json_text_or(pong, "id", ""), "ping");
    json_object_put(pong);
    ck_assert_int_eq(peer_count(peer, MCP), CALLS_MAX);
    cancel(dropped);
    cancel(first);
    peer_await(peer, MCP, CALLS_MAX + 1);
    int64_t limit;
    ck_assert_int_eq(json_get_int(arguments_of(CALLS_MAX + 1), "limit", &limit), JSON_FIELD_FOUND);
    ck_assert_int_eq(limit, 1);
    peer_let_go(peer);
    free(bridge_call_end(bridge, queued, ANSWER_MS, NULL));
    free(bridge_call_end(bridge, last, ANSWER_MS, NULL));
    ck_assert_int_eq(peer_count(peer, MCP), CALLS_MAX + 2);
}
END_TEST

/* True while what was written to the bridge's input is not read. */
static bool input_waits(void)
{
    int unread = 0;
    poll(NULL, 0, NOTHING_MS);
    ck_assert_int_eq(ioctl(bridge->in, FIONREAD, &unread), 0);
    return unread > 0;
}

static void send_large_recall(int id, size_t len)
{
    struct buf line = {0};
    buf_printf(&line,
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{\"name\":\"recall\",\"x\":\"",
        id);
    memset(buf_reserve(&line, len - line.len), 'x', len - line.len);
    line.len = len;
    buf_puts(&line, "\"}}");
    bridge_send_line(bridge, buf_text(&line));
    buf_free(&line);
}

START_TEST(a_long_queue_stops_the_reading)
{
    enum { HALF = 8 * 1024 * 1024 };
    static const char ping[] = "{\"jsonrpc\":\"2.0\",\"id\":\"ping\",\"method\":\"ping\"}";
    struct json_object *pong;
    begin(script_silent);
    for (int i = 0; i < CALLS_MAX; i++)
        bridge_call_begin(bridge, "wait_for_message", "{}");
    peer_await(peer, MCP, CALLS_MAX);
    send_large_recall(1001, HALF - 100);
    bridge_send_line(bridge, ping);
    ck_assert_ptr_nonnull(pong = bridge_read(bridge, ANSWER_MS));
    json_object_put(pong);
    send_large_recall(1002, HALF + 100);
    bridge_send_line(bridge, ping);
    expect_silence();
    peer_let_go(peer);
    int pongs = 0, answers = 0;
    while (pongs < 1 || answers < CALLS_MAX + 2) {
        struct json_object *line = bridge_read(bridge, ANSWER_MS);
        ck_assert_ptr_nonnull(line);
        bool is_pong = strcmp(json_text_or(line, "id", ""), "ping") == 0;
        pongs += is_pong;
        answers += !is_pong;
        json_object_put(line);
    }
}
END_TEST

START_TEST(unread_output_stops_the_reading)
{
    enum { LINES_MAX = 20000 };
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";
    int sent = 0;
    begin(script_ok);
    ck_assert_int_eq(fcntl(bridge->in, F_SETFL, O_NONBLOCK), 0);
    struct pollfd in = {.fd = bridge->in, .events = POLLOUT};
    while (sent < LINES_MAX && poll(&in, 1, NOTHING_MS) == 1)
        sent += write(bridge->in, line, sizeof line - 1) > 0;
    ck_assert_int_lt(sent, LINES_MAX);
    ck_assert(input_waits());
    /* Nothing was lost over it: a pipe takes a line of this length whole or not at all. */
    for (int i = 0; i < sent; i++) {
        struct json_object *answer = bridge_read(bridge, ANSWER_MS);
        ck_assert_msg(answer != NULL, "%d of %d", i, sent);
        json_object_put(answer);
    }
    expect_silence();
}
END_TEST

static _Atomic size_t answer_size;

static void script_large(const struct peer_request *request, struct peer_answer *answer)
{
    (void)request;
    const size_t size = atomic_load(&answer_size);
    answer->body = xmalloc(size + 1);
    memset(answer->body, 'x', size);
    answer->body[size] = '\0';
}

START_TEST(an_answer_has_its_limit)
{
    enum { ANSWER_MAX = 64 * 1024 * 1024 };
    atomic_store(&answer_size, ANSWER_MAX);
    begin(script_large);
    expect_text("unsend_message", "{\"message_id\":\"" MESSAGE_ID "\"}", true, "The relay at");
    atomic_store(&answer_size, ANSWER_MAX + 1);
    bool failed;
    char *text = bridge_tool(bridge, "unsend_message", "{\"message_id\":\"" MESSAGE_ID "\"}", &failed);
    ck_assert_msg(failed && strstr(text, "its answer is too large"), "%s", text);
    free(text);
}
END_TEST

/* ---- the end ---- */

/* Ends the bridge in that way while it waits; it has to release and to be gone soon. */
static void expect_prompt_end(int signal_number)
{
    begin(script_silent);
    bridge_call_begin(bridge, "wait_for_message", "{}");
    peer_await(peer, MCP, 1);
    int64_t began = now_us();
    if (signal_number)
        ck_assert_int_eq(kill(bridge->pid, signal_number), 0);
    /* With a signal, stdin stays open until it is gone. */
    int status = 0;
    if (signal_number) {
        ck_assert_int_eq(waitpid(bridge->pid, &status, 0), bridge->pid);
        ck_assert_int_eq(status, 0);
        bridge->pid = 0;
        bridge->in = -1;
    } else {
        ck_assert_int_eq(bridge_end(bridge), 0);
    }
    ck_assert_int_lt(now_us() - began, 2 * 1000 * 1000);
    expect_ack(1, uuid_in(meta_of(1), "patchcord/lease"), "[]", true);
}

START_TEST(it_ends_at_the_end_of_input)
{
    expect_prompt_end(0);
}
END_TEST

START_TEST(it_ends_on_sigterm)
{
    expect_prompt_end(SIGTERM);
}
END_TEST

START_TEST(it_ends_on_sigint)
{
    expect_prompt_end(SIGINT);
}
END_TEST

START_TEST(requests_before_the_end_of_input_are_answered)
{
    peer = peer_start(script_ok);
    char *url = xasprintf("PATCHCORD_URL=%s", peer_relay(peer)->url);
    const char *const argv[] = {"patchcord", NULL};
    const char *const env[] = {url, "PATCHCORD_TOKEN=pc_secret", NULL};
    struct program_result result;
    run_program(argv, env,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"recall\"}}",
        ANSWER_MS, &result);
    ck_assert_int_eq(result.exit_code, 0);
    ck_assert_str_eq(buf_text(&result.out),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"fine\"}],"
        "\"isError\":false}}\n");
    ck_assert_str_eq(buf_text(&result.err), "");
    program_result_free(&result);
    free(url);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bridge_peer");
    TCase *tests = tcase_create("bridge_peer");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, NULL, harness_cleanup);
    tcase_add_test(tests, a_call_is_a_modern_request);
    tcase_add_test(tests, the_answer_is_of_the_clients_era);
    tcase_add_test(tests, refusals_are_tool_errors_that_say_what_to_do);
    tcase_add_test(tests, protocol_errors_keep_the_clients_id);
    tcase_add_test(tests, a_short_limit_is_waited_out_once);
    tcase_add_test(tests, a_broken_send_is_repeated_under_its_id);
    tcase_add_test(tests, what_is_unknown_is_said);
    tcase_add_test(tests, what_answers_may_speak_no_http);
    tcase_add_test(tests, a_wait_goes_on_through_trouble);
    tcase_add_test(tests, a_wait_that_ran_out_names_its_whole_time);
    tcase_add_test(tests, a_wait_for_a_relay_that_stays_away_runs_out);
    tcase_add_test(tests, nothing_is_acknowledged_before_it_is_read);
    tcase_add_test(tests, an_acknowledgement_is_repeated_or_rides_along);
    tcase_add_test(tests, an_answer_that_is_not_read_is_released_at_the_end);
    tcase_add_test(tests, an_answer_that_is_cancelled_unread_is_released);
    tcase_add_test(tests, a_cancelled_wait_is_broken_off_and_released);
    tcase_add_test(tests, a_cancelled_send_is_left_to_finish);
    tcase_add_test(tests, cancelling_what_is_unknown_does_nothing);
    tcase_add_test(tests, calls_beyond_the_limit_queue_and_the_rest_goes_on);
    tcase_add_test(tests, a_long_queue_stops_the_reading);
    tcase_add_test(tests, unread_output_stops_the_reading);
    tcase_add_test(tests, an_answer_has_its_limit);
    tcase_add_test(tests, it_ends_at_the_end_of_input);
    tcase_add_test(tests, it_ends_on_sigterm);
    tcase_add_test(tests, it_ends_on_sigint);
    tcase_add_test(tests, requests_before_the_end_of_input_are_answered);
    return run_suite(suite);
}
