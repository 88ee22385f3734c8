/* framing.h: what a request's header must be like before anybody acts on it: names that are tokens, values
 * without control characters, and one unambiguous length of the body (RFC 9110 section 5, RFC 9112 section
 * 6). Two programs that disagree on where a request ends are how requests are smuggled. Pure. */
#ifndef RELAY_HTTP_FRAMING_H
#define RELAY_HTTP_FRAMING_H

#include "exchange.h"

enum { FRAMING_CHUNKED = -1, FRAMING_NONE = 0 };

/* NULL: fine, and *body_len is the body's length, FRAMING_NONE or FRAMING_CHUNKED. Else one line for the 400.
 */
const char *framing_check(const struct http_field *headers, size_t count, int64_t *body_len);

#endif
