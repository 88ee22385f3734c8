/* The relay's own interface, as clients of the original and the bridge use it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../common/uuid.h"
#include "../../relay/api/event_id.h"
#include "../harness.h"

enum { SOON_MS = 10 * 1000, STREAMS_MAX = 16, CHARACTERS_MAX = 50000 };

static struct relay_process *relay;
static char *alice, *bob, *foreign;
static struct http_reply reply;

static void setup(void)
{
    relay = relay_start(NULL, (const char *const[]){"PATCHCORD_CLEANUP_TOKEN=operator",
                                  "OPENAI_VERIFICATION_TOKEN=proof-of-domain", NULL});
    alice = relay_token(relay, "alice@team");
    bob = relay_token(relay, "bob@team");
    foreign = relay_token(relay, "bob@elsewhere");
}

static void teardown(void)
{
    http_reply_free(&reply);
    free(alice);
    free(bob);
    free(foreign);
}

static int call(const char *method, const char *path, const char *bearer, const char *body)
{
    http_reply_free(&reply);
    relay_call(relay, method, path, bearer, NULL, body, &reply);
    return reply.status;
}

static size_t rows(const char *key)
{
    struct json_object *array = reply.json;
    if (key && json_get_array(reply.json, key, &array) != JSON_FIELD_FOUND)
        ck_abort_msg("no %s in %s", key, buf_text(&reply.body));
    return json_object_array_length(array);
}

static struct json_object *row(const char *key, size_t index)
{
    struct json_object *array = reply.json;
    ck_assert_uint_lt(index, rows(key));
    if (key)
        (void)json_get_array(reply.json, key, &array);
    return json_object_array_get_idx(array, index);
}

static int64_t number(const char *key)
{
    int64_t value;
    if (json_get_int(reply.json, key, &value) != JSON_FIELD_FOUND)
        ck_abort_msg("no %s in %s", key, buf_text(&reply.body));
    return value;
}

/* The id of the message that alice sent to bob. The caller frees. */
static char *send_to_bob(const char *content)
{
    char *body = xasprintf("{\"to_agent\":\"bob\",\"content\":\"%s\"}", content);
    ck_assert_int_eq(call("POST", "/api/channel/send", alice, body), 200);
    ck_assert_str_eq(json_text_or(reply.json, "status", ""), "sent");
    ck_assert_str_eq(json_text_or(reply.json, "to_agent", ""), "bob");
    free(body);
    return xstrdup(json_text_or(reply.json, "id", ""));
}

/* ---- inbox ---- */

START_TEST(inbox_is_a_peek)
{
    char *first = send_to_bob("one"), *second = send_to_bob("two");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(call("GET", "/api/inbox?status=pending&limit=10", bob, NULL), 200);
        ck_assert_int_eq(number("pending_count"), 2);
        ck_assert_uint_eq(rows("messages"), 2);
        ck_assert_str_eq(json_text_or(row("messages", 0), "message_id", ""), second); /* newest first */
        ck_assert_str_eq(json_text_or(row("messages", 1), "message_id", ""), first);
        ck_assert_str_eq(json_text_or(row("messages", 1), "from", ""), "alice");
        ck_assert_str_eq(json_text_or(row("messages", 1), "preview", ""), "one");
        ck_assert_uint_eq(strlen(json_text_or(row("messages", 1), "sent_at", "")), 29);
    }
    ck_assert_str_eq(json_text_or(reply.json, "agent_id", ""), "bob");
    ck_assert_str_eq(json_text_or(reply.json, "namespace_id", ""), "team");
    ck_assert_ptr_nonnull(strstr(buf_text(&reply.body), "\"machine_name\":null"));
    ck_assert_int_eq(call("GET", "/api/inbox?limit=10", foreign, NULL), 200);
    ck_assert_int_eq(number("pending_count"), 0);
    free(first);
    free(second);
}
END_TEST

START_TEST(inbox_limits)
{
    for (int i = 0; i < 7; i++)
        free(send_to_bob("x"));
    static const struct {
        const char *query;
        int64_t count;
    } cases[] = {
        {"", 5},
        {"?limit=0", 1},
        {"?limit=-3", 1},
        {"?limit=6", 6},
        {"?limit=100", 7},
        {"?limit=9999999999999999999999", 7},
        {"?limit=abc", 5},
        {"?status=read", 0},
        {"?status=deferred", 0},
        {"?status=nonsense", 5},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        char *path = xasprintf("/api/inbox%s", cases[i].query);
        ck_assert_int_eq(call("GET", path, bob, NULL), 200);
        ck_assert_msg(number("pending_count") == cases[i].count, "%s: %s", path, buf_text(&reply.body));
        ck_assert_uint_eq(rows("messages"), (size_t)cases[i].count);
        free(path);
    }
    static const char *const counts[] = {"/api/inbox?count_only=1", "/api/inbox?count_only=true"};
    for (size_t i = 0; i < LENGTH_OF(counts); i++) {
        ck_assert_int_eq(call("GET", counts[i], bob, NULL), 200);
        ck_assert_int_eq(number("count"), 5);
        ck_assert_int_eq(number("pending_count"), 5);
        ck_assert_ptr_null(strstr(buf_text(&reply.body), "\"messages\""));
    }
}
END_TEST

START_TEST(previews_are_cut_by_characters)
{
    struct buf content = {0};
    for (int i = 0; i < 101; i++)
        buf_puts(&content, "\xc3\xa4");
    free(send_to_bob(buf_text(&content)));
    ck_assert_int_eq(call("GET", "/api/inbox", bob, NULL), 200);
    const char *preview = json_text_or(row("messages", 0), "preview", "");
    ck_assert_uint_eq(strlen(preview), 200);
    buf_free(&content);
}
END_TEST

START_TEST(machine_of_the_caller)
{
    http_reply_free(&reply);
    relay_call(relay, "GET", "/api/inbox", bob,
        (const char *const[]){"X-Patchcord-Machine: my<laptop>", NULL}, NULL, &reply);
    ck_assert_str_eq(json_text_or(reply.json, "machine_name", ""), "mylaptop");
}
END_TEST

/* ---- channel ---- */

START_TEST(channel_round)
{
    char *id = send_to_bob("do it");
    ck_assert_int_eq(call("POST", "/api/channel/poll", bob, ""), 200);
    ck_assert_uint_eq(rows(NULL), 1);
    ck_assert_str_eq(json_text_or(row(NULL, 0), "id", ""), id);
    ck_assert_str_eq(json_text_or(row(NULL, 0), "from_agent", ""), "alice");
    ck_assert_str_eq(json_text_or(row(NULL, 0), "content", ""), "do it");
    ck_assert_str_eq(json_text_or(row(NULL, 0), "namespace_id", ""), "team");
    ck_assert_ptr_nonnull(strstr(buf_text(&reply.body), "\"reply_to\":null"));

    char *body = xasprintf("{\"message_id\":\"%s\",\"content\":\"done\"}", id);
    ck_assert_int_eq(call("POST", "/api/channel/reply", bob, body), 200);
    ck_assert_str_eq(json_text_or(reply.json, "status", ""), "replied");
    ck_assert_str_eq(json_text_or(reply.json, "to_agent", ""), "alice");
    ck_assert_int_eq(call("POST", "/api/channel/poll", alice, ""), 200);
    ck_assert_str_eq(json_text_or(row(NULL, 0), "content", ""), "done");
    ck_assert_str_eq(json_text_or(row(NULL, 0), "reply_to", ""), id);
    free(body);
    free(id);
}
END_TEST

static bool is_read(void *arg)
{
    (void)arg;
    ck_assert_int_eq(call("GET", "/api/inbox?status=read", bob, NULL), 200);
    return rows("messages") == 1;
}

START_TEST(polled_is_read)
{
    free(send_to_bob("once"));
    ck_assert_int_eq(call("POST", "/api/channel/poll", bob, ""), 200);
    ck_assert_uint_eq(rows(NULL), 1);
    ck_assert(poll_until(is_read, NULL, SOON_MS));
    ck_assert_int_eq(call("POST", "/api/channel/poll", bob, ""), 200);
    ck_assert_uint_eq(rows(NULL), 0);
}
END_TEST

START_TEST(poll_takes_fifty_oldest_first)
{
    char text[16];
    for (int i = 0; i < 51; i++) {
        (void)snprintf(text, sizeof text, "m%d", i);
        free(send_to_bob(text));
    }
    ck_assert_int_eq(call("POST", "/api/channel/poll", bob, ""), 200);
    ck_assert_uint_eq(rows(NULL), 50);
    ck_assert_str_eq(json_text_or(row(NULL, 0), "content", ""), "m0");
    ck_assert_str_eq(json_text_or(row(NULL, 49), "content", ""), "m49");
    ck_assert_int_eq(call("POST", "/api/channel/poll", bob, ""), 200);
    ck_assert_uint_eq(rows(NULL), 1);
    ck_assert_str_eq(json_text_or(row(NULL, 0), "content", ""), "m50");
}
END_TEST

/* No gate: bob sends although he has unread messages. */
START_TEST(channel_is_not_gated)
{
    free(send_to_bob("unread"));
    ck_assert_int_eq(
        call("POST", "/api/channel/send", bob, "{\"to_agent\":\"alice\",\"content\":\"hi\"}"), 200);
}
END_TEST

START_TEST(channel_errors)
{
    char *id = send_to_bob("for bob"), *own = xasprintf("{\"message_id\":\"%s\",\"content\":\"x\"}", id);
    static const struct {
        const char *path, *body;
        int status;
    } cases[] = {
        {"send", "{\"to_agent\":\"nobody\",\"content\":\"x\"}", 404},
        {"send", "{\"to_agent\":\"bob@elsewhere\",\"content\":\"x\"}", 404},
        {"send", "{\"to_agent\":\"patchcord\",\"content\":\"x\"}", 404},
        {"send", "{\"to_agent\":\"bob\",\"content\":\"\"}", 400},
        {"send", "{\"to_agent\":\"bob\"}", 400},
        {"send", "{\"to_agent\":\"bob\",\"content\":7}", 400},
        {"send", "{\"content\":\"x\"}", 400},
        {"send", "[]", 400},
        {"send", "{", 400},
        {"send", "{\"to_agent\":\"bob\",\"content\":\"a\\u0000b\"}", 400},
        {"reply", "{\"message_id\":\"not-an-id\",\"content\":\"x\"}", 400},
        {"reply", "{\"message_id\":\"0192f0c1-0000-7000-8000-000000000000\",\"content\":\"x\"}", 404},
        {"reply", "{\"message_id\":\"0192f0c1-0000-7000-8000-000000000000\"}", 400},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        char *path = xasprintf("/api/channel/%s", cases[i].path);
        ck_assert_msg(call("POST", path, alice, cases[i].body) == cases[i].status, "%s %s: %d", path,
            cases[i].body, reply.status);
        ck_assert_ptr_nonnull(json_text_or(reply.json, "error", NULL));
        free(path);
    }
    ck_assert_int_eq(call("POST", "/api/channel/reply", alice, own), 403); /* alice knows it: she sent it */
    ck_assert_int_eq(
        call("POST", "/api/channel/reply", foreign, own), 404); /* he may not know that it exists */
    ck_assert_int_eq(call("POST", "/api/channel/reply", bob, own), 200);
    free(own);
    free(id);
}
END_TEST

START_TEST(longest_content)
{
    struct buf content = {0};
    for (int i = 0; i < CHARACTERS_MAX; i++)
        buf_puts(&content, "\xf0\x9f\x98\x80");
    free(send_to_bob(buf_text(&content)));
    ck_assert_int_eq(call("POST", "/api/channel/poll", bob, ""), 200);
    ck_assert_str_eq(json_text_or(row(NULL, 0), "content", ""), buf_text(&content));

    char *body = xasprintf("{\"to_agent\":\"bob\",\"content\":\"%sx\"}", buf_text(&content));
    ck_assert_int_eq(call("POST", "/api/channel/send", alice, body), 400);
    ck_assert_ptr_nonnull(strstr(buf_text(&reply.body), "50001"));
    free(body);
    buf_free(&content);
}
END_TEST

/* ---- acknowledgements ---- */

/* Takes bob's messages as a bridge does: leased, not yet acknowledged. */
static void take_with_lease(const char *lease)
{
    char *params =
        xasprintf("{\"name\":\"inbox\",\"arguments\":{},\"_meta\":{\"patchcord/lease\":\"%s\"}}", lease);
    struct json_object *answer = mcp_request_with(
        relay, bob, "tools/call", params, (const char *const[]){"X-Patchcord-Ack: 1", NULL}, NULL);
    bool is_error;
    ck_assert_ptr_nonnull(strstr(mcp_result_text(answer, &is_error), "From alice"));
    ck_assert(!is_error);
    json_object_put(answer);
    free(params);
}

START_TEST(ack_reads)
{
    char lease[UUID_SIZE], *id = send_to_bob("take me");
    uuid_v4(lease);
    take_with_lease(lease);
    char *body = xasprintf("{\"lease\":\"%s\",\"ids\":[\"%s\"]}", lease, id);
    for (int i = 0; i < 2; i++) { /* idempotent */
        ck_assert_int_eq(call("POST", "/api/ack", bob, body), 200);
        ck_assert_int_eq(number("released"), 0);
    }
    ck_assert(is_read(NULL));
    free(body);
    free(id);
}
END_TEST

START_TEST(release_gives_back)
{
    char lease[UUID_SIZE];
    free(send_to_bob("take me"));
    uuid_v4(lease);
    take_with_lease(lease);
    ck_assert_int_eq(call("POST", "/api/channel/poll", bob, ""), 200);
    ck_assert_uint_eq(rows(NULL), 0);
    char *body = xasprintf("{\"lease\":\"%s\",\"release\":true}", lease);
    ck_assert_int_eq(call("POST", "/api/ack", alice, body), 200); /* not hers */
    ck_assert_int_eq(number("released"), 0);
    ck_assert_int_eq(call("POST", "/api/ack", bob, body), 200);
    ck_assert_int_eq(number("released"), 1);
    ck_assert_int_eq(call("POST", "/api/channel/poll", bob, ""), 200);
    ck_assert_uint_eq(rows(NULL), 1);
    free(body);
}
END_TEST

START_TEST(bad_acks)
{
    static const char *const bodies[] = {"", "[]", "{\"lease\":\"x\"}", "{\"lease\":7}", "{\"ids\":\"x\"}",
        "{\"ids\":[7]}", "{\"ids\":[\"x\"]}", "{\"release\":true}", "{\"release\":\"yes\",\"lease\":null}",
        "{\"ids\":[null]}"};
    for (size_t i = 0; i < LENGTH_OF(bodies); i++) {
        ck_assert_msg(call("POST", "/api/ack", bob, bodies[i]) == 400, "%s: %d", bodies[i], reply.status);
        ck_assert_str_eq(json_text_or(reply.json, "error", ""), "invalid_request");
    }
    for (size_t count = 1000; count <= 1001; count++) {
        struct buf body = {0};
        buf_puts(&body, "{\"ids\":[");
        for (size_t i = 0; i < count; i++)
            buf_printf(&body, "%s\"0192f0c1-0000-7000-8000-%012zu\"", i ? "," : "", i);
        buf_puts(&body, "]}");
        ck_assert_int_eq(call("POST", "/api/ack", bob, buf_text(&body)), count == 1000 ? 200 : 400);
        buf_free(&body);
    }
}
END_TEST

/* ---- events ---- */

START_TEST(events_come_as_messages_do)
{
    free(send_to_bob("before"));
    struct open_call *events = call_get(relay, bob, "/api/events", NULL);
    ck_assert(call_hears(events, "text/event-stream", SOON_MS));
    ck_assert(relay_await_parked(relay, 1));
    char *id = send_to_bob("now"),
         *data = xasprintf("data: {\"message_id\":\"%s\",\"from\":\"alice\",\"sent_at\":\"", id);
    ck_assert(call_hears(events, data, SOON_MS));
    ck_assert_ptr_nonnull(strstr(call_heard(events), "event: message\nid: "));
    ck_assert_ptr_null(strstr(call_heard(events), "now")); /* never the content */
    ck_assert_int_eq(call("GET", "/api/inbox", bob, NULL), 200);
    ck_assert_int_eq(number("pending_count"), 2); /* nothing was taken, and "before" not told */
    ck_assert_ptr_eq(strstr(strstr(call_heard(events), "event: message") + 1, "event: message"), NULL);
    call_end(events);
    free(data);
    free(id);
}
END_TEST

START_TEST(events_resume)
{
    struct open_call *events = call_get(relay, bob, "/api/events", NULL);
    ck_assert(relay_await_parked(relay, 1));
    char *first = send_to_bob("one");
    ck_assert(call_hears(events, first, SOON_MS));
    char place[EVENT_ID_SIZE];
    ck_assert_int_eq(
        sscanf(strstr(call_heard(events), "event: message"), "event: message\nid: %48s", place), 1);
    call_end(events);
    char *second = send_to_bob("two"), *third = send_to_bob("three"),
         *header = xasprintf("Last-Event-ID: %s", place);
    events = call_get(relay, bob, "/api/events", (const char *const[]){header, NULL});
    ck_assert(call_hears(events, third, SOON_MS));
    ck_assert_ptr_nonnull(strstr(call_heard(events), second));
    ck_assert_ptr_null(strstr(call_heard(events), first));
    call_end(events);
    /* It is bob's alone. */
    events = call_get(relay, alice, "/api/events", (const char *const[]){header, NULL});
    ck_assert(call_hears(events, "\nid: ", SOON_MS) && relay_await_parked(relay, 1));
    ck_assert_ptr_null(strstr(call_heard(events), place));
    call_end(events);
    ck_assert(relay_await_parked(relay, 0));
    /* An id that is none here is no reason to stay silent. */
    events = call_get(relay, bob, "/api/events", (const char *const[]){"Last-Event-ID: 999999999", NULL});
    ck_assert(call_hears(events, "text/event-stream", SOON_MS));
    ck_assert(relay_await_parked(relay, 1));
    char *fourth = send_to_bob("four");
    ck_assert(call_hears(events, fourth, SOON_MS));
    call_end(events);
    free(first);
    free(second);
    free(third);
    free(fourth);
    free(header);
}
END_TEST

/* A client that was cut off before its first event has where to go on from, too. */
START_TEST(events_begin_with_their_place)
{
    free(send_to_bob("before"));
    struct open_call *events = call_get(relay, bob, "/api/events", NULL);
    char place[EVENT_ID_SIZE];
    ck_assert(call_hears(events, "\n\n", SOON_MS) && call_hears(events, "id: ", SOON_MS));
    ck_assert(relay_await_parked(relay, 1));
    ck_assert_int_eq(sscanf(strstr(call_heard(events), "\nid: "), "\nid: %48s", place), 1);
    ck_assert_ptr_null(strstr(call_heard(events), "data:"));
    call_end(events);
    char *meanwhile = send_to_bob("meanwhile"), *header = xasprintf("Last-Event-ID: %s", place);
    events = call_get(relay, bob, "/api/events", (const char *const[]){header, NULL});
    ck_assert(call_hears(events, meanwhile, SOON_MS));
    ck_assert_ptr_null(strstr(strstr(call_heard(events), "data:") + 1, "data:"));
    call_end(events);
    free(meanwhile);
    free(header);
}
END_TEST

START_TEST(events_are_bounded)
{
    struct open_call *events[STREAMS_MAX];
    for (size_t i = 0; i < STREAMS_MAX; i++)
        events[i] = call_get(relay, bob, "/api/events", NULL);
    ck_assert(relay_await_parked(relay, STREAMS_MAX));
    ck_assert_int_eq(call("GET", "/api/events", bob, NULL), 429);
    ck_assert_ptr_nonnull(strcasestr(buf_text(&reply.headers), "retry-after:"));
    struct open_call *other = call_get(relay, alice, "/api/events", NULL);
    ck_assert(relay_await_parked(relay, STREAMS_MAX + 1));
    call_end(events[0]);
    ck_assert(relay_await_parked(relay, STREAMS_MAX));
    events[0] = call_get(relay, bob, "/api/events", NULL);
    ck_assert(relay_await_parked(relay, STREAMS_MAX + 1));
    call_end(other);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        call_end(events[i]);
}
END_TEST

/* ---- the rest ---- */

START_TEST(cleanup)
{
    ck_assert_int_eq(call("POST", "/api/cleanup?dry_run=1&max_age_days=3", "operator", ""), 200);
    ck_assert_str_eq(buf_text(&reply.body),
        "{\"status\":\"ok\",\"dry_run\":true,\"max_age_days\":3,\"messages\":0,"
        "\"registry_marked_offline\":0,\"attachments\":0}");
    ck_assert_int_eq(call("POST", "/api/cleanup", "operator", ""), 200);
    ck_assert_int_eq(number("max_age_days"), 7);
    static const char *const bad[] = {"0", "-1", "3651", "x", ""};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        char *path = xasprintf("/api/cleanup?max_age_days=%s", bad[i]);
        ck_assert_int_eq(call("POST", path, "operator", ""), 400);
        ck_assert_str_eq(json_text_or(reply.json, "status", ""), "error");
        free(path);
    }
    ck_assert_int_eq(call("POST", "/api/cleanup/oauth", "operator", ""), 200);
    ck_assert_str_eq(json_text_or(reply.json, "status", ""), "ok");
}
END_TEST

START_TEST(small_answers)
{
    ck_assert_int_eq(call("GET", "/health", NULL, NULL), 200);
    ck_assert_str_eq(buf_text(&reply.body), "{\"status\":\"ok\",\"service\":\"patchcord\"}");
    ck_assert_ptr_nonnull(
        strcasestr(buf_text(&reply.headers), "x-patchcord-version: " PATCHCORD_VERSION "\r\n"));
    ck_assert_int_eq(call("GET", "/ready", NULL, NULL), 200);
    ck_assert_int_eq(call("GET", "/api/realtime/ticket", bob, NULL), 501);
    ck_assert_ptr_nonnull(reply.json);
    ck_assert_int_eq(call("GET", "/.well-known/openai-apps-challenge", NULL, NULL), 200);
    ck_assert_str_eq(buf_text(&reply.body), "proof-of-domain");
    ck_assert_int_eq(call("GET", "/.well-known/security.txt", NULL, NULL), 200);
    ck_assert_ptr_nonnull(strstr(buf_text(&reply.body), "Contact: mailto:security@localhost\nExpires: 20"));
    ck_assert_int_eq(call("GET", "/nowhere", NULL, NULL), 404);
    ck_assert_ptr_nonnull(reply.json);
    ck_assert_int_eq(call("DELETE", "/api/inbox", bob, NULL), 405);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api");
    TCase *tests = harness_case(suite, "api");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, inbox_is_a_peek);
    tcase_add_test(tests, inbox_limits);
    tcase_add_test(tests, previews_are_cut_by_characters);
    tcase_add_test(tests, machine_of_the_caller);
    tcase_add_test(tests, channel_round);
    tcase_add_test(tests, polled_is_read);
    tcase_add_test(tests, poll_takes_fifty_oldest_first);
    tcase_add_test(tests, channel_is_not_gated);
    tcase_add_test(tests, channel_errors);
    tcase_add_test(tests, longest_content);
    tcase_add_test(tests, ack_reads);
    tcase_add_test(tests, release_gives_back);
    tcase_add_test(tests, bad_acks);
    tcase_add_test(tests, events_come_as_messages_do);
    tcase_add_test(tests, events_resume);
    tcase_add_test(tests, events_begin_with_their_place);
    tcase_add_test(tests, events_are_bounded);
    tcase_add_test(tests, cleanup);
    tcase_add_test(tests, small_answers);
    return run_suite(suite);
}
