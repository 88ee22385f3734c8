/* mcp_http.h: MCP over Streamable HTTP (docs/protocol.md), both eras: the handlers of the endpoint's routes.
 *
 * Every one of them authenticates first, so that a request without a valid credential is 401 whatever else is
 * wrong with it. The exchange's app is struct relay. */
#ifndef RELAY_MCP_MCP_HTTP_H
#define RELAY_MCP_MCP_HTTP_H

#include "../http/exchange.h"

/* The longest body that the endpoint takes beside an attachment in base64: 50,000 code points, each written
 * as an escaped surrogate pair, and room. */
enum { MCP_HTTP_MAX_BODY = 1024 * 1024 };

/* POST at the path where OAuth clients find the way to a token (PATCHCORD_MCP_PATH). */
enum verdict mcp_http_post(struct exchange *ex);
/* POST at the path for clients that have their token (PATCHCORD_BEARER_PATH): its metadata names no
 * authorization server. */
enum verdict mcp_http_bearer_post(struct exchange *ex);
/* Any other method at either path: 405 with Allow: POST. The relay never opens a stream on a GET. */
enum verdict mcp_http_other(struct exchange *ex);

#endif
