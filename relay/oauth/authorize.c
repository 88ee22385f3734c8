/* authorize.c: GET and POST /authorize (OAuth 2.1 section 4.1; RFC 7636, 8707, 9207): what a client asks for,
 * and what a person decides.
 *
 * Nothing leads away from here before a person decided: anybody may register a client, and a relay that sent
 * browsers wherever such a client says would lend it its name (RFC 9700 section 4.11.2). What is wrong with a
 * request is shown on a page, with a link that tells the client. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/url.h"
#include "../auth/authenticator.h"
#include "../auth/typed_code.h"
#include "../relay.h"
#include "../store/store_oauth.h"
#include "authority.h"
#include "client_document.h"
#include "consent.h"
#include "consent_page.h"
#include "endpoint.h"
#include "oauth_client.h"
#include "page.h"
#include "token_endpoint.h"

enum {
    CODE_LIFE_MS = 60 * 1000, /* of an authorization code */
    CLIENT_STATE_MAX = 4096,  /* bytes of the client's own state */
    CHALLENGE_LEN = 43,       /* SHA-256 in base64url */
};

static const char PURPOSE[] = "authorize";

/* A request whose client and redirect URI are what they should be. All texts are borrowed. */
struct request {
    const char *client_id, *client_name, *client_host;
    const char *redirect_uri;
    struct redirect_uri redirect;
    const char *challenge, *scope, *state;
};

/* ---- back to the client ---- */

static void add_parameter(struct buf *url, const char *name, const char *value)
{
    if (!value)
        return;
    buf_putc(url, strchr(buf_text(url), '?') ? '&' : '?');
    buf_printf(url, "%s=", name);
    url_encode(url, value, strlen(value));
}

/* RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207 section 2. */
static void write_answer(struct buf *url, const struct oauth *oauth, const struct request *request,
    const char *name, const char *value)
{
    buf_puts(url, request->redirect_uri);
    add_parameter(url, name, value);
    add_parameter(url, "state", request->state);
    add_parameter(url, "iss", oauth->public_url);
}

static void redirect(struct exchange *ex, const struct request *request, const char *name, const char *value)
{
    const struct relay *relay = ex->app;
    struct buf url = {0};
    write_answer(&url, relay->oauth, request, name, value);
    ex->status = 303;
    exchange_add_header(ex, "Location", buf_text(&url));
    exchange_add_header(ex, "Cache-Control", "no-store");
    exchange_add_header(ex, "Referrer-Policy", "no-referrer");
    buf_wipe(&url);
}

/* A page about a fault of the client's, with a link that tells it. */
static void show_fault(struct exchange *ex, const struct request *request, const char *code, const char *text)
{
    const struct relay *relay = ex->app;
    struct buf url = {0};
    write_answer(&url, relay->oauth, request, "error", code);
    char *label = xasprintf("Back to %s", request->redirect.shown);
    page_message(ex, 400, "This request cannot be granted", text, buf_text(&url), label);
    free(label);
    buf_free(&url);
}

/* ---- what is asked for ---- */

static bool is_challenge(const char *text)
{
    static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return strlen(text) == CHALLENGE_LEN && strspn(text, base64url) == CHALLENGE_LEN;
}

/* RFC 6749 section 3.3: words of visible characters but for quotes and backslashes. */
static bool is_scope(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            return false;
    }
    return true;
}

static bool is_word(const struct form *form, const char *name, const char *word)
{
    const char *value = form_get(form, name);
    return value && strcmp(value, word) == 0;
}

static bool wants_code(const struct oauth *oauth, const struct form *form)
{
    (void)oauth;
    return is_word(form, "response_type", "code");
}

static bool wants_query(const struct oauth *oauth, const struct form *form)
{
    (void)oauth;
    return !form_get(form, "response_mode") || is_word(form, "response_mode", "query");
}

static bool has_challenge(const struct oauth *oauth, const struct form *form)
{
    const char *challenge = form_get(form, "code_challenge");
    (void)oauth;
    return challenge && is_challenge(challenge) && is_word(form, "code_challenge_method", "S256");
}

static bool has_own_resource(const struct oauth *oauth, const struct form *form)
{
    return authority_is_resource(oauth, form_get(form, "resource"));
}

static bool has_fine_scope(const struct oauth *oauth, const struct form *form)
{
    const char *scope = form_get(form, "scope");
    (void)oauth;
    return !scope || is_scope(scope);
}

static bool has_short_state(const struct oauth *oauth, const struct form *form)
{
    const char *state = form_get(form, "state");
    (void)oauth;
    return !state || strlen(state) <= CLIENT_STATE_MAX;
}

/* What has to hold, and the error where it does not (RFC 6749 section 4.1.2.1; RFC 8707 section 2). */
static const struct {
    bool (*holds)(const struct oauth *oauth, const struct form *form);
    const char *error, *text;
} rules[] = {
    {has_short_state, "invalid_request", "The application's state is longer than 4096 bytes."},
    {wants_code, "unsupported_response_type", "The application must ask for response_type=code."},
    {wants_query, "invalid_request", "The application must ask for response_mode=query, or for none."},
    {has_challenge, "invalid_request",
        "The application must send a code_challenge with code_challenge_method=S256 (PKCE)."},
    {has_own_resource, "invalid_target", "The application asks for another resource than this relay."},
    {has_fine_scope, "invalid_scope", "The application's scope is malformed."},
};

/* False: answered. */
static bool check_rules(struct exchange *ex, const struct form *form, struct request *request)
{
    const struct relay *relay = ex->app;
    const char *state = form_get(form, "state");
    request->state = has_short_state(relay->oauth, form) ? state : NULL;
    for (size_t i = 0; i < LENGTH_OF(rules); i++) {
        if (rules[i].holds(relay->oauth, form))
            continue;
        show_fault(ex, request, rules[i].error, rules[i].text);
        return false;
    }
    request->challenge = form_get(form, "code_challenge");
    request->scope = OAUTH_SCOPE;
    return true;
}

static bool check_redirect(
    struct exchange *ex, const struct form *form, const struct oauth_client *client, struct request *request)
{
    const char *problem = NULL;
    request->redirect_uri = form_get(form, "redirect_uri");
    if (!request->redirect_uri) {
        consent_refuse(ex, 400, "The application did not say where the answer is to go (redirect_uri).");
        return false;
    }
    if (redirect_uri_parse(request->redirect_uri, &request->redirect, &problem) &&
        client_metadata_redirect(&client->metadata, request->redirect_uri))
        return true;
    redirect_uri_free(&request->redirect);
    consent_refuse(ex, 400,
        "The application wants the answer sent to an address that is not one of its own (redirect_uri).");
    return false;
}

static bool find_client(struct exchange *ex, const struct form *form, struct oauth_client *client)
{
    const struct relay *relay = ex->app;
    const char *client_id = form_get(form, "client_id");
    struct buf why = {0};
    if (!client_id) {
        consent_refuse(ex, 400, "The application did not say which one it is (client_id).");
        return false;
    }
    if (client_document_is_id(client_id) && !authority_admit(relay->oauth, ex)) {
        consent_refuse(ex, 429, "Too many requests from your address. Wait a minute, and try again.");
        return false;
    }
    const enum oauth_client_found found = oauth_client_find(relay, client_id, client, &why);
    if (found == OAUTH_CLIENT_UNKNOWN)
        consent_refuse(ex, 400, buf_text(&why));
    else if (found == OAUTH_CLIENT_FAULT)
        consent_store_failed(ex);
    buf_free(&why);
    return found == OAUTH_CLIENT_FOUND;
}

/* ---- what is granted ---- */

static void log_allowed(const struct request *request, const struct store_subject *subject)
{
    log_info("authorization_allowed", LOG_STR("client", request->client_id),
        LOG_STR("name", request->client_name), LOG_STR("redirect", request->redirect.shown),
        LOG_STR("agent", subject->agent), LOG_STR("namespace", subject->namespace_id));
}

/* DONE: answered with the redirect that has the code. Otherwise nothing is answered yet. connect_hash NULL:
 * subject is given. */
static enum store_status grant(struct exchange *ex, const struct request *request, const char *connect_hash,
    struct store_subject *subject)
{
    const struct relay *relay = ex->app;
    char code[TOKEN_TEXT_SIZE], code_hash[SHA256_HEX_SIZE];
    secret_token_mint(code);
    secret_sha256_hex(code, strlen(code), code_hash);
    const struct store_authorization authorization = {
        .client_id = request->client_id,
        .client_name = request->client_name,
        .redirect_uri = request->redirect_uri,
        .challenge = request->challenge,
        .audience = relay->oauth->resource,
        .scope = request->scope,
        .expires_ms = clock_wall_ms() + CODE_LIFE_MS,
    };
    const enum store_status status =
        store_authorize(relay->store, connect_hash, code_hash, &authorization, subject);
    if (status == STORE_DONE) {
        redirect(ex, request, "code", code);
        log_allowed(request, subject);
    }
    secret_wipe(code, sizeof code);
    return status;
}

/* False: a person has to decide. */
static bool approve_by_itself(struct exchange *ex, const struct request *request)
{
    const struct relay *relay = ex->app;
    struct ident who;
    if (!relay->oauth->auto_approval ||
        !auto_approval_find(relay->oauth->auto_approval, request->client_id, request->redirect_uri, &who))
        return false;
    struct store_subject subject = {.namespace_id = who.namespace_id, .agent = who.agent};
    if (grant(ex, request, NULL, &subject) != STORE_DONE)
        consent_store_failed(ex);
    return true;
}

/* ---- the page ---- */

/* Browsers may hold a form's policy against each redirect that follows, and what is at the client's address
 * may lead on: hence any https there, beside what else the client is reached by. Nothing of others is in the
 * page but text. */
static void show_page(
    struct exchange *ex, int status, const struct request *request, const char *state, const char *problem)
{
    const struct relay *relay = ex->app;
    const struct consent_page consent = {
        .relay_name = relay->oauth->name,
        .relay_url = relay->oauth->public_url,
        .client_name = request->client_name,
        .client_host = request->client_host,
        .redirect = &request->redirect,
        .state = state,
        .problem = problem,
    };
    struct buf page = {0}, sources = {0};
    buf_puts(&sources, "https:");
    if (request->redirect.kind != REDIRECT_WEB)
        buf_printf(&sources, " %s", request->redirect.source);
    consent_page_write(&page, &consent);
    page_answer(ex, status, &page, buf_text(&sources));
    buf_free(&sources);
}

static void ask(struct exchange *ex, const struct request *request)
{
    const struct signed_state_field fields[] = {
        {"client_id", request->client_id},
        {"client_name", request->client_name},
        {"client_host", request->client_host},
        {"redirect_uri", request->redirect_uri},
        {"code_challenge", request->challenge},
        {"scope", request->scope},
        {"state", request->state},
    };
    struct buf state = {0};
    consent_seal(ex, PURPOSE, fields, LENGTH_OF(fields), &state);
    show_page(ex, 200, request, buf_text(&state), NULL);
    buf_free(&state);
}

enum verdict oauth_authorize(struct exchange *ex)
{
    const struct form form = {.fields = ex->query, .count = ex->query_count};
    struct oauth_client client = {0};
    struct request request = {0};
    if (form_problem(&form)) {
        consent_refuse(ex, 400, "The request is malformed: a parameter is there twice, or is no UTF-8.");
        return VERDICT_DONE;
    }
    if (find_client(ex, &form, &client) && check_redirect(ex, &form, &client, &request)) {
        request.client_id = client.id;
        request.client_name = client.metadata.name;
        request.client_host = client.host;
        if (check_rules(ex, &form, &request) && !approve_by_itself(ex, &request))
            ask(ex, &request);
        redirect_uri_free(&request.redirect);
    }
    oauth_client_free(&client);
    return VERDICT_DONE;
}

/* ---- the decision ---- */

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* What we signed was checked before. */
static bool read_request(const struct form *sealed, struct request *request)
{
    const char *problem = NULL;
    *request = (struct request){
        .client_id = form_get(sealed, "client_id"),
        .client_name = text_or_empty(form_get(sealed, "client_name")),
        .client_host = form_get(sealed, "client_host"),
        .redirect_uri = form_get(sealed, "redirect_uri"),
        .challenge = form_get(sealed, "code_challenge"),
        .scope = form_get(sealed, "scope"),
        .state = form_get(sealed, "state"),
    };
    return request->redirect_uri && redirect_uri_parse(request->redirect_uri, &request->redirect, &problem);
}

static enum store_status grant_by_code(
    struct exchange *ex, const struct request *request, const char *typed, struct store_subject *subject)
{
    const struct relay *relay = ex->app;
    char hash[SHA256_HEX_SIZE];
    if (!typed || !typed_code_hash(relay->code_key, typed, hash))
        return STORE_ABSENT;
    return grant(ex, request, hash, subject);
}

static void allow(struct exchange *ex, const struct form *form, const struct request *request)
{
    struct store_subject subject = {0};
    const char *state = form_get(form, FIELD_STATE);
    const enum store_status status = grant_by_code(ex, request, form_get(form, FIELD_CODE), &subject);
    if (status == STORE_ABSENT) {
        log_warn("connect_code_refused", LOG_STR("client", request->client_id),
            LOG_STR("redirect", request->redirect.shown));
        show_page(ex, 400, request, state, "That code is not known, was used, or has run out.");
    } else if (status != STORE_DONE) {
        show_page(ex, 503, request, state, "The store did not answer. Nothing was done; try again.");
    }
    store_subject_free(&subject);
}

static void decide(struct exchange *ex, const struct form *form)
{
    struct form sealed = {0};
    struct request request = {0};
    if (!consent_open(ex, PURPOSE, form, &sealed))
        return;
    if (!read_request(&sealed, &request))
        consent_refuse(ex, 400, "Start again from the application.");
    else if (is_word(form, FIELD_DECISION, DECISION_DENY))
        redirect(ex, &request, "error", "access_denied");
    else if (consent_try(ex, form_get(&sealed, "id")))
        allow(ex, form, &request);
    redirect_uri_free(&request.redirect);
    form_free(&sealed);
}

enum verdict oauth_authorize_decide(struct exchange *ex)
{
    struct form form;
    if (!endpoint_read_form(ex, &form))
        return VERDICT_DONE;
    decide(ex, &form);
    form_free(&form);
    return VERDICT_DONE;
}
