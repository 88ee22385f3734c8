/* routes.h: every path of the relay, in one table, with the check of the Origin before each handler. */
#ifndef RELAY_ROUTES_H
#define RELAY_ROUTES_H

#include "config.h"
#include "http/exchange.h"

struct routes;

/* MCP's paths come from the configuration, which must outlive the result. */
struct routes *routes_new(const struct config *config);
void routes_free(struct routes *routes);
/* For http_server_options, whose app must be a struct relay that has these routes; ended by a NULL handle. */
const struct route *routes_table(const struct routes *routes);

#endif
