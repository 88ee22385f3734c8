#include "oauth_client.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "../auth/authenticator.h"
#include "../store/store_oauth.h"
#include "client_document.h"

void oauth_client_free(struct oauth_client *client)
{
    client_metadata_free(&client->metadata);
    free(client->id);
    free(client->host);
    *client = (struct oauth_client){0};
}

/* The store has nothing but what we wrote there. */
static enum oauth_client_found read_registration(
    const struct store_client *stored, struct oauth_client *out, struct buf *why)
{
    enum json_fault fault;
    struct json_object *object = json_parse(stored->metadata, strlen(stored->metadata), &fault);
    const enum client_metadata_fault wrong =
        client_metadata_read(object, CLIENT_AUTH_NONE, &out->metadata, why);
    json_object_put(object);
    if (wrong == CLIENT_METADATA_FINE)
        return OAUTH_CLIENT_FOUND;
    log_error("client_unreadable", LOG_STR("client", stored->client_id), LOG_STR("why", buf_text(why)));
    return OAUTH_CLIENT_UNKNOWN;
}

static enum oauth_client_found find_registered(
    const struct relay *relay, const char *client_id, struct oauth_client *out, struct buf *why)
{
    struct store_clients found = {0};
    enum oauth_client_found result = OAUTH_CLIENT_FAULT;
    const enum store_status status = store_client_find(relay->store, client_id, &found);
    if (status == STORE_DONE) {
        result = read_registration(&found.items[0], out, why);
    } else if (status == STORE_ABSENT) {
        buf_puts(why, "The application is not registered here, or its registration was removed.");
        result = OAUTH_CLIENT_UNKNOWN;
    }
    store_clients_free(&found);
    return result;
}

enum oauth_client_found oauth_client_find(
    struct exchange *ex, const char *client_id, struct oauth_client *out, struct buf *why)
{
    const struct relay *relay = ex->app;
    char address[INET6_ADDRSTRLEN];
    *out = (struct oauth_client){0};
    authenticator_limit_key(relay->auth, ex, address);
    enum oauth_client_found result;
    if (!client_document_is_id(client_id))
        result = find_registered(relay, client_id, out, why);
    else if (client_document_get(relay, client_id, address, &out->metadata, &out->host, why))
        result = OAUTH_CLIENT_FOUND;
    else
        result = OAUTH_CLIENT_UNKNOWN;
    if (result == OAUTH_CLIENT_FOUND)
        out->id = xstrdup(client_id);
    return result;
}
