/* origin.h: which Origin (RFC 6454) a browser may call us from: our own; on a relay that is reached by a
 * loopback URL also any other loopback page. Everything else is DNS rebinding or a foreign site. Pure. */
#ifndef RELAY_AUTH_ORIGIN_H
#define RELAY_AUTH_ORIGIN_H

#include <stdbool.h>

/* origin: the header's value, NULL where there is none (no browser: allowed). public_url: the relay's own. */
bool origin_is_allowed(const char *origin, const char *public_url);

#endif
