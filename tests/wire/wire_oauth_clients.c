/* Clients that log in: their registration, their secrets, what they are told of the server, and what keeps one from being
 * taken for another. */
#include "oauth_rig.h"

/* ---- what goes well ---- */

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

/* ---- attacks: bad redirects ---- */

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

int main(void)
{
    TCase *tests;
    Suite *suite = oauth_suite("oauth_clients", &tests);
    tcase_add_loop_test(tests, clients_with_a_secret_prove_themselves, 0, 2);
    tcase_add_test(tests, a_secret_in_the_header);
    tcase_add_test(tests, clients_grants_and_refresh_survive_a_restart);
    tcase_add_test(tests, programs_on_this_machine_use_any_port);
    tcase_add_test(tests, metadata_is_where_clients_look);
    tcase_add_test(tests, metadata_follows_the_settings);
    tcase_add_loop_test(tests, registrations_of_bad_redirects_are_refused, 0, 6);
    tcase_add_test(tests, what_is_one_clients_is_not_anothers);
    tcase_add_loop_test(tests, unknown_clients_are_told_to_register, 0, 3);
    tcase_add_test(tests, registrations_are_limited_by_rate);
    tcase_add_test(tests, registrations_are_limited_in_number);
    tcase_add_test(tests, registrations_are_limited_in_size);
    return run_suite(suite);
}
