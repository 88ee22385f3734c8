/* json_body.h: JSON in and out of an exchange. */
#ifndef RELAY_API_JSON_BODY_H
#define RELAY_API_JSON_BODY_H

#include "../../common/json.h"
#include "../http/exchange.h"

/* The request's body as an object, owned by the caller. NULL: it is none, and the exchange is answered with
 * 400. */
struct json_object *json_body_read(struct exchange *ex);
/* Answers with value, which it takes over. */
void json_body_answer(struct exchange *ex, int status, struct json_object *value);
/* Answers with that status: the store failed, nothing was done. */
void json_body_store_failed(struct exchange *ex, int status);

#endif
