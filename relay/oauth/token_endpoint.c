/* token_endpoint.c: POST /token: what proves consent becomes tokens (OAuth 2.1 section 4, RFC 8628 section
 * 3.4).
 *
 * Clients that log in get a pair of tokens that run out, for this relay's MCP endpoint alone. The bridge, by
 * a device code, gets the bearer token of its agent, which has no end of its own: hence no expires_in, and
 * the agent's name beside it. */
#include "token_endpoint.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/log.h"
#include "../relay.h"
#include "../store/store_oauth.h"
#include "authority.h"
#include "client_proof.h"
#include "endpoint.h"

/* A request whose client has proved itself. */
struct asked {
    struct exchange *ex;
    const struct form *form;
    const char *client_id;
    const struct relay *relay;
};

/* The pair in clear, and as the store takes it. */
struct minted {
    char access[TOKEN_TEXT_SIZE], refresh[TOKEN_TEXT_SIZE];
    struct store_token_pair pair;
};

static void mint(const struct oauth *oauth, struct minted *out)
{
    const int64_t now_ms = clock_wall_ms();
    secret_token_mint(out->access);
    secret_token_mint(out->refresh);
    secret_sha256_hex(out->access, strlen(out->access), out->pair.access_hash);
    secret_sha256_hex(out->refresh, strlen(out->refresh), out->pair.refresh_hash);
    out->pair.access_expires_ms = now_ms + oauth->access_ttl_ms;
    out->pair.refresh_expires_ms = now_ms + oauth->refresh_ttl_ms;
}

/* ---- answers ---- */

static void refuse(const struct asked *asked, const char *code, const char *text)
{
    endpoint_error(asked->ex, 400, code, text);
}

static void answer_pair(
    const struct asked *asked, const struct minted *minted, const struct store_grant *grant)
{
    struct json_object *answer = json_new_object();
    json_add_text(answer, "access_token", minted->access);
    json_add_text(answer, "token_type", "Bearer");
    json_add_int(answer, "expires_in", asked->relay->oauth->access_ttl_ms / MS_PER_SECOND);
    json_add_text(answer, "refresh_token", minted->refresh);
    json_add_text(answer, "scope", grant->scope);
    endpoint_answer(asked->ex, 200, answer);
}

static void answer_bearer(const struct asked *asked, const char *token, const struct store_subject *subject)
{
    struct json_object *answer = json_new_object();
    json_add_text(answer, "access_token", token);
    json_add_text(answer, "token_type", "Bearer");
    json_add_text(answer, "scope", OAUTH_SCOPE);
    json_add_text(answer, "agent", subject->agent);
    json_add_text(answer, "namespace", subject->namespace_id);
    endpoint_answer(asked->ex, 200, answer);
}

/* Somebody showed what had been used up before: the store has ended what it gave. */
static void answer_reused(const struct asked *asked, const char *what)
{
    log_warn("grant_ended", LOG_STR("client", asked->client_id), LOG_STR("why", what));
    authority_changed(asked->relay);
    refuse(asked, "invalid_grant", "It was used before. What it gave has been revoked; log in again.");
}

static void answer_grant(const struct asked *asked, enum store_status status, const struct minted *minted,
    const struct store_grants *grants, const char *what)
{
    if (status == STORE_DONE)
        answer_pair(asked, minted, &grants->items[0]);
    else if (status == STORE_REFUSED)
        answer_reused(asked, what);
    else if (status == STORE_ABSENT)
        refuse(asked, "invalid_grant", "It is not known, has run out, or is not for this client or request.");
    else
        endpoint_store_failed(asked->ex);
}

/* RFC 8707 section 2.2. False: answered. */
static bool check_resource(const struct asked *asked)
{
    if (authority_is_resource(asked->relay->oauth, form_get(asked->form, "resource")))
        return true;
    refuse(asked, "invalid_target", "Tokens are for this relay's MCP endpoint alone.");
    return false;
}

/* ---- authorization_code ---- */

enum { VERIFIER_MIN = 43, VERIFIER_MAX = 128 };

/* RFC 7636 section 4.1. */
static bool is_verifier(const char *text)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    const size_t len = strlen(text);
    return len >= VERIFIER_MIN && len <= VERIFIER_MAX && strspn(text, unreserved) == len;
}

enum {
    CHALLENGE_SIZE =
        sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING)
};

/* RFC 7636 section 4.6. */
static void make_challenge(const char *verifier, char out[static CHALLENGE_SIZE])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)verifier, strlen(verifier));
    sodium_bin2base64(out, CHALLENGE_SIZE, hash, sizeof hash, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static void redeem_code(const struct asked *asked)
{
    const char *code = form_get(asked->form, "code"), *verifier = form_get(asked->form, "code_verifier");
    const char *redirect_uri = form_get(asked->form, "redirect_uri");
    char code_hash[SHA256_HEX_SIZE], challenge[CHALLENGE_SIZE];
    if (!code || !redirect_uri) {
        refuse(asked, "invalid_request", "code and redirect_uri are needed.");
        return;
    }
    if (!verifier || !is_verifier(verifier)) {
        refuse(asked, "invalid_request", "code_verifier must have 43 to 128 unreserved characters (PKCE).");
        return;
    }
    secret_sha256_hex(code, strlen(code), code_hash);
    make_challenge(verifier, challenge);
    struct minted minted;
    mint(asked->relay->oauth, &minted);
    const struct store_redemption redemption = {
        .client_id = asked->client_id,
        .redirect_uri = redirect_uri,
        .challenge = challenge,
        .audience = asked->relay->oauth->resource,
        .pair = minted.pair,
    };
    struct store_grants grants = {0};
    enum store_refusal refusal = REFUSAL_NONE;
    const enum store_status status =
        store_code_redeem(asked->relay->store, code_hash, &redemption, &grants, &refusal);
    answer_grant(asked, status, &minted, &grants, "an authorization code came a second time");
    if (status == STORE_DONE)
        log_info("grant_added", LOG_STR("client", asked->client_id), LOG_STR("grant", grants.items[0].id),
            LOG_STR("agent", grants.items[0].subject.agent),
            LOG_STR("namespace", grants.items[0].subject.namespace_id));
    store_grants_free(&grants);
    secret_wipe(&minted, sizeof minted);
}

/* ---- refresh_token ---- */

static void refresh(const struct asked *asked)
{
    const char *token = form_get(asked->form, "refresh_token");
    char hash[SHA256_HEX_SIZE];
    if (!token) {
        refuse(asked, "invalid_request", "refresh_token is needed.");
        return;
    }
    secret_sha256_hex(token, strlen(token), hash);
    struct minted minted;
    mint(asked->relay->oauth, &minted);
    struct store_grants grants = {0};
    enum store_refusal refusal = REFUSAL_NONE;
    const enum store_status status = store_refresh(asked->relay->store, hash, asked->client_id,
        asked->relay->oauth->resource, &minted.pair, &grants, &refusal);
    answer_grant(asked, status, &minted, &grants, "a refresh token came again after its time");
    store_grants_free(&grants);
    secret_wipe(&minted, sizeof minted);
}

/* ---- the bridge's: device_code ---- */

static char label_login[] = "patchcord login";

/* The token in clear, and as the store takes it. */
struct bearer {
    char text[TOKEN_TEXT_SIZE];
    struct store_token token;
};

static void mint_bearer(struct bearer *out)
{
    *out = (struct bearer){.token = {.label = label_login, .active = true}};
    secret_token_mint(out->text);
    secret_sha256_hex(out->text, strlen(out->text), out->token.hash);
}

static void log_bearer(const struct bearer *bearer, const struct store_subject *subject)
{
    char id[CREDENTIAL_ID_SIZE];
    memcpy(id, bearer->token.hash, sizeof id - 1);
    id[sizeof id - 1] = '\0';
    log_info("token_added", LOG_STR("agent", subject->agent), LOG_STR("namespace", subject->namespace_id),
        LOG_STR("id", id), LOG_STR("label", bearer->token.label));
}

/* RFC 8628 section 3.5. */
static void refuse_device(const struct asked *asked, enum store_refusal refusal)
{
    switch (refusal) {
    case REFUSAL_PENDING:
        refuse(asked, "authorization_pending", NULL);
        break;
    case REFUSAL_SLOW_DOWN:
        refuse(asked, "slow_down", NULL);
        break;
    default:
        refuse(asked, "access_denied", "It was refused on the relay's page.");
    }
}

static void redeem_device(const struct asked *asked)
{
    const char *code = form_get(asked->form, "device_code");
    char hash[SHA256_HEX_SIZE];
    struct bearer bearer;
    struct store_subject subject = {0};
    enum store_refusal refusal = REFUSAL_NONE;
    if (!code) {
        refuse(asked, "invalid_request", "device_code is needed.");
        return;
    }
    secret_sha256_hex(code, strlen(code), hash);
    mint_bearer(&bearer);
    const enum store_status status =
        store_device_redeem(asked->relay->store, hash, &bearer.token, DEVICE_INTERVAL_MS, &subject, &refusal);
    if (status == STORE_DONE) {
        answer_bearer(asked, bearer.text, &subject);
        log_bearer(&bearer, &subject);
    } else if (status == STORE_REFUSED) {
        refuse_device(asked, refusal);
    } else if (status == STORE_ABSENT) {
        refuse(asked, "expired_token", "The device code is not known, was used, or has run out.");
    } else {
        endpoint_store_failed(asked->ex);
    }
    store_subject_free(&subject);
    secret_wipe(&bearer, sizeof bearer);
}

/* ---- all of them ---- */

static const struct {
    const char *type;
    bool of_bridge;    /* for the built-in client, else for the others */
    bool has_resource; /* gives tokens for a resource */
    void (*give)(const struct asked *asked);
} grants[] = {
    {GRANT_CODE, false, true, redeem_code},
    {GRANT_REFRESH, false, true, refresh},
    {GRANT_DEVICE, true, false, redeem_device},
};

static void give(const struct asked *asked, const char *type)
{
    const bool is_bridge = strcmp(asked->client_id, CLIENT_OF_BRIDGE) == 0;
    for (size_t i = 0; i < LENGTH_OF(grants); i++) {
        if (strcmp(grants[i].type, type) != 0)
            continue;
        if (grants[i].of_bridge != is_bridge)
            refuse(asked, "unauthorized_client", "This kind of grant is not for this client.");
        else if (!grants[i].has_resource || check_resource(asked))
            grants[i].give(asked);
        return;
    }
    refuse(asked, "unsupported_grant_type", NULL);
}

enum verdict oauth_token(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    struct form form;
    if (!authority_admit_call(relay->oauth, ex) || !endpoint_read_form(ex, &form))
        return VERDICT_DONE;
    const char *type = form_get(&form, "grant_type");
    char *client_id = NULL;
    if (!type)
        endpoint_error(ex, 400, "invalid_request", "grant_type is needed.");
    else
        client_id = client_proof_read(ex, &form);
    if (client_id) {
        const struct asked asked = {ex, &form, client_id, ex->app};
        give(&asked, type);
    }
    free(client_id);
    form_free(&form);
    return VERDICT_DONE;
}
