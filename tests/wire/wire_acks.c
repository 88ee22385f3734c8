/* Acknowledgements from end to end, where time, restarts and other sessions come between: what was offered
 * and not acknowledged comes again under the same id, with the number of the attempt; what was acknowledged
 * never does; and the sender can read what became of it. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"
#include "../harness_faults.h"
#include "../harness_process.h"

#define FIRST  "00000000-0000-4000-8000-000000000001"
#define SECOND "00000000-0000-4000-8000-000000000002"
#define THIRD  "00000000-0000-4000-8000-000000000003"

enum { SOON_MS = 5000, LEASE_MS = 60 * 1000, DAY_MS = 86400 * 1000, RETENTION_DAYS = 7 };

static const char *const acks[] = {"X-Patchcord-Ack: 1", NULL};
static struct faults *faults;
static struct relay_process *relay;
static char *frontend, *backend;

static void setup(void)
{
    faults = faults_new();
    const char *env[8] = {"PATCHCORD_CLEANUP_TOKEN=operator"};
    for (size_t i = 0; faults_env(faults)[i]; i++)
        env[i + 1] = faults_env(faults)[i];
    relay = relay_start(NULL, env);
    frontend = relay_token(relay, "frontend@myproject");
    backend = relay_token(relay, "backend@myproject");
}

static void teardown(void)
{
    free(frontend);
    free(backend);
    harness_cleanup();
    faults_free(faults);
}

/* ---- calls ---- */

static char *send_to(const char *token, const char *to, const char *content)
{
    char *args = xasprintf("{\"to\":\"%s\",\"content\":\"%s\"}", to, content);
    char *text = tool_ok(relay, token, "send_message", args), *id = id_of_sent(text);
    free(text);
    free(args);
    return id;
}

static char *send_text(const char *content)
{
    return send_to(frontend, "backend", content);
}

/* An inbox of backend under that lease, by a caller that acknowledges itself; its text (the caller frees). */
static char *take(const char *lease)
{
    char *params =
        xasprintf("{\"name\":\"inbox\",\"arguments\":{},\"_meta\":{\"patchcord/lease\":\"%s\"}}", lease);
    struct json_object *answer = mcp_request_with(relay, backend, "tools/call", params, acks, NULL);
    char *text = xstrdup(mcp_result_text(answer, NULL));
    json_object_put(answer);
    free(params);
    return text;
}

static void take_says(const char *lease, const char *wanted, const char *unwanted)
{
    char *text = take(lease);
    ck_assert_msg(strstr(text, wanted) != NULL, "expected \"%s\" in:\n%s", wanted, text);
    ck_assert_msg(!unwanted || !strstr(text, unwanted), "did not expect \"%s\" in:\n%s", unwanted, text);
    free(text);
}

static void acknowledge(const char *lease, const char *id, bool release)
{
    char *body = xasprintf("{\"lease\":\"%s\",\"ids\":[%s%s%s],\"release\":%s}", lease, id ? "\"" : "",
        id ? id : "", id ? "\"" : "", release ? "true" : "false");
    struct http_reply reply;
    relay_call(relay, "POST", "/api/ack", backend, NULL, body, &reply);
    ck_assert_int_eq(reply.status, 200);
    http_reply_free(&reply);
    free(body);
}

/* What recall says of a message to its sender, in text and as JSON. */
static void is_now(const char *id, const char *wanted)
{
    char *args = xasprintf("{\"message_id\":\"%s\"}", id);
    tool_says(relay, frontend, "recall", args, wanted);
    free(args);
}

static char *answer_args(const char *id, const char *rest)
{
    return xasprintf("{\"message_id\":\"%s\",%s}", id, rest);
}

/* ---- acks that come late ---- */

START_TEST(a_late_ack_counts)
{
    char *id = send_text("hello");
    take_says(FIRST, "> hello", "attempt");
    faults_pass_time(faults, LEASE_MS + 1000);
    acknowledge(FIRST, id, false);
    is_now(id, ", read ");
    take_says(SECOND, "| 0 pending\n", "> hello");
    free(id);
}
END_TEST

START_TEST(a_late_ack_counts_after_a_second_offer)
{
    char *id = send_text("hello");
    take_says(FIRST, "> hello", "attempt");
    faults_pass_time(faults, LEASE_MS + 1000);
    take_says(SECOND, ", attempt 2\n> hello", NULL);
    acknowledge(FIRST, id, false);
    is_now(id, ", read ");
    /* The second one's ack, and both once more, change nothing. */
    acknowledge(SECOND, id, false);
    acknowledge(SECOND, id, true);
    acknowledge(FIRST, id, true);
    is_now(id, ", read ");
    faults_pass_time(faults, 3 * LEASE_MS);
    take_says(THIRD, "| 0 pending\n", "> hello");
    free(id);
}
END_TEST

START_TEST(a_late_release_leaves_the_second_offer_alone)
{
    char *id = send_text("hello");
    take_says(FIRST, "> hello", NULL);
    faults_pass_time(faults, LEASE_MS + 1000);
    take_says(SECOND, ", attempt 2\n> hello", NULL);
    acknowledge(FIRST, NULL, true);
    take_says(THIRD, "| 0 pending, 1 in delivery", "> hello");
    is_now(id, ", in delivery ");
    free(id);
}
END_TEST

START_TEST(a_late_reply_counts)
{
    char *id = send_text("hello"), *args = answer_args(id, "\"content\":\"hi\"");
    take_says(FIRST, "> hello", NULL);
    faults_pass_time(faults, LEASE_MS + 1000);
    take_says(SECOND, ", attempt 2\n> hello", NULL);
    tool_says(relay, backend, "reply", args, "Sent to frontend");
    is_now(id, ", replied ");
    acknowledge(SECOND, id, false);
    is_now(id, ", replied ");
    faults_pass_time(faults, 3 * LEASE_MS);
    take_says(THIRD, "| 0 pending\n", "> hello");
    free(args);
    free(id);
}
END_TEST

/* A client that promises acks and sends none gets the message again and again, at growing distances, under
 * one id. */
START_TEST(promised_acks_that_never_come)
{
    enum { ATTEMPTS = 6 };
    char *id = send_text("hello"), *wanted = xasprintf("[%s]", id);
    int64_t lasts = LEASE_MS;
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++, lasts *= 2) {
        char lease[37], number[32];
        snprintf(lease, sizeof lease, "00000000-0000-4000-8000-0000000001%02d", attempt);
        snprintf(number, sizeof number, ", attempt %d\n", attempt);
        take_says(lease, wanted, NULL);
        take_says(lease, attempt > 1 ? number : "> hello", attempt > 1 ? NULL : "attempt");
        faults_pass_time(faults, lasts - 5000);
        take_says(THIRD, "| 0 pending, 1 in delivery", "> hello");
        faults_pass_time(faults, 6000);
    }
    is_now(id, ", pending");
    free(wanted);
    free(id);
}
END_TEST

/* ---- leases in flight ---- */

START_TEST(a_parked_wait_wakes_when_another_lease_runs_out)
{
    char *id = send_text("hello");
    take_says(FIRST, "> hello", NULL);
    faults_pass_time(faults, LEASE_MS - 2000);
    struct open_call *wait = call_begin(relay, backend, "tools/call",
        "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":30}}", NULL);
    ck_assert(call_hears(wait, "text/event-stream", SOON_MS));
    ck_assert(call_hears(wait, ", attempt 2\\n> hello", SOON_MS));
    call_end(wait);
    free(id);
}
END_TEST

START_TEST(a_lease_outlives_the_relay)
{
    char *id = send_text("hello"), *again = xasprintf("[%s], attempt 2\n> hello", id);
    take_says(FIRST, "> hello", NULL);
    relay_kill(relay);
    relay_restart(relay, NULL);
    take_says(SECOND, "| 0 pending, 1 in delivery", "> hello");
    take_says(FIRST, "> hello", "attempt"); /* its own, still */
    faults_pass_time(faults, LEASE_MS + 1000);
    take_says(SECOND, again, NULL);
    acknowledge(SECOND, id, false);
    is_now(id, ", read ");
    free(again);
    free(id);
}
END_TEST

static bool has_output(void *arg)
{
    struct pollfd fd = {.fd = ((struct bridge_process *)arg)->out, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* Killed with the answer in its pipe: nothing was acknowledged that its agent had not read. */
START_TEST(a_bridge_that_is_killed)
{
    struct bridge_process *bridge = bridge_start(relay, backend, NULL);
    char *id = send_text("hello"), *again = xasprintf("[%s], attempt 2\n> hello", id);
    bridge_call_begin(bridge, "inbox", "{}");
    ck_assert(poll_until(has_output, bridge, SOON_MS));
    bridge_kill(bridge);
    is_now(id, ", in delivery ");
    faults_pass_time(faults, LEASE_MS + 1000);
    char *text = bridge_tool(bridge_start(relay, backend, NULL), "inbox", "{}", NULL);
    ck_assert_msg(strstr(text, again) != NULL, "%s", text);
    free(text);
    free(again);
    free(id);
}
END_TEST

/* A connection that takes next to nothing into its buffer. */
static int narrow_connection(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)relay->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){1024}, sizeof(int)), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* A client without acks that asks and never reads: what it did not take is not its. */
START_TEST(a_client_that_reads_nothing)
{
    enum { CONTENT = 20 * 1000 };
    char noise[CONTENT + 1] = {0}, *name = NULL;
    memset(noise, 'x', CONTENT);
    char *id = send_text(noise), *args = xasprintf("{\"message_id\":\"%s\"}", id);
    char *body = mcp_request_text("tools/call", "{\"name\":\"inbox\"}", &name);
    char *request = xasprintf("POST /mcp/bearer HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                              "Content-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\n"
                              "Mcp-Method: tools/call\r\nMcp-Name: inbox\r\nContent-Length: %zu\r\n\r\n%s",
        backend, strlen(body), body);
    int fd = narrow_connection();
    ck_assert_int_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    tool_soon_says(relay, frontend, "recall", args, ", in delivery ");
    close(fd);
    tool_soon_says(relay, frontend, "recall", args, ", pending, offered ");
    take_says(FIRST, ", attempt 2\n> xxx", NULL);
    free(request);
    free(body);
    free(name);
    free(args);
    free(id);
}
END_TEST

/* Two sessions of one agent, both waiting: each message reaches one of them, once. */
START_TEST(two_bridges_of_one_identity)
{
    enum { MESSAGES = 40, SESSIONS = 2 };
    struct bridge_process *sessions[SESSIONS];
    int64_t waits[SESSIONS];
    int seen[MESSAGES] = {0}, total = 0, share[SESSIONS] = {0};
    for (size_t i = 0; i < SESSIONS; i++) {
        sessions[i] = bridge_start(relay, backend, NULL);
        waits[i] = bridge_call_begin(sessions[i], "wait_for_message", "{}");
    }
    ck_assert(relay_await_parked(relay, SESSIONS));
    for (int i = 0; i < MESSAGES; i++) {
        char content[32];
        snprintf(content, sizeof content, "number %d.", i);
        free(send_text(content));
    }
    int64_t deadline_us = now_us() + (int64_t)harness_patience(20 * 1000) * 1000;
    for (size_t i = 0; total < MESSAGES && now_us() < deadline_us; i = (i + 1) % SESSIONS) {
        struct json_object *line = bridge_read(sessions[i], 20);
        if (!line)
            continue;
        int64_t id = 0;
        ck_assert(json_get_int(line, "id", &id) == JSON_FIELD_FOUND && id == waits[i]);
        for (const char *at = mcp_result_text(line, NULL); (at = strstr(at, "> number ")); at++) {
            int number = atoi(at + strlen("> number "));
            ck_assert_int_eq(seen[number]++, 0);
            total++;
            share[i]++;
        }
        json_object_put(line);
        waits[i] = bridge_call_begin(sessions[i], "wait_for_message", "{}");
    }
    ck_assert_int_eq(total, MESSAGES);
    ck_assert_int_gt(share[0], 0);
    ck_assert_int_gt(share[1], 0);
}
END_TEST

/* What is being delivered does not hold up its recipient's own messages; once the lease has run out, it does.
 */
START_TEST(the_gate_with_leases_in_flight)
{
    static const char args[] = "{\"to\":\"frontend\",\"content\":\"mine\"}";
    char *id = send_text("hello");
    take_says(FIRST, "> hello", NULL);
    tool_says(relay, backend, "send_message", args, "Sent to frontend");
    faults_pass_time(faults, LEASE_MS + 1000);
    tool_fails(relay, backend, "send_message", args, "> hello");
    acknowledge(FIRST, id, false);
    tool_says(relay, backend, "send_message", args, "Sent to frontend");
    free(id);
}
END_TEST

/* ---- ids ---- */

static char *send_under(
    const char *token, const char *to, const char *id, const char *content, bool *is_error)
{
    char *params = xasprintf("{\"name\":\"send_message\",\"arguments\":{\"to\":\"%s\",\"content\":\"%s\"},\"_"
                             "meta\":{\"patchcord/message-id\":\"%s\"}}",
        to, content, id);
    struct json_object *answer = mcp_request(relay, token, "tools/call", params, NULL);
    char *text = xstrdup(mcp_result_text(answer, is_error));
    json_object_put(answer);
    free(params);
    return text;
}

START_TEST(an_id_belongs_to_one_send)
{
    char *third = relay_token(relay, "third@myproject"), *stranger = relay_token(relay, "frontend@elsewhere");
    free(relay_token(relay, "backend@elsewhere"));
    const struct {
        const char *token, *content;
        bool refused;
    } sends[] = {
        {frontend, "one", false},
        {frontend, "one", false}, /* a repeat */
        {frontend, "two", true},
        {third, "one", true},
        {third, "two", true},
        {stranger, "one", true},
    };
    char *refusal = NULL;
    for (size_t i = 0; i < LENGTH_OF(sends); i++) {
        bool is_error = false;
        char *text = send_under(sends[i].token, "backend", FIRST, sends[i].content, &is_error);
        ck_assert_msg(is_error == sends[i].refused, "%zu: %s", i, text);
        ck_assert_msg(is_error || strstr(text, "[" FIRST "]"), "%zu: %s", i, text);
        if (is_error && refusal)
            ck_assert_str_eq(text, refusal);
        if (is_error && !refusal)
            refusal = xstrdup(text);
        free(text);
    }
    take_says(FIRST, "| 1 pending\n", "> two");
    free(refusal);
    free(third);
    free(stranger);
}
END_TEST

/* A retry that comes after the message was taken back, or has expired, revives nothing. */
START_TEST(a_late_retry_revives_nothing)
{
    bool is_error = false;
    char *first = send_under(frontend, "backend", FIRST, "one", &is_error);
    tool_says(relay, frontend, "unsend_message", "{\"message_id\":\"" FIRST "\"}", "");
    char *again = send_under(frontend, "backend", FIRST, "one", &is_error);
    ck_assert_msg(!is_error, "%s", again);
    take_says(SECOND, "| 0 pending\n", "> one");
    is_now(FIRST, ", unsent ");
    free(again);
    free(first);
}
END_TEST

/* ---- expiry ---- */

static void clean_up(void)
{
    struct http_reply reply;
    relay_call(relay, "POST", "/api/cleanup", "operator", NULL, "", &reply);
    ck_assert_int_eq(reply.status, 200);
    http_reply_free(&reply);
}

START_TEST(what_expires_unread_tells_its_sender)
{
    char *pending = send_text("never read"), *deferred = send_text("put off"), *read = send_text("read");
    char *defer = answer_args(deferred, "\"defer\":true");
    bool is_error = false;
    free(send_under(frontend, "backend", FIRST, "retried late", &is_error));
    tool_says(relay, backend, "reply", defer, "");
    acknowledge(SECOND, read, false);
    faults_pass_time(faults, (int64_t)RETENTION_DAYS * DAY_MS + 1000);
    clean_up();

    char *text = tool_ok(relay, frontend, "inbox", "{}");
    ck_assert_msg(strstr(text, "From patchcord (") && strstr(text, pending) && strstr(text, deferred) &&
                      !strstr(text, read),
        "%s", text);
    free(text);
    is_now(pending, ", expired ");
    is_now(deferred, ", expired ");
    take_says(THIRD, "| 0 pending\n", ">");

    /* The tombstone knows the repeat. */
    free(send_under(frontend, "backend", FIRST, "retried late", &is_error));
    ck_assert(!is_error);
    take_says(THIRD, "| 0 pending\n", "> retried");

    /* There is no inbox to keep it in, and nothing is done; but a reply still goes out. */
    tool_fails(relay, backend, "reply", defer, "Not deferred: ");
    char *both = answer_args(pending, "\"content\":\"later\",\"defer\":true");
    tool_fails(relay, backend, "reply", both, "Not deferred: ");
    tool_says(relay, frontend, "inbox", "{}", "| 0 pending");
    char *reply = answer_args(pending, "\"content\":\"sorry, late\"");
    tool_says(relay, backend, "reply", reply, "Sent to frontend");
    tool_says(relay, frontend, "inbox", "{}", "> sorry, late");

    /* And the notice itself goes without one, with the tombstones. */
    faults_pass_time(faults, (int64_t)RETENTION_DAYS * DAY_MS + 1000);
    clean_up();
    tool_says(relay, frontend, "inbox", "{}", "| 0 pending\n");
    char *gone = xasprintf("{\"message_id\":\"%s\"}", pending);
    tool_fails(relay, frontend, "recall", gone, "Not found");
    free(gone);
    free(reply);
    free(both);
    free(defer);
    free(pending);
    free(deferred);
    free(read);
}
END_TEST

/* ---- receipts ---- */

/* One message of `patchcord recall --json`, as its sender sees it. */
static struct json_object *receipt(const char *id)
{
    char *url = xasprintf("PATCHCORD_URL=%s", relay->url), *token = xasprintf("PATCHCORD_TOKEN=%s", frontend);
    struct program_result result;
    run_program((const char *const[]){"patchcord", "recall", "--json", id, NULL},
        (const char *const[]){url, token, NULL}, NULL, 10 * 1000, &result);
    ck_assert_msg(result.exit_code == 0, "%s", buf_text(&result.err));
    enum json_fault fault;
    struct json_object *value = json_parse(result.out.data, result.out.len, &fault), *list = NULL;
    ck_assert(json_get_array(value, "messages", &list) == JSON_FIELD_FOUND);
    ck_assert_uint_eq(json_object_array_length(list), 1);
    struct json_object *message = json_object_get(json_object_array_get_idx(list, 0));
    json_object_put(value);
    program_result_free(&result);
    free(url);
    free(token);
    return message;
}

/* What each state shows: its word in the text, its status, and which times are there. */
static void check_receipt(
    const char *id, const char *word, const char *status, bool in_delivery, const char *const times[])
{
    static const char *const all[] = {
        "offered_at", "read_at", "replied_at", "deferred_at", "unsent_at", "expired_at"};
    struct json_object *message = receipt(id);
    bool flag = false;
    is_now(id, word);
    ck_assert_str_eq(json_text_or(message, "status", ""), status);
    ck_assert(json_get_bool(message, "in_delivery", &flag) == JSON_FIELD_FOUND && flag == in_delivery);
    ck_assert_str_ne(json_text_or(message, "sent_at", ""), "");
    for (size_t i = 0; i < LENGTH_OF(all); i++) {
        bool wanted = false;
        for (size_t j = 0; times[j]; j++)
            wanted |= strcmp(times[j], all[i]) == 0;
        ck_assert_msg(wanted == (json_text_or(message, all[i], NULL) != NULL), "%s of a message %s: %s",
            all[i], word, json_object_to_json_string(message));
    }
    json_object_put(message);
}
#define TIMES(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(receipts)
{
    char *id = send_text("hello"), *other = send_text("never mind"),
         *args = answer_args(id, "\"defer\":true");
    check_receipt(id, ", pending\n", "pending", false, (const char *const[]){NULL});

    char *unsend = xasprintf("{\"message_id\":\"%s\"}", other);
    tool_says(relay, frontend, "unsend_message", unsend, "");
    check_receipt(other, ", unsent just now\n", "pending", false, TIMES("unsent_at"));

    take_says(FIRST, "> hello", NULL);
    check_receipt(id, ", in delivery just now\n", "pending", true, TIMES("offered_at"));
    faults_pass_time(faults, LEASE_MS + 1000);
    check_receipt(id, ", pending, offered 1 min ago\n", "pending", false, TIMES("offered_at"));
    acknowledge(FIRST, id, false);
    check_receipt(id, ", read just now\n", "read", false, TIMES("offered_at", "read_at"));
    tool_says(relay, backend, "reply", args, "");
    check_receipt(
        id, ", deferred just now\n", "deferred", false, TIMES("offered_at", "read_at", "deferred_at"));
    free(args);
    args = answer_args(id, "\"content\":\"hi\"");
    tool_says(relay, backend, "reply", args, "Sent to frontend");
    check_receipt(id, ", replied just now\n", "replied", false,
        TIMES("offered_at", "read_at", "replied_at", "deferred_at"));
    faults_pass_time(faults, (int64_t)RETENTION_DAYS * DAY_MS + 1000);
    clean_up();
    check_receipt(id, ", expired just now\n", "replied", false,
        TIMES("offered_at", "read_at", "replied_at", "deferred_at", "expired_at"));
    free(unsend);
    free(args);
    free(other);
    free(id);
}
END_TEST

/* ---- a relay that comes back ---- */

enum { PARKED = 20, BACK_WITHIN_MS = 2000, AWAY_MS = 3000, WINDOW_MS = 50 };

static int port_take(int port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 128), 0);
    return fd;
}

/* While the relay is away its port hangs up on everybody: the bridges come back again and again, neither all
 * at once nor without end. */
static void watch_the_herd(int port)
{
    enum { WINDOWS = AWAY_MS / WINDOW_MS };
    int windows[WINDOWS] = {0}, total = 0, fd = port_take(port);
    const int64_t began_us = now_us();
    for (int64_t at_ms = 0; at_ms < AWAY_MS; at_ms = (now_us() - began_us) / 1000) {
        struct pollfd listener = {.fd = fd, .events = POLLIN};
        poll(&listener, 1, 5);
        for (int peer; (peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0; total++) {
            const struct linger reset = {.l_onoff = 1};
            setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            close(peer);
            windows[at_ms / WINDOW_MS]++;
        }
    }
    close(fd);
    int densest = 0;
    for (int i = 1000 / WINDOW_MS; i < WINDOWS; i++)
        densest = windows[i] > densest ? windows[i] : densest;
    printf("reconnect: %d bridges tried %d times in %d ms; after the first second at most %d in %d ms\n",
        PARKED, total, AWAY_MS, densest, WINDOW_MS);
    ck_assert_int_ge(total, PARKED);
    ck_assert_int_le(total, 15 * PARKED);
    ck_assert_int_le(densest, PARKED / 2);
}

START_TEST(twenty_bridges_are_back_at_once)
{
    struct bridge_process *bridges[PARKED];
    int64_t waits[PARKED];
    struct relay_process *own = relay_start(NULL, NULL);
    char *sender = relay_token(own, "sender@herd");
    for (int i = 0; i < PARKED; i++) {
        char *address = xasprintf("a%d@herd", i), *token = relay_token(own, address);
        bridges[i] = bridge_start(own, token, NULL);
        waits[i] = bridge_call_begin(bridges[i], "wait_for_message", "{\"timeout_seconds\":600}");
        free(token);
        free(address);
    }
    ck_assert(relay_await_parked(own, PARKED));
    for (int round = 0; round < 3; round++) {
        if (round == 1)
            ck_assert_int_eq(relay_stop(own), 0);
        else
            relay_kill(own);
        if (round == 2)
            watch_the_herd(own->port);
        relay_restart(own, NULL);
        const int64_t back_us = now_us();
        ck_assert(relay_await_parked(own, PARKED));
        const int64_t took_ms = (now_us() - back_us) / 1000;
        printf("reconnect: all of %d bridges parked %lld ms after the relay's return\n", PARKED,
            (long long)took_ms);
        ck_assert_int_le(took_ms, harness_patience(BACK_WITHIN_MS));
    }
    for (int i = 0; i < PARKED; i++) {
        bool is_error = true;
        char *args = xasprintf("{\"to\":\"a%d\",\"content\":\"you are there\"}", i);
        ck_assert_msg(!has_output(bridges[i]), "bridge %d said something", i);
        tool_says(own, sender, "send_message", args, "waiting now");
        char *text = bridge_call_end(bridges[i], waits[i], SOON_MS, &is_error);
        ck_assert_msg(!is_error && strstr(text, "> you are there"), "%s", text);
        free(text);
        free(args);
    }
    free(sender);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("acks");
    TCase *tests = tcase_create("acks"), *alone = harness_case(suite, "reconnect");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_late_ack_counts);
    tcase_add_test(tests, a_late_ack_counts_after_a_second_offer);
    tcase_add_test(tests, a_late_release_leaves_the_second_offer_alone);
    tcase_add_test(tests, a_late_reply_counts);
    tcase_add_test(tests, promised_acks_that_never_come);
    tcase_add_test(tests, a_parked_wait_wakes_when_another_lease_runs_out);
    tcase_add_test(tests, a_lease_outlives_the_relay);
    tcase_add_test(tests, a_bridge_that_is_killed);
    tcase_add_test(tests, a_client_that_reads_nothing);
    tcase_add_test(tests, two_bridges_of_one_identity);
    tcase_add_test(tests, the_gate_with_leases_in_flight);
    tcase_add_test(tests, an_id_belongs_to_one_send);
    tcase_add_test(tests, a_late_retry_revives_nothing);
    tcase_add_test(tests, what_expires_unread_tells_its_sender);
    tcase_add_test(tests, receipts);
    suite_add_tcase(suite, tests);
    tcase_add_test(alone, twenty_bridges_are_back_at_once);
    return run_suite(suite);
}
