#include "json_body.h"

struct json_object *json_body_read(struct exchange *ex)
{
    enum json_fault fault;
    struct json_object *body = json_parse(buf_text(&ex->body), ex->body.len, &fault);
    if (fault == JSON_FAULT_NONE && json_object_is_type(body, json_type_object))
        return body;
    json_object_put(body);
    struct buf message = {0};
    buf_printf(
        &message, "The body %s.", fault == JSON_FAULT_NONE ? "is not a JSON object" : json_fault_text(fault));
    exchange_error(ex, 400, "invalid_request", buf_text(&message));
    buf_free(&message);
    return NULL;
}

void json_body_answer(struct exchange *ex, int status, struct json_object *value)
{
    struct buf text = {0};
    json_write(value, &text);
    json_object_put(value);
    exchange_answer(ex, status, "application/json", buf_text(&text), text.len);
    buf_free(&text);
}

void json_body_store_failed(struct exchange *ex, int status)
{
    exchange_error(ex, status, "store_unavailable", "The store failed. Nothing was done; try again.");
}
