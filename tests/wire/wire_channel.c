/* Messages that are pushed into a session: patchcord mcp --channel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

enum { ANSWER_MS = 20 * 1000, NOTHING_MS = 300 };

#define PUSH "notifications/claude/channel"
#define INITIALIZE                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-"     \
    "25\","                                                                                                  \
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"claude-code\",\"version\":\"1\"}}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define DISCOVER                                                                                             \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"server/discover\",\"params\":{\"_meta\":{"                   \
    "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                            \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}}}"

static struct relay_process *relay;
static char *frontend, *backend; /* tokens */
static struct json_object *line;

static void setup(void)
{
    relay = relay_start(NULL, NULL);
    frontend = relay_token(relay, "frontend@demo");
    backend = relay_token(relay, "backend@demo");
}

static void teardown(void)
{
    json_object_put(line);
    line = NULL;
    free(frontend);
    free(backend);
}

static struct json_object *next_line(struct bridge_process *bridge)
{
    json_object_put(line);
    line = bridge_read(bridge, ANSWER_MS);
    ck_assert_msg(line != NULL, "the bridge says nothing");
    return line;
}

/* As Claude Code begins. */
static struct bridge_process *begin(const char *const args[])
{
    struct bridge_process *bridge = bridge_start_with(relay, backend, NULL, args);
    bridge_send_line(bridge, INITIALIZE);
    next_line(bridge);
    return bridge;
}

static struct bridge_process *begin_channel(void)
{
    struct bridge_process *bridge = begin((const char *const[]){"--channel", NULL});
    bridge_send_line(bridge, INITIALIZED);
    return bridge;
}

static struct json_object *pushed_params(struct bridge_process *bridge)
{
    struct json_object *params;
    ck_assert_str_eq(json_text_or(next_line(bridge), "method", ""), PUSH);
    ck_assert_int_eq(json_get_object(line, "params", &params), JSON_FIELD_FOUND);
    return params;
}

static bool announces(void)
{
    struct json_object *result, *capabilities, *experimental, *channel;
    return json_get_object(line, "result", &result) == JSON_FIELD_FOUND &&
           json_get_object(result, "capabilities", &capabilities) == JSON_FIELD_FOUND &&
           json_get_object(capabilities, "experimental", &experimental) == JSON_FIELD_FOUND &&
           json_get_object(experimental, "claude/channel", &channel) == JSON_FIELD_FOUND;
}

START_TEST(it_is_announced_where_it_was_asked_for)
{
    struct bridge_process *bridge = begin((const char *const[]){"--channel", NULL});
    ck_assert(announces());
    bridge_send_line(bridge, DISCOVER);
    struct json_object *error;
    int64_t code = 0;
    ck_assert_int_eq(json_get_object(next_line(bridge), "error", &error), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_int(error, "code", &code), JSON_FIELD_FOUND);
    ck_assert_int_eq(code, -32601);
    ck_assert_int_eq(bridge_end(bridge), 0);
    bridge = begin((const char *const[]){NULL});
    ck_assert(!announces());
    ck_assert_int_eq(bridge_end(bridge), 0);
}
END_TEST

START_TEST(each_message_is_pushed_and_taken_once)
{
    char *before = tool_send(relay, frontend, "backend", "before");
    struct bridge_process *bridge = begin_channel();
    struct json_object *meta, *params = pushed_params(bridge);
    ck_assert_ptr_nonnull(strstr(json_text_or(params, "content", ""), "\n> before\n"));
    ck_assert_int_eq(json_get_object(params, "meta", &meta), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(meta, "message_id", ""), before);
    ck_assert_str_eq(json_text_or(meta, "from", ""), "frontend");
    tool_soon_says(relay, backend, "recall", "{}", "], read");
    free(tool_send(relay, frontend, "backend", "one"));
    ck_assert_ptr_nonnull(strstr(json_text_or(pushed_params(bridge), "content", ""), "\n> one\n"));
    free(tool_send(relay, frontend, "backend", "two"));
    ck_assert_ptr_nonnull(strstr(json_text_or(pushed_params(bridge), "content", ""), "\n> two\n"));
    ck_assert_ptr_null(bridge_read(bridge, NOTHING_MS));
    tool_soon_says(relay, backend, "inbox", "{}", "0 pending");
    ck_assert_int_eq(bridge_end(bridge), 0);
    free(before);
}
END_TEST

START_TEST(nothing_is_pushed_before_the_client_is_ready)
{
    free(tool_send(relay, frontend, "backend", "one"));
    struct bridge_process *bridge = begin((const char *const[]){"--channel", NULL});
    ck_assert_ptr_null(bridge_read(bridge, NOTHING_MS));
    tool_says(relay, backend, "recall", "{}", "], pending");
    bridge_send_line(bridge, INITIALIZED);
    ck_assert_ptr_nonnull(strstr(json_text_or(pushed_params(bridge), "content", ""), "\n> one\n"));
    ck_assert_int_eq(bridge_end(bridge), 0);
}
END_TEST

START_TEST(what_nobody_read_goes_back)
{
    struct bridge_process *bridge = begin_channel();
    ck_assert(relay_await_parked(relay, 1));
    free(tool_send(relay, frontend, "backend", "one"));
    tool_soon_says(relay, backend, "recall", "{}", "in delivery");
    bridge_end(bridge);
    bridge = begin_channel();
    ck_assert_ptr_nonnull(strstr(json_text_or(pushed_params(bridge), "content", ""), "\n> one\n"));
    ck_assert_int_eq(bridge_end(bridge), 0);
}
END_TEST

START_TEST(it_goes_on_through_a_restart)
{
    struct bridge_process *bridge = begin_channel();
    ck_assert(relay_await_parked(relay, 1));
    relay_kill(relay);
    relay_restart(relay, NULL);
    free(tool_send(relay, frontend, "backend", "after"));
    ck_assert_ptr_nonnull(strstr(json_text_or(pushed_params(bridge), "content", ""), "\n> after\n"));
    ck_assert_int_eq(bridge_end(bridge), 0);
}
END_TEST

START_TEST(without_the_option_nothing_is_pushed)
{
    free(tool_send(relay, frontend, "backend", "one"));
    struct bridge_process *bridge = begin((const char *const[]){NULL});
    bridge_send_line(bridge, INITIALIZED);
    ck_assert_ptr_null(bridge_read(bridge, NOTHING_MS));
    ck_assert_int_eq(bridge_end(bridge), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channel");
    TCase *tcase = harness_case(suite, "channel");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_is_announced_where_it_was_asked_for);
    tcase_add_test(tcase, each_message_is_pushed_and_taken_once);
    tcase_add_test(tcase, nothing_is_pushed_before_the_client_is_ready);
    tcase_add_test(tcase, what_nobody_read_goes_back);
    tcase_add_test(tcase, it_goes_on_through_a_restart);
    tcase_add_test(tcase, without_the_option_nothing_is_pushed);
    return run_suite(suite);
}
