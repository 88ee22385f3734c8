#include "jsonrpc.h"

#include <string.h>

static const char VERSION_TEXT[] = "2.0";

static bool has_key(struct json_object *value, const char *key)
{
    return json_object_object_get_ex(value, key, NULL);
}

/* The id as MCP wants it, a string or an integer, or NULL. */
static struct json_object *readable_id(struct json_object *value)
{
    struct json_object *id = NULL;
    json_object_object_get_ex(value, "id", &id);
    bool fits = json_object_is_type(id, json_type_string) || json_object_is_type(id, json_type_int);
    return fits ? id : NULL;
}

static const char *check_call(struct json_object *value, struct jsonrpc_message *out)
{
    if (json_get_text(value, "method", &out->method, NULL) != JSON_FIELD_FOUND) {
        return "method must be a string";
    }
    if (has_key(value, "id") && !out->id) {
        return "id must be a string or an integer";
    }
    if (json_get_object(value, "params", &out->params) == JSON_FIELD_WRONG) {
        return "params must be an object";
    }
    out->kind = out->id ? JSONRPC_REQUEST : JSONRPC_NOTIFICATION;
    return NULL;
}

static const char *check_response(struct json_object *value, struct jsonrpc_message *out)
{
    bool has_result = has_key(value, "result");
    bool has_error = has_key(value, "error");
    if (!has_result && !has_error) {
        return "a message needs a method, a result or an error";
    }
    if (has_result && has_error) {
        return "a response has a result or an error, not both";
    }
    /* Only an error may lack its id: the other side could not read ours. */
    if (!out->id && has_result) {
        return "id must be a string or an integer";
    }
    out->kind = JSONRPC_RESPONSE;
    return NULL;
}

static const char *check(struct json_object *value, struct jsonrpc_message *out)
{
    if (!json_object_is_type(value, json_type_object)) {
        return "a message must be a JSON object";
    }
    out->id = readable_id(value);
    if (strcmp(json_text_or(value, "jsonrpc", ""), VERSION_TEXT) != 0) {
        return "jsonrpc must be \"2.0\"";
    }
    return has_key(value, "method") ? check_call(value, out) : check_response(value, out);
}

void jsonrpc_classify(struct json_object *value, struct jsonrpc_message *out)
{
    *out = (struct jsonrpc_message){.kind = JSONRPC_INVALID};
    out->problem = check(value, out);
    if (out->problem) {
        *out = (struct jsonrpc_message){.kind = JSONRPC_INVALID, .id = out->id, .problem = out->problem};
    }
}

static struct json_object *new_message(void)
{
    struct json_object *message = json_new_object();
    json_add_text(message, "jsonrpc", VERSION_TEXT);
    return message;
}

static void add_id(struct json_object *message, struct json_object *id)
{
    json_add(message, "id", json_object_get(id));
}

struct json_object *jsonrpc_result(struct json_object *id, struct json_object *result)
{
    struct json_object *message = new_message();
    add_id(message, id);
    json_add(message, "result", result);
    return message;
}

struct json_object *jsonrpc_error(
    struct json_object *id, int code, const char *message, struct json_object *data)
{
    struct json_object *error = json_new_object();
    json_add_int(error, "code", code);
    json_add_text(error, "message", message);
    if (data) {
        json_add(error, "data", data);
    }
    struct json_object *whole = new_message();
    add_id(whole, id);
    json_add(whole, "error", error);
    return whole;
}

static struct json_object *new_call(const char *method, struct json_object *params)
{
    struct json_object *message = new_message();
    json_add_text(message, "method", method);
    if (params) {
        json_add(message, "params", params);
    }
    return message;
}

struct json_object *jsonrpc_request(struct json_object *id, const char *method, struct json_object *params)
{
    struct json_object *message = new_call(method, params);
    add_id(message, id);
    return message;
}

struct json_object *jsonrpc_notification(const char *method, struct json_object *params)
{
    return new_call(method, params);
}
