/* target.h: the request target (RFC 9112 section 3.2): path and query, decoded. Pure. */
#ifndef RELAY_HTTP_TARGET_H
#define RELAY_HTTP_TARGET_H

#include "../../common/compiler.h"
#include "exchange.h"

enum { TARGET_QUERY_MAX = 64 }; /* parameters */

struct target {
    char *path;               /* decoded, begins with '/' */
    struct http_field *query; /* decoded, in order */
    size_t query_count;
};

/* Reads origin-form ("/path?query") and absolute-form ("http://host/path?query", whose authority is dropped).
 * False for anything else, for a malformed escape, an encoded NUL, and more than TARGET_QUERY_MAX parameters;
 * then *out is empty. */
MUST_CHECK bool target_parse(const char *text, struct target *out);
void target_free(struct target *t);

#endif
