/* Invitations: a line that the operator hands out becomes an agent's token. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/json.h"
#include "../harness.h"
#include "../harness_faults.h"
#include "../harness_store.h"

#define NO_CODE "!!!!-!!!!-!!!!-!"

static struct relay_process *relay;
static struct program_result result;
static struct http_reply reply;

static void setup(void)
{
    relay = relay_start(NULL, NULL);
}

static void teardown(void)
{
    program_result_free(&result);
    http_reply_free(&reply);
}

static int join_with(const char *body)
{
    http_reply_free(&reply);
    relay_call(relay, "POST", "/api/join", NULL, NULL, body, &reply);
    return reply.status;
}

static int join(const char *code)
{
    char *body = xasprintf("{\"code\":\"%s\",\"machine\":\"lap top\"}", code);
    const int status = join_with(body);
    free(body);
    return status;
}

/* The code of an invitation, from the line that the command prints. The caller frees. */
static char *invite(const char *line)
{
    ck_assert_msg(relay_command(relay, line, NULL, &result) == 0, "%s", buf_text(&result.err));
    const char *code = strstr(buf_text(&result.out), " --code ");
    ck_assert_ptr_nonnull(code);
    char *copy = xstrdup(code + strlen(" --code "));
    ck_assert_uint_eq(strcspn(copy, "\n") + 1, strlen(copy)); /* one line */
    copy[strcspn(copy, "\n")] = '\0';
    ck_assert_ptr_null(strstr(buf_text(&result.err), copy));
    return copy;
}

static const char *answered(const char *key)
{
    return json_text_or(reply.json, key, "");
}

static bool header_is(const char *line)
{
    return strcasestr(buf_text(&reply.headers), line) != NULL;
}

START_TEST(an_invitation_becomes_a_token_once)
{
    char *code = invite("invite Alice@Team");
    ck_assert_int_eq(join(code), 200);
    ck_assert_str_eq(answered("agent"), "alice");
    ck_assert_str_eq(answered("namespace"), "team");
    ck_assert_ptr_nonnull(strstr(answered("server"), "http://"));
    ck_assert(header_is("Cache-Control: no-store"));
    char *token = xstrdup(answered("token"));
    tool_says(relay, token, "inbox", "{}", "alice@team");

    ck_assert_int_eq(join(code), 401);
    ck_assert_str_eq(answered("error"), "invalid_code");
    ck_assert(header_is("WWW-Authenticate: Bearer"));
    ck_assert_str_eq(answered("token"), "");
    tool_says(relay, token, "inbox", "{}", "alice@team");

    ck_assert_int_eq(relay_command(relay, "token list", NULL, &result), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.out), "invited: lap top"));
    ck_assert(relay_log_has(relay, "event=invitation_used agent=alice@team"));
    ck_assert(!relay_log_has(relay, token));
    ck_assert(!relay_log_has(relay, code));
    free(token);
    free(code);
}
END_TEST

START_TEST(a_code_may_be_typed_as_people_do)
{
    char *code = invite("invite --namespace team bob"), *typed = xstrdup("");
    for (const char *c = code; *c; c++) {
        char *longer = xasprintf("%s%c ", typed,
            *c == '0'   ? 'o'
            : *c == '1' ? 'L'
                        : tolower((unsigned char)*c));
        free(typed);
        typed = longer;
    }
    ck_assert_int_eq(join(typed), 200);
    ck_assert_str_eq(answered("agent"), "bob");
    free(typed);
    free(code);
}
END_TEST

START_TEST(the_line_names_the_relay)
{
    ck_assert_int_eq(relay_command(relay, "invite alice@team", NULL, &result), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "is a guess, good on this machine at most"));
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "PATCHCORD_PUBLIC_URL is not set"));
    static const char *const env[] = {"PATCHCORD_PUBLIC_URL=https://relay.example:8443", NULL};
    ck_assert_int_eq(relay_command(relay, "invite alice@team", env, &result), 0);
    static const char line[] = "patchcord agent --server https://relay.example:8443 --code ";
    ck_assert_int_eq(strncmp(buf_text(&result.out), line, sizeof line - 1), 0);
    ck_assert_ptr_null(strstr(buf_text(&result.err), "PATCHCORD_PUBLIC_URL"));
    ck_assert_int_eq(
        relay_command(relay, "invite --url https://other.example/relay alice@team", env, &result), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.out), " --server https://other.example/relay --code "));
    static const char *const bad[] = {"ftp://x", "https://x/$(id)", "https://user@x", "x", "https://x/;y"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        char *refused = xasprintf("invite --url %s alice@team", bad[i]);
        ck_assert_int_eq(relay_command(relay, refused, NULL, &result), 1);
        ck_assert_str_eq(buf_text(&result.out), "");
        free(refused);
    }
    ck_assert_int_eq(relay_command(relay, "invite patchcord@team", NULL, &result), 1);
    ck_assert_ptr_null(strstr(buf_text(&result.err), "PATCHCORD_PUBLIC_URL"));
}
END_TEST

START_TEST(what_is_no_invitation_lets_nobody_in)
{
    ck_assert_int_eq(relay_command(relay, "connect --agent web@team --also other", NULL, &result), 0);
    ck_assert_uint_eq(result.out.len, strlen(NO_CODE "\n"));
    char *code = xstrdup(buf_text(&result.out));
    code[strcspn(code, "\n")] = '\0';
    ck_assert_ptr_null(strstr(buf_text(&result.err), code));
    ck_assert_int_eq(join(code), 401); /* a connect code */
    free(code);
    ck_assert_int_eq(join("0123-4567-89AB-C"), 401);
    ck_assert_int_eq(join(NO_CODE), 401);
    ck_assert_int_eq(join(""), 401);
    static const char *const bad[] = {
        "", "[]", "{}", "{\"code\":1}", "{\"code\":\"x\",\"machine\":1}", "{\"code\":"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        ck_assert_int_eq(join_with(bad[i]), 400);
        ck_assert_str_eq(answered("error"), "invalid_request");
    }
    ck_assert_int_eq(relay_command(relay, "token list --json", NULL, &result), 0);
    ck_assert_str_eq(buf_text(&result.out), "[]\n");
}
END_TEST

START_TEST(guesses_are_failed_logins)
{
    relay_stop(relay);
    relay_restart(relay, (const char *const[]){"PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=3", NULL});
    char *code = invite("invite alice@team");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(join("0123-4567-89AB-C"), 401);
    ck_assert_int_eq(join("0123-4567-89AB-C"), 429);
    ck_assert(header_is("Retry-After: "));
    ck_assert_int_eq(join(code), 429); /* even so: nothing is looked at */
    free(code);
}
END_TEST

START_TEST(an_invitation_survives_the_relay_and_not_its_hour)
{
    struct faults *faults = faults_new();
    relay_stop(relay);
    relay_restart(relay, faults_env(faults));
    char *code = invite("invite alice@team"), *late = invite("invite bob@team");
    relay_kill(relay);
    relay_restart(relay, faults_env(faults));
    ck_assert_int_eq(join(code), 200);
    faults_pass_time(faults, MS_PER_HOUR);
    ck_assert_int_eq(join(late), 401);
    ck_assert_int_eq(relay_stop(relay), 0);
    free(code);
    free(late);
    faults_free(faults);
}
END_TEST

/* With the key of the codes, which is not in the database. */
START_TEST(an_invitation_survives_a_backup)
{
    char *code = invite("invite alice@team"), *copy = xasprintf("%s/copy", temp_folder());
    char *line = xasprintf("backup %s", copy);
    ck_assert_int_eq(relay_command(relay, line, NULL, &result), 0);
    relay = relay_start(copy, NULL);
    ck_assert_int_eq(join(code), 200);
    free(line);
    free(copy);
    free(code);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("invite");
    TCase *tests = harness_case(suite, "invite");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_invitation_becomes_a_token_once);
    tcase_add_test(tests, a_code_may_be_typed_as_people_do);
    tcase_add_test(tests, the_line_names_the_relay);
    tcase_add_test(tests, what_is_no_invitation_lets_nobody_in);
    tcase_add_test(tests, guesses_are_failed_logins);
    tcase_add_test(tests, an_invitation_survives_the_relay_and_not_its_hour);
    harness_add_embedded(tests, an_invitation_survives_a_backup);
    return run_suite(suite);
}
