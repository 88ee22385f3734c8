#include "routes.h"

#include <stdlib.h>

#include "../common/alloc.h"
#include "api/api.h"
#include "auth/authenticator.h"
#include "mcp/mcp_http.h"
#include "relay.h"

/* Rows of paths that are set in the configuration have a NULL path here. */
static const struct route rows[] = {
    {.method = "POST", .name = "mcp", .max_body = MCP_HTTP_MAX_BODY, .handle = mcp_http_post},
    {.name = "mcp", .max_body = MCP_HTTP_MAX_BODY, .handle = mcp_http_other},
    {.method = "POST", .name = "mcp_bearer", .max_body = MCP_HTTP_MAX_BODY, .handle = mcp_http_bearer_post},
    {.name = "mcp_bearer", .max_body = MCP_HTTP_MAX_BODY, .handle = mcp_http_other},
    {"GET", "/health", "health", 0, api_health},
    {"GET", "/ready", "ready", 0, api_ready},
    {"GET", "/metrics", "metrics", 0, api_metrics},
    {"GET", "/api/inbox", "inbox", 0, api_inbox},
    {"POST", "/api/ack", "ack", API_SMALL_BODY, api_ack},
    {"GET", "/api/events", "events", 0, api_events},
    {"POST", "/api/channel/poll", "channel_poll", API_SMALL_BODY, api_channel_poll},
    {"POST", "/api/channel/send", "channel_send", API_MESSAGE_BODY, api_channel_send},
    {"POST", "/api/channel/reply", "channel_reply", API_MESSAGE_BODY, api_channel_reply},
    {"POST", "/api/cleanup", "cleanup", API_SMALL_BODY, api_cleanup},
    {"POST", "/api/cleanup/oauth", "cleanup_oauth", API_SMALL_BODY, api_cleanup_oauth},
    {"GET", "/api/realtime/ticket", "realtime_ticket", 0, api_realtime_ticket},
    {"GET", "/api/skills/*", "skills", 0, api_skills},
    {"POST", "/api/agent/install-path", "install_path", API_SMALL_BODY, api_install_path},
    {"GET", "/.well-known/security.txt", "security_txt", 0, api_security_txt},
    {"GET", "/.well-known/openai-apps-challenge", "openai_challenge", 0, api_openai_challenge},
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

struct routes *routes_new(const struct config *config)
{
    struct routes *routes = xcalloc(1, sizeof *routes);
    for (size_t i = 0; i < ROWS; i++) {
        routes->table[i] = rows[i];
        routes->table[i].handle = guard;
        if (i < 2 * MCP_ROWS)
            routes->table[i].path = i < MCP_ROWS ? config->mcp_path : config->bearer_path;
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
