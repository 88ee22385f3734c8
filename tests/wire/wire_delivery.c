/* From the offer to the proof that it arrived, over HTTP: acknowledgements, leases, waits, and what breaks
 * them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../common/mcp.h"
#include "../harness_pair.h"

#define LEASE "0192f0c1-89ab-4cde-8123-456789abcdef"

enum { SOON_MS = 5000 };

static const char *const acks[] = {"X-Patchcord-Ack: 1", NULL};

/* A call of backend as one that acknowledges by itself makes it; meta: more keys, JSON text. */
static struct json_object *acking_call(const char *tool, const char *meta)
{
    char *params =
        xasprintf("{\"name\":\"%s\",\"arguments\":{\"timeout_seconds\":1},\"_meta\":{%s}}", tool, meta);
    struct json_object *answer = mcp_request_with(relay, backend, "tools/call", params, acks, NULL);

    free(params);
    return answer;
}

static struct json_object *offer_of(struct json_object *answer)
{
    struct json_object *at = NULL;

    ck_assert(json_get_object(answer, "result", &at) == JSON_FIELD_FOUND);
    ck_assert(json_get_object(at, "_meta", &at) == JSON_FIELD_FOUND);
    ck_assert_msg(json_get_object(at, "patchcord/offer", &at) == JSON_FIELD_FOUND, "%s",
        json_object_to_json_string(answer));
    return at;
}

static size_t offered_count(struct json_object *answer)
{
    struct json_object *ids = NULL;

    ck_assert(json_get_array(offer_of(answer), "ids", &ids) == JSON_FIELD_FOUND);
    return json_object_array_length(ids);
}

static void api_ack(const char *body)
{
    struct http_reply reply;

    relay_call(relay, "POST", "/api/ack", backend, NULL, body, &reply);
    ck_assert_int_eq(reply.status, 200);
    http_reply_free(&reply);
}

/* What recall says of a message to its sender. */
struct fate {
    const char *id, *wanted;
};

static bool has_fate(void *arg)
{
    const struct fate *fate = arg;
    char *args = xasprintf("{\"message_id\":\"%s\"}", fate->id);
    char *text = tool_ok(relay, frontend, "recall", args);
    bool found = strstr(text, fate->wanted);

    free(text);
    free(args);
    return found;
}

static void becomes(const char *id, const char *wanted)
{
    struct fate fate = {id, wanted};
    ck_assert_msg(poll_until(has_fate, &fate, SOON_MS), "never became \"%s\"", wanted);
}

START_TEST(the_relay_acknowledges_for_plain_clients)
{
    char *id = tool_send(relay, frontend, "backend", "hello");

    becomes(id, ", pending\n");
    tool_says(relay, backend, "inbox", "{}", "> hello\n");
    becomes(id, ", read just now\n");
    free(id);
}
END_TEST

START_TEST(acking_callers_acknowledge_themselves)
{
    char *id = tool_send(relay, frontend, "backend", "hello");
    struct json_object *answer = acking_call("inbox", "\"patchcord/lease\":\"" LEASE "\"");
    bool timed_out = true;

    ck_assert_uint_eq(offered_count(answer), 1);
    ck_assert_str_eq(json_text_or(offer_of(answer), "lease", ""), LEASE);
    ck_assert(json_get_bool(offer_of(answer), "timed_out", &timed_out) == JSON_FIELD_FOUND);
    ck_assert(!timed_out);
    json_object_put(answer);
    becomes(id, ", in delivery just now\n");
    tool_soon_says(relay, backend, "inbox", "{}", "| 0 pending, 1 in delivery to another session of yours\n");

    /* The same lease again: the same message, and the same attempt. */
    answer = acking_call("inbox", "\"patchcord/lease\":\"" LEASE "\"");
    ck_assert_uint_eq(offered_count(answer), 1);
    json_object_put(answer);

    /* The ack rides with the next call, whatever that is. */
    char *meta = xasprintf("\"patchcord/ack\":[\"%s\"]", id);
    answer = acking_call("wait_for_message", meta);
    ck_assert_str_eq(mcp_result_text(answer, NULL), "No message after 1 s.\n");
    ck_assert_uint_eq(offered_count(answer), 0);
    json_object_put(answer);
    becomes(id, ", read just now\n");
    free(meta);
    free(id);
}
END_TEST

/* Also with a call that fails, before it reaches the store or there. */
START_TEST(acks_count_with_a_failed_call)
{
    static const char *const failing[] = {"nonsense", LEASE};
    char *id = tool_send(relay, frontend, "backend", "hello");
    json_object_put(acking_call("inbox", "\"patchcord/lease\":\"" LEASE "\""));

    char *params = xasprintf("{\"name\":\"reply\",\"arguments\":{\"message_id\":\"%s\",\"defer\":true},\"_"
                             "meta\":{\"patchcord/ack\":[\"%s\"]}}",
        failing[_i], id);
    bool is_error = false;
    struct json_object *answer = mcp_request_with(relay, backend, "tools/call", params, acks, NULL);
    mcp_result_text(answer, &is_error);
    ck_assert(is_error);
    json_object_put(answer);
    becomes(id, ", read just now\n");
    free(params);
    free(id);
}
END_TEST

/* Whose ids nobody knows is passed over; what counts is how many there are. */
static enum json_field answers_acks(size_t count, const char *key)
{
    struct buf meta = {0};
    buf_puts(&meta, "\"patchcord/ack\":[");
    for (size_t i = 0; i < count; i++)
        buf_printf(&meta, "%s\"%s\"", i ? "," : "", LEASE);
    buf_putc(&meta, ']');
    struct json_object *answer = acking_call("inbox", buf_text(&meta)), *value;
    enum json_field field = json_get_object(answer, key, &value);
    json_object_put(answer);
    buf_free(&meta);
    return field;
}

START_TEST(a_call_brings_so_many_acks_and_no_more)
{
    ck_assert_int_eq(answers_acks(PATCHCORD_ACKS_MAX, "result"), JSON_FIELD_FOUND);
    ck_assert_int_eq(answers_acks(PATCHCORD_ACKS_MAX + 1, "error"), JSON_FIELD_FOUND);
}
END_TEST

START_TEST(a_release_brings_it_back)
{
    char *id = tool_send(relay, frontend, "backend", "hello");
    json_object_put(acking_call("inbox", "\"patchcord/lease\":\"" LEASE "\""));

    struct open_call *wait = call_begin(relay, backend, "tools/call",
        "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":30}}", NULL);
    ck_assert(call_hears(wait, "text/event-stream", SOON_MS));
    api_ack("{\"lease\":\"" LEASE "\",\"ids\":[],\"release\":true}");
    ck_assert(call_hears(wait, "> hello", SOON_MS));
    call_end(wait);
    becomes(id, ", read just now\n");
    free(id);
}
END_TEST

START_TEST(a_reply_is_an_ack)
{
    char *id = tool_send(relay, frontend, "backend", "hello");
    json_object_put(acking_call("inbox", "\"patchcord/lease\":\"" LEASE "\""));
    char *args = xasprintf("{\"message_id\":\"%s\",\"content\":\"hi\"}", id);

    tool_says(relay, backend, "reply", args, "Sent to frontend [");
    becomes(id, ", replied just now\n");
    free(args);
    free(id);
}
END_TEST

START_TEST(a_peek_takes_nothing)
{
    char *id = tool_send(relay, frontend, "backend", "hello");
    struct json_object *answer = acking_call("inbox", "\"patchcord/peek\":true");

    ck_assert_ptr_nonnull(strstr(mcp_result_text(answer, NULL), "> hello\n"));
    ck_assert_uint_eq(offered_count(answer), 0);
    json_object_put(answer);
    becomes(id, ", pending\n");
    tool_says(
        relay, frontend, "send_message", "{\"to\":\"backend\",\"content\":\"again\"}", "Sent to backend [");
    free(id);
}
END_TEST

START_TEST(a_wait_wakes)
{
    struct open_call *wait =
        call_begin(relay, backend, "tools/call", "{\"name\":\"wait_for_message\"}", NULL);

    ck_assert(call_hears(wait, "text/event-stream", SOON_MS));
    tool_says(
        relay, frontend, "send_message", "{\"to\":\"backend\",\"content\":\"wake up\"}", "]\nwaiting now\n");
    ck_assert(call_hears(wait, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":", SOON_MS));
    ck_assert(call_hears(wait, "> wake up", SOON_MS));
    ck_assert_ptr_null(strstr(call_heard(wait), "patchcord/offer"));
    call_end(wait);
}
END_TEST

/* Some clients hang up as soon as they have read the result, before the stream's end. */
START_TEST(a_hang_up_after_the_result)
{
    enum { ROUNDS = 20 };

    for (int i = 0; i < ROUNDS; i++) {
        struct open_call *wait =
            call_begin(relay, backend, "tools/call", "{\"name\":\"wait_for_message\"}", NULL);
        ck_assert(call_hears(wait, "text/event-stream", SOON_MS));
        char *id = tool_send(relay, frontend, "backend", "wake up");
        ck_assert(call_hears(wait, "\"isError\":false", SOON_MS));
        call_end(wait);
        becomes(id, ", read just now\n");
        free(id);
    }
}
END_TEST

START_TEST(one_message_wakes_one_wait)
{
    static const char params[] = "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":30}}";
    struct open_call *first = call_begin(relay, backend, "tools/call", params, NULL);
    ck_assert(call_hears(first, "text/event-stream", SOON_MS));
    struct open_call *second = call_begin(relay, backend, "tools/call", params, NULL);
    ck_assert(call_hears(second, "text/event-stream", SOON_MS));

    free(tool_send(relay, frontend, "backend", "for the first"));
    ck_assert(call_hears(first, "> for the first", SOON_MS));
    free(tool_send(relay, frontend, "backend", "for the second"));
    ck_assert(call_hears(second, "> for the second", SOON_MS));
    ck_assert_ptr_null(strstr(call_heard(second), "> for the first"));
    call_end(first);
    call_end(second);
}
END_TEST

/* A wait that only looks has no part in who is woken: the one that takes hears at once. */
START_TEST(a_peeking_wait_holds_up_nobody)
{
    static const char peeking[] = "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":60},\"_"
                                  "meta\":{\"patchcord/peek\":true}}";
    static const char taking[] = "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":60}}";
    struct open_call *peek = call_begin(relay, backend, "tools/call", peeking, NULL);
    ck_assert(relay_await_parked(relay, 1));
    char *id = tool_send(relay, frontend, "backend", "look");
    ck_assert(call_hears(peek, "> look", SOON_MS));
    becomes(id, ", pending\n");
    call_end(peek);
    tool_says(relay, backend, "inbox", "{}", "> look\n");
    free(id);

    peek = call_begin(relay, backend, "tools/call", peeking, NULL);
    ck_assert(relay_await_parked(relay, 1));
    struct open_call *take = call_begin(relay, backend, "tools/call", taking, NULL);
    ck_assert(relay_await_parked(relay, 2));
    id = tool_send(relay, frontend, "backend", "take");
    ck_assert(call_hears(take, "> take", SOON_MS));
    becomes(id, ", read just now\n");
    free(id);
    call_end(take);
    call_end(peek);
}
END_TEST

/* A client that vanishes while parked takes nothing with it. */
START_TEST(a_wait_that_was_left)
{
    struct open_call *wait = call_begin(relay, backend, "tools/call",
        "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":30}}", NULL);
    ck_assert(call_hears(wait, "text/event-stream", SOON_MS));
    call_end(wait);

    char *id = tool_send(relay, frontend, "backend", "still there");
    static const char once[] = "{\"timeout_seconds\":10}";
    char *text = tool_ok(relay, backend, "wait_for_message", once);
    ck_assert_ptr_nonnull(strstr(text, "> still there\n"));
    ck_assert_ptr_null(strstr(text, "attempt"));
    free(text);
    becomes(id, ", read just now\n");
    free(id);
}
END_TEST

START_TEST(a_wait_runs_out)
{
    int64_t began = now_us();

    tool_says(relay, backend, "wait_for_message", "{\"timeout_seconds\":1}", "No message after 1 s.\n");
    int64_t took_ms = (now_us() - began) / 1000;
    ck_assert_int_ge(took_ms, 1000);
    ck_assert_int_lt(took_ms, 5000);
}
END_TEST

/* Progress is told where it was asked for, about every 15 s. */
START_TEST(progress_of_a_long_wait)
{
    struct open_call *wait = call_begin(relay, backend, "tools/call",
        "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":17},\"_meta\":{\"progressToken\":"
        "\"p1\"}}",
        NULL);
    struct open_call *silent = call_begin(relay, frontend, "tools/call",
        "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":17}}", NULL);

    ck_assert(call_hears(wait,
        "\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"p1\",\"progress\":15", 20000));
    ck_assert(call_hears(wait, "No message after 17 s.", SOON_MS));
    ck_assert(call_hears(silent, "No message after 17 s.", SOON_MS));
    ck_assert_ptr_null(strstr(call_heard(silent), "progress"));
    call_end(wait);
    call_end(silent);
}
END_TEST

static bool are_parked(void *arg)
{
    return relay_metric(relay, "patchcord_parked_waits") == *(const int *)arg;
}

START_TEST(shutdown_ends_waits)
{
    static const char params[] = "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":60}}";
    struct open_call *plain = call_begin(relay, backend, "tools/call", params, NULL);
    struct open_call *bridge = call_begin(relay, frontend, "tools/call", params, acks);
    int parked = 2;
    ck_assert(poll_until(are_parked, &parked, SOON_MS));

    int64_t began = now_us();
    ck_assert_int_eq(relay_stop(relay), 0);
    ck_assert_int_lt((now_us() - began) / 1000, 10000);
    ck_assert(call_hears(plain, "relay is restarting, call again", SOON_MS));
    ck_assert(call_hears(bridge, "Retry-After: 1\r\n", SOON_MS));
    ck_assert_ptr_nonnull(strstr(call_heard(bridge), "HTTP/1.1 503 "));
    call_end(plain);
    call_end(bridge);
}
END_TEST

START_TEST(a_revocation_ends_waits)
{
    struct open_call *wait =
        call_begin(relay, backend, "tools/call", "{\"name\":\"wait_for_message\"}", NULL);
    ck_assert(call_hears(wait, "text/event-stream", SOON_MS));

    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    struct program_result result;
    run_program((const char *const[]){"patchcord-relay", "token", "revoke", backend, NULL},
        (const char *const[]){data, NULL}, NULL, 10000, &result);
    ck_assert_msg(result.exit_code == 0, "%s", buf_text(&result.err));
    program_result_free(&result);
    ck_assert(call_hears(wait, "was revoked or has run out", SOON_MS));
    call_end(wait);
    free(data);
}
END_TEST

START_TEST(an_acknowledged_send_survives_the_kill)
{
    char *id = tool_send(relay, frontend, "backend", "durable");

    relay_kill(relay);
    relay_restart(relay, NULL);
    tool_says(relay, backend, "inbox", "{}", "> durable\n");
    free(id);
}
END_TEST

/* Offered and not acknowledged when the relay died: the lease outlives it, and so does the message. */
START_TEST(an_offer_survives_the_kill)
{
    char *id = tool_send(relay, frontend, "backend", "durable");
    json_object_put(acking_call("inbox", "\"patchcord/lease\":\"" LEASE "\""));

    relay_kill(relay);
    relay_restart(relay, NULL);
    api_ack("{\"lease\":\"" LEASE "\",\"ids\":[],\"release\":true}");
    tool_says(relay, backend, "inbox", "{}", "> durable\n");
    free(id);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("delivery");
    TCase *tests = tcase_create("delivery");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, pair_setup, pair_teardown);
    tcase_add_test(tests, the_relay_acknowledges_for_plain_clients);
    tcase_add_test(tests, acking_callers_acknowledge_themselves);
    tcase_add_loop_test(tests, acks_count_with_a_failed_call, 0, 2);
    tcase_add_test(tests, a_call_brings_so_many_acks_and_no_more);
    tcase_add_test(tests, a_release_brings_it_back);
    tcase_add_test(tests, a_reply_is_an_ack);
    tcase_add_test(tests, a_peek_takes_nothing);
    tcase_add_test(tests, a_wait_wakes);
    tcase_add_test(tests, a_hang_up_after_the_result);
    tcase_add_test(tests, one_message_wakes_one_wait);
    tcase_add_test(tests, a_peeking_wait_holds_up_nobody);
    tcase_add_test(tests, a_wait_that_was_left);
    tcase_add_test(tests, a_wait_runs_out);
    tcase_add_test(tests, progress_of_a_long_wait);
    tcase_add_test(tests, shutdown_ends_waits);
    tcase_add_test(tests, a_revocation_ends_waits);
    tcase_add_test(tests, an_acknowledged_send_survives_the_kill);
    tcase_add_test(tests, an_offer_survives_the_kill);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
