#include "routes.h"

#include <stdlib.h>

#include "../common/alloc.h"
#include "api/api.h"
#include "auth/authenticator.h"
#include "mcp/mcp_http.h"
#include "oauth/oauth.h"
#include "relay.h"

/* Rows of paths that are set in the configuration have a NULL path here. */
static const struct route rows[] = {
    {.method = "POST", .name = "mcp", .max_body = MCP_HTTP_MAX_BODY, .handle = mcp_http_post},
    {.name = "mcp", .max_body = MCP_HTTP_MAX_BODY, .handle = mcp_http_other},
    {.method = "POST", .name = "mcp_bearer", .max_body = MCP_HTTP_MAX_BODY, .handle = mcp_http_bearer_post},
    {.name = "mcp_bearer", .max_body = MCP_HTTP_MAX_BODY, .handle = mcp_http_other},
    {"GET", "/health", "health", 0, api_health, NULL},
    {"GET", "/ready", "ready", 0, api_ready, NULL},
    {"GET", "/metrics", "metrics", 0, api_metrics, NULL},
    {"GET", "/api/inbox", "inbox", 0, api_inbox, NULL},
    {"POST", "/api/ack", "ack", API_SMALL_BODY, api_ack, NULL},
    {"GET", "/api/events", "events", 0, api_events, NULL},
    {"POST", "/api/channel/poll", "channel_poll", API_SMALL_BODY, api_channel_poll, NULL},
    {"POST", "/api/channel/send", "channel_send", API_MESSAGE_BODY, api_channel_send, NULL},
    {"POST", "/api/channel/reply", "channel_reply", API_MESSAGE_BODY, api_channel_reply, NULL},
    {"POST", "/api/cleanup", "cleanup", API_SMALL_BODY, api_cleanup, NULL},
    {"POST", "/api/cleanup/oauth", "cleanup_oauth", API_SMALL_BODY, api_cleanup_oauth, NULL},
    {"POST", "/api/join", "join", API_SMALL_BODY, api_join, NULL},
    {"GET", "/api/realtime/ticket", "realtime_ticket", 0, api_realtime_ticket, NULL},
    {"GET", "/api/skills/*", "skills", 0, api_skills, NULL},
    {"POST", "/api/agent/install-path", "install_path", API_SMALL_BODY, api_install_path, NULL},
    {"PUT", "/files/*", "file_put", 0, api_file_put, &api_file_sink},
    {"GET", "/files/*", "file_get", 0, api_file_get, NULL},
    {"POST", "/register", "register", OAUTH_REGISTRATION_MAX, oauth_register, NULL},
    {"GET", "/authorize", "authorize", 0, oauth_authorize, NULL},
    {"POST", "/authorize", "authorize_decide", OAUTH_FORM_MAX, oauth_authorize_decide, NULL},
    {"POST", "/token", "token", OAUTH_FORM_MAX, oauth_token, NULL},
    {"POST", "/revoke", "revoke", OAUTH_FORM_MAX, oauth_revoke, NULL},
    {"POST", "/device_authorization", "device_authorization", OAUTH_FORM_MAX, oauth_device_authorization, NULL},
    {"GET", "/device", "device", 0, oauth_device, NULL},
    {"POST", "/device", "device_decide", OAUTH_FORM_MAX, oauth_device_decide, NULL},
    {"GET", "/.well-known/oauth-authorization-server", "oauth_server", 0, oauth_server_metadata, NULL},
    {"GET", "/.well-known/oauth-authorization-server/*", "oauth_server", 0, oauth_server_metadata, NULL},
    {"GET", "/.well-known/openid-configuration", "oauth_server", 0, oauth_server_metadata, NULL},
    {"GET", "/.well-known/openid-configuration/*", "oauth_server", 0, oauth_server_metadata, NULL},
    {"GET", "/.well-known/oauth-protected-resource", "oauth_resource", 0, oauth_resource_metadata, NULL},
    {"GET", "/.well-known/oauth-protected-resource/*", "oauth_resource", 0, oauth_resource_metadata, NULL},
    {"GET", "/.well-known/security.txt", "security_txt", 0, api_security_txt, NULL},
    {"GET", "/.well-known/openai-apps-challenge", "openai_challenge", 0, api_openai_challenge, NULL},
};
enum { MCP_ROWS = 2, ROWS = LENGTH_OF(rows) };

struct routes {
    struct route table[ROWS + 1]; /* as rows, with guard in each handler's place */
};

/* Stands before every handler: no page of a foreign site gets as far as a credential. */
static enum verdict guard(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    if (ex->wake == WAKE_START && !authenticator_check_origin(relay->auth, ex))
        return VERDICT_DONE;
    return rows[ex->route - relay->routes->table].handle(ex);
}

/* A tool call may carry a whole attachment, as far as a body is gathered in memory. */
static size_t attachment_in_base64(const struct config *config)
{
    enum { INLINE_MAX = 32 * 1024 * 1024 };
    const int64_t bytes =
        config->attachment_max_bytes < INLINE_MAX ? config->attachment_max_bytes : (int64_t)INLINE_MAX;
    return (size_t)(bytes + 2) / 3 * 4;
}

struct routes *routes_new(const struct config *config)
{
    struct routes *routes = xcalloc(1, sizeof *routes);
    for (size_t i = 0; i < ROWS; i++) {
        routes->table[i] = rows[i];
        routes->table[i].handle = guard;
        if (i >= 2 * MCP_ROWS)
            continue;
        routes->table[i].path = i < MCP_ROWS ? config->mcp_path : config->bearer_path;
        routes->table[i].max_body += attachment_in_base64(config);
    }
    return routes;
}

void routes_free(struct routes *routes)
{
    free(routes);
}

const struct route *routes_table(const struct routes *routes)
{
    return routes->table;
}
