/* join.c: POST /api/join {"code", "machine"?}: an invitation becomes its agent's bearer token. Answers
 * {"token", "agent", "namespace", "server"}. Each try counts as a failed login of its address, so that nobody
 * guesses. */
#include <string.h>

#include "../../common/fence.h"
#include "../../common/ident.h"
#include "../../common/log.h"
#include "../auth/authenticator.h"
#include "../auth/typed_code.h"
#include "../config.h"
#include "../relay.h"
#include "../store/store_oauth.h"
#include "api.h"
#include "json_body.h"

struct join {
    char hash[SHA256_HEX_SIZE]; /* of the code */
    struct buf label;           /* of the token */
};

/* NULL, or what is wrong with the request. A text that is no code is one that nobody knows. */
static const char *read_join(const struct relay *relay, struct json_object *body, struct join *out)
{
    const char *code = NULL, *machine = NULL;
    size_t len = 0;
    if (json_get_text(body, "code", &code, &len) != JSON_FIELD_FOUND)
        return "code must be the code of an invitation.";
    if (json_get_text(body, "machine", &machine, &len) == JSON_FIELD_WRONG)
        return "machine must be text.";
    if (!typed_code_hash(relay->code_key, code, out->hash))
        *out->hash = '\0';
    buf_puts(&out->label, "invited");
    if (machine && *machine) {
        buf_puts(&out->label, ": ");
        fence_word(&out->label, machine, FENCE_WORD_MAX);
    }
    return NULL;
}

static void let_in(struct exchange *ex, const char *token, const struct store_subject *subject)
{
    const struct relay *relay = ex->app;
    struct json_object *answer = json_new_object();
    struct buf text = {0};
    json_add_text(answer, "token", token);
    json_add_text(answer, "agent", subject->agent);
    json_add_text(answer, "namespace", subject->namespace_id);
    json_add_text(answer, "server", relay->config->public_url);
    json_write(answer, &text);
    json_object_put(answer);
    exchange_answer(ex, 200, "application/json", buf_text(&text), text.len);
    exchange_add_header(ex, "Cache-Control", "no-store");
    buf_wipe(&text);
}

static void report(const struct exchange *ex, const struct store_subject *subject, const char *hash)
{
    const struct relay *relay = ex->app;
    char address[ADDRESS_SIZE], from[INET6_ADDRSTRLEN], id[CREDENTIAL_ID_SIZE] = "";
    bool forwarded;
    ident_format(subject->namespace_id, subject->agent, address);
    client_address(relay->auth, ex, from, &forwarded);
    memcpy(id, hash, sizeof id - 1);
    log_info("invitation_used", LOG_STR("agent", address), LOG_STR("id", id), LOG_STR("address", from));
}

static void redeem(struct exchange *ex, struct join *join)
{
    const struct relay *relay = ex->app;
    char minted[TOKEN_TEXT_SIZE];
    struct store_token token = {.label = (char *)(size_t)buf_text(&join->label)}; /* only read */
    struct store_subject subject = {0};
    secret_token_mint(minted);
    secret_sha256_hex(minted, strlen(minted), token.hash);
    const enum store_status status =
        *join->hash ? store_invite_redeem(relay->store, join->hash, &token, &subject) : STORE_ABSENT;
    if (status == STORE_DONE) {
        report(ex, &subject, token.hash);
        let_in(ex, minted, &subject);
    } else if (status == STORE_ABSENT) {
        exchange_error(ex, 401, "invalid_code",
            "The code is unknown, was used, or has run out: ask the relay's operator for a new invitation.");
        exchange_add_header(ex, "WWW-Authenticate", "Bearer");
    } else {
        json_body_store_failed(ex, 503);
    }
    store_subject_free(&subject);
    secret_wipe(minted, sizeof minted);
}

enum verdict api_join(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    if (!authenticator_count_try(relay->auth, ex))
        return VERDICT_DONE;
    struct json_object *body = json_body_read(ex);
    if (!body)
        return VERDICT_DONE;
    struct join join = {0};
    const char *problem = read_join(relay, body, &join);
    if (problem)
        exchange_error(ex, 400, "invalid_request", problem);
    else
        redeem(ex, &join);
    buf_free(&join.label);
    json_object_put(body);
    return VERDICT_DONE;
}
