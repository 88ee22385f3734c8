/* Limits: calls a minute and token, failed logins a minute and address, bans and what they do not stop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../relay/relay.h"
#include "../harness.h"
#include "../harness_process.h"

static struct relay_process *relay;
static char *alice, *bob;
static struct http_reply reply;

static void start(const char *const env[])
{
    relay = relay_start(NULL, env);
    alice = relay_token(relay, "alice@team");
    bob = relay_token(relay, "bob@team");
}

static void teardown(void)
{
    http_reply_free(&reply);
    free(alice);
    free(bob);
}

static int call(
    const char *method, const char *path, const char *bearer, const char *const headers[], const char *body)
{
    http_reply_free(&reply);
    relay_call(relay, method, path, bearer, headers, body, &reply);
    return reply.status;
}

static int poll_channel(const char *token)
{
    return call("POST", "/api/channel/poll", token, NULL, "");
}

static void assert_limited(int64_t least_s, int64_t most_s)
{
    int64_t seconds = 0;
    ck_assert_int_eq(reply.status, 429);
    ck_assert_str_eq(json_text_or(reply.json, "error", ""), "rate_limited");
    ck_assert_int_eq(json_get_int(reply.json, "retry_after", &seconds), JSON_FIELD_FOUND);
    ck_assert_int_ge(seconds, least_s);
    ck_assert_int_le(seconds, most_s);
    char *header = xasprintf("\nRetry-After: %lld\r", (long long)seconds);
    ck_assert_ptr_nonnull(strcasestr(buf_text(&reply.headers), header));
    free(header);
}

START_TEST(token_limit)
{
    static const char *const env[] = {"PATCHCORD_RATE_LIMIT_PER_MINUTE=5", NULL};
    start(env);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(poll_channel(alice), 200);
    ck_assert_int_eq(poll_channel(alice), 429);
    assert_limited(59, 60);
    ck_assert_int_eq(call("POST", "/mcp/bearer", alice, NULL, "{}"), 429);
    ck_assert_int_eq(poll_channel(bob), 200);
    /* What only looks or acknowledges goes on. */
    ck_assert_int_eq(call("GET", "/api/inbox", alice, NULL, NULL), 200);
    ck_assert_int_eq(call("POST", "/api/ack", alice, NULL, "{\"ids\":[]}"), 200);
    ck_assert_int_eq(call("GET", "/health", alice, NULL, NULL), 200);
    ck_assert(relay_log_has(relay, "token_banned"));
    ck_assert_int_eq(relay_metric(relay, "patchcord_bans"), 1);
}
END_TEST

START_TEST(ban_survives_a_restart)
{
    static const char *const env[] = {
        "PATCHCORD_RATE_LIMIT_PER_MINUTE=3", "PATCHCORD_RATE_BAN_SECONDS=3600", NULL};
    start(env);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(poll_channel(alice), 200);
    ck_assert_int_eq(poll_channel(alice), 429);
    relay_kill(relay);
    relay_restart(relay, NULL);
    ck_assert_int_eq(poll_channel(alice), 429);
    assert_limited(3500, 3600);
    ck_assert_int_eq(poll_channel(bob), 200);
}
END_TEST

static bool is_let_in(void *arg)
{
    return poll_channel(arg) == 200;
}

/* Calls during a ban do not extend it: polling all the while, the token is let in again. */
START_TEST(ban_ends)
{
    static const char *const env[] = {
        "PATCHCORD_RATE_LIMIT_PER_MINUTE=2", "PATCHCORD_RATE_BAN_SECONDS=1", NULL};
    start(env);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(poll_channel(alice), 200);
    ck_assert_int_eq(poll_channel(alice), 429);
    assert_limited(1, 1);
    ck_assert(poll_until(is_let_in, alice, 5000));
}
END_TEST

/* How often the store was asked whose a credential is. */
static int64_t lookups(void)
{
    const int64_t found = relay_metric(
                      relay, "patchcord_store_seconds_count{operation=\"token_find\",outcome=\"done\"}"),
                  absent = relay_metric(
                      relay, "patchcord_store_seconds_count{operation=\"token_find\",outcome=\"absent\"}");
    return (found > 0 ? found : 0) + (absent > 0 ? absent : 0);
}

/* Bob, whom this relay has not seen yet, at the address that is shut out. */
static bool is_served_there(void *arg)
{
    static const char *const client[] = {"X-Forwarded-For: 203.0.113.9", NULL};
    (void)arg;
    return call("GET", "/api/inbox", bob, client, NULL) == 200;
}

START_TEST(address_limit)
{
    static const char *const env[] = {"PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=4", NULL};
    static const char *const client[] = {"X-Forwarded-For: 203.0.113.9", NULL},
                             *const other[] = {"X-Forwarded-For: 203.0.113.10", NULL},
                             *const spoofed[] = {"X-Forwarded-For: 198.51.100.1, 203.0.113.9", NULL};
    start(env);
    ck_assert_int_eq(call("GET", "/api/inbox", alice, client, NULL), 200);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(call("GET", "/api/inbox", i % 2 ? NULL : "pc_wrong", client, NULL), 401);
    ck_assert_int_eq(call("GET", "/api/inbox", NULL, client, NULL), 429);
    assert_limited(59, 60);
    ck_assert_int_eq(call("GET", "/api/inbox", NULL, spoofed, NULL), 429);
    ck_assert_int_eq(call("GET", "/api/inbox", NULL, other, NULL), 401);
    ck_assert_int_eq(call("GET", "/api/inbox", NULL, NULL, NULL), 401);
    /* Who has a credential is not locked out by others at the same address. */
    ck_assert_int_eq(call("GET", "/api/inbox", alice, client, NULL), 200);
    /* But the store is asked once a second at most for a credential that was not good before. */
    const int64_t asked = lookups(), began_us = now_us();
    for (int i = 0; i < 50; i++) {
        char unknown[16];
        (void)snprintf(unknown, sizeof unknown, "pc_another%d", i);
        ck_assert_int_eq(call("GET", "/api/inbox", unknown, client, NULL), 429);
    }
    assert_limited(1, 60);
    ck_assert_int_ge(lookups(), asked + 1);
    ck_assert_int_le(lookups(), asked + 1 + (now_us() - began_us) / 1000000);
    /* So who has a good one waits for that at most. */
    ck_assert(poll_until(is_served_there, NULL, 5000));
    ck_assert_int_eq(call("GET", "/health", NULL, client, NULL), 200);
    ck_assert(relay_log_has(relay, "address_banned"));
}
END_TEST

START_TEST(header_of_an_untrusted_peer)
{
    static const char *const env[] = {
        "PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=2", "PATCHCORD_TRUSTED_PROXIES=10.0.0.0/8", NULL};
    start(env);
    char header[64];
    for (int i = 0; i < 3; i++) {
        (void)snprintf(header, sizeof header, "X-Forwarded-For: 203.0.113.%d", i);
        ck_assert_int_eq(
            call("GET", "/api/inbox", NULL, (const char *const[]){header, NULL}, NULL), i < 2 ? 401 : 429);
    }
}
END_TEST

/* Older clients ask for these at each start, without a credential that we know. */
START_TEST(absent_paths_are_no_failed_logins)
{
    static const char *const env[] = {"PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=1", NULL};
    start(env);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(call("GET", "/api/skills/team/alice", "pc_wrong", NULL, NULL), 404);
        ck_assert_ptr_nonnull(reply.json);
        ck_assert_int_eq(call("POST", "/api/agent/install-path", "pc_wrong", NULL, "{}"), 404);
        ck_assert_ptr_nonnull(reply.json);
    }
    ck_assert_int_eq(call("GET", "/api/inbox", NULL, NULL, NULL), 401);
    ck_assert_int_eq(call("GET", "/api/inbox", NULL, NULL, NULL), 429);
}
END_TEST

START_TEST(guessing_the_operators_token)
{
    static const char *const env[] = {
        "PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=3", "PATCHCORD_CLEANUP_TOKEN=operator-token", NULL};
    start(env);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(call("POST", "/api/cleanup", "guess", NULL, ""), 401);
    ck_assert_int_eq(call("POST", "/api/cleanup", "guess", NULL, ""), 429);
    ck_assert_int_eq(call("POST", "/api/cleanup", "operator-token", NULL, ""), 200);
}
END_TEST

START_TEST(zero_turns_limits_off)
{
    start(NULL); /* the harness' own settings: 0 */
    for (int i = 0; i < 150; i++)
        ck_assert_int_eq(poll_channel(alice), 200);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(call("GET", "/api/inbox", NULL, NULL, NULL), 401);
}
END_TEST

static bool waits_out(void *token)
{
    bool is_error = false;
    free(mcp_tool(relay, token, "wait_for_message", "{\"timeout_seconds\":1}", &is_error));
    return !is_error;
}

/* At the edge; and a place comes free. */
START_TEST(waits_of_an_agent)
{
    static const char wait[] = "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":300}}";
    struct open_call *calls[WAITS_PER_AGENT];
    start(NULL);
    for (int i = 0; i < WAITS_PER_AGENT; i++)
        calls[i] = call_begin(relay, alice, "tools/call", wait, NULL);
    ck_assert(relay_await_parked(relay, WAITS_PER_AGENT));
    tool_fails(relay, alice, "wait_for_message", "{\"timeout_seconds\":300}",
        "alice@team waits 64 times already, as often as an agent may: end a wait, or look with inbox.");
    struct open_call *others = call_begin(relay, bob, "tools/call", wait, NULL);
    ck_assert(relay_await_parked(relay, WAITS_PER_AGENT + 1));
    tool_says(relay, alice, "inbox", "{}", "0 pending");

    call_end(calls[0]);
    ck_assert(poll_until(waits_out, alice, 5000));
    for (int i = 1; i < WAITS_PER_AGENT; i++)
        call_end(calls[i]);
    call_end(others);
}
END_TEST

/* Whether the relay answers over the connection; it does not, where it closed it. */
static bool is_served(int fd)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: relay\r\n\r\n";
    char answer[16];
    return send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0 && recv(fd, answer, sizeof answer, 0) > 0;
}

static bool is_served_anew(void *arg)
{
    (void)arg;
    const int fd = relay_connect(relay);
    const bool served = is_served(fd);
    close(fd);
    return served;
}

START_TEST(connections_of_an_address)
{
    enum { MOST = 3 };
    static const char *const env[] = {"PATCHCORD_CONNECTIONS_PER_ADDRESS=3", NULL};
    int fds[MOST];
    start(env);
    /* The harness' own are gone. */
    ck_assert(poll_until(is_served_anew, NULL, 5000));
    for (int i = 0; i < MOST; i++) {
        fds[i] = relay_connect(relay);
        ck_assert(is_served(fds[i]));
    }
    ck_assert(!is_served_anew(NULL));
    ck_assert(is_served(fds[MOST - 1]));
    close(fds[0]);
    ck_assert(poll_until(is_served_anew, NULL, 5000));
    for (int i = 1; i < MOST; i++)
        close(fds[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *tests = harness_case(suite, "limits");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, token_limit);
    tcase_add_test(tests, ban_survives_a_restart);
    tcase_add_test(tests, ban_ends);
    tcase_add_test(tests, address_limit);
    tcase_add_test(tests, header_of_an_untrusted_peer);
    tcase_add_test(tests, absent_paths_are_no_failed_logins);
    tcase_add_test(tests, guessing_the_operators_token);
    tcase_add_test(tests, zero_turns_limits_off);
    tcase_add_test(tests, waits_of_an_agent);
    tcase_add_test(tests, connections_of_an_address);
    return run_suite(suite);
}
