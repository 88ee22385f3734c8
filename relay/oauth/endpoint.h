/* endpoint.h: how the endpoints that programs call are asked and answer: forms in, JSON out, nothing kept by
 * any cache (RFC 6749 sections 5.1 and 5.2). */
#ifndef RELAY_OAUTH_ENDPOINT_H
#define RELAY_OAUTH_ENDPOINT_H

#include "../../common/compiler.h"
#include "../../common/json.h"
#include "../http/exchange.h"
#include "form.h"

/* {"error": code, "error_description": text}; text may be NULL. */
void endpoint_error(struct exchange *ex, int status, const char *code, const char *text);
/* 503 and Retry-After: nothing was done. */
void endpoint_store_failed(struct exchange *ex);
/* Takes value over. */
void endpoint_answer(struct exchange *ex, int status, struct json_object *value);

/* The request's body. False: it is no form, and the exchange is answered with 400 or 415. The caller frees
 * with form_free. */
MUST_CHECK bool endpoint_read_form(struct exchange *ex, struct form *out);

#endif
