/* Logging in, on the real relay: how it goes well, and every way in which somebody may try to get in, or get
 * more, than the operator's code gives. After each test the relay's log has no secret. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/json.h"
#include "../../common/url.h"
#include "../harness_faults.h"
#include "../harness_visitor.h"

#define CALLBACK     "https://client.example/callback"
#define CALLBACK_ESC "https%3A%2F%2Fclient.example%2Fcallback"
#define NAME         "A client"
#define PUBLIC                                                                                               \
    "{\"redirect_uris\":[\"" CALLBACK "\"],\"client_name\":\"" NAME                                          \
    "\",\"token_endpoint_auth_method\":\"none\"}"
#define ASK          "&code_challenge=" PKCE_CHALLENGE "&code_challenge_method=S256&response_type=code"
#define STATE        "&state=s%26t%20%C3%A4"
#define UNKNOWN_CODE "0123-4567-89AB-C"

enum { SOON_MS = 10 * 1000, GRACE_MS = 30 * 1000 };

static const char *const debug_log[] = {"PATCHCORD_LOG_LEVEL=debug", NULL};

static struct visitor v, other;
static char *client, *access_token, *refresh_token;

static void begin(const char *const env[])
{
    v.relay = other.relay = relay_start(NULL, env);
}

static void setup(void)
{
    visitor_secret(PKCE_VERIFIER);
    begin(debug_log);
}

static void teardown(void)
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

static void set(char **text, const char *value)
{
    free(*text);
    *text = xstrdup(value);
}

static void has_status(const struct visitor *who, int status)
{
    ck_assert_msg(who->reply.status == status, "%d instead of %d: %s", who->reply.status, status,
        buf_text(&who->reply.body));
}

static void register_client(const char *json)
{
    visitor_register(&v, json);
    has_status(&v, 201);
    set(&client, visitor_json(&v, "client_id"));
}

/* GET /authorize; more: further parameters, each with its "&". */
static int ask_at(struct visitor *who, const char *client_id, const char *redirect, const char *more)
{
    char *path = xasprintf("/authorize?client_id=%s&redirect_uri=%s%s", client_id, redirect, more);
    const int status = visitor_get(who, path);
    free(path);
    return status;
}

static void ask(void)
{
    if (!client)
        register_client(PUBLIC);
    ask_at(&v, client, CALLBACK_ESC, ASK STATE);
    has_status(&v, 200);
}

/* All of it, up to the authorization code; the caller frees. */
static char *allow_as(const char *words)
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

static int redeem_with(const char *client_id, const char *code, const char *redirect, const char *more)
{
    char *form = xasprintf("grant_type=authorization_code&client_id=%s&code=%s&redirect_uri=%s%s", client_id,
        code, redirect, more);
    const int status = visitor_post(&v, "/token", form);
    free(form);
    return status;
}

#define VERIFIER "&code_verifier=" PKCE_VERIFIER

static void keep_tokens(void)
{
    set(&access_token, visitor_json(&v, "access_token"));
    set(&refresh_token, visitor_json(&v, "refresh_token"));
}

static void log_in(const char *words)
{
    char *code = allow_as(words);
    redeem_with(client, code, CALLBACK_ESC, VERIFIER);
    has_status(&v, 200);
    keep_tokens();
    free(code);
}

static int refresh_with(const char *client_id, const char *token)
{
    char *form = xasprintf("grant_type=refresh_token&client_id=%s&refresh_token=%s", client_id, token);
    const int status = visitor_post(&v, "/token", form);
    free(form);
    return status;
}

static void says_error(int status, const char *error)
{
    has_status(&v, status);
    ck_assert_str_eq(visitor_json(&v, "error"), error);
}

/* A tool, as web clients call it: at /mcp, legacy. The status; the text in v.reply. */
static int tool_at(const char *path, const char *token, const char *tool, const char *args)
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

static void is_agent(const char *token, const char *address)
{
    ck_assert_int_eq(tool_at("/mcp", token, "inbox", "{}"), 200);
    ck_assert_msg(visitor_sees(&v, address), "%s", buf_text(&v.reply.body));
}

static void is_nobody(const char *token)
{
    ck_assert_int_eq(tool_at("/mcp", token, "inbox", "{}"), 401);
}

/* A page that says no, and sends nobody anywhere. */
static void is_refusal_page(int status)
{
    has_status(&v, status);
    ck_assert(visitor_sees(&v, "This") && visitor_sees(&v, "cannot be granted"));
    ck_assert_str_eq(visitor_header(&v, "Location"), "");
    ck_assert(!visitor_sees(&v, "<form"));
    ck_assert(!visitor_sees(&v, "http-equiv"));
}

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

START_TEST(clients_with_a_secret_prove_themselves)
{
    static const char *const methods[] = {"client_secret_basic", "client_secret_post"};
    char *json = xasprintf(
        "{\"redirect_uris\":[\"" CALLBACK "\"],\"token_endpoint_auth_method\":\"%s\"}", methods[_i]);
    register_client(json);
    char *secret = xstrdup(visitor_json(&v, "client_secret")), *code = allow_as("--agent alice@team");

    redeem_with(client, code, CALLBACK_ESC, VERIFIER); /* no secret */
    says_error(401, "invalid_client");
    redeem_with(client, code, CALLBACK_ESC, VERIFIER "&client_secret=pc_wrong");
    says_error(401, "invalid_client");

    char *more = xasprintf(VERIFIER "&client_secret=%s", secret);
    redeem_with(client, code, CALLBACK_ESC, more);
    has_status(&v, 200);
    keep_tokens();
    is_agent(access_token, "alice@team");
    free(more);
    free(json);
    free(secret);
    free(code);
}
END_TEST

static char *basic(const char *id, const char *secret)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *pair = xasprintf("%s:%s", id, secret);
    struct buf out = {0};
    const size_t len = strlen(pair);
    buf_puts(&out, "Authorization: Basic ");
    for (size_t i = 0; i < len; i += 3) {
        const unsigned b[3] = {(unsigned char)pair[i], i + 1 < len ? (unsigned char)pair[i + 1] : 0,
            i + 2 < len ? (unsigned char)pair[i + 2] : 0};
        buf_putc(&out, alphabet[b[0] >> 2]);
        buf_putc(&out, alphabet[(b[0] & 3) << 4 | b[1] >> 4]);
        buf_putc(&out, i + 1 < len ? alphabet[(b[1] & 15) << 2 | b[2] >> 6] : '=');
        buf_putc(&out, i + 2 < len ? alphabet[b[2] & 63] : '=');
    }
    free(pair);
    return buf_take(&out);
}

START_TEST(a_secret_in_the_header)
{
    register_client("{\"redirect_uris\":[\"" CALLBACK "\"]}"); /* client_secret_basic is the default */
    ck_assert_str_eq(visitor_json(&v, "token_endpoint_auth_method"), "client_secret_basic");
    char *right = basic(client, visitor_json(&v, "client_secret")), *wrong = basic(client, "pc_wrong");
    char *code = allow_as("--agent alice@team");
    char *form =
        xasprintf("grant_type=authorization_code&code=%s&redirect_uri=%s%s", code, CALLBACK_ESC, VERIFIER);
    char *both = xasprintf("%s&client_secret=x", form), *mixed = xasprintf("%s&client_id=else", form);

    visitor_post_with(&v, "/token", form, (const char *const[]){wrong, NULL});
    says_error(401, "invalid_client");
    ck_assert_int_eq(strncmp(visitor_header(&v, "WWW-Authenticate"), "Basic ", 6), 0);
    visitor_post_with(&v, "/token", both, (const char *const[]){right, NULL});
    says_error(400, "invalid_request");
    visitor_post_with(&v, "/token", mixed, (const char *const[]){right, NULL});
    says_error(400, "invalid_request");
    visitor_post_with(&v, "/token", form, (const char *const[]){"Authorization: Basic !!!", NULL});
    says_error(401, "invalid_client");
    visitor_post_with(&v, "/token", form, (const char *const[]){right, NULL});
    has_status(&v, 200);
    free(form);
    free(both);
    free(mixed);
    free(right);
    free(wrong);
    free(code);
}
END_TEST

START_TEST(clients_grants_and_refresh_survive_a_restart)
{
    log_in("--agent alice@team");
    visitor_check_log(&v);
    relay_kill(v.relay);
    relay_restart(v.relay, NULL);
    is_agent(access_token, "alice@team");
    refresh_with(client, refresh_token);
    has_status(&v, 200);
    keep_tokens();
    is_agent(access_token, "alice@team");
    log_in("--agent bob@team"); /* the registration is there still */
    is_agent(access_token, "bob@team");
}
END_TEST

START_TEST(programs_on_this_machine_use_any_port)
{
    register_client("{\"redirect_uris\":[\"http://localhost/callback\",\"http://127.0.0.1:1/callback\"],"
                    "\"token_endpoint_auth_method\":\"none\"}");
    ask_at(&v, client, "http%3A%2F%2Flocalhost%3A3118%2Fcallback", ASK);
    has_status(&v, 200);
    ck_assert(visitor_sees(&v, "<strong>localhost:3118</strong>"));
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    visitor_allow(&v, "/authorize", connect);
    has_status(&v, 303);
    ck_assert_ptr_eq(strstr(visitor_header(&v, "Location"), "http://localhost:3118/callback?code="),
        strstr(visitor_header(&v, "Location"), "http://"));
    char *code = visitor_located(&v, "code");
    redeem_with(client, code, "http%3A%2F%2Flocalhost%3A3119%2Fcallback",
        VERIFIER); /* not the one that was asked for */
    says_error(400, "invalid_grant");
    redeem_with(client, code, "http%3A%2F%2Flocalhost%3A3118%2Fcallback", VERIFIER);
    has_status(&v, 200);
    free(connect);
    free(code);
}
END_TEST

/* ---- metadata ---- */

static const struct {
    const char *path, *resource; /* behind the public URL; NULL: the server's own metadata */
    bool has_server;
} described[] = {
    {"/.well-known/oauth-authorization-server", NULL, false},
    {"/.well-known/oauth-authorization-server/mcp", NULL, false},
    {"/.well-known/openid-configuration", NULL, false},
    {"/.well-known/openid-configuration/mcp", NULL, false},
    {"/.well-known/oauth-protected-resource", "/mcp", true},
    {"/.well-known/oauth-protected-resource/mcp", "/mcp", true},
    {"/.well-known/oauth-protected-resource/mcp/bearer", "/mcp/bearer", false},
};

static void describes_server(const char *public_url)
{
    static const char *const endpoints[][2] = {{"authorization_endpoint", "/authorize"},
        {"token_endpoint", "/token"}, {"registration_endpoint", "/register"},
        {"revocation_endpoint", "/revoke"}, {"device_authorization_endpoint", "/device_authorization"}};
    bool flag = false;
    ck_assert_str_eq(visitor_json(&v, "issuer"), public_url);
    for (size_t i = 0; i < LENGTH_OF(endpoints); i++) {
        char *url = xasprintf("%s%s", public_url, endpoints[i][1]);
        ck_assert_str_eq(visitor_json(&v, endpoints[i][0]), url);
        free(url);
    }
    ck_assert(visitor_sees(&v, "\"code_challenge_methods_supported\":[\"S256\"]"));
    ck_assert_int_eq(
        json_get_bool(v.reply.json, "client_id_metadata_document_supported", &flag), JSON_FIELD_FOUND);
    ck_assert(flag);
    ck_assert_int_eq(json_get_bool(v.reply.json, "authorization_response_iss_parameter_supported", &flag),
        JSON_FIELD_FOUND);
    ck_assert(flag);
}

START_TEST(metadata_is_where_clients_look)
{
    char *public_url = xasprintf("http://localhost:%d", v.relay->port);
    for (size_t i = 0; i < LENGTH_OF(described); i++) {
        ck_assert_msg(visitor_get(&v, described[i].path) == 200, "%s", described[i].path);
        ck_assert_str_eq(visitor_header(&v, "Content-Type"), "application/json");
        struct json_object *servers = NULL;
        const bool has_server =
            json_get_array(v.reply.json, "authorization_servers", &servers) == JSON_FIELD_FOUND;
        ck_assert_msg(has_server == described[i].has_server, "%s", described[i].path);
        if (!described[i].resource) {
            describes_server(public_url);
            continue;
        }
        char *resource = xasprintf("%s%s", public_url, described[i].resource);
        ck_assert_str_eq(visitor_json(&v, "resource"), resource);
        free(resource);
    }
    ck_assert_int_eq(visitor_get(&v, "/.well-known/oauth-protected-resource/else"), 404);
    ck_assert_int_eq(visitor_get(&v, "/.well-known/oauth-authorization-server/mcp/bearer"), 404);
    free(public_url);
}
END_TEST

START_TEST(metadata_follows_the_settings)
{
    static const char *const env[] = {"PATCHCORD_PUBLIC_URL=https://relay.example.org/base/",
        "PATCHCORD_MCP_PATH=/agents", "PATCHCORD_BEARER_PATH=/agents/token", NULL};
    begin(env);
    ck_assert_int_eq(visitor_get(&v, "/.well-known/oauth-authorization-server/base"), 200);
    describes_server("https://relay.example.org/base");
    ck_assert_int_eq(visitor_get(&v, "/.well-known/oauth-protected-resource/base/agents"), 200);
    ck_assert_str_eq(visitor_json(&v, "resource"), "https://relay.example.org/base/agents");
    ck_assert_int_eq(visitor_get(&v, "/.well-known/oauth-protected-resource/agents/token"), 200);
    ck_assert_str_eq(visitor_json(&v, "resource"), "https://relay.example.org/base/agents/token");
    ck_assert_int_eq(visitor_get(&v, "/.well-known/oauth-protected-resource/mcp"), 404);
    ck_assert_int_eq(tool_at("/agents", NULL, "inbox", "{}"), 401);
    ck_assert_str_eq(visitor_header(&v, "WWW-Authenticate"),
        "Bearer resource_metadata=\"https://relay.example.org/base/.well-known/oauth-protected-resource/"
        "agents\", scope=\"messages\"");
    ck_assert_int_eq(tool_at("/agents/token", NULL, "inbox", "{}"), 401);
    ck_assert_str_eq(visitor_header(&v, "WWW-Authenticate"), "Bearer");
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

START_TEST(registrations_of_bad_redirects_are_refused)
{
    static const char *const bad[] = {"http://evil.example/", "javascript:alert(1)",
        "https://a@evil.example/", "https://evil.example/#x", "data:text/html,x", "//evil.example/"};
    char *json = xasprintf("{\"redirect_uris\":[\"" CALLBACK "\",\"%s\"]}", bad[_i]);
    visitor_register(&v, json);
    says_error(400, "invalid_redirect_uri");
    free(json);
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

/* ---- attacks: clients mixed up ---- */

START_TEST(what_is_one_clients_is_not_anothers)
{
    char *code = allow_as("--agent alice@team"), *mine = xstrdup(client);
    register_client(PUBLIC);
    redeem_with(client, code, CALLBACK_ESC, VERIFIER);
    says_error(400, "invalid_grant");
    redeem_with(mine, code, CALLBACK_ESC, VERIFIER);
    has_status(&v, 200);
    keep_tokens();

    refresh_with(client, refresh_token);
    says_error(400, "invalid_grant");
    char *form = xasprintf("token=%s&client_id=%s", access_token, client);
    ck_assert_int_eq(visitor_post(&v, "/revoke", form), 200);
    is_agent(access_token, "alice@team");
    refresh_with(mine, refresh_token);
    has_status(&v, 200);
    free(form);
    free(code);
    free(mine);
}
END_TEST

START_TEST(unknown_clients_are_told_to_register)
{
    static const char *const unknown[] = {"b3b6cf1c-1111-4111-8111-111111111111", "x", "%3Cb%3E"};
    char *form = xasprintf("grant_type=refresh_token&refresh_token=pc_x&client_id=%s", unknown[_i]);
    visitor_post(&v, "/token", form);
    says_error(401, "invalid_client");
    visitor_post(&v, "/revoke", form);
    says_error(401, "invalid_client");
    ask_at(&v, unknown[_i], CALLBACK_ESC, ASK);
    is_refusal_page(400);
    ck_assert(!visitor_sees(&v, "href"));
    free(form);
}
END_TEST

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

/* ---- attacks: too much ---- */

START_TEST(registrations_are_limited_by_rate)
{
    static const char *const env[] = {"PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=20", NULL};
    begin(env);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(visitor_register(&v, PUBLIC), 201);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(visitor_register(&v, PUBLIC), 429);
    ck_assert_str_eq(visitor_json(&v, "error"), "rate_limited");
}
END_TEST

/* Each refresh is kept for as long as refresh tokens live, and each guess is looked up. */
START_TEST(calls_of_the_token_endpoint_are_limited_by_rate)
{
    static const char *const env[] = {"PATCHCORD_RATE_LIMIT_PER_MINUTE=20", "PATCHCORD_LOG_LEVEL=debug", NULL};
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

START_TEST(registrations_are_limited_in_number)
{
    enum { UNUSED_MAX = 1000 };
    struct faults *faults = faults_new();
    begin(faults_env(faults));
    log_in("--agent alice@team"); /* one that is used does not count, and is kept */
    for (int i = 0; i < UNUSED_MAX; i++)
        ck_assert_int_eq(visitor_register(&v, PUBLIC), 201);
    ck_assert_int_eq(visitor_register(&v, PUBLIC), 503);
    faults_pass_time(faults, 14 * MS_PER_MINUTE);
    ck_assert_int_eq(visitor_register(&v, PUBLIC), 503);
    faults_pass_time(faults, MS_PER_MINUTE + MS_PER_SECOND);
    ck_assert_int_eq(visitor_register(&v, PUBLIC), 201);
    refresh_with(client, refresh_token);
    has_status(&v, 200);
    ck_assert_int_eq(relay_stop(v.relay), 0);
    faults_free(faults);
}
END_TEST

START_TEST(registrations_are_limited_in_size)
{
    struct buf json = {0};
    buf_puts(&json, "{\"redirect_uris\":[\"" CALLBACK "\"],\"client_name\":\"");
    while (json.len < 16 * 1024 - 2)
        buf_putc(&json, 'x');
    buf_puts(&json, "\"}");
    ck_assert_int_eq(visitor_register(&v, buf_text(&json)), 201);
    ck_assert_uint_le(strlen(visitor_json(&v, "client_name")), 200);
    buf_puts(&json, " ");
    ck_assert_int_eq(visitor_register(&v, buf_text(&json)), 413);
    ck_assert_int_eq(visitor_register(&v, "[1"), 400);
    ck_assert_str_eq(visitor_json(&v, "error"), "invalid_client_metadata");
    buf_free(&json);
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

static void *rush_in(void *arg)
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
static int count_in_rush(const char *path, const char *form, int status)
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
    Suite *suite = suite_create("oauth");
    TCase *tests = harness_case(suite, "oauth");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_client_becomes_the_agent_that_the_code_names);
    tcase_add_test(tests, the_answer_has_state_and_issuer);
    tcase_add_test(tests, a_person_may_refuse_without_a_code);
    tcase_add_loop_test(tests, clients_with_a_secret_prove_themselves, 0, 2);
    tcase_add_test(tests, a_secret_in_the_header);
    tcase_add_test(tests, clients_grants_and_refresh_survive_a_restart);
    tcase_add_test(tests, programs_on_this_machine_use_any_port);
    tcase_add_test(tests, metadata_is_where_clients_look);
    tcase_add_test(tests, metadata_follows_the_settings);
    tcase_add_test(tests, pages_are_locked_down);
    tcase_add_test(tests, the_cookie_is_locked_down);
    tcase_add_test(tests, html_in_names_stays_text);
    tcase_add_loop_test(tests, without_a_proper_challenge_nothing_is_asked, 0, 8);
    tcase_add_test(tests, a_wrong_verifier_gets_nothing);
    tcase_add_test(tests, a_code_that_comes_again_takes_back_what_it_gave);
    tcase_add_test(tests, a_code_runs_out);
    tcase_add_test(tests, refresh_tokens_rotate_and_their_reuse_ends_the_grant);
    tcase_add_test(tests, access_runs_out_and_is_refreshed);
    tcase_add_loop_test(tests, answers_go_nowhere_else, 0, LENGTH_OF(tricks));
    tcase_add_test(tests, a_parameter_twice_is_refused);
    tcase_add_loop_test(tests, registrations_of_bad_redirects_are_refused, 0, 6);
    tcase_add_loop_test(tests, a_link_is_no_open_redirect, 0, 5);
    tcase_add_test(tests, state_is_bounded);
    tcase_add_test(tests, what_is_one_clients_is_not_anothers);
    tcase_add_loop_test(tests, unknown_clients_are_told_to_register, 0, 3);
    tcase_add_test(tests, grants_are_asked_for_properly);
    tcase_add_test(tests, tokens_are_for_the_mcp_endpoint_alone);
    tcase_add_test(tests, a_foreign_audience_is_refused);
    tcase_add_loop_test(tests, the_resource_is_named_in_the_forms_that_clients_use, 0, 5);
    tcase_add_test(tests, tokens_of_another_public_url_are_foreign);
    tcase_add_test(tests, tokens_do_not_belong_into_urls);
    tcase_add_test(tests, connect_codes_are_not_guessed);
    tcase_add_test(tests, guesses_count_against_the_address);
    tcase_add_test(tests, a_connect_code_counts_once);
    tcase_add_test(tests, a_connect_code_runs_out);
    tcase_add_test(tests, a_page_runs_out);
    tcase_add_test(tests, a_page_survives_a_restart);
    tcase_add_test(tests, codes_of_another_kind_let_nobody_in);
    tcase_add_test(tests, only_the_browser_that_saw_the_page_may_decide);
    tcase_add_test(tests, a_form_of_another_page_or_changed_is_refused);
    tcase_add_test(tests, registrations_are_limited_by_rate);
    tcase_add_test(tests, calls_of_the_token_endpoint_are_limited_by_rate);
    tcase_add_test(tests, registrations_are_limited_in_number);
    tcase_add_test(tests, registrations_are_limited_in_size);
    tcase_add_test(tests, a_client_reads_and_writes_its_own_namespaces_alone);
    tcase_add_test(tests, with_also_it_is_the_same_agent_in_several_namespaces);
    tcase_add_test(tests, wrong_codes_all_at_once_are_five);
    tcase_add_test(tests, a_connect_code_all_at_once_counts_once);
    tcase_add_test(tests, a_code_all_at_once_gives_one_pair_and_takes_it_back);
    tcase_add_loop_test(tests, a_client_gives_back_its_access, 0, 2);
    tcase_add_test(tests, a_revoked_grant_ends_its_parked_waits);
    return run_suite(suite);
}
