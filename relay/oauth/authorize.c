/* authorize.c: GET and POST /authorize (OAuth 2.1 section 4.1): a person is asked, and what that person
 * decides becomes an authorization code or a refusal. */
#include <string.h>

#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/secret.h"
#include "../auth/typed_code.h"
#include "../relay.h"
#include "../store/store_oauth.h"
#include "authority.h"
#include "authorize_request.h"
#include "client_document.h"
#include "consent.h"
#include "consent_page.h"
#include "endpoint.h"
#include "page.h"

enum { CODE_LIFE_MS = 60 * 1000 }; /* of an authorization code */

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
    const enum oauth_client_found found = oauth_client_find(ex, client_id, client, &why);
    if (found == OAUTH_CLIENT_UNKNOWN)
        consent_refuse(ex, 400, buf_text(&why));
    else if (found == OAUTH_CLIENT_FAULT)
        consent_store_failed(ex);
    buf_free(&why);
    return found == OAUTH_CLIENT_FOUND;
}

/* ---- what is granted ---- */

static void log_allowed(const struct authorize_request *request, const struct store_subject *subject)
{
    log_info("authorization_allowed", LOG_STR("client", request->client_id),
        LOG_STR("name", request->client_name), LOG_STR("redirect", request->redirect.shown),
        LOG_STR("agent", subject->agent), LOG_STR("namespace", subject->namespace_id));
}

/* DONE: answered with the redirect that has the code. Otherwise nothing is answered yet. connect_hash NULL:
 * subject is given. */
static enum store_status grant(struct exchange *ex, const struct authorize_request *request,
    const char *connect_hash, struct store_subject *subject)
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
        authorize_request_answer(ex, request, "code", code);
        log_allowed(request, subject);
    }
    secret_wipe(code, sizeof code);
    return status;
}

/* False: a person has to decide. */
static bool approve_by_itself(struct exchange *ex, const struct authorize_request *request)
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
static void show_page(struct exchange *ex, int status, const struct authorize_request *request,
    const char *state, const char *problem)
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

static void ask(struct exchange *ex, const struct authorize_request *request)
{
    struct buf state = {0};
    authorize_request_seal(ex, request, &state);
    show_page(ex, 200, request, buf_text(&state), NULL);
    buf_free(&state);
}

enum verdict oauth_authorize(struct exchange *ex)
{
    const struct form form = {.fields = ex->query, .count = ex->query_count};
    struct oauth_client client = {0};
    struct authorize_request request;
    if (form_problem(&form)) {
        consent_refuse(ex, 400, "The request is malformed: a parameter is there twice, or is no UTF-8.");
        return VERDICT_DONE;
    }
    if (find_client(ex, &form, &client) && authorize_request_read(ex, &form, &client, &request)) {
        if (!approve_by_itself(ex, &request))
            ask(ex, &request);
        authorize_request_free(&request);
    }
    oauth_client_free(&client);
    return VERDICT_DONE;
}

/* ---- the decision ---- */

static enum store_status grant_by_code(struct exchange *ex, const struct authorize_request *request,
    const char *typed, struct store_subject *subject)
{
    const struct relay *relay = ex->app;
    char hash[SHA256_HEX_SIZE];
    if (!typed || !typed_code_hash(relay->code_key, typed, hash))
        return STORE_ABSENT;
    return grant(ex, request, hash, subject);
}

static void allow(struct exchange *ex, const struct form *form, const struct authorize_request *request)
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
    struct form sealed;
    struct authorize_request request;
    const char *decision = form_get(form, FIELD_DECISION);
    if (!authorize_request_open(ex, form, &sealed, &request))
        return;
    if (decision && strcmp(decision, DECISION_DENY) == 0)
        authorize_request_answer(ex, &request, "error", "access_denied");
    else if (consent_try(ex, form_get(&sealed, "id")))
        allow(ex, form, &request);
    authorize_request_free(&request);
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
