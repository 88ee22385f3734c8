/* Who is let in: tokens good, bad, revoked and rotated; the Origin of pages; the operator's own tokens. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

enum { SOON_MS = 5 * 1000, COMMAND_MS = 20 * 1000 };

static struct relay_process *relay;
static char *token;
static struct http_reply reply;

static void setup(void)
{
    relay = relay_start(NULL, NULL);
    token = relay_token(relay, "alice@team");
}

static void teardown(void)
{
    http_reply_free(&reply);
    free(token);
}

static int call(
    const char *method, const char *path, const char *bearer, const char *const headers[], const char *body)
{
    http_reply_free(&reply);
    relay_call(relay, method, path, bearer, headers, body, &reply);
    return reply.status;
}

static bool header_is(const char *line)
{
    return strcasestr(buf_text(&reply.headers), line) != NULL;
}

static int run_admin(const char *const argv[], struct buf *out)
{
    struct program_result result;
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    run_program(argv, (const char *const[]){data, NULL}, NULL, COMMAND_MS, &result);
    if (out)
        buf_puts(out, buf_text(&result.out));
    const int code = result.exit_code;
    program_result_free(&result);
    free(data);
    return code;
}

/* ---- tokens ---- */

static const struct {
    const char *method, *path, *body;
} protected[] = {
    {"POST", "/mcp", "{}"},
    {"GET", "/mcp", NULL},
    {"DELETE", "/mcp", NULL},
    {"POST", "/mcp/bearer", "{}"},
    {"GET", "/mcp/bearer", NULL},
    {"GET", "/api/inbox", NULL},
    {"POST", "/api/ack", "{}"},
    {"GET", "/api/events", NULL},
    {"POST", "/api/channel/poll", "{}"},
    {"POST", "/api/channel/send", "{}"},
    {"POST", "/api/channel/reply", "{}"},
};

/* RFC 6750 section 3 and RFC 9728 section 5.1. */
static void assert_challenge(const char *path, bool is_wrong)
{
    static const char metadata[] = "/.well-known/oauth-protected-resource/mcp\", scope=\"messages\"\r\n";
    ck_assert_msg(header_is("WWW-Authenticate: Bearer"), "%s", path);
    ck_assert_msg(header_is("error=\"invalid_token\"") == is_wrong, "%s", path);
    ck_assert_msg(header_is(metadata) == (strcmp(path, "/mcp") == 0), "%s", path);
}

START_TEST(every_door_wants_a_token)
{
    static const char *const tokens[] = {NULL, "pc_unknown", "x y", ""};
    for (size_t i = 0; i < LENGTH_OF(protected); i++) {
        for (size_t t = 0; t < LENGTH_OF(tokens); t++) {
            ck_assert_int_eq(
                call(protected[i].method, protected[i].path, tokens[t], NULL, protected[i].body), 401);
            assert_challenge(protected[i].path, t == 1 || t == 2);
            ck_assert_str_eq(json_text_or(reply.json, "error", ""), "invalid_token");
            ck_assert_ptr_nonnull(json_text_or(reply.json, "message", NULL));
        }
    }
}
END_TEST

START_TEST(good_token)
{
    ck_assert_int_eq(call("GET", "/api/inbox", token, NULL, NULL), 200);
    ck_assert_str_eq(json_text_or(reply.json, "agent_id", ""), "alice");
    ck_assert_str_eq(json_text_or(reply.json, "namespace_id", ""), "team");
    char *odd = xasprintf("Authorization: bearer   %s", token);
    ck_assert_int_eq(call("GET", "/api/inbox", NULL, (const char *const[]){odd, NULL}, NULL), 200);
    free(odd);
    ck_assert_int_eq(
        call("GET", "/api/inbox", NULL, (const char *const[]){"Authorization: Basic YTpi", NULL}, NULL), 401);
}
END_TEST

static bool is_refused(void *arg)
{
    return call("GET", "/api/inbox", arg, NULL, NULL) == 401;
}

static bool is_accepted(void *arg)
{
    return call("GET", "/api/inbox", arg, NULL, NULL) == 200;
}

/* Blanks around a header's value are no part of it. */
START_TEST(blanks_around_a_token)
{
    char *header = xasprintf("Authorization:  Bearer %s \t", token);
    ck_assert_int_eq(call("GET", "/api/inbox", NULL, (const char *const[]){header, NULL}, NULL), 200);
    free(header);
}
END_TEST

START_TEST(revoked_token)
{
    ck_assert_int_eq(call("GET", "/api/inbox", token, NULL, NULL), 200); /* cached from now on */
    const int64_t began = now_us();
    ck_assert_int_eq(
        run_admin((const char *const[]){"patchcord-relay", "token", "revoke", token, NULL}, NULL), 0);
    ck_assert(poll_until(is_refused, token, SOON_MS));
    ck_assert_msg(now_us() - began < SOON_MS * 1000, "took %lld us", (long long)(now_us() - began));
    ck_assert_int_eq(
        run_admin((const char *const[]){"patchcord-relay", "token", "revoke", token, NULL}, NULL), 1);
}
END_TEST

/* A token that nobody knew a moment ago is good as soon as it is added. */
START_TEST(added_while_it_is_refused)
{
    static char existing[] = "an-existing-token-of-good-length";
    struct program_result result;
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    ck_assert_int_eq(call("GET", "/api/inbox", existing, NULL, NULL), 401);
    run_program((const char *const[]){"patchcord-relay", "token", "add", "--token", "-", "bob@team", NULL},
        (const char *const[]){data, NULL}, "an-existing-token-of-good-length\n", COMMAND_MS, &result);
    ck_assert_int_eq(result.exit_code, 0);
    ck_assert_str_eq(buf_text(&result.out), "");
    ck_assert(poll_until(is_accepted, existing, SOON_MS));
    program_result_free(&result);
    free(data);
}
END_TEST

START_TEST(rotated_token)
{
    struct buf out = {0};
    ck_assert_int_eq(run_admin((const char *const[]){"patchcord-relay", "token", "rotate", "team:alice",
                                   "--grace", "1h", NULL},
                         &out),
        0);
    char *fresh = buf_take(&out);
    fresh[strcspn(fresh, "\n")] = '\0';
    ck_assert(poll_until(is_accepted, fresh, SOON_MS));
    ck_assert_int_eq(call("GET", "/api/inbox", token, NULL, NULL), 200);
    ck_assert_int_eq(
        run_admin((const char *const[]){"patchcord-relay", "token", "rotate", "alice@team", NULL}, &out), 0);
    char *freshest = buf_take(&out);
    freshest[strcspn(freshest, "\n")] = '\0';
    ck_assert(poll_until(is_refused, fresh, SOON_MS));
    ck_assert(poll_until(is_refused, token, SOON_MS)); /* each is remembered by itself until the news comes */
    ck_assert_int_eq(call("GET", "/api/inbox", freshest, NULL, NULL), 200);
    free(fresh);
    free(freshest);
}
END_TEST

/* The cache keeps nobody longer than the token lives. */
START_TEST(grace_ends)
{
    ck_assert_int_eq(run_admin((const char *const[]){"patchcord-relay", "token", "rotate", "team:alice",
                                   "--grace", "1s", NULL},
                         NULL),
        0);
    ck_assert(poll_until(is_refused, token, SOON_MS));
}
END_TEST

/* What is parked or streams ends with its credential. */
START_TEST(revocation_ends_what_waits)
{
    struct open_call *events = call_get(relay, token, "/api/events", NULL);
    struct open_call *wait = call_begin(relay, token, "tools/call",
        "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":60}}", NULL);
    ck_assert(relay_await_parked(relay, 2));
    ck_assert_int_eq(
        run_admin(
            (const char *const[]){"patchcord-relay", "token", "revoke", "--agent", "team:alice", NULL}, NULL),
        0);
    ck_assert(relay_await_parked(relay, 0));
    ck_assert(!call_hears(events, "event: message", 0));
    call_end(events);
    call_end(wait);
}
END_TEST

/* ---- origins ---- */

START_TEST(origins)
{
    static const char *const foreign[] = {"Origin: https://evil.example", NULL},
                             *const null[] = {"Origin: null", NULL},
                             *const local[] = {"Origin: http://localhost:3000", NULL};
    static const char *const paths[] = {"/health", "/api/inbox", "/mcp", "/metrics"};
    for (size_t i = 0; i < LENGTH_OF(paths); i++) {
        ck_assert_int_eq(call("GET", paths[i], token, foreign, NULL), 403);
        ck_assert_int_eq(call("GET", paths[i], token, null, NULL), 403);
    }
    ck_assert_int_eq(call("POST", "/mcp", NULL, foreign, "{}"), 403);
    ck_assert_int_eq(call("GET", "/api/inbox", token, local, NULL), 200);
}
END_TEST

START_TEST(origins_of_a_public_relay)
{
    relay = relay_start(NULL, (const char *const[]){"PATCHCORD_PUBLIC_URL=https://relay.example.org", NULL});
    ck_assert_int_eq(
        call("GET", "/health", NULL, (const char *const[]){"Origin: https://relay.example.org", NULL}, NULL),
        200);
    ck_assert_int_eq(
        call("GET", "/health", NULL, (const char *const[]){"Origin: http://localhost:3000", NULL}, NULL),
        403);
}
END_TEST

/* ---- operators ---- */

START_TEST(metrics)
{
    static const char *const forwarded[] = {"X-Forwarded-For: 127.0.0.1", NULL};
    static const char *const rebound[] = {"Host: attacker.example", NULL};
    static const char *const by_name[] = {"Host: localhost:8000", NULL};
    ck_assert_int_eq(call("GET", "/metrics", NULL, rebound, NULL), 401);
    ck_assert_int_eq(call("GET", "/metrics", NULL, by_name, NULL), 200);
    ck_assert_int_eq(call("GET", "/metrics", NULL, NULL, NULL), 200);
    ck_assert(header_is("Content-Type: text/plain; version=0.0.4"));
    ck_assert_ptr_nonnull(strstr(buf_text(&reply.body), "patchcord_http_requests_total{route="));
    ck_assert_ptr_nonnull(strstr(buf_text(&reply.body), "patchcord_messages{status=\"pending\"} 0\n"));
    ck_assert_int_eq(call("GET", "/metrics", NULL, forwarded, NULL), 401);
    ck_assert_int_eq(call("GET", "/metrics", token, forwarded, NULL), 401);

    relay = relay_start(NULL, (const char *const[]){"PATCHCORD_METRICS_TOKEN=scrape-me", NULL});
    ck_assert_int_eq(call("GET", "/metrics", "scrape-me", forwarded, NULL), 200);
    ck_assert_int_eq(call("GET", "/metrics", "scrape-m", forwarded, NULL), 401);
}
END_TEST

START_TEST(cleanup_token)
{
    ck_assert_int_eq(call("POST", "/api/cleanup", token, NULL, ""), 401);
    ck_assert_str_eq(json_text_or(reply.json, "status", ""), "error");
    ck_assert_str_eq(json_text_or(reply.json, "message", ""), "Unauthorized");
    ck_assert_int_eq(call("POST", "/api/cleanup/oauth", NULL, NULL, ""), 401);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth");
    TCase *tests = harness_case(suite, "auth");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_door_wants_a_token);
    tcase_add_test(tests, good_token);
    tcase_add_test(tests, blanks_around_a_token);
    tcase_add_test(tests, revoked_token);
    tcase_add_test(tests, added_while_it_is_refused);
    tcase_add_test(tests, rotated_token);
    tcase_add_test(tests, grace_ends);
    tcase_add_test(tests, revocation_ends_what_waits);
    tcase_add_test(tests, origins);
    tcase_add_test(tests, origins_of_a_public_relay);
    tcase_add_test(tests, metrics);
    tcase_add_test(tests, cleanup_token);
    return run_suite(suite);
}
