/* metadata.c: what clients read before they log in: the authorization server's metadata (RFC 8414), which is
 * mirrored where OpenID clients look, and the protected resource's (RFC 9728). */
#include <string.h>

#include "../../common/json.h"
#include "../relay.h"
#include "authority.h"
#include "client_metadata.h"
#include "token_endpoint.h"

/* Both change with the program and its settings alone. */
static const char CACHE[] = "public, max-age=3600";

static const char SERVER_PATH[] = "/.well-known/oauth-authorization-server";
static const char MIRROR_PATH[] = "/.well-known/openid-configuration";
static const char RESOURCE_PATH[] = "/.well-known/oauth-protected-resource";

static void add_list(struct json_object *object, const char *key, const char *const items[], size_t count)
{
    struct json_object *list = json_new_array();
    for (size_t i = 0; i < count; i++)
        json_append_text(list, items[i]);
    json_add(object, key, list);
}

static void add_endpoint(
    struct json_object *object, const struct oauth *oauth, const char *key, const char *path)
{
    struct buf url = {0};
    buf_printf(&url, "%s%s", oauth->public_url, path);
    json_add_text(object, key, buf_text(&url));
    buf_free(&url);
}

static const struct {
    const char *key, *path;
} endpoints[] = {
    {"authorization_endpoint", "/authorize"},
    {"token_endpoint", "/token"},
    {"registration_endpoint", "/register"},
    {"revocation_endpoint", "/revoke"},
    {"device_authorization_endpoint", "/device_authorization"},
};

static const char *const responses[] = {"code"}, *const response_modes[] = {"query"},
                         *const challenges[] = {"S256"}, *const scopes[] = {OAUTH_SCOPE};
static const char *const grants[] = {GRANT_CODE, GRANT_REFRESH, GRANT_DEVICE};

static const struct {
    const char *key;
    const char *const *items;
    size_t count;
} lists[] = {
    {"response_types_supported", responses, LENGTH_OF(responses)},
    {"response_modes_supported", response_modes, LENGTH_OF(response_modes)},
    {"grant_types_supported", grants, LENGTH_OF(grants)},
    {"token_endpoint_auth_methods_supported", client_auth_names, CLIENT_AUTHS},
    {"revocation_endpoint_auth_methods_supported", client_auth_names, CLIENT_AUTHS},
    {"code_challenge_methods_supported", challenges, LENGTH_OF(challenges)},
    {"scopes_supported", scopes, LENGTH_OF(scopes)},
};

static struct json_object *server_metadata(const struct oauth *oauth)
{
    struct json_object *object = json_new_object();
    json_add_text(object, "issuer", oauth->public_url);
    for (size_t i = 0; i < LENGTH_OF(endpoints); i++)
        add_endpoint(object, oauth, endpoints[i].key, endpoints[i].path);
    for (size_t i = 0; i < LENGTH_OF(lists); i++)
        add_list(object, lists[i].key, lists[i].items, lists[i].count);
    json_add_bool(object, "authorization_response_iss_parameter_supported", true);
    json_add_bool(object, "client_id_metadata_document_supported", true);
    const char *const resources[] = {oauth->resource};
    add_list(object, "protected_resources", resources, LENGTH_OF(resources));
    return object;
}

/* Of a resource that has no authorization server, tokens come from the operator. */
static struct json_object *resource_metadata(const struct oauth *oauth, bool is_bearer)
{
    static const char *const methods[] = {"header"};
    const char *const servers[] = {oauth->public_url};
    struct json_object *object = json_new_object();
    if (is_bearer) {
        add_endpoint(object, oauth, "resource", oauth->bearer_path);
    } else {
        json_add_text(object, "resource", oauth->resource);
        add_list(object, "authorization_servers", servers, LENGTH_OF(servers));
        add_list(object, "scopes_supported", scopes, LENGTH_OF(scopes));
    }
    add_list(object, "bearer_methods_supported", methods, LENGTH_OF(methods));
    json_add_text(object, "resource_name", oauth->name);
    return object;
}

static enum verdict answer(struct exchange *ex, struct json_object *object)
{
    ex->status = 200;
    ex->content_type = "application/json";
    json_write(object, &ex->answer);
    json_object_put(object);
    exchange_add_header(ex, "Cache-Control", CACHE);
    return VERDICT_DONE;
}

static enum verdict absent(struct exchange *ex)
{
    exchange_error(ex, 404, "not_found", "Nothing is described here.");
    return VERDICT_DONE;
}

/* The path of the public URL; "" where it has none. */
static const char *base_path(const struct oauth *oauth)
{
    const char *host = strstr(oauth->public_url, "://");
    const char *path = host ? strchr(host + strlen("://"), '/') : NULL;
    return path ? path : "";
}

/* What is asked for behind a well-known path: "", "/mcp"; where the public URL has a path, with that or
 * without. NULL: another well-known path. */
static const char *asked_for(const struct oauth *oauth, const char *path, const char *well_known)
{
    const char *base = base_path(oauth);
    const size_t len = strlen(well_known), base_len = strlen(base);
    if (strncmp(path, well_known, len) != 0)
        return NULL;
    path += len;
    if (strncmp(path, base, base_len) == 0 && (path[base_len] == '\0' || path[base_len] == '/'))
        path += base_len;
    return path;
}

/* Clients look behind the well-known path for the issuer's own (RFC 8414 section 3.1) and, some, for that of
 * what they want to reach. */
enum verdict oauth_server_metadata(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    const struct oauth *oauth = relay->oauth;
    const char *asked = asked_for(oauth, ex->path, SERVER_PATH);
    if (!asked)
        asked = asked_for(oauth, ex->path, MIRROR_PATH);
    const bool is_known = asked && (!*asked || strcmp(asked, oauth->mcp_path) == 0);
    return is_known ? answer(ex, server_metadata(oauth)) : absent(ex);
}

enum verdict oauth_resource_metadata(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    const struct oauth *oauth = relay->oauth;
    const char *asked = asked_for(oauth, ex->path, RESOURCE_PATH);
    if (asked && strcmp(asked, oauth->bearer_path) == 0)
        return answer(ex, resource_metadata(oauth, true));
    if (asked && (!*asked || strcmp(asked, oauth->mcp_path) == 0))
        return answer(ex, resource_metadata(oauth, false));
    return absent(ex);
}
