/* client_registration.c: POST /register (RFC 7591). Anybody may register; it lets nobody in. */
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/secret.h"
#include "../../common/uuid.h"
#include "../relay.h"
#include "../store/store_oauth.h"
#include "authority.h"
#include "client_metadata.h"
#include "endpoint.h"

enum {
    UNUSED_MAX = 1000,           /* registrations that never got a token */
    CROWDED_AGE_MS = 900 * 1000, /* and how old of those go when there are as many: older than a page gets */
};

static const char *const fault_codes[] = {
    [CLIENT_METADATA_BAD_REDIRECT] = "invalid_redirect_uri",
    [CLIENT_METADATA_BAD] = "invalid_client_metadata",
};

/* False: answered. */
static bool read_metadata(struct exchange *ex, struct client_metadata *out)
{
    enum json_fault json_fault;
    struct buf why = {0};
    enum client_metadata_fault fault = CLIENT_METADATA_BAD;
    struct json_object *object = json_parse(buf_text(&ex->body), ex->body.len, &json_fault);
    if (json_fault == JSON_FAULT_NONE)
        fault = client_metadata_read(object, CLIENT_AUTH_BASIC, out, &why);
    else
        buf_printf(&why, "The body %s.", json_fault_text(json_fault));
    if (fault != CLIENT_METADATA_FINE)
        endpoint_error(ex, 400, fault_codes[fault], buf_text(&why));
    json_object_put(object);
    buf_free(&why);
    return fault == CLIENT_METADATA_FINE;
}

/* Who registers by the thousand does not keep others out for long: what is older has had its time. One address
 * may not register as many in that time (authority_admit). */
static enum store_status add(const struct relay *relay, const struct store_client *client)
{
    enum store_refusal refusal = REFUSAL_NONE;
    const enum store_status status = store_client_add(relay->store, client, UNUSED_MAX, &refusal);
    if (status != STORE_REFUSED || refusal != REFUSAL_TOO_MANY)
        return status;
    struct store_oauth_cleanup gone;
    if (store_oauth_cleanup(relay->store, CROWDED_AGE_MS, false, &gone) != STORE_DONE || gone.clients == 0)
        return status;
    log_warn("registrations_collected", LOG_INT("count", gone.clients));
    return store_client_add(relay->store, client, UNUSED_MAX, &refusal);
}

static struct json_object *write_answer(
    const struct client_metadata *metadata, const struct store_client *client, const char *secret)
{
    struct json_object *answer = client_metadata_write(metadata);
    json_add_text(answer, "client_id", client->client_id);
    json_add_int(answer, "client_id_issued_at", client->created_ms / MS_PER_SECOND);
    json_add_text(answer, "scope", OAUTH_SCOPE);
    if (metadata->auth != CLIENT_AUTH_NONE) {
        json_add_text(answer, "client_secret", secret);
        json_add_int(answer, "client_secret_expires_at", 0);
    }
    return answer;
}

static char *write_stored(const struct client_metadata *metadata)
{
    struct json_object *object = client_metadata_write(metadata);
    struct buf text = {0};
    json_write(object, &text);
    json_object_put(object);
    return buf_take(&text);
}

static void store(struct exchange *ex, const struct client_metadata *metadata)
{
    const struct relay *relay = ex->app;
    char id[UUID_SIZE], secret[TOKEN_TEXT_SIZE];
    uuid_v4(id);
    secret_token_mint(secret);
    struct store_client client = {
        .client_id = id, .metadata = write_stored(metadata), .created_ms = clock_wall_ms()};
    if (metadata->auth != CLIENT_AUTH_NONE)
        secret_sha256_hex(secret, strlen(secret), client.secret_hash);
    const enum store_status status = add(relay, &client);
    if (status == STORE_DONE) {
        endpoint_answer(ex, 201, write_answer(metadata, &client, secret));
        log_info("client_registered", LOG_STR("client", id), LOG_STR("name", metadata->name));
    } else if (status == STORE_REFUSED) {
        endpoint_error(ex, 503, "temporarily_unavailable",
            "There are too many registrations that nobody has used; try again later.");
        exchange_add_header(ex, "Retry-After", "600");
    } else {
        endpoint_store_failed(ex);
    }
    free(client.metadata);
    secret_wipe(secret, sizeof secret);
}

enum verdict oauth_register(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    struct client_metadata metadata = {0};
    if (!authority_admit(relay->oauth, ex) || !read_metadata(ex, &metadata))
        return VERDICT_DONE;
    store(ex, &metadata);
    client_metadata_free(&metadata);
    return VERDICT_DONE;
}
