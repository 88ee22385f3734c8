/* revoke.c: POST /revoke (RFC 7009): a client gives back an access or refresh token of its own, and all of
 * that grant ends. */
#include <stdlib.h>
#include <string.h>

#include "../../common/log.h"
#include "../relay.h"
#include "../store/store_oauth.h"
#include "authority.h"
#include "client_proof.h"
#include "endpoint.h"

/* A token that is not known is none that could be used (section 2.2): that is no error. */
static void revoke(struct exchange *ex, const char *client_id, const char *token)
{
    const struct relay *relay = ex->app;
    char hash[SHA256_HEX_SIZE];
    int64_t count = 0;
    secret_sha256_hex(token, strlen(token), hash);
    const struct store_grant_choice choice = {.client_id = client_id, .token_hash = hash};
    const enum store_status status = store_grant_end(relay->store, &choice, &count);
    if (status == STORE_FAULT) {
        endpoint_store_failed(ex);
        return;
    }
    if (status == STORE_DONE) {
        log_info("grant_ended", LOG_STR("client", client_id), LOG_STR("why", "the client gave it back"));
        authority_changed(relay);
    }
    endpoint_answer(ex, 200, json_new_object());
}

enum verdict oauth_revoke(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    struct form form;
    if (!authority_admit_call(relay->oauth, ex) || !endpoint_read_form(ex, &form))
        return VERDICT_DONE;
    const char *token = form_get(&form, "token");
    char *client_id = client_proof_read(ex, &form);
    if (client_id && token)
        revoke(ex, client_id, token);
    else if (client_id)
        endpoint_error(ex, 400, "invalid_request", "token is needed.");
    free(client_id);
    form_free(&form);
    return VERDICT_DONE;
}
