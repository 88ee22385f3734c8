#include "authorize_request.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/url.h"
#include "authority.h"
#include "consent.h"
#include "page.h"

enum { CHALLENGE_LEN = 43 }; /* SHA-256 in base64url */

static const char PURPOSE[] = "authorize";

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
static void write_answer(struct buf *url, const struct oauth *oauth, const struct authorize_request *request,
    const char *name, const char *value)
{
    buf_puts(url, request->redirect_uri);
    add_parameter(url, name, value);
    add_parameter(url, "state", request->state);
    add_parameter(url, "iss", oauth->public_url);
}

void authorize_request_answer(
    struct exchange *ex, const struct authorize_request *request, const char *name, const char *value)
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
static void show_fault(
    struct exchange *ex, const struct authorize_request *request, const char *code, const char *text)
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
    return !state || strlen(state) <= AUTHORIZE_STATE_MAX;
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
static bool check_rules(struct exchange *ex, const struct form *form, struct authorize_request *request)
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

static bool check_redirect(struct exchange *ex, const struct form *form, const struct oauth_client *client,
    struct authorize_request *request)
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

bool authorize_request_read(struct exchange *ex, const struct form *form, const struct oauth_client *client,
    struct authorize_request *out)
{
    *out = (struct authorize_request){
        .client_id = client->id, .client_name = client->metadata.name, .client_host = client->host};
    if (check_redirect(ex, form, client, out) && check_rules(ex, form, out))
        return true;
    authorize_request_free(out);
    return false;
}

void authorize_request_free(struct authorize_request *request)
{
    redirect_uri_free(&request->redirect);
}

/* ---- from the page and back ---- */

void authorize_request_seal(struct exchange *ex, const struct authorize_request *request, struct buf *out)
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
    consent_seal(ex, PURPOSE, fields, LENGTH_OF(fields), out);
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* What we signed was checked before. */
static bool read_sealed(const struct form *sealed, struct authorize_request *request)
{
    const char *problem = NULL;
    *request = (struct authorize_request){
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

bool authorize_request_open(
    struct exchange *ex, const struct form *form, struct form *sealed, struct authorize_request *out)
{
    *out = (struct authorize_request){0};
    if (!consent_open(ex, PURPOSE, form, sealed))
        return false;
    if (read_sealed(sealed, out))
        return true;
    form_free(sealed);
    consent_refuse(ex, 400, "Start again from the application.");
    return false;
}
