/* The real bridge at a real relay. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

enum { ANSWER_MS = 20 * 1000, LINE_LIMIT = 15 * 1024 * 1024 };

static struct relay_process *relay;
static struct bridge_process *front, *back;

static struct bridge_process *bridge_of(const char *address)
{
    char *token = relay_token(relay, address);
    struct bridge_process *bridge = bridge_start(relay, token, NULL);
    free(token);
    return bridge;
}

static void two_agents(void)
{
    relay = relay_start(NULL, NULL);
    front = bridge_of("frontend@shop");
    back = bridge_of("backend@shop");
}

static void expect(
    struct bridge_process *bridge, const char *tool, const char *args, bool is_error, const char *part)
{
    bool failed;
    char *text = bridge_tool(bridge, tool, args, &failed);
    ck_assert_msg(strstr(text, part) != NULL, "%s: %s", tool, text);
    ck_assert_int_eq(failed, is_error);
    free(text);
}

static void expect_end(struct bridge_process *bridge, int64_t id, const char *part)
{
    bool failed;
    char *text = bridge_call_end(bridge, id, ANSWER_MS, &failed);
    ck_assert_msg(!failed && strstr(text, part) != NULL, "%s", text);
    free(text);
}

static void cancel(struct bridge_process *bridge, int64_t id)
{
    char *line = xasprintf(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%lld}}",
        (long long)id);
    bridge_send_line(bridge, line);
    free(line);
}

/* The whole answer to a line. */
static struct json_object *ask(struct bridge_process *bridge, const char *line)
{
    bridge_send_line(bridge, line);
    struct json_object *answer = bridge_read(bridge, ANSWER_MS);
    ck_assert_msg(answer != NULL, "no answer to %.100s", line);
    return answer;
}

static void expect_error(struct bridge_process *bridge, const char *line, const char *id, int64_t wanted)
{
    struct json_object *answer = ask(bridge, line), *error;
    int64_t code = 0;
    ck_assert_str_eq(
        json_object_to_json_string_ext(json_object_object_get(answer, "id"), JSON_C_TO_STRING_PLAIN), id);
    ck_assert_int_eq(json_get_object(answer, "error", &error), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_int(error, "code", &code), JSON_FIELD_FOUND);
    ck_assert_msg(code == wanted, "%.100s: %s", line, json_object_to_json_string(answer));
    json_object_put(answer);
}

/* ---- both eras ---- */

#define MODERN                                                                                               \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

START_TEST(both_eras_are_spoken_side_by_side)
{
    struct json_object *answer, *result;
    bridge_send_line(back, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    answer = ask(back,
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-"
        "18\","
        "\"capabilities\":{},\"clientInfo\":{\"name\":\"codex-mcp-client\",\"version\":\"0.169\"}}}");
    ck_assert_int_eq(json_get_object(answer, "result", &result), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(result, "protocolVersion", ""), "2025-06-18");
    ck_assert_ptr_null(json_object_object_get(result, "resultType"));
    json_object_put(answer);

    answer = ask(
        back, "{\"jsonrpc\":\"2.0\",\"id\":\"d\",\"method\":\"server/discover\",\"params\":{" MODERN "}}");
    ck_assert_int_eq(json_get_object(answer, "result", &result), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(result, "resultType", ""), "complete");
    ck_assert_ptr_nonnull(json_object_object_get(result, "supportedVersions"));
    json_object_put(answer);

    expect(front, "send_message", "{\"to\":\"backend\",\"content\":\"one\"}", false, "Sent to backend");
    answer = ask(back, "{\"jsonrpc\":\"2.0\",\"id\":\"m\",\"method\":\"tools/"
                       "call\",\"params\":{\"name\":\"inbox\",\"arguments\":{}," MODERN "}}");
    ck_assert_str_eq(json_text_or(json_object_object_get(answer, "result"), "resultType", ""), "complete");
    ck_assert_ptr_nonnull(strstr(mcp_result_text(answer, NULL), "> one"));
    ck_assert_ptr_null(
        strstr(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN), "patchcord\\/"));
    json_object_put(answer);
    expect(back, "inbox", "{}", false, "0 pending");

    expect_error(
        back, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{" MODERN "}}", "1", -32601);
    expect_error(back,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\",\"params\":{\"_meta\":{"
        "\"io.modelcontextprotocol/protocolVersion\":\"1999-01-01\","
        "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
        "2", -32022);
}
END_TEST

START_TEST(a_subscription_is_acknowledged_and_ended)
{
    struct json_object *line = ask(back, "{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"subscriptions/"
                                         "listen\",\"params\":{\"notifications\":{"
                                         "\"toolsListChanged\":true}," MODERN "}}");
    ck_assert_str_eq(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/subscriptions\\/"
        "acknowledged\",\"params\":{\"_meta\":{"
        "\"io.modelcontextprotocol\\/subscriptionId\":\"s\"},\"notifications\":{}}}");
    json_object_put(line);
    expect_error(back, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"subscriptions/listen\"}", "3", -32601);
    expect_error(back,
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"subscriptions/listen\",\"params\":{" MODERN "}}", "4",
        -32602);
    ck_assert_int_eq(kill(back->pid, SIGTERM), 0);
    line = bridge_read(back, ANSWER_MS);
    ck_assert_str_eq(json_text_or(line, "id", ""), "s");
    ck_assert(json_object_object_get_ex(line, "result", NULL));
    json_object_put(line);
}
END_TEST

START_TEST(a_batch_is_for_its_own_revision)
{
    static const char batch[] =
        "[{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":"
        "\"notifications/x\"},{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"ping\"}]";
    expect_error(back, batch, "null", -32600);
    json_object_put(ask(back, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                              "\"protocolVersion\":\"2025-03-26\","
                              "\"capabilities\":{},\"clientInfo\":{\"name\":\"x\",\"version\":\"1\"}}}"));
    struct json_object *answer = ask(back, batch);
    ck_assert_int_eq(json_object_get_int(json_object_object_get(answer, "id")), 5);
    json_object_put(answer);
    answer = bridge_read(back, ANSWER_MS);
    ck_assert_int_eq(json_object_get_int(json_object_object_get(answer, "id")), 6);
    json_object_put(answer);
    expect_error(back, "[]", "null", -32600);
}
END_TEST

/* ---- bad input ---- */

START_TEST(bad_lines_get_errors_and_the_connection_goes_on)
{
    static const struct {
        const char *line, *id;
        int64_t code;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":", "1", -32700},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"two\",\"method\":\"ping\",\"x\":\"\xff\"}", "\"two\"", -32700},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\",\"a\":1,\"a\":2}", "3", -32700},
        {"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\",\"a\":\"\\u0000\"}", "4", -32700},
        {"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\",\"a\":\"\\ud800\"}", "5", -32700},
        {"not json", "null", -32700},
        {"42", "null", -32600},
        {"{\"id\":6,\"method\":\"ping\"}", "6", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", "null", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"no/such\"}", "7", -32601},
        {"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\"}", "8", -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/call\",\"params\":{\"name\":\"fly\"}}", "9",
            -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"tools/call\",\"params\":{\"name\":3}}", "10", -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":11,\"method\":\"tools/"
         "call\",\"params\":{\"name\":\"inbox\",\"arguments\":[]}}",
            "11", -32602},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_error(back, cases[i].line, cases[i].id, cases[i].code);
    bridge_send_line(back, "");
    bridge_send_line(back, "  \t\r");
    bridge_send_line(back, "{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}");
    expect(back, "send_message", "{\"content\":\"x\"}", true, "to");
    expect(back, "wait_for_message", "{\"timeout_seconds\":\"5\"}", true, "timeout_seconds");
    expect(back, "wait_for_message", "{\"timeout_seconds\":3601}", true, "timeout_seconds");
    expect(back, "inbox", "{}", false, "0 pending");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_skipped)
{
    struct buf line = {0};
    buf_puts(
        &line, "{\"params\":{\"name\":\"send_message\",\"arguments\":{\"to\":\"frontend\",\"content\":\"");
    memset(buf_reserve(&line, LINE_LIMIT), 'x', LINE_LIMIT);
    line.len += LINE_LIMIT;
    buf_puts(&line, "\"}},\"method\":\"tools/call\",\"jsonrpc\":\"2.0\",\"id\":\"big\"}");
    expect_error(back, buf_text(&line), "\"big\"", -32600);
    expect(back, "inbox", "{}", false, "0 pending");
    buf_free(&line);
}
END_TEST

START_TEST(the_longest_content_comes_back_byte_for_byte)
{
    enum { EMOJI = 50000 };
    struct buf args = {0}, text = {0};
    for (int i = 0; i < EMOJI; i++)
        buf_puts(&text, "\xf0\x9f\x98\x80");
    buf_printf(&args, "{\"to\":\"backend\",\"content\":\"%s\"}", buf_text(&text));
    bool failed;
    char *sent = bridge_tool(front, "send_message", buf_text(&args), &failed);
    ck_assert_msg(!failed, "%.200s", sent);
    free(sent);
    expect(back, "inbox", "{}", false, "> \xf0\x9f\x98\x80\xf0\x9f\x98\x80");
    buf_free(&args);
    buf_free(&text);
}
END_TEST

/* ---- delivery ---- */

START_TEST(calls_run_beside_a_wait)
{
    int64_t wait = bridge_call_begin(back, "wait_for_message", "{}");
    ck_assert(relay_await_parked(relay, 1));
    expect(back, "recall", "{}", false, "");
    expect(back, "send_message", "{\"to\":\"frontend\",\"content\":\"while I wait\"}", false,
        "Sent to frontend");
    expect(front, "inbox", "{}", false, "> while I wait");
    expect(front, "send_message", "{\"to\":\"backend\",\"content\":\"wake up\"}", false, "waiting now");
    expect_end(back, wait, "> wake up");
    expect(back, "inbox", "{}", false, "0 pending");
}
END_TEST

START_TEST(what_was_read_is_acknowledged)
{
    expect(front, "send_message", "{\"to\":\"backend\",\"content\":\"once\"}", false, "Sent to backend");
    expect(back, "inbox", "{}", false, "> once");
    ck_assert_int_eq(bridge_end(back), 0);
    /* Another session of the same agent finds it read, not in delivery. */
    struct bridge_process *again = bridge_of("backend@shop");
    bool failed;
    char *text = bridge_tool(again, "inbox", "{}", &failed);
    ck_assert(strstr(text, "0 pending") && !strstr(text, "in delivery"));
    free(text);
}
END_TEST

START_TEST(a_cancelled_wait_gives_its_message_back)
{
    for (int i = 0; i < 5; i++) {
        int64_t wait = bridge_call_begin(back, "wait_for_message", "{}");
        ck_assert(relay_await_parked(relay, 1));
        cancel(back, wait);
        char *args = xasprintf("{\"to\":\"backend\",\"content\":\"number %d\"}", i);
        expect(front, "send_message", args, false, "Sent to backend");
        free(args);
        int64_t next = bridge_call_begin(back, "wait_for_message", "{}");
        char *part = xasprintf("> number %d", i);
        expect_end(back, next, part);
        free(part);
    }
    ck_assert_uint_eq(json_object_array_length(back->kept), 0);
}
END_TEST

static bool has_output(void *arg)
{
    struct bridge_process *bridge = arg;
    struct pollfd fd = {.fd = bridge->out, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

START_TEST(an_unread_answer_comes_again_after_the_end)
{
    expect(front, "send_message", "{\"to\":\"backend\",\"content\":\"unseen\"}", false, "Sent to backend");
    bridge_call_begin(back, "inbox", "{}");
    ck_assert(poll_until(has_output, back, ANSWER_MS));
    ck_assert_int_eq(bridge_end(back), 0);
    struct bridge_process *again = bridge_of("backend@shop");
    expect(again, "inbox", "{}", false, "> unseen");
}
END_TEST

/* ---- the relay goes and comes ---- */

static void wait_through(bool killed)
{
    int64_t wait = bridge_call_begin(back, "wait_for_message", "{\"timeout_seconds\":120}");
    ck_assert(relay_await_parked(relay, 1));
    if (killed)
        relay_kill(relay);
    else
        ck_assert_int_eq(relay_stop(relay), 0);
    expect(front, "inbox", "{}", true, "Nothing was sent");
    relay_restart(relay, NULL);
    int64_t began = now_us();
    ck_assert(relay_await_parked(relay, 1));
    ck_assert_int_lt(now_us() - began, 4 * 1000 * 1000);
    expect(front, "send_message", "{\"to\":\"backend\",\"content\":\"after\"}", false, "waiting now");
    expect_end(back, wait, "> after");
}

START_TEST(a_wait_goes_on_through_a_restart)
{
    wait_through(false);
}
END_TEST

START_TEST(a_wait_goes_on_through_a_crash)
{
    wait_through(true);
}
END_TEST

START_TEST(a_relay_that_is_down_is_a_clear_error)
{
    relay_kill(relay);
    expect(front, "inbox", "{}", true, "Nothing was sent");
    expect(front, "recall", "{}", true, relay->url);
    json_object_put(ask(front, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"));
    relay_restart(relay, NULL);
    expect(front, "send_message", "{\"to\":\"backend\",\"content\":\"x\"}", false, "Sent to backend");
}
END_TEST

/* ---- identity ---- */

START_TEST(a_wrong_token_says_what_to_check)
{
    struct bridge_process *stranger = bridge_start(relay, "pc_wrong", NULL);
    expect(stranger, "inbox", "{}", true, "Check PATCHCORD_TOKEN and PATCHCORD_URL");
    expect(stranger, "wait_for_message", "{}", true, "does not accept this token");
}
END_TEST

START_TEST(without_credentials_the_tools_are_listed)
{
    struct bridge_process *unset = bridge_start(NULL, NULL, NULL);
    struct json_object *answer = ask(unset, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}"),
                       *tools;
    ck_assert_int_eq(
        json_get_array(json_object_object_get(answer, "result"), "tools", &tools), JSON_FIELD_FOUND);
    ck_assert_uint_ge(json_object_array_length(tools), 6);
    json_object_put(answer);
    expect(unset, "inbox", "{}", true, "run `patchcord agent --server URL --token -` in this folder");
}
END_TEST

START_TEST(a_certificate_is_checked)
{
    const char *folder = temp_folder();
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", folder),
         *cert = xasprintf("PATCHCORD_TLS_CERT=%s/tls-cert.pem", folder),
         *key = xasprintf("PATCHCORD_TLS_KEY=%s/tls-key.pem", folder),
         *ca = xasprintf("PATCHCORD_CA_FILE=%s/tls-cert.pem", folder);
    struct program_result result;
    run_program((const char *const[]){"patchcord-relay", "tls-init", "--host", "127.0.0.1", NULL},
        (const char *const[]){data, NULL}, NULL, ANSWER_MS, &result);
    ck_assert_msg(result.exit_code == 0, "%s", buf_text(&result.err));
    program_result_free(&result);
    struct relay_process *secure = relay_start(folder, (const char *const[]){cert, key, NULL});
    char *token = relay_token(secure, "frontend@shop");
    expect(bridge_start(secure, token, (const char *const[]){ca, NULL}), "inbox", "{}", false, "0 pending");
    struct bridge_process *doubter = bridge_start(secure, token, NULL);
    expect(doubter, "inbox", "{}", true, "SSL certificate problem");
    expect(doubter, "inbox", "{}", true, "needs it in PATCHCORD_CA_FILE)");
    /* Neither is a wait held for what does not mend by itself. */
    expect(doubter, "wait_for_message", "{}", true, "SSL certificate problem");
    expect(bridge_start(secure, token, (const char *const[]){"PATCHCORD_CA_FILE=/nonexistent", NULL}),
        "inbox", "{}", true, "PATCHCORD_CA_FILE: /nonexistent: No such file");
    free(data);
    free(cert);
    free(key);
    free(ca);
    free(token);
}
END_TEST

/* ---- a quiet life ---- */

static int64_t switches(pid_t pid)
{
    char *path = xasprintf("/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    char line[256];
    long long count = -1;
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) && sscanf(line, "voluntary_ctxt_switches: %lld", &count) != 1)
        continue;
    fclose(file);
    free(path);
    return count;
}

START_TEST(an_idle_bridge_does_not_wake_up)
{
    enum { QUIET_MS = 1500 };
    expect(front, "send_message", "{\"to\":\"backend\",\"content\":\"x\"}", false, "Sent to backend");
    expect(back, "inbox", "{}", false, "> x");
    expect(back, "recall", "{}", false, "> x");
    /* Let the acknowledgement end; then nothing may happen for a while. */
    int64_t before = -1, after = switches(back->pid);
    for (int i = 0; before != after && i < 10; i++) {
        before = after;
        poll(NULL, 0, QUIET_MS);
        after = switches(back->pid);
    }
    ck_assert_int_eq(after, before);
}
END_TEST

/* Spawns a bridge from a process that ends; its stdin and stdout stay open. */
START_TEST(it_ends_with_its_parent)
{
    int in[2], out[2];
    char byte;
    char *program =
        xasprintf("%s/patchcord", getenv("PATCHCORD_BUILD") ? getenv("PATCHCORD_BUILD") : "build");
    ck_assert_int_eq(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        if (fork() == 0) {
            dup2(in[0], STDIN_FILENO);
            dup2(out[1], STDOUT_FILENO);
            execl(program, program, "mcp", (char *)NULL);
            _exit(127);
        }
        /* Ends once the bridge has answered. */
        _exit(read(out[0], &byte, 1) == 1 ? 0 : 1);
    }
    static const char ping[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    ck_assert_int_eq(write(in[1], ping, sizeof ping - 1), sizeof ping - 1);
    int status;
    ck_assert_int_eq(waitpid(parent, &status, 0), parent);
    ck_assert_int_eq(status, 0);
    close(out[1]);
    struct pollfd fd = {.fd = out[0], .events = POLLIN};
    ssize_t got = 1;
    while (got > 0 && poll(&fd, 1, ANSWER_MS) == 1)
        got = read(out[0], &byte, 1);
    ck_assert_int_eq(got, 0);
    close(in[1]);
    free(program);
}
END_TEST

START_TEST(the_command_line_is_checked)
{
    static const struct {
        const char *argv[5];
        int exit_code;
        const char *out, *err;
    } cases[] = {
        {{"patchcord", "--version", NULL}, 0, "patchcord ", ""},
        {{"patchcord", "--help", NULL}, 0, "Usage: patchcord", ""},
        {{"patchcord", "mcp", "--help", NULL}, 0, "Usage: patchcord mcp", ""},
        {{"patchcord", "fly", NULL}, 2, "", "patchcord: there is no command \"fly\""},
        {{"patchcord", "mcp", "extra", NULL}, 2, "", "patchcord mcp: "},
        {{"patchcord", "mcp", "--as", NULL}, 2, "", "patchcord: --as needs a value"},
        {{"patchcord", "mcp", "--client", "codex", NULL}, 0, "", ""},
        {{"patchcord", NULL}, 0, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct program_result result;
        run_program(cases[i].argv, NULL, NULL, ANSWER_MS, &result);
        ck_assert_int_eq(result.exit_code, cases[i].exit_code);
        ck_assert_msg(strncmp(buf_text(&result.out), cases[i].out, strlen(cases[i].out)) == 0, "%zu: %s", i,
            buf_text(&result.out));
        ck_assert_msg(strncmp(buf_text(&result.err), cases[i].err, strlen(cases[i].err)) == 0, "%zu: %s", i,
            buf_text(&result.err));
        program_result_free(&result);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bridge");
    TCase *tests = tcase_create("bridge"), *alone = tcase_create("alone");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 90);
    tcase_add_checked_fixture(tests, two_agents, harness_cleanup);
    tcase_add_test(tests, both_eras_are_spoken_side_by_side);
    tcase_add_test(tests, a_subscription_is_acknowledged_and_ended);
    tcase_add_test(tests, a_batch_is_for_its_own_revision);
    tcase_add_test(tests, bad_lines_get_errors_and_the_connection_goes_on);
    tcase_add_test(tests, a_line_that_is_too_long_is_skipped);
    tcase_add_test(tests, the_longest_content_comes_back_byte_for_byte);
    tcase_add_test(tests, calls_run_beside_a_wait);
    tcase_add_test(tests, what_was_read_is_acknowledged);
    tcase_add_test(tests, a_cancelled_wait_gives_its_message_back);
    tcase_add_test(tests, an_unread_answer_comes_again_after_the_end);
    tcase_add_test(tests, a_wait_goes_on_through_a_restart);
    tcase_add_test(tests, a_wait_goes_on_through_a_crash);
    tcase_add_test(tests, a_relay_that_is_down_is_a_clear_error);
    tcase_add_test(tests, a_wrong_token_says_what_to_check);
    tcase_add_test(tests, without_credentials_the_tools_are_listed);
    tcase_add_test(tests, an_idle_bridge_does_not_wake_up);
    suite_add_tcase(suite, alone);
    tcase_set_timeout(alone, 60);
    tcase_add_checked_fixture(alone, NULL, harness_cleanup);
    tcase_add_test(alone, it_ends_with_its_parent);
    tcase_add_test(alone, a_certificate_is_checked);
    tcase_add_test(alone, the_command_line_is_checked);
    return run_suite(suite);
}
