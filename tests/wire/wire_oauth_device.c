/* Bridges that log in, with the real `patchcord login` and the relay's page; and the operator's way to let
 * known clients in by themselves. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/json.h"
#include "../../common/url.h"
#include "../harness_faults.h"
#include "../harness_visitor.h"

#define UNKNOWN_CODE "0123-4567-89AB-C"
#define DEVICE_GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=patchcord"

enum { LOGIN_MS = 30 * 1000 };

static struct visitor v, other;
static char *device_code, *user_code;

static void begin(const char *const env[])
{
    v.relay = other.relay = relay_start(NULL, env);
}

static void setup(void)
{
    static const char *const env[] = {"PATCHCORD_LOG_LEVEL=debug", NULL};
    begin(env);
}

static void teardown(void)
{
    visitor_check_log(&v);
    visitor_free(&v);
    visitor_free(&other);
    free(device_code);
    free(user_code);
    device_code = user_code = NULL;
}

static void has_status(int status)
{
    ck_assert_msg(
        v.reply.status == status, "%d instead of %d: %s", v.reply.status, status, buf_text(&v.reply.body));
}

static void sees(const char *text)
{
    ck_assert_msg(visitor_sees(&v, text), "no %s in %s", text, buf_text(&v.reply.body));
}

/* ---- steps ---- */

static void device_asks(void)
{
    static const char *const headers[] = {"X-Patchcord-Machine: lap<b>top", NULL};
    visitor_post_with(&v, "/device_authorization", "client_id=patchcord", headers);
    has_status(200);
    free(device_code);
    free(user_code);
    device_code = xstrdup(visitor_json(&v, "device_code"));
    user_code = xstrdup(visitor_json(&v, "user_code"));
}

static int device_polls(void)
{
    char *form = xasprintf("%s&device_code=%s", DEVICE_GRANT, device_code);
    const int status = visitor_post(&v, "/token", form);
    free(form);
    return status;
}

static void polls_says(const char *error)
{
    device_polls();
    has_status(400);
    ck_assert_str_eq(visitor_json(&v, "error"), error);
}

/* GET /device, and the form with that user code. */
static int look(const char *code)
{
    struct buf form = {0};
    visitor_get(&v, "/device");
    has_status(200);
    buf_printf(&form, "request=%s&user_code=", v.state);
    url_encode(&form, code, strlen(code));
    const int status = visitor_post(&v, "/device", buf_text(&form));
    buf_free(&form);
    return status;
}

static int deny(void)
{
    char *form = xasprintf("request=%s&decision=deny", v.state);
    const int status = visitor_post(&v, "/device", form);
    free(form);
    return status;
}

/* ---- the real bridge ---- */

static char *shown_code(struct program *login)
{
    ck_assert_msg(program_await(login, "and enter ", LOGIN_MS), "%s", buf_text(&login->read));
    ck_assert(program_await(login, "Waiting for", LOGIN_MS));
    const char *at = strstr(buf_text(&login->read), "and enter ") + strlen("and enter ");
    return xmemdup_text(at, strcspn(at, "\n"));
}

START_TEST(a_bridge_logs_in_with_a_connect_code)
{
    char *home = xasprintf("HOME=%s", temp_folder());
    const char *const env[] = {home, "XDG_CONFIG_HOME", NULL};
    const char *const argv[] = {"patchcord", "login", v.relay->url, NULL};
    char *connect = visitor_connect_code(&v, "--agent frontend@shop");
    struct program *login = program_start(argv, env);
    char *code = shown_code(login);
    visitor_secret(code);
    char *url = xasprintf("Open      http://localhost:%d/device\n", v.relay->port);
    ck_assert_msg(strstr(buf_text(&login->read), url) != NULL, "%s", buf_text(&login->read));
    ck_assert_int_eq(look(code), 200);
    sees("<dd>127.0.0.1</dd>");
    sees(code);
    sees("only if you started this yourself");
    ck_assert_int_eq(visitor_allow(&v, "/device", connect), 200);
    sees("frontend@shop");
    ck_assert_msg(
        program_await(login, "This folder is now frontend@shop", LOGIN_MS), "%s", buf_text(&login->read));
    ck_assert_int_eq(program_end(login, 0), 0);
    free(url);
    free(code);
    free(connect);
    free(home);
}
END_TEST

/* ---- the protocol ---- */

START_TEST(a_device_that_is_allowed_gets_its_token_once)
{
    char *connect = visitor_connect_code(&v, "--agent frontend@shop");
    device_asks();
    ck_assert_str_eq(visitor_header(&v, "Cache-Control"), "no-store");
    ck_assert_int_eq(look(user_code), 200);
    sees("lapbtop"); /* names of machines are plain */
    ck_assert_int_eq(visitor_allow(&v, "/device", connect), 200);
    device_polls();
    has_status(200);
    int64_t seconds;
    ck_assert_int_eq(json_get_int(v.reply.json, "expires_in", &seconds), JSON_FIELD_ABSENT);
    ck_assert_str_eq(visitor_json(&v, "refresh_token"), "");
    ck_assert_str_eq(visitor_json(&v, "agent"), "frontend");
    ck_assert_str_eq(visitor_json(&v, "namespace"), "shop");
    char *token = xstrdup(visitor_json(&v, "access_token"));
    tool_says(v.relay, token, "inbox", "{}", "frontend@shop");
    polls_says("expired_token");
    ck_assert_int_eq(look(user_code), 400);

    struct program_result result = {0};
    ck_assert_int_eq(relay_command(v.relay, "token list", NULL, &result), 0);
    ck_assert_msg(strstr(buf_text(&result.out), "frontend@shop") != NULL, "%s", buf_text(&result.out));
    program_result_free(&result);
    free(token);
    free(connect);
}
END_TEST

START_TEST(a_device_that_asks_too_often_is_slowed_down)
{
    device_asks();
    polls_says("authorization_pending");
    polls_says("slow_down");
}
END_TEST

START_TEST(a_person_says_no)
{
    device_asks();
    ck_assert_int_eq(look(user_code), 200);
    ck_assert_int_eq(deny(), 200);
    sees("Refused");
    polls_says("access_denied");
    ck_assert_int_eq(deny(), 400);
    sees("Nobody waits any more");
}
END_TEST

START_TEST(wrong_codes_let_no_device_in)
{
    char *connect = visitor_connect_code(&v, "--agent frontend@shop"),
         *used = visitor_connect_code(&v, "--agent a@b");
    ck_assert_int_eq(look("ZZZZ-ZZZZ"), 400);
    ck_assert_int_eq(look("nonsense"), 400);
    device_asks();
    ck_assert_int_eq(look(user_code), 200);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(visitor_allow(&v, "/device", UNKNOWN_CODE), 400);
        sees("role=\"alert\"");
    }
    ck_assert_int_eq(visitor_allow(&v, "/device", user_code), 400);
    ck_assert_int_eq(visitor_allow(&v, "/device", connect), 403); /* the sixth */
    ck_assert_int_eq(look(user_code), 200);
    ck_assert_int_eq(visitor_allow(&v, "/device", connect), 200);
    device_asks();
    ck_assert_int_eq(look(user_code), 200);
    ck_assert_int_eq(visitor_allow(&v, "/device", connect), 400); /* used */
    ck_assert_int_eq(visitor_allow(&v, "/device", used), 200);
    free(connect);
    free(used);
}
END_TEST

START_TEST(a_link_only_fills_in_the_code)
{
    device_asks();
    char *path = xasprintf("/device?user_code=%s", user_code);
    ck_assert_int_eq(visitor_get(&v, path), 200);
    char *value = xasprintf("value=\"%s\"", user_code);
    sees(value);
    ck_assert(!visitor_sees(&v, "127.0.0.1") && !visitor_sees(&v, "name=\"decision\""));
    ck_assert_int_eq(visitor_get(&v, "/device?user_code=%22%3E%3Cscript%3E"), 200);
    ck_assert(!visitor_sees(&v, "script") && !visitor_sees(&v, "\">\""));
    free(path);
    free(value);
}
END_TEST

START_TEST(only_the_browser_that_saw_the_page_may_decide)
{
    char *connect = visitor_connect_code(&v, "--agent frontend@shop");
    device_asks();
    ck_assert_int_eq(look(user_code), 200);
    char *form = xasprintf("request=%s&decision=allow&code=%s", v.state, connect);
    ck_assert_int_eq(visitor_post(&other, "/device", form), 400);
    visitor_get(&other, "/device");
    ck_assert_int_eq(visitor_post(&other, "/device", form), 400);
    ck_assert_int_eq(
        visitor_post_with(&v, "/device", form, (const char *const[]){"Origin: https://evil.example", NULL}),
        403);
    visitor_get(&v, "/device"); /* the first page's state does not decide */
    ck_assert_int_eq(visitor_allow(&v, "/device", connect), 400);
    ck_assert_int_eq(visitor_post(&v, "/device", form), 200);
    free(form);
    free(connect);
}
END_TEST

START_TEST(only_the_bridge_may_ask)
{
    static const char *const forms[] = {"", "client_id=else", "client_id=patchcord&client_id=x"};
    for (size_t i = 0; i < LENGTH_OF(forms); i++)
        ck_assert_int_eq(visitor_post(&v, "/device_authorization", forms[i]), 400);
    static const char *const grants[] = {DEVICE_GRANT, DEVICE_GRANT "&device_code=pc_x"};
    static const char *const errors[] = {"invalid_request", "expired_token"};
    for (size_t i = 0; i < LENGTH_OF(grants); i++) {
        ck_assert_int_eq(visitor_post(&v, "/token", grants[i]), 400);
        ck_assert_str_eq(visitor_json(&v, "error"), errors[i]);
    }
}
END_TEST

START_TEST(devices_run_out)
{
    struct faults *faults = faults_new();
    begin(faults_env(faults));
    device_asks();
    faults_pass_time(faults, 10 * MS_PER_MINUTE + MS_PER_SECOND);
    ck_assert_int_eq(look(user_code), 400);
    polls_says("expired_token");
    ck_assert_int_eq(relay_stop(v.relay), 0);
    faults_free(faults);
}
END_TEST

START_TEST(devices_are_limited_by_rate)
{
    static const char *const env[] = {"PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=5", NULL};
    begin(env);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(visitor_post(&v, "/device_authorization", "client_id=patchcord"), i < 5 ? 200 : 429);
}
END_TEST

/* ---- clients that are let in by themselves ---- */

#define ASK "&code_challenge=" PKCE_CHALLENGE "&code_challenge_method=S256&response_type=code"

static int ask_from(const char *redirect, const char *client_name)
{
    struct buf path = {0};
    char *json =
        xasprintf("{\"redirect_uris\":[\"%s\"],\"client_name\":\"%s\",\"token_endpoint_auth_method\":"
                  "\"none\"}",
            redirect, client_name);
    visitor_register(&v, json);
    has_status(201);
    buf_printf(&path, "/authorize?client_id=%s&redirect_uri=", visitor_json(&v, "client_id"));
    url_encode(&path, redirect, strlen(redirect));
    buf_puts(&path, ASK);
    const int status = visitor_get(&v, buf_text(&path));
    buf_free(&path);
    free(json);
    return status;
}

START_TEST(known_clients_are_let_in_where_the_operator_says_so)
{
    static const char *const env[] = {"PATCHCORD_OAUTH_AUTO_APPROVE=true",
        "PATCHCORD_OAUTH_DEFAULT_NAMESPACE=home", "PATCHCORD_LOG_LEVEL=debug", NULL};
    begin(env);
    ck_assert(relay_log_has(v.relay, "oauth_auto_approve"));
    ck_assert_int_eq(ask_from("https://claude.ai/api/mcp/auth_callback", "Anything"), 303);
    char *code = visitor_located(&v, "code");
    ck_assert_ptr_nonnull(code);
    free(code);
    ck_assert_int_eq(ask_from("https://evil.example/claude.ai", "claude.ai"), 200); /* never by its name */
    ck_assert(visitor_sees(&v, "Connect code"));
    ck_assert_int_eq(ask_from("http://localhost/callback", "Claude"), 200);
}
END_TEST

START_TEST(the_agent_of_a_known_client_is_the_tables)
{
    static const char *const env[] = {"PATCHCORD_OAUTH_AUTO_APPROVE=true",
        "PATCHCORD_OAUTH_DEFAULT_NAMESPACE=home", "PATCHCORD_KNOWN_OAUTH_CLIENTS=mine:client.example", NULL};
    begin(env);
    ck_assert_int_eq(ask_from("https://app.client.example/callback", "x"), 303);
    ck_assert(relay_log_has(v.relay, "agent=mine namespace=home"));
}
END_TEST

START_TEST(nobody_is_let_in_by_itself_on_a_public_relay)
{
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", temp_folder());
    const char *const argv[] = {"patchcord-relay", "serve", NULL};
    const char *const env[] = {data, "PATCHCORD_PORT=0", "PATCHCORD_OAUTH_AUTO_APPROVE=true",
        "PATCHCORD_PUBLIC_URL=https://relay.example.org", NULL};
    struct program_result result;
    run_program(argv, env, NULL, LOGIN_MS, &result);
    ck_assert_int_eq(result.exit_code, 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "PATCHCORD_OAUTH_AUTO_APPROVE"));
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "https://relay.example.org"));
    program_result_free(&result);
    free(data);
}
END_TEST

START_TEST(bad_tables_stop_the_start)
{
    static const char *const settings[] = {
        "PATCHCORD_OAUTH_CLIENTS=nonsense", "PATCHCORD_KNOWN_OAUTH_CLIENTS=nonsense"};
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", temp_folder());
    const char *const argv[] = {"patchcord-relay", "serve", NULL};
    const char *const env[] = {
        data, "PATCHCORD_PORT=0", "PATCHCORD_OAUTH_AUTO_APPROVE=true", settings[_i], NULL};
    struct program_result result;
    run_program(argv, env, NULL, LOGIN_MS, &result);
    ck_assert_int_eq(result.exit_code, 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "'nonsense'"));
    program_result_free(&result);
    free(data);
}
END_TEST

START_TEST(tables_without_the_switch_are_warned_of_and_let_nobody_in)
{
    static const char *const env[] = {"PATCHCORD_KNOWN_OAUTH_CLIENTS=mine:client.example", NULL};
    begin(env);
    ck_assert(relay_log_has(v.relay, "unused_setting"));
    ck_assert_int_eq(ask_from("https://client.example/callback", "x"), 200);
    ck_assert_int_eq(ask_from("https://claude.ai/api/mcp/auth_callback", "x"), 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oauth_device");
    TCase *tests = harness_case(suite, "device");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_bridge_logs_in_with_a_connect_code);
    tcase_add_test(tests, a_device_that_is_allowed_gets_its_token_once);
    tcase_add_test(tests, a_device_that_asks_too_often_is_slowed_down);
    tcase_add_test(tests, a_person_says_no);
    tcase_add_test(tests, wrong_codes_let_no_device_in);
    tcase_add_test(tests, a_link_only_fills_in_the_code);
    tcase_add_test(tests, only_the_browser_that_saw_the_page_may_decide);
    tcase_add_test(tests, only_the_bridge_may_ask);
    tcase_add_test(tests, devices_run_out);
    tcase_add_test(tests, devices_are_limited_by_rate);
    tcase_add_test(tests, known_clients_are_let_in_where_the_operator_says_so);
    tcase_add_test(tests, the_agent_of_a_known_client_is_the_tables);
    tcase_add_test(tests, nobody_is_let_in_by_itself_on_a_public_relay);
    tcase_add_loop_test(tests, bad_tables_stop_the_start, 0, 2);
    tcase_add_test(tests, tables_without_the_switch_are_warned_of_and_let_nobody_in);
    return run_suite(suite);
}
