/* form.h: a request's parameters as application/x-www-form-urlencoded (WHATWG URL, section 5), as strictly as
 * OAuth wants them: each name once (RFC 6749 section 3.1). Pure. */
#ifndef RELAY_OAUTH_FORM_H
#define RELAY_OAUTH_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/compiler.h"
#include "../http/exchange.h"

enum { FORM_FIELDS_MAX = 64 };

struct form {
    struct http_field *fields; /* decoded, valid UTF-8 */
    size_t count;
};

/* Reads a body. False: nothing is kept, and *problem has a clause: a malformed escape, a NUL, bytes that are
 * no UTF-8, a name twice, or more than FORM_FIELDS_MAX fields. */
MUST_CHECK bool form_parse(const char *text, size_t len, struct form *out, const char **problem);
/* The same rules for fields that somebody else decoded, such as a query's. NULL: they hold; else a clause. */
const char *form_problem(const struct form *form);
/* One name or value of a form, decoded; the caller frees with secret_free. NULL: a malformed escape or a NUL.
 */
char *form_decode(const char *text, size_t len);
/* The value, borrowed; NULL where it is not there or empty, which is the same (RFC 6749 section 3.1). */
const char *form_get(const struct form *form, const char *name);
/* Wipes what it frees: codes and secrets are among it. */
void form_free(struct form *form);

#endif
