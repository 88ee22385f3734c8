/* The page on which a person lets a client in: who is let in as whom, and every way in which somebody may try to get in
 * without the operator's code, or to have the answer sent elsewhere. */
#include "oauth_rig.h"

#define UNKNOWN_CODE "0123-4567-89AB-C"

/* ---- what goes well ---- */

START_TEST(a_client_becomes_the_agent_that_the_code_names)
{
    log_in("--agent alice --namespace team");
    ck_assert_str_eq(visitor_json(&v, "token_type"), "Bearer");
    ck_assert_str_eq(visitor_json(&v, "scope"), "messages");
    int64_t expires = 0;
    ck_assert_int_eq(json_get_int(v.reply.json, "expires_in", &expires), JSON_FIELD_FOUND);
    ck_assert_int_eq(expires, 86400);
    ck_assert_str_eq(visitor_header(&v, "Cache-Control"), "no-store");
    ck_assert_str_eq(visitor_header(&v, "Content-Type"), "application/json");
    is_agent(access_token, "alice@team");

    char *bob = relay_token(v.relay, "bob@team");
    ck_assert_int_eq(
        tool_at("/mcp", access_token, "send_message", "{\"to\":\"bob\",\"content\":\"hi\"}"), 200);
    ck_assert_msg(visitor_sees(&v, "Sent to bob"), "%s", buf_text(&v.reply.body));
    tool_says(v.relay, bob, "inbox", "{}", "From alice");
    free(bob);
}
END_TEST

START_TEST(the_answer_has_state_and_issuer)
{
    char *connect = visitor_connect_code(&v, "--agent alice@team"),
         *issuer = xasprintf("http://localhost:%d", v.relay->port);
    ask();
    visitor_allow(&v, "/authorize", connect);
    has_status(&v, 303);
    ck_assert_int_eq(
        strncmp(visitor_header(&v, "Location"), CALLBACK "?code=", strlen(CALLBACK "?code=")), 0);
    char *state = visitor_located(&v, "state"), *iss = visitor_located(&v, "iss");
    ck_assert_str_eq(state, "s&t \xc3\xa4");
    ck_assert_str_eq(iss, issuer);
    ck_assert_str_eq(visitor_header(&v, "Cache-Control"), "no-store");
    free(connect);
    free(state);
    free(iss);
    free(issuer);
}
END_TEST

START_TEST(a_person_may_refuse_without_a_code)
{
    ask();
    char *form = xasprintf("request=%s&decision=deny&code=", v.state);
    visitor_post(&v, "/authorize", form);
    has_status(&v, 303);
    char *error = visitor_located(&v, "error"), *code = visitor_located(&v, "code");
    ck_assert_str_eq(error, "access_denied");
    ck_assert_ptr_null(code);
    free(error);
    free(form);
}
END_TEST

/* ---- pages ---- */

START_TEST(pages_are_locked_down)
{
    static const struct {
        const char *name, *value;
    } headers[] = {
        {"X-Frame-Options", "DENY"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "same-origin"},
        {"Cache-Control", "no-store"},
        {"Content-Type", "text/html; charset=utf-8"},
    };
    static const char *const policy[] = {"default-src 'none'", "style-src 'sha256-", "base-uri 'none'",
        "frame-ancestors 'none'", "form-action 'self'"};
    register_client(PUBLIC);
    for (int page = 0; page < 3; page++) {
        if (page == 0)
            ask();
        else
            visitor_get(&v, page == 1 ? "/device" : "/authorize");
        for (size_t i = 0; i < LENGTH_OF(headers); i++)
            ck_assert_str_eq(visitor_header(&v, headers[i].name), headers[i].value);
        const char *csp = visitor_header(&v, "Content-Security-Policy");
        for (size_t i = 0; i < LENGTH_OF(policy); i++)
            ck_assert_msg(strstr(csp, policy[i]) != NULL, "%s: %s", policy[i], csp);
        ck_assert(!strstr(csp, "unsafe") && !visitor_sees(&v, "<script"));
    }
}
END_TEST

START_TEST(the_cookie_is_locked_down)
{
    ask();
    const char *cookie = visitor_header(&v, "Set-Cookie");
    ck_assert_msg(strstr(cookie, "; Path=/; HttpOnly; SameSite=Lax") != NULL, "%s", cookie);
    ck_assert(!strstr(cookie, "Secure"));
    ask(); /* the cookie is there already, also for another tab */
    ck_assert_str_eq(visitor_header(&v, "Set-Cookie"), "");

    static const char *const env[] = {"PATCHCORD_PUBLIC_URL=https://relay.example.org", NULL};
    begin(env);
    visitor_get(&v, "/device");
    cookie = visitor_header(&v, "Set-Cookie");
    ck_assert_int_eq(strncmp(cookie, "__Host-", 7), 0);
    ck_assert(strstr(cookie, "; Secure") && !strstr(cookie, "Domain"));
}
END_TEST

START_TEST(html_in_names_stays_text)
{
    register_client("{\"redirect_uris\":[\"" CALLBACK "\"],\"client_name\":\"<script>alert(1)</script>\\\"'&"
                    "\\u202Eevil\\nline\",\"token_endpoint_auth_method\":\"none\"}");
    ask();
    ck_assert(visitor_sees(&v, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;evilline"));
    ck_assert(!visitor_sees(&v, "<script"));
    ck_assert(!visitor_sees(&v, "\xe2\x80\xae"));
    visitor_allow(&v, "/authorize", UNKNOWN_CODE); /* and on the page that comes after a wrong code */
    has_status(&v, 400);
    ck_assert(!visitor_sees(&v, "<script"));
}
END_TEST

/* ---- attacks: PKCE ---- */

START_TEST(without_a_proper_challenge_nothing_is_asked)
{
    static const char *const wrong[] = {
        "&response_type=code",
        "&response_type=code&code_challenge_method=S256",
        "&response_type=code&code_challenge=" PKCE_CHALLENGE,
        "&response_type=code&code_challenge=" PKCE_CHALLENGE "&code_challenge_method=plain",
        "&response_type=code&code_challenge=" PKCE_CHALLENGE "&code_challenge_method=s256",
        "&response_type=code&code_challenge=" PKCE_CHALLENGE "x&code_challenge_method=S256",
        "&response_type=code&code_challenge=short&code_challenge_method=S256",
        "&response_type=code&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw%2Bcm&code_challenge_"
        "method=S256",
    };
    register_client(PUBLIC);
    ask_at(&v, client, CALLBACK_ESC, wrong[_i]);
    is_refusal_page(400);
    ck_assert(visitor_sees(&v, "callback?error=invalid_request&amp;"));
}
END_TEST

/* ---- attacks: where the answer goes ---- */

static const char *const tricks[] = {
    "https%3A%2F%2Fclient.example%2Fcallback%2F",
    "https%3A%2F%2Fclient.example%2Fcallback2",
    "https%3A%2F%2Fclient.example%2Fcallback%2F..%2Fevil",
    "https%3A%2F%2Fclient.example%2Fcallback%3Fnext%3Dhttps%3A%2F%2Fevil.example",
    "https%3A%2F%2Fclient.example%2F",
    "https%3A%2F%2Fclient.example.evil.example%2Fcallback",
    "https%3A%2F%2Fevil.example%2Fcallback",
    "https%3A%2F%2Fevil.example%2Fhttps%3A%2F%2Fclient.example%2Fcallback",
    "https%3A%2F%2Fclient.example%40evil.example%2Fcallback",
    "https%3A%2F%2Fclient.example%5C%40evil.example%2Fcallback",
    "https%3A%2F%2Fclient.example%2Fcallback%23evil",
    "https%3A%2F%2Fclient.example%3A443%2Fcallback",
    "https%3A%2F%2FCLIENT.example%2Fcallback",
    "http%3A%2F%2Fclient.example%2Fcallback",
    "%2F%2Fclient.example%2Fcallback",
    "%2Fcallback",
    "javascript%3Aalert(1)",
    "data%3Atext%2Fhtml%2Cx",
    "http%3A%2F%2Flocalhost%3A1234%2Fcallback",
    "https%3A%2F%2Fclient.example%2Fcallback%0d%0aX-Evil%3A%201",
    "",
};

START_TEST(answers_go_nowhere_else)
{
    register_client(PUBLIC);
    ask_at(&v, client, tricks[_i], ASK STATE);
    is_refusal_page(400);
    ck_assert(!visitor_sees(&v, "href"));
    ck_assert(!visitor_sees(&v, "evil"));
    ck_assert_str_eq(visitor_header(&v, "X-Evil"), "");
    ck_assert_str_eq(visitor_header(&v, "Set-Cookie"), "");
}
END_TEST

START_TEST(a_parameter_twice_is_refused)
{
    register_client(PUBLIC);
    ask_at(&v, client, CALLBACK_ESC, "&redirect_uri=https%3A%2F%2Fevil.example%2F" ASK);
    is_refusal_page(400);
    ck_assert(!visitor_sees(&v, "evil"));
    ask_at(&v, client, CALLBACK_ESC, ASK "&state=a&state=b");
    is_refusal_page(400);
    visitor_post(&v, "/token", "grant_type=refresh_token&client_id=a&client_id=b");
    says_error(400, "invalid_request");
}
END_TEST

/* Wherever a client registered its answers to go, a link to our page sends nobody there by itself. */
START_TEST(a_link_is_no_open_redirect)
{
    static const char *const faults_of_request[] = {"&response_type=token", "&response_type=code",
        ASK "&resource=https%3A%2F%2Fevil.example", ASK "&response_mode=fragment", ASK "&scope=%22"};
    static const char *const errors[] = {
        "unsupported_response_type", "invalid_request", "invalid_target", "invalid_request", "invalid_scope"};
    register_client(PUBLIC);
    ask_at(&v, client, CALLBACK_ESC, faults_of_request[_i]);
    is_refusal_page(400);
    char *link = xasprintf("<a href=\"" CALLBACK "?error=%s&amp;iss=", errors[_i]);
    ck_assert_msg(visitor_sees(&v, link), "%s", buf_text(&v.reply.body));
    free(link);
}
END_TEST

START_TEST(state_is_bounded)
{
    struct buf more = {0};
    register_client(PUBLIC);
    buf_puts(&more, ASK "&state=");
    for (int i = 0; i < 4096; i++)
        buf_putc(&more, 'x');
    ask_at(&v, client, CALLBACK_ESC, buf_text(&more));
    has_status(&v, 200);
    buf_putc(&more, 'x');
    ask_at(&v, client, CALLBACK_ESC, buf_text(&more));
    is_refusal_page(400);
    ck_assert(!visitor_sees(&v, "xxx"));
    buf_free(&more);
}
END_TEST

/* ---- attacks: connect codes ---- */

START_TEST(connect_codes_are_not_guessed)
{
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    register_client(PUBLIC);
    for (int guess = 0; guess < 100; guess++) {
        if (guess % 5 == 0)
            ask();
        char *code = xasprintf("%04d-4567-89AB-C", guess);
        visitor_allow(&v, "/authorize", code);
        has_status(&v, 400);
        ck_assert(visitor_sees(&v, "role=\"alert\""));
        ck_assert_str_eq(visitor_header(&v, "Location"), "");
        free(code);
        if (guess % 5 == 4) {
            visitor_allow(&v, "/authorize", connect); /* the right one is the sixth */
            is_refusal_page(403);
        }
    }
    ask();
    visitor_allow(&v, "/authorize", connect);
    has_status(&v, 303);
    free(connect);
}
END_TEST

START_TEST(guesses_count_against_the_address)
{
    static const char *const env[] = {"PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=12",
        "PATCHCORD_RATE_BAN_SECONDS=60", "PATCHCORD_LOG_LEVEL=debug", NULL};
    begin(env);
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    int limited = 0;
    for (int guess = 0; guess < 100; guess++) {
        if (guess % 5 == 0)
            ask();
        visitor_allow(&v, "/authorize", UNKNOWN_CODE);
        limited += v.reply.status == 429;
    }
    ck_assert_int_eq(limited, 100 - 12);
    ck_assert_int_ge(atoi(visitor_header(&v, "Retry-After")), 1);
    ask();
    visitor_allow(&v, "/authorize", connect); /* the right one, too late */
    has_status(&v, 429);
    free(connect);
}
END_TEST

START_TEST(a_connect_code_counts_once)
{
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    ask();
    visitor_allow(&v, "/authorize", connect);
    has_status(&v, 303);
    ask();
    visitor_allow(&v, "/authorize", connect);
    has_status(&v, 400);
    ck_assert_str_eq(visitor_header(&v, "Location"), "");
    free(connect);
}
END_TEST

START_TEST(a_connect_code_runs_out)
{
    struct faults *faults = faults_new();
    begin(faults_env(faults));
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    register_client(PUBLIC);
    faults_pass_time(faults, 10 * MS_PER_MINUTE + MS_PER_SECOND);
    ask();
    visitor_allow(&v, "/authorize", connect);
    has_status(&v, 400);
    ck_assert_int_eq(relay_stop(v.relay), 0);
    faults_free(faults);
    free(connect);
}
END_TEST

START_TEST(a_page_runs_out)
{
    struct faults *faults = faults_new();
    begin(faults_env(faults));
    ask();
    faults_pass_time(faults, 10 * MS_PER_MINUTE + MS_PER_SECOND);
    visitor_allow(&v, "/authorize", UNKNOWN_CODE);
    is_refusal_page(400);
    ck_assert(visitor_sees(&v, "run out"));
    ck_assert_int_eq(relay_stop(v.relay), 0);
    faults_free(faults);
}
END_TEST

START_TEST(a_page_survives_a_restart)
{
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    ask();
    visitor_check_log(&v);
    ck_assert_int_eq(relay_stop(v.relay), 0);
    relay_restart(v.relay, NULL);
    visitor_allow(&v, "/authorize", connect);
    has_status(&v, 303);
    free(connect);
}
END_TEST

START_TEST(codes_of_another_kind_let_nobody_in)
{
    struct program_result result = {0};
    ck_assert_int_eq(relay_command(v.relay, "invite alice@team", NULL, &result), 0);
    const char *code = strstr(buf_text(&result.out), "--code ");
    ck_assert_ptr_nonnull(code);
    char *invitation = xmemdup_text(code + 7, strcspn(code + 7, " \n"));
    visitor_secret(invitation);
    ask();
    visitor_allow(&v, "/authorize", invitation);
    has_status(&v, 400);
    program_result_free(&result);
    free(invitation);
}
END_TEST

/* ---- attacks: somebody else's form ---- */

START_TEST(only_the_browser_that_saw_the_page_may_decide)
{
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    ask();
    char *form = xasprintf("request=%s&decision=allow&code=%s", v.state, connect);
    char *denial = xasprintf("request=%s&decision=deny", v.state);

    visitor_post(&other, "/authorize", form); /* no cookie */
    ck_assert_int_eq(other.reply.status, 400);
    visitor_get(&other, "/device");
    ck_assert_ptr_nonnull(other.cookie);
    visitor_post(&other, "/authorize", form); /* its own cookie */
    ck_assert_int_eq(other.reply.status, 400);
    visitor_post(&other, "/authorize", denial);
    ck_assert_int_eq(other.reply.status, 400);

    visitor_post_with(&v, "/authorize", form, (const char *const[]){"Origin: https://evil.example", NULL});
    has_status(&v, 403);
    visitor_post_with(&v, "/authorize", form, (const char *const[]){"Origin: null", NULL});
    has_status(&v, 403);

    char *origin = xasprintf("Origin: http://localhost:%d", v.relay->port);
    visitor_post_with(&v, "/authorize", form, (const char *const[]){origin, NULL});
    has_status(&v, 303); /* and the code was not used up by all that */
    free(origin);
    free(form);
    free(denial);
    free(connect);
}
END_TEST

START_TEST(a_form_of_another_page_or_changed_is_refused)
{
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    register_client(PUBLIC);
    visitor_get(&v, "/device");
    visitor_allow(&v, "/authorize", connect); /* signed, for another purpose */
    is_refusal_page(400);
    ask();
    v.state[strlen(v.state) / 2] ^= 1;
    visitor_allow(&v, "/authorize", connect);
    is_refusal_page(400);
    visitor_post(&v, "/authorize", "decision=deny");
    is_refusal_page(400);
    free(connect);
}
END_TEST

/* ---- attacks: all at once ---- */

START_TEST(wrong_codes_all_at_once_are_five)
{
    ask();
    char *form = xasprintf("request=%s&decision=allow&code=%s", v.state, UNKNOWN_CODE);
    ck_assert_int_eq(count_in_rush("/authorize", form, 400), 5);
    free(form);
}
END_TEST

START_TEST(a_connect_code_all_at_once_counts_once)
{
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    ask();
    char *form = xasprintf("request=%s&decision=allow&code=%s", v.state, connect);
    ck_assert_int_eq(count_in_rush("/authorize", form, 303), 1);
    free(form);
    free(connect);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = oauth_suite("oauth_authorize", &tests);
    tcase_add_test(tests, a_client_becomes_the_agent_that_the_code_names);
    tcase_add_test(tests, the_answer_has_state_and_issuer);
    tcase_add_test(tests, a_person_may_refuse_without_a_code);
    tcase_add_test(tests, pages_are_locked_down);
    tcase_add_test(tests, the_cookie_is_locked_down);
    tcase_add_test(tests, html_in_names_stays_text);
    tcase_add_loop_test(tests, without_a_proper_challenge_nothing_is_asked, 0, 8);
    tcase_add_loop_test(tests, answers_go_nowhere_else, 0, LENGTH_OF(tricks));
    tcase_add_test(tests, a_parameter_twice_is_refused);
    tcase_add_loop_test(tests, a_link_is_no_open_redirect, 0, 5);
    tcase_add_test(tests, state_is_bounded);
    tcase_add_test(tests, connect_codes_are_not_guessed);
    tcase_add_test(tests, guesses_count_against_the_address);
    tcase_add_test(tests, a_connect_code_counts_once);
    tcase_add_test(tests, a_connect_code_runs_out);
    tcase_add_test(tests, a_page_runs_out);
    tcase_add_test(tests, a_page_survives_a_restart);
    tcase_add_test(tests, codes_of_another_kind_let_nobody_in);
    tcase_add_test(tests, only_the_browser_that_saw_the_page_may_decide);
    tcase_add_test(tests, a_form_of_another_page_or_changed_is_refused);
    tcase_add_test(tests, wrong_codes_all_at_once_are_five);
    tcase_add_test(tests, a_connect_code_all_at_once_counts_once);
    return run_suite(suite);
}
