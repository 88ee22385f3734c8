/* Codes and tokens: what they give, for which resource, until when, and who may give them back. */
#include "oauth_rig.h"

enum { SOON_MS = 10 * 1000, GRACE_MS = 30 * 1000 };

static void is_nobody(const char *token)
{
    ck_assert_int_eq(tool_at("/mcp", token, "inbox", "{}"), 401);
}

/* ---- attacks: PKCE ---- */

START_TEST(a_wrong_verifier_gets_nothing)
{
    char *code = allow_as("--agent alice@team");
    redeem_with(client, code, CALLBACK_ESC, "");
    says_error(400, "invalid_request");
    redeem_with(client, code, CALLBACK_ESC, "&code_verifier=short");
    says_error(400, "invalid_request");
    redeem_with(client, code, CALLBACK_ESC, "&code_verifier=" PKCE_CHALLENGE); /* plain */
    says_error(400, "invalid_grant");
    redeem_with(client, code, CALLBACK_ESC, "&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl");
    says_error(400, "invalid_grant");
    redeem_with(client, code, CALLBACK_ESC, VERIFIER);
    has_status(&v, 200);
    free(code);
}
END_TEST

/* ---- attacks: codes and tokens that come again ---- */

START_TEST(a_code_that_comes_again_takes_back_what_it_gave)
{
    char *code = allow_as("--agent alice@team");
    redeem_with(client, code, CALLBACK_ESC, VERIFIER);
    has_status(&v, 200);
    keep_tokens();
    is_agent(access_token, "alice@team");
    redeem_with(client, code, CALLBACK_ESC, VERIFIER);
    says_error(400, "invalid_grant");
    is_nobody(access_token);
    refresh_with(client, refresh_token);
    says_error(400, "invalid_grant");
    free(code);
}
END_TEST

START_TEST(a_code_runs_out)
{
    struct faults *faults = faults_new();
    begin(faults_env(faults));
    char *code = allow_as("--agent alice@team");
    faults_pass_time(faults, 61 * MS_PER_SECOND);
    redeem_with(client, code, CALLBACK_ESC, VERIFIER);
    says_error(400, "invalid_grant");
    ck_assert_int_eq(relay_stop(v.relay), 0);
    faults_free(faults);
    free(code);
}
END_TEST

START_TEST(refresh_tokens_rotate_and_their_reuse_ends_the_grant)
{
    struct faults *faults = faults_new();
    begin(faults_env(faults));
    log_in("--agent alice@team");
    char *first = xstrdup(refresh_token);
    refresh_with(client, first);
    has_status(&v, 200);
    ck_assert_str_ne(visitor_json(&v, "refresh_token"), first);
    keep_tokens();
    refresh_with(client, first); /* the answer was lost: a pair beside it */
    has_status(&v, 200);
    ck_assert_str_ne(visitor_json(&v, "refresh_token"), refresh_token);
    char *sibling = xstrdup(visitor_json(&v, "access_token"));
    is_agent(access_token, "alice@team");
    is_agent(sibling, "alice@team");

    faults_pass_time(faults, GRACE_MS + MS_PER_SECOND);
    refresh_with(client, first); /* a thief's */
    says_error(400, "invalid_grant");
    is_nobody(access_token);
    is_nobody(sibling);
    refresh_with(client, refresh_token);
    says_error(400, "invalid_grant");
    ck_assert_int_eq(relay_stop(v.relay), 0);
    faults_free(faults);
    free(first);
    free(sibling);
}
END_TEST

START_TEST(access_runs_out_and_is_refreshed)
{
    static const char *const env[] = {"PATCHCORD_OAUTH_ACCESS_TOKEN_TTL_SECONDS=60",
        "PATCHCORD_OAUTH_REFRESH_TOKEN_TTL_SECONDS=3600", NULL};
    struct faults *faults = faults_new();
    const char *all[8] = {env[0], env[1]};
    for (size_t i = 0; faults_env(faults)[i]; i++)
        all[i + 2] = faults_env(faults)[i];
    begin(all);
    log_in("--agent alice@team");
    is_agent(access_token, "alice@team");
    faults_pass_time(faults, 61 * MS_PER_SECOND);
    is_nobody(access_token);
    refresh_with(client, refresh_token);
    has_status(&v, 200);
    keep_tokens();
    is_agent(access_token, "alice@team");
    faults_pass_time(faults, 3601 * MS_PER_SECOND);
    refresh_with(client, refresh_token);
    says_error(400, "invalid_grant");
    ck_assert_int_eq(relay_stop(v.relay), 0);
    faults_free(faults);
}
END_TEST

/* ---- attacks: clients mixed up ---- */

START_TEST(grants_are_asked_for_properly)
{
    register_client(PUBLIC);
    static const struct {
        const char *form, *error;
        int status;
    } rows[] = {
        {"", "invalid_request", 400},
        {"client_id=CLIENT", "invalid_request", 400},
        {"grant_type=password&client_id=CLIENT&username=a&password=b", "unsupported_grant_type", 400},
        {"grant_type=client_credentials&client_id=CLIENT", "unsupported_grant_type", 400},
        {"grant_type=refresh_token", "invalid_client", 401},
        {"grant_type=refresh_token&client_id=CLIENT", "invalid_request", 400},
        {"grant_type=refresh_token&client_id=CLIENT&refresh_token=pc_x", "invalid_grant", 400},
        {"grant_type=authorization_code&client_id=CLIENT", "invalid_request", 400},
        {"grant_type=authorization_code&client_id=patchcord&code=x", "unauthorized_client", 400},
        {"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&client_id=CLIENT&device_code=x",
            "unauthorized_client", 400},
        {"grant_type=refresh_token&client_id=patchcord&client_secret=x&refresh_token=y", "invalid_client",
            401},
        {"grant_type=%zz", "invalid_request", 400},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const char *gap = strstr(rows[i].form, "CLIENT");
        char *form = gap ? xasprintf("%.*s%s%s", (int)(gap - rows[i].form), rows[i].form, client,
                               gap + strlen("CLIENT"))
                         : xstrdup(rows[i].form);
        visitor_post(&v, "/token", form);
        ck_assert_msg(v.reply.status == rows[i].status, "%s: %d", form, v.reply.status);
        says_error(rows[i].status, rows[i].error);
        ck_assert_str_eq(visitor_header(&v, "Cache-Control"), "no-store");
        free(form);
    }
    visitor_post_with(&v, "/token", "{}", (const char *const[]){"Content-Type: application/json", NULL});
    ck_assert_int_ge(v.reply.status, 400);
}
END_TEST

/* ---- attacks: another resource ---- */

START_TEST(tokens_are_for_the_mcp_endpoint_alone)
{
    log_in("--agent alice@team");
    is_agent(access_token, "alice@team");
    ck_assert_int_eq(tool_at("/mcp/bearer", access_token, "inbox", "{}"), 401);
    static const char *const others[] = {"/api/inbox", "/api/events"};
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        http_reply_free(&v.reply);
        relay_call(v.relay, "GET", others[i], access_token, NULL, NULL, &v.reply);
        ck_assert_msg(v.reply.status == 401, "%s: %d", others[i], v.reply.status);
    }
}
END_TEST

START_TEST(a_foreign_audience_is_refused)
{
    static const char *const foreign[] = {"https%3A%2F%2Fevil.example%2Fmcp", "https%3A%2F%2Flocalhost%2Fmcp",
        "http%3A%2F%2Flocalhost%3A1%2Fmcp", "/mcp", "x", "http%3A%2F%2Flocalhost.evil.example%2Fmcp"};
    char *code = allow_as("--agent alice@team");
    for (size_t i = 0; i < LENGTH_OF(foreign); i++) {
        char *more = xasprintf(ASK "&resource=%s", foreign[i]);
        ask_at(&v, client, CALLBACK_ESC, more);
        is_refusal_page(400);
        free(more);
        more = xasprintf(VERIFIER "&resource=%s", foreign[i]);
        redeem_with(client, code, CALLBACK_ESC, more);
        says_error(400, "invalid_target");
        free(more);
    }
    char *more = xasprintf(VERIFIER "&resource=http%%3A%%2F%%2Flocalhost%%3A%d%%2Fmcp", v.relay->port);
    redeem_with(client, code, CALLBACK_ESC, more);
    has_status(&v, 200);
    free(more);
    free(code);
}
END_TEST

START_TEST(the_resource_is_named_in_the_forms_that_clients_use)
{
    static const char *const forms[] = {
        "localhost:%d/mcp", "localhost:%d/mcp/", "localhost:%d", "localhost:%d/", "127.0.0.1:%d/mcp"};
    register_client(PUBLIC);
    const char *gap = strstr(forms[_i], "%d");
    char *more =
        xasprintf(ASK "&resource=http://%.*s%d%s", (int)(gap - forms[_i]), forms[_i], v.relay->port, gap + 2);
    ask_at(&v, client, CALLBACK_ESC, more);
    has_status(&v, 200);
    free(more);
}
END_TEST

START_TEST(tokens_of_another_public_url_are_foreign)
{
    static const char *const env[] = {"PATCHCORD_PUBLIC_URL=https://elsewhere.example.org", NULL};
    log_in("--agent alice@team");
    visitor_check_log(&v);
    ck_assert_int_eq(relay_stop(v.relay), 0);
    relay_restart(v.relay, env);
    is_nobody(access_token);
    refresh_with(client, refresh_token);
    says_error(400, "invalid_grant");
}
END_TEST

START_TEST(tokens_do_not_belong_into_urls)
{
    log_in("--agent alice@team");
    char *path = xasprintf("/mcp?access_token=%s", access_token),
         *other_path = xasprintf("/api/inbox?access_token=%s", access_token);
    ck_assert_int_eq(tool_at(path, NULL, "inbox", "{}"), 400);
    ck_assert_int_eq(tool_at(path, access_token, "inbox", "{}"), 400);
    http_reply_free(&v.reply);
    relay_call(v.relay, "GET", other_path, NULL, NULL, NULL, &v.reply);
    ck_assert_int_eq(v.reply.status, 400);
    free(path);
    free(other_path);
}
END_TEST

/* ---- attacks: too much ---- */

/* Each refresh is kept for as long as refresh tokens live, and each guess is looked up. */
START_TEST(calls_of_the_token_endpoint_are_limited_by_rate)
{
    static const char *const env[] = {
        "PATCHCORD_RATE_LIMIT_PER_MINUTE=20", "PATCHCORD_LOG_LEVEL=debug", NULL};
    begin(env);
    log_in("--agent alice@team");
    for (int i = 1; i < 20; i++) {
        refresh_with(client, refresh_token);
        has_status(&v, 200);
    }
    refresh_with(client, refresh_token);
    has_status(&v, 429);
    ck_assert_str_eq(visitor_json(&v, "error"), "rate_limited");
    ck_assert_int_eq(visitor_post(&v, "/revoke", "client_id=patchcord&token=x"), 429);
    is_agent(access_token, "alice@team");
}
END_TEST

/* ---- attacks: another namespace ---- */

START_TEST(a_client_reads_and_writes_its_own_namespaces_alone)
{
    char *bob = relay_token(v.relay, "bob@other"), *alice = relay_token(v.relay, "alice@other");
    char *id = tool_send(v.relay, bob, "alice", "not for the team");
    log_in("--agent alice@team");
    char *by_id = xasprintf("{\"message_id\":\"%s\"}", id);
    char *reply_by_id = xasprintf("{\"message_id\":\"%s\",\"content\":\"x\"}", id);
    static const char *const words[] = {"{}", "{\"query\":\"team\"}", "{\"from_agent\":\"bob\"}"};

    ck_assert_int_eq(tool_at("/mcp", access_token, "inbox", "{\"all_agents\":true}"), 200);
    ck_assert(!visitor_sees(&v, "not for the team") && !visitor_sees(&v, "bob"));
    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        ck_assert_int_eq(tool_at("/mcp", access_token, "recall", words[i]), 200);
        ck_assert(!visitor_sees(&v, "not for the team"));
    }
    ck_assert_int_eq(tool_at("/mcp", access_token, "recall", by_id), 200);
    ck_assert(!visitor_sees(&v, "not for the team"));
    ck_assert_int_eq(tool_at("/mcp", access_token, "reply", reply_by_id), 200);
    ck_assert(visitor_sees(&v, "\"isError\":true"));
    ck_assert_int_eq(
        tool_at("/mcp", access_token, "send_message", "{\"to\":\"bob@other\",\"content\":\"x\"}"), 200);
    ck_assert(visitor_sees(&v, "\"isError\":true"));
    ck_assert_int_eq(
        tool_at("/mcp", access_token, "get_attachment", "{\"path\":\"other/bob/1_a.txt\"}"), 200);
    ck_assert(visitor_sees(&v, "\"isError\":true"));
    tool_says(v.relay, alice, "inbox", "{}", "not for the team"); /* and nothing became of it */
    free(by_id);
    free(reply_by_id);
    free(id);
    free(bob);
    free(alice);
}
END_TEST

START_TEST(with_also_it_is_the_same_agent_in_several_namespaces)
{
    char *here = relay_token(v.relay, "bob@team"), *there = relay_token(v.relay, "bob@other"),
         *hidden = relay_token(v.relay, "bob@hidden");
    log_in("--agent alice@team --also other");
    free(tool_send(v.relay, there, "alice", "from the other side"));
    ck_assert_int_eq(tool_at("/mcp", access_token, "inbox", "{\"all_agents\":true}"), 200);
    ck_assert(visitor_sees(&v, "from the other side"));
    ck_assert(!visitor_sees(&v, "hidden"));
    ck_assert_int_eq(
        tool_at("/mcp", access_token, "send_message", "{\"to\":\"bob\",\"content\":\"which one?\"}"), 200);
    ck_assert(visitor_sees(&v, "\"isError\":true"));
    ck_assert(visitor_sees(&v, "bob@team") && visitor_sees(&v, "bob@other") && !visitor_sees(&v, "hidden"));
    ck_assert_int_eq(
        tool_at("/mcp", access_token, "send_message", "{\"to\":\"bob@other\",\"content\":\"you\"}"), 200);
    ck_assert(visitor_sees(&v, "Sent to bob"));
    tool_says(v.relay, there, "inbox", "{}", "> you");
    ck_assert_int_eq(
        tool_at("/mcp", access_token, "send_message", "{\"to\":\"bob@hidden\",\"content\":\"x\"}"), 200);
    ck_assert(visitor_sees(&v, "\"isError\":true"));
    free(here);
    free(there);
    free(hidden);
}
END_TEST

/* ---- attacks: all at once ---- */

START_TEST(a_code_all_at_once_gives_one_pair_and_takes_it_back)
{
    char *code = allow_as("--agent alice@team");
    char *form = xasprintf("grant_type=authorization_code&client_id=%s&code=%s&redirect_uri=%s%s", client,
        code, CALLBACK_ESC, VERIFIER);
    ck_assert_int_eq(count_in_rush("/token", form, 200), 1);
    struct program_result result = {0};
    ck_assert_int_eq(relay_command(v.relay, "grants list", NULL, &result), 0);
    ck_assert_msg(!strstr(buf_text(&result.out), "alice@team"), "%s", buf_text(&result.out));
    program_result_free(&result);
    free(form);
    free(code);
}
END_TEST

/* ---- revoking ---- */

START_TEST(a_client_gives_back_its_access)
{
    log_in("--agent alice@team");
    char *form = xasprintf(
        "token=%s&token_type_hint=access_token&client_id=%s", _i == 0 ? access_token : refresh_token, client);
    ck_assert_int_eq(visitor_post(&v, "/revoke", form), 200);
    is_nobody(access_token);
    refresh_with(client, refresh_token);
    says_error(400, "invalid_grant");
    ck_assert_int_eq(visitor_post(&v, "/revoke", form), 200); /* again: nothing is left to revoke */
    char *missing = xasprintf("client_id=%s", client);
    visitor_post(&v, "/revoke", missing);
    says_error(400, "invalid_request");
    free(missing);
    free(form);
}
END_TEST

/* Waits over /mcp on a connection of its own. */
static struct open_call *wait_begin(void)
{
    return call_begin_at(v.relay, "/mcp", access_token, "tools/call",
        "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":60}}", NULL);
}

START_TEST(a_revoked_grant_ends_its_parked_waits)
{
    log_in("--agent alice@team");
    struct open_call *call = wait_begin();
    ck_assert(relay_await_parked(v.relay, 1));
    char *form = xasprintf("token=%s&client_id=%s", refresh_token, client);
    ck_assert_int_eq(visitor_post(&v, "/revoke", form), 200);
    ck_assert(call_hears(call, "\"isError\":true", SOON_MS));
    call_end(call);

    log_in("--agent alice@team");
    call = wait_begin();
    ck_assert(relay_await_parked(v.relay, 1));
    struct program_result result = {0};
    ck_assert_int_eq(relay_command(v.relay, "grants revoke --all", NULL, &result), 0);
    ck_assert(call_hears(call, "\"isError\":true", SOON_MS));
    call_end(call);
    program_result_free(&result);
    free(form);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = oauth_suite("oauth_token", &tests);
    tcase_add_test(tests, a_wrong_verifier_gets_nothing);
    tcase_add_test(tests, a_code_that_comes_again_takes_back_what_it_gave);
    tcase_add_test(tests, a_code_runs_out);
    tcase_add_test(tests, refresh_tokens_rotate_and_their_reuse_ends_the_grant);
    tcase_add_test(tests, access_runs_out_and_is_refreshed);
    tcase_add_test(tests, grants_are_asked_for_properly);
    tcase_add_test(tests, tokens_are_for_the_mcp_endpoint_alone);
    tcase_add_test(tests, a_foreign_audience_is_refused);
    tcase_add_loop_test(tests, the_resource_is_named_in_the_forms_that_clients_use, 0, 5);
    tcase_add_test(tests, tokens_of_another_public_url_are_foreign);
    tcase_add_test(tests, tokens_do_not_belong_into_urls);
    tcase_add_test(tests, calls_of_the_token_endpoint_are_limited_by_rate);
    tcase_add_test(tests, a_client_reads_and_writes_its_own_namespaces_alone);
    tcase_add_test(tests, with_also_it_is_the_same_agent_in_several_namespaces);
    tcase_add_test(tests, a_code_all_at_once_gives_one_pair_and_takes_it_back);
    tcase_add_loop_test(tests, a_client_gives_back_its_access, 0, 2);
    tcase_add_test(tests, a_revoked_grant_ends_its_parked_waits);
    return run_suite(suite);
}
