/* routing.h: from method and path to a row of the table of routes. Pure. */
#ifndef RELAY_HTTP_ROUTING_H
#define RELAY_HTTP_ROUTING_H

#include "../../common/buf.h"
#include "exchange.h"

/* The first row for both (HEAD takes a GET row where it has none of its own), or NULL; then allow has the
 * methods that the path does take, for the Allow header, and is empty where no row has the path. */
const struct route *route_find(
    const struct route *routes, const char *method, const char *path, struct buf *allow);

#endif
