#include "client_proof.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "../../common/secret.h"
#include "../auth/authenticator.h"
#include "../relay.h"
#include "../store/store_oauth.h"
#include "client_document.h"
#include "endpoint.h"

static const char BASIC[] = "Basic ";

static bool uses_basic(const struct exchange *ex)
{
    const char *header = exchange_header(ex, "Authorization");
    return header && strncasecmp(header, BASIC, sizeof BASIC - 1) == 0;
}

static char *refuse(struct exchange *ex, const char *text)
{
    endpoint_error(ex, 401, "invalid_client", text);
    if (uses_basic(ex))
        exchange_add_header(ex, "WWW-Authenticate", "Basic realm=\"patchcord\"");
    return NULL;
}

static char *refuse_request(struct exchange *ex, const char *text)
{
    endpoint_error(ex, 400, "invalid_request", text);
    return NULL;
}

/* ---- what was sent ---- */

static bool split(const struct buf *pair, char **client_id, char **secret)
{
    const char *colon = pair->len > 0 ? memchr(pair->data, ':', pair->len) : NULL;
    if (!colon)
        return false;
    const size_t id_len = (size_t)(colon - pair->data);
    *client_id = form_decode(pair->data, id_len);
    *secret = form_decode(colon + 1, pair->len - id_len - 1);
    if (*client_id && *secret && **client_id)
        return true;
    free(*client_id);
    secret_free(*secret);
    *client_id = *secret = NULL;
    return false;
}

bool client_proof_basic(const char *header, char **client_id, char **secret)
{
    struct buf pair = {0};
    size_t decoded = 0;
    *client_id = *secret = NULL;
    if (strncasecmp(header, BASIC, sizeof BASIC - 1) != 0 || strlen(header) > TOKEN_MAX_LEN)
        return false;
    const char *text = header + sizeof BASIC - 1;
    text += strspn(text, " ");
    const size_t len = strlen(text);
    char *to = buf_reserve(&pair, len + 1);
    const bool is_base64 = sodium_base642bin((unsigned char *)to, len + 1, text, len, NULL, &decoded, NULL,
                               sodium_base64_VARIANT_ORIGINAL) == 0;
    buf_commit(&pair, is_base64 ? decoded : 0);
    const bool is_fine = is_base64 && split(&pair, client_id, secret);
    buf_wipe(&pair);
    return is_fine;
}

/* False: answered. Both are the caller's; *secret may be NULL. */
static bool read_sent(struct exchange *ex, const struct form *form, char **client_id, char **secret)
{
    const char *body_id = form_get(form, "client_id"), *body_secret = form_get(form, "client_secret");
    if (!uses_basic(ex)) {
        *client_id = xstrdup_or_null(body_id);
        *secret = xstrdup_or_null(body_secret);
        if (!body_id)
            refuse(ex, "Say which client asks: client_id.");
        return body_id != NULL;
    }
    if (!client_proof_basic(exchange_header(ex, "Authorization"), client_id, secret)) {
        refuse(ex, "The Authorization header is malformed.");
        return false;
    }
    if (!body_secret && (!body_id || strcmp(body_id, *client_id) == 0))
        return true;
    refuse_request(ex, "Prove the client in one way: in the Authorization header or in the body.");
    return false;
}

/* ---- whether it holds ---- */

static bool secret_fits(const struct store_client *client, const char *secret)
{
    char hash[SHA256_HEX_SIZE];
    if (!*client->secret_hash)
        return !secret || !*secret;
    if (!secret)
        return false;
    secret_sha256_hex(secret, strlen(secret), hash);
    return secret_equal(hash, client->secret_hash);
}

static bool check_registered(struct exchange *ex, const char *client_id, const char *secret)
{
    const struct relay *relay = ex->app;
    struct store_clients found = {0};
    bool is_fine = false;
    const enum store_status status = store_client_find(relay->store, client_id, &found);
    if (status == STORE_DONE && secret_fits(&found.items[0], secret)) {
        is_fine = true;
    } else if (status == STORE_DONE) {
        log_warn("client_secret_refused", LOG_STR("client", client_id));
        if (authenticator_count_try(relay->auth, ex))
            refuse(ex, "The client's secret is missing or wrong.");
    } else if (status == STORE_ABSENT) {
        refuse(ex, "The client is not registered here, or its registration was removed: register again.");
    } else {
        endpoint_store_failed(ex);
    }
    store_clients_free(&found);
    return is_fine;
}

static bool check(struct exchange *ex, const char *client_id, const char *secret)
{
    const bool is_document = client_document_is_id(client_id);
    if (!is_document && strcmp(client_id, CLIENT_OF_BRIDGE) != 0)
        return check_registered(ex, client_id, secret);
    char *host = is_document ? client_document_host(client_id) : xstrdup("");
    const bool is_fine = host && (!secret || !*secret);
    if (!is_fine)
        refuse(ex, "Such a client has no secret, and a client_id that is an https URL with a path.");
    free(host);
    return is_fine;
}

char *client_proof_read(struct exchange *ex, const struct form *form)
{
    char *client_id = NULL, *secret = NULL;
    const bool is_fine = read_sent(ex, form, &client_id, &secret) && check(ex, client_id, secret);
    secret_free(secret);
    if (is_fine)
        return client_id;
    free(client_id);
    return NULL;
}
