/* oauth_rig.h: a client of the real relay and its person's browser, step by step, for the tests of logging in
 * (wire_oauth_*.c): how it goes well, and every way in which somebody may try to get in, or get more, than the operator's
 * code gives. Its fixture asserts after each test that the relay's log has no secret. */
#ifndef TESTS_OAUTH_RIG_H
#define TESTS_OAUTH_RIG_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/json.h"
#include "../harness_faults.h"
#include "../harness_visitor.h"

#define CALLBACK     "https://client.example/callback"
#define CALLBACK_ESC "https%3A%2F%2Fclient.example%2Fcallback"
#define NAME         "A client"
#define PUBLIC                                                                                               \
    "{\"redirect_uris\":[\"" CALLBACK "\"],\"client_name\":\"" NAME                                          \
    "\",\"token_endpoint_auth_method\":\"none\"}"
#define ASK   "&code_challenge=" PKCE_CHALLENGE "&code_challenge_method=S256&response_type=code"
#define STATE "&state=s%26t%20%C3%A4"

static const char *const debug_log[] = {"PATCHCORD_LOG_LEVEL=debug", NULL};

static struct visitor v, other;
static char *client, *access_token, *refresh_token;

static inline void begin(const char *const env[])
{
    v.relay = other.relay = relay_start(NULL, env);
}

static inline void setup(void)
{
    visitor_secret(PKCE_VERIFIER);
    begin(debug_log);
}

static inline void teardown(void)
{
    visitor_check_log(&v);
    visitor_free(&v);
    visitor_free(&other);
    free(client);
    free(access_token);
    free(refresh_token);
    client = access_token = refresh_token = NULL;
}

/* ---- steps ---- */

static inline void set(char **text, const char *value)
{
    free(*text);
    *text = xstrdup(value);
}

static inline void has_status(const struct visitor *who, int status)
{
    ck_assert_msg(who->reply.status == status, "%d instead of %d: %s", who->reply.status, status,
        buf_text(&who->reply.body));
}

static inline void register_client(const char *json)
{
    visitor_register(&v, json);
    has_status(&v, 201);
    set(&client, visitor_json(&v, "client_id"));
}

/* GET /authorize; more: further parameters, each with its "&". */
static inline int ask_at(struct visitor *who, const char *client_id, const char *redirect, const char *more)
{
    char *path = xasprintf("/authorize?client_id=%s&redirect_uri=%s%s", client_id, redirect, more);
    const int status = visitor_get(who, path);
    free(path);
    return status;
}

static inline void ask(void)
{
    if (!client)
        register_client(PUBLIC);
    ask_at(&v, client, CALLBACK_ESC, ASK STATE);
    has_status(&v, 200);
}

/* All of it, up to the authorization code; the caller frees. */
static inline char *allow_as(const char *words)
{
    char *connect = visitor_connect_code(&v, words);
    ask();
    visitor_allow(&v, "/authorize", connect);
    has_status(&v, 303);
    free(connect);
    char *code = visitor_located(&v, "code");
    ck_assert_ptr_nonnull(code);
    return code;
}

static inline int redeem_with(const char *client_id, const char *code, const char *redirect, const char *more)
{
    char *form = xasprintf("grant_type=authorization_code&client_id=%s&code=%s&redirect_uri=%s%s", client_id,
        code, redirect, more);
    const int status = visitor_post(&v, "/token", form);
    free(form);
    return status;
}

#define VERIFIER "&code_verifier=" PKCE_VERIFIER

static inline void keep_tokens(void)
{
    set(&access_token, visitor_json(&v, "access_token"));
    set(&refresh_token, visitor_json(&v, "refresh_token"));
}

static inline void log_in(const char *words)
{
    char *code = allow_as(words);
    redeem_with(client, code, CALLBACK_ESC, VERIFIER);
    has_status(&v, 200);
    keep_tokens();
    free(code);
}

static inline int refresh_with(const char *client_id, const char *token)
{
    char *form = xasprintf("grant_type=refresh_token&client_id=%s&refresh_token=%s", client_id, token);
    const int status = visitor_post(&v, "/token", form);
    free(form);
    return status;
}

static inline void says_error(int status, const char *error)
{
    has_status(&v, status);
    ck_assert_str_eq(visitor_json(&v, "error"), error);
}

/* A tool, as web clients call it: at /mcp, legacy. The status; the text in v.reply. */
static inline int tool_at(const char *path, const char *token, const char *tool, const char *args)
{
    char *body =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\","
                  "\"arguments\":%s}}",
            tool, args);
    http_reply_free(&v.reply);
    relay_call(v.relay, "POST", path, token, NULL, body, &v.reply);
    free(body);
    return v.reply.status;
}

static inline void is_agent(const char *token, const char *address)
{
    ck_assert_int_eq(tool_at("/mcp", token, "inbox", "{}"), 200);
    ck_assert_msg(visitor_sees(&v, address), "%s", buf_text(&v.reply.body));
}

/* A page that says no, and sends nobody anywhere. */
static inline void is_refusal_page(int status)
{
    has_status(&v, status);
    ck_assert(visitor_sees(&v, "This") && visitor_sees(&v, "cannot be granted"));
    ck_assert_str_eq(visitor_header(&v, "Location"), "");
    ck_assert(!visitor_sees(&v, "<form"));
    ck_assert(!visitor_sees(&v, "http-equiv"));
}

/* ---- all at once ---- */

enum { AT_ONCE = 12 };

/* The same form, sent so many times at the same moment. */
struct rush {
    const char *path, *form;
    pthread_barrier_t start;
    int statuses[AT_ONCE];
};
struct rusher {
    struct rush *rush;
    int number;
};

static inline void *rush_in(void *arg)
{
    const struct rusher *rusher = arg;
    struct rush *rush = rusher->rush;
    char *url = xasprintf("%s%s", v.relay->url, rush->path);
    char *cookie = xasprintf("Cookie: %s", v.cookie);
    const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", cookie, NULL};
    struct http_reply reply;
    pthread_barrier_wait(&rush->start);
    http_call("POST", url, headers, rush->form, &reply);
    rush->statuses[rusher->number] = reply.status;
    http_reply_free(&reply);
    free(url);
    free(cookie);
    return NULL;
}

/* How many of them got that status. */
static inline int count_in_rush(const char *path, const char *form, int status)
{
    struct rush rush = {.path = path, .form = form};
    struct rusher rushers[AT_ONCE];
    pthread_t threads[AT_ONCE];
    int count = 0;
    ck_assert_int_eq(pthread_barrier_init(&rush.start, NULL, AT_ONCE), 0);
    for (int i = 0; i < AT_ONCE; i++) {
        rushers[i] = (struct rusher){&rush, i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, rush_in, &rushers[i]), 0);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        count += rush.statuses[i] == status;
    }
    pthread_barrier_destroy(&rush.start);
    return count;
}

/* A suite of one case with the fixture. */
static inline Suite *oauth_suite(const char *name, TCase **tests)
{
    Suite *suite = suite_create(name);
    *tests = harness_case(suite, name);
    tcase_add_checked_fixture(*tests, setup, teardown);
    return suite;
}

#endif
