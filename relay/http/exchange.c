/* exchange.c: what handlers do with an exchange. */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/json.h"

const char *exchange_header(const struct exchange *ex, const char *name)
{
    for (size_t i = 0; i < ex->headers_count; i++) {
        if (strcasecmp(ex->headers[i].name, name) == 0)
            return ex->headers[i].value;
    }
    return NULL;
}

const char *exchange_query(const struct exchange *ex, const char *name)
{
    for (size_t i = 0; i < ex->query_count; i++) {
        if (strcmp(ex->query[i].name, name) == 0)
            return ex->query[i].value;
    }
    return NULL;
}

static bool has_control(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f)
            return true;
    }
    return false;
}

void exchange_add_header(struct exchange *ex, const char *name, const char *value)
{
    if (has_control(value))
        return;
    ex->answer_headers =
        xreallocarray(ex->answer_headers, ex->answer_headers_count + 1, sizeof *ex->answer_headers);
    ex->answer_headers[ex->answer_headers_count++] =
        (struct http_field){.name = xstrdup(name), .value = xstrdup(value)};
}

void exchange_answer(struct exchange *ex, int status, const char *content_type, const char *body, size_t len)
{
    ex->status = status;
    ex->content_type = content_type;
    buf_reset(&ex->answer);
    buf_append(&ex->answer, body, len);
}

void exchange_answer_file(struct exchange *ex, int status, int fd, int64_t at, int64_t len)
{
    ex->status = status;
    ex->content_type = NULL;
    ex->file = (struct file_answer){.is_set = true, .fd = fd, .at = at, .len = len};
}

void exchange_error(struct exchange *ex, int status, const char *code, const char *message)
{
    struct json_object *error = json_new_object();
    json_add_text(error, "error", code);
    if (message)
        json_add_text(error, "message", message);
    ex->status = status;
    ex->content_type = "application/json";
    buf_reset(&ex->answer);
    json_write(error, &ex->answer);
    json_object_put(error);
}

enum verdict exchange_wait(
    struct exchange *ex, const char *keys, uint64_t ticket, int64_t until_mono_ms, bool exclusive)
{
    char *copy = xstrdup(keys);
    free(ex->wait.keys);
    ex->wait =
        (struct wait){.keys = copy, .ticket = ticket, .until_ms = until_mono_ms, .exclusive = exclusive};
    return VERDICT_WAIT;
}

void exchange_stream(struct exchange *ex)
{
    if (ex->is_stream)
        return;
    ex->is_stream = true;
    ex->status = 200;
    ex->content_type = "text/event-stream";
    exchange_add_header(ex, "X-Accel-Buffering", "no");
    exchange_add_header(ex, "Cache-Control", "no-store");
}
