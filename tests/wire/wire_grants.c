/* Grants of clients that logged in: what the operator sees of them, shuts out, and keeps through restarts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/json.h"
#include "../harness_faults.h"
#include "../harness_store.h"
#include "../harness_visitor.h"

#define CALLBACK     "https://client.example/callback"
#define CALLBACK_ESC "https%%3A%%2F%%2Fclient.example%%2Fcallback" /* in a format */

enum { SOON_MS = 5 * 1000, ID_SHOWN = 13 };

static struct visitor v;
static struct program_result result;
static char *client; /* its id */

/* A pair of tokens. */
struct login {
    char *access, *refresh;
};

static void setup(void)
{
    v.relay = relay_start(NULL, (const char *const[]){"PATCHCORD_CLEANUP_TOKEN=operator", NULL});
}

static void teardown(void)
{
    visitor_check_log(&v);
    visitor_free(&v);
    program_result_free(&result);
    free(client);
    client = NULL;
}

static void login_free(struct login *login)
{
    free(login->access);
    free(login->refresh);
}

static void register_client(const char *name)
{
    char *json = xasprintf("{\"redirect_uris\":[\"" CALLBACK "\"],\"client_name\":\"%s\","
                           "\"token_endpoint_auth_method\":\"none\"}",
        name);
    ck_assert_int_eq(visitor_register(&v, json), 201);
    free(client);
    client = xstrdup(visitor_json(&v, "client_id"));
    free(json);
}

/* The form that redeems a new authorization code of the client that registered last; words are those of the
 * command connect. The caller frees. */
static char *authorized(const char *words)
{
    char *connect = visitor_connect_code(&v, words);
    char *path = xasprintf("/authorize?response_type=code&client_id=%s&redirect_uri=" CALLBACK_ESC
                           "&code_challenge=" PKCE_CHALLENGE "&code_challenge_method=S256",
        client);
    ck_assert_int_eq(visitor_get(&v, path), 200);
    ck_assert_int_eq(visitor_allow(&v, "/authorize", connect), 303);
    char *code = visitor_located(&v, "code");
    ck_assert_ptr_nonnull(code);
    char *form = xasprintf("grant_type=authorization_code&client_id=%s&code=%s&redirect_uri=" CALLBACK_ESC
                           "&code_verifier=" PKCE_VERIFIER,
        client, code);
    free(connect);
    free(path);
    free(code);
    return form;
}

static struct login answered_login(void)
{
    return (struct login){
        xstrdup(visitor_json(&v, "access_token")), xstrdup(visitor_json(&v, "refresh_token"))};
}

static struct login log_in(const char *words)
{
    char *form = authorized(words);
    ck_assert_msg(visitor_post(&v, "/token", form) == 200, "%s", buf_text(&v.reply.body));
    free(form);
    return answered_login();
}

/* The status of /token; with 200 the login is the new pair. */
static int refresh(struct login *login)
{
    char *form = xasprintf("grant_type=refresh_token&client_id=%s&refresh_token=%s", client, login->refresh);
    const int status = visitor_post(&v, "/token", form);
    if (status == 200) {
        login_free(login);
        *login = answered_login();
    }
    free(form);
    return status;
}

/* The inbox as a web client calls it; its text is in v.reply. */
static int inbox_status(const char *token)
{
    http_reply_free(&v.reply);
    relay_call(v.relay, "POST", "/mcp", token, NULL,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
        "call\",\"params\":{\"name\":\"inbox\",\"arguments\":{}}}",
        &v.reply);
    return v.reply.status;
}

static bool is_refused(void *arg)
{
    return inbox_status(arg) == 401;
}

static bool is_soon_refused(char *token)
{
    return poll_until(is_refused, token, SOON_MS);
}

static void run(const char *line)
{
    ck_assert_msg(relay_command(v.relay, line, NULL, &result) == 0, "%s: %s", line, buf_text(&result.err));
}

static void must_fail(const char *line, const char *said)
{
    ck_assert_int_eq(relay_command(v.relay, line, NULL, &result), 1);
    ck_assert_msg(strstr(buf_text(&result.err), said) != NULL, "%s: %s", line, buf_text(&result.err));
    ck_assert_str_eq(buf_text(&result.out), "");
}

static bool printed(const char *text)
{
    return strstr(buf_text(&result.out), text) != NULL;
}

/* The grants as --json has them; the caller puts it. */
static struct json_object *list(void)
{
    enum json_fault fault;
    run("grants list --json");
    struct json_object *rows = json_parse(buf_text(&result.out), result.out.len, &fault);
    ck_assert_ptr_nonnull(rows);
    return rows;
}

/* ---- what the operator sees ---- */

START_TEST(grants_are_listed)
{
    run("grants list");
    ck_assert(printed("No client is let in"));
    register_client("Evil\\u001b[31m <b>client</b> \\u202e");
    struct login login = log_in("--agent webapp@shop --also office,lab");
    ck_assert_int_eq(inbox_status(login.access), 200);
    ck_assert(visitor_sees(&v, "webapp@shop"));
    struct json_object *rows = list(), *row = json_object_array_get_idx(rows, 0), *also = NULL;
    ck_assert_uint_eq(json_object_array_length(rows), 1);
    ck_assert_str_eq(json_text_or(row, "agent", ""), "webapp");
    ck_assert_str_eq(json_text_or(row, "namespace", ""), "shop");
    ck_assert_str_eq(json_text_or(row, "client_id", ""), client);
    ck_assert_int_eq(json_get_array(row, "also", &also), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(also, 0)), "lab");
    ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(also, 1)), "office");
    ck_assert_ptr_nonnull(json_text_or(row, "created_at", NULL));
    ck_assert_ptr_nonnull(json_text_or(row, "expires_at", NULL));
    ck_assert_ptr_nonnull(json_text_or(row, "last_used_at", NULL));
    char *begins = xasprintf("\n%.*s  webapp@shop ", ID_SHOWN, json_text_or(row, "id", ""));
    run("grants list");
    ck_assert_msg(printed(begins), "%s", buf_text(&result.out));
    ck_assert(printed("(also lab, office)"));
    ck_assert(!printed("\x1b") && !printed("<b>") && !printed("\xe2\x80\xae"));
    ck_assert(!printed(login.access) && !printed(login.refresh));
    ck_assert_int_eq(relay_metric(v.relay, "patchcord_oauth_grants"), 1);
    ck_assert_int_eq(relay_metric(v.relay, "patchcord_oauth_clients"), 1);
    free(begins);
    json_object_put(rows);
    login_free(&login);
}
END_TEST

/* Whoever has that name in a further namespace would share it with the client. */
START_TEST(a_namesake_is_named)
{
    free(relay_token(v.relay, "webapp@lab"));
    run("connect --agent webapp@shop --also lab,office");
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "webapp@lab is there already"));
    ck_assert_ptr_null(strstr(buf_text(&result.err), "webapp@office is"));
}
END_TEST

START_TEST(a_code_opens_so_many_namespaces)
{
    enum { ALSO_MAX = 32 };
    struct buf line = {0};
    buf_puts(&line, "connect --agent a@shop --also shop,N1,n1,");
    for (int i = 1; i <= ALSO_MAX; i++)
        buf_printf(&line, "n%d,", i);
    run(buf_text(&line)); /* its own, and one that is said twice, do not count */
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "agent=a@shop also=\"n1, n2, n3, "));
    buf_puts(&line, "n33");
    must_fail(buf_text(&line), "at most 32 further namespaces");
    buf_free(&line);
    must_fail("connect --agent a@shop --also x/y", "no namespace's name");
    must_fail("connect --agent a@shop --namespace other", "two namespaces");
    must_fail("connect --agent patchcord@shop", "the relay's own");
}
END_TEST

/* ---- shutting out ---- */

START_TEST(a_revoked_grant_ends_at_once)
{
    register_client("A client");
    struct login login = log_in("--agent webapp@shop"), other = log_in("--agent other@shop");
    ck_assert_int_eq(inbox_status(login.access), 200);
    struct json_object *rows = list();
    char *line = xasprintf("grants revoke %.8s", json_text_or(json_object_array_get_idx(rows, 0), "id", ""));
    run(line);
    ck_assert(printed("1 revoked"));
    ck_assert(is_soon_refused(login.access));
    ck_assert_int_eq(refresh(&login), 400);
    ck_assert_str_eq(visitor_json(&v, "error"), "invalid_grant");
    ck_assert_int_eq(inbox_status(other.access), 200);
    must_fail(line, "no such grant");
    free(line);
    json_object_put(rows);
    login_free(&login);
    login_free(&other);
}
END_TEST

START_TEST(grants_are_revoked_by_agent_client_or_all)
{
    register_client("One");
    struct login logins[] = {
        log_in("--agent a@shop"), log_in("--agent b@shop --also lab"), log_in("--agent c@lab")};
    char *first = xasprintf("grants revoke --client %s", client);
    must_fail("grants revoke --agent nobody@shop", "no such grant");
    must_fail("grants revoke --agent b@lab", "no such grant"); /* not its own namespace */
    must_fail("grants revoke --client another", "no such grant");
    must_fail("grants revoke ffffffff-ffff", "no such grant");
    must_fail("grants revoke nonsense", "no grant's id");
    must_fail("grants revoke --agent a/b", "no agent");
    run("grants revoke --agent b@shop");
    ck_assert(printed("1 revoked"));
    ck_assert(is_soon_refused(logins[1].access));
    ck_assert_int_eq(inbox_status(logins[0].access), 200);

    register_client("Two");
    struct login more = log_in("--agent d@shop");
    run(first);
    ck_assert(printed("2 revoked"));
    ck_assert(is_soon_refused(logins[0].access));
    ck_assert(is_soon_refused(logins[2].access));
    ck_assert_int_eq(inbox_status(more.access), 200);
    run("grants revoke --all");
    ck_assert(is_soon_refused(more.access));
    must_fail("grants revoke --all", "no such grant");
    for (size_t i = 0; i < LENGTH_OF(logins); i++)
        login_free(&logins[i]);
    login_free(&more);
    free(first);
}
END_TEST

/* Who takes an agent's tokens away is told of what lets it in still. */
START_TEST(revoking_tokens_tells_of_grants)
{
    register_client("A client");
    struct login login = log_in("--agent alice@shop");
    char *token = relay_token(v.relay, "alice@shop"), *bob = relay_token(v.relay, "bob@shop");
    run("token revoke --agent alice@shop");
    ck_assert(printed("1 revoked"));
    static const char told[] = "1 grant lets it in still: patchcord-relay grants revoke --agent alice@shop";
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), told));
    ck_assert(is_soon_refused(token));
    ck_assert_int_eq(inbox_status(login.access), 200);
    ck_assert_int_eq(relay_command(v.relay, "token revoke --agent alice@shop", NULL, &result), 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), told));
    run("token revoke --agent bob@shop");
    ck_assert_ptr_null(strstr(buf_text(&result.err), "grant"));
    free(token);
    free(bob);
    login_free(&login);
}
END_TEST

/* ---- what lasts ---- */

START_TEST(a_login_survives_a_kill)
{
    register_client("A client");
    struct login login = log_in("--agent webapp@shop --also lab");
    relay_kill(v.relay); /* what was answered is on disk */
    relay_restart(v.relay, NULL);
    ck_assert_int_eq(inbox_status(login.access), 200);
    ck_assert_int_eq(refresh(&login), 200);
    relay_kill(v.relay);
    relay_restart(v.relay, NULL);
    ck_assert_int_eq(inbox_status(login.access), 200);
    ck_assert_int_eq(refresh(&login), 200);
    run("grants revoke --all");
    relay_kill(v.relay);
    relay_restart(v.relay, NULL);
    ck_assert_int_eq(inbox_status(login.access), 401);
    login_free(&login);
}
END_TEST

enum { ENV_MAX = 8 };

/* Again, by the plan; env is then its settings. */
static void restart_with(const struct faults *faults, const char *env[static ENV_MAX])
{
    const char *const *preload = faults_env(faults);
    env[0] = "PATCHCORD_CLEANUP_TOKEN=operator";
    for (size_t i = 0; preload[i] && i + 2 < ENV_MAX; i++)
        env[i + 1] = preload[i];
    relay_stop(v.relay);
    relay_restart(v.relay, env);
}

START_TEST(a_login_is_on_the_disk_before_it_is_answered)
{
    struct faults *faults = faults_new();
    const char *env[ENV_MAX] = {NULL};
    restart_with(faults, env);
    register_client("A client");
    char *form = authorized("--agent webapp@shop");
    faults_fail(faults, FAULT_SYNC, 0, FAULTS_ALL, EIO);
    ck_assert_int_ge(visitor_post(&v, "/token", form), 500);
    ck_assert_str_eq(visitor_json(&v, "access_token"), "");
    ck_assert_int_gt(faults_hits(faults, FAULT_SYNC), 0);
    faults_end(faults);
    ck_assert_int_eq(visitor_post(&v, "/token", form), 200); /* nothing had been used up */
    struct login login = answered_login();
    ck_assert_int_eq(inbox_status(login.access), 200);
    ck_assert_int_eq(relay_stop(v.relay), 0);
    login_free(&login);
    free(form);
    faults_free(faults);
}
END_TEST

static int64_t cleaned(const char *path, const char *key)
{
    struct http_reply reply;
    relay_call(v.relay, "POST", path, "operator", NULL, "", &reply);
    ck_assert_int_eq(reply.status, 200);
    int64_t count = -1;
    ck_assert_int_eq(json_get_int(reply.json, key, &count), JSON_FIELD_FOUND);
    http_reply_free(&reply);
    return count;
}

START_TEST(what_logging_in_leaves_behind_is_cleaned_up)
{
    struct faults *faults = faults_new();
    const char *env[ENV_MAX] = {NULL};
    restart_with(faults, env);
    register_client("Unused");
    register_client("A client");
    struct login login = log_in("--agent webapp@shop");
    ck_assert_int_eq(cleaned("/api/cleanup/oauth?dry_run=1", "codes"), 1); /* the connect code */
    ck_assert_int_eq(cleaned("/api/cleanup/oauth", "clients"), 0);
    ck_assert_int_eq(cleaned("/api/cleanup/oauth", "codes"), 0);
    faults_pass_time(faults, MS_PER_DAY + 1000);
    ck_assert_int_eq(cleaned("/api/cleanup/oauth?dry_run=1", "clients"), 1);
    ck_assert_int_eq(cleaned("/api/cleanup/oauth?dry_run=1", "tokens"), 1);
    ck_assert_int_eq(cleaned("/api/cleanup/oauth?dry_run=1", "grants"), 0);
    ck_assert_int_eq(relay_command(v.relay, "cleanup", env, &result), 0);
    ck_assert(printed("3 clients, codes, tokens and grants of logins removed"));
    ck_assert_int_eq(cleaned("/api/cleanup/oauth", "clients"), 0);
    ck_assert_int_eq(refresh(&login), 200);
    ck_assert_int_eq(relay_stop(v.relay), 0);
    login_free(&login);
    faults_free(faults);
}
END_TEST

int main(void)
{
    visitor_secret(PKCE_VERIFIER);
    Suite *suite = suite_create("grants");
    TCase *tests = harness_case(suite, "grants");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, grants_are_listed);
    tcase_add_test(tests, a_namesake_is_named);
    tcase_add_test(tests, a_code_opens_so_many_namespaces);
    tcase_add_test(tests, a_revoked_grant_ends_at_once);
    tcase_add_test(tests, grants_are_revoked_by_agent_client_or_all);
    tcase_add_test(tests, revoking_tokens_tells_of_grants);
    tcase_add_test(tests, a_login_survives_a_kill);
    harness_add_embedded(tests, a_login_is_on_the_disk_before_it_is_answered);
    tcase_add_test(tests, what_logging_in_leaves_behind_is_cleaned_up);
    return run_suite(suite);
}
