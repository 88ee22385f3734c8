#include "endpoint.h"

#include <string.h>
#include <strings.h>

static const char FORM_TYPE[] = "application/x-www-form-urlencoded";

void endpoint_answer(struct exchange *ex, int status, struct json_object *value)
{
    ex->status = status;
    ex->content_type = "application/json";
    buf_reset(&ex->answer);
    json_write(value, &ex->answer);
    json_object_put(value);
    exchange_add_header(ex, "Cache-Control", "no-store");
    exchange_add_header(ex, "Pragma", "no-cache");
}

void endpoint_error(struct exchange *ex, int status, const char *code, const char *text)
{
    struct json_object *error = json_new_object();
    json_add_text(error, "error", code);
    if (text)
        json_add_text(error, "error_description", text);
    endpoint_answer(ex, status, error);
}

void endpoint_store_failed(struct exchange *ex)
{
    endpoint_error(
        ex, 503, "temporarily_unavailable", "The store did not answer. Nothing was done; try again.");
    exchange_add_header(ex, "Retry-After", "2");
}

static bool is_form(const struct exchange *ex)
{
    const char *type = exchange_header(ex, "Content-Type");
    const size_t len = sizeof FORM_TYPE - 1;
    return type && strncasecmp(type, FORM_TYPE, len) == 0 && strchr(" \t;", type[len]);
}

bool endpoint_read_form(struct exchange *ex, struct form *out)
{
    const char *problem = NULL;
    if (!is_form(ex)) {
        endpoint_error(
            ex, 415, "invalid_request", "Send the parameters as application/x-www-form-urlencoded.");
        return false;
    }
    if (form_parse(buf_text(&ex->body), ex->body.len, out, &problem))
        return true;
    struct buf text = {0};
    buf_printf(&text, "The body %s.", problem);
    endpoint_error(ex, 400, "invalid_request", buf_text(&text));
    buf_free(&text);
    return false;
}
