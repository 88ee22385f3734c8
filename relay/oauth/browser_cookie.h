/* browser_cookie.h: tells one browser from another while a person decides, so that no page of somebody else's
 * can send our form for it (RFC 6265). Holds nothing but randomness. */
#ifndef RELAY_OAUTH_BROWSER_COOKIE_H
#define RELAY_OAUTH_BROWSER_COOKIE_H

#include <stdbool.h>

#include "../../common/compiler.h"
#include "../http/exchange.h"

enum { BROWSER_COOKIE_BYTES = 16, BROWSER_COOKIE_SIZE = 2 * BROWSER_COOKIE_BYTES + 1 };

/* The value that the request came with. False: none, or nothing that we set; out is "". */
MUST_CHECK bool browser_cookie_read(
    const struct exchange *ex, bool is_https, char out[static BROWSER_COOKIE_SIZE]);
/* The same value, or a new one that goes out with the answer. */
void browser_cookie_ensure(struct exchange *ex, bool is_https, char out[static BROWSER_COOKIE_SIZE]);

#endif
