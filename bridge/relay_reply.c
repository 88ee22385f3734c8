#include "relay_reply.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/mcp.h"

void relay_reply_free(struct relay_reply *reply)
{
    json_object_put(reply->result);
    free(reply->offer.ids);
    free(reply->problem);
    free(reply->reason);
    *reply = (struct relay_reply){0};
}

const char *relay_reply_text(const struct relay_reply *reply)
{
    struct json_object *content;
    if (json_get_array(reply->result, "content", &content) != JSON_FIELD_FOUND)
        return "";
    return json_text_or(json_object_array_get_idx(content, 0), "text", "");
}

bool relay_reply_is_error(const struct relay_reply *reply)
{
    bool is_error;
    return json_get_bool(reply->result, "isError", &is_error) == JSON_FIELD_FOUND && is_error;
}

/* ---- what was offered ---- */

static void read_ids(struct json_object *array, struct relay_offer *offer)
{
    size_t count = json_object_array_length(array);
    offer->ids = xcalloc(count ? count : 1, sizeof *offer->ids);
    for (size_t i = 0; i < count; i++) {
        struct json_object *id = json_object_array_get_idx(array, i);
        if (json_object_is_type(id, json_type_string) &&
            uuid_parse(
                json_object_get_string(id), (size_t)json_object_get_string_len(id), offer->ids[offer->count]))
            offer->count++;
    }
}

static void take_offer(struct json_object *meta, struct relay_offer *offer)
{
    struct json_object *from;
    if (json_get_object(meta, PATCHCORD_META_OFFER, &from) != JSON_FIELD_FOUND)
        return;
    const char *lease = json_text_or(from, "lease", "");
    struct json_object *ids;
    if (uuid_parse(lease, strlen(lease), offer->lease) &&
        json_get_array(from, "ids", &ids) == JSON_FIELD_FOUND)
        read_ids(ids, offer);
    bool timed_out;
    offer->timed_out = json_get_bool(from, "timed_out", &timed_out) == JSON_FIELD_FOUND && timed_out;
}

/* What only concerns the bridge, and what names the relay as the server, is not the client's business. */
static void drop_our_meta(struct json_object *result, struct json_object *meta)
{
    json_object_object_del(meta, PATCHCORD_META_OFFER);
    json_object_object_del(meta, MCP_META_SERVER_INFO);
    if (json_object_object_length(meta) == 0)
        json_object_object_del(result, "_meta");
}

static void take_result(struct json_object *result, struct relay_reply *reply)
{
    struct json_object *meta;
    reply->outcome = RELAY_DONE;
    reply->result = json_object_get(result);
    if (json_get_object(result, "_meta", &meta) != JSON_FIELD_FOUND)
        return;
    take_offer(meta, &reply->offer);
    drop_our_meta(result, meta);
}

static void take_error(struct json_object *error, struct relay_reply *reply)
{
    int64_t code = JSONRPC_INTERNAL_ERROR;
    if (json_get_int(error, "code", &code) != JSON_FIELD_FOUND || code < INT32_MIN || code > INT32_MAX)
        code = JSONRPC_INTERNAL_ERROR;
    reply->outcome = RELAY_RPC_ERROR;
    reply->rpc_code = (int)code;
    reply->problem = xstrdup(json_text_or(error, "message", "the relay gave no reason"));
}

/* ---- what HTTP says ---- */

enum { HTTP_OK = 200, HTTP_REDIRECT_FIRST = 300, HTTP_REDIRECT_LAST = 399, HTTP_SERVER_ERROR = 500 };

static const struct status_row {
    int status;
    enum relay_outcome outcome;
    const char *format; /* gets the relay's URL */
} status_rows[] = {
    {401, RELAY_TOKEN_REFUSED,
        "The relay at %s does not accept this token: it is unknown there, revoked or expired. Check "
        "PATCHCORD_TOKEN and "
        "PATCHCORD_URL, or ask the relay's operator for a new token."},
    {403, RELAY_TOKEN_REFUSED,
        "The relay at %s forbids this request. Check that PATCHCORD_URL and PATCHCORD_TOKEN belong "
        "together."},
    {404, RELAY_REJECTED,
        "There is no Patchcord relay at %s (404). Check PATCHCORD_URL: it is the relay's address without "
        "/mcp."},
    {405, RELAY_REJECTED,
        "There is no Patchcord relay at %s (405). Check PATCHCORD_URL: it is the relay's address without "
        "/mcp."},
    {413, RELAY_REJECTED, "The relay at %s refused the request: it is too large. Send less at once."},
    {429, RELAY_UNREACHABLE, "The relay at %s limits how often this agent may call."},
    {502, RELAY_UNCERTAIN, "A proxy in front of the relay at %s could not reach it (502)."},
    {503, RELAY_UNREACHABLE, "The relay at %s is not available just now (503)."},
    {504, RELAY_UNCERTAIN, "A proxy in front of the relay at %s gave up waiting for it (504)."},
};

static const struct status_row *status_find(int status)
{
    for (size_t i = 0; i < LENGTH_OF(status_rows); i++) {
        if (status_rows[i].status == status)
            return &status_rows[i];
    }
    return NULL;
}

static char *format_problem(const struct status_row *row, const char *url)
{
    const char *gap = strstr(row->format, "%s");
    return xasprintf("%.*s%s%s", (int)(gap - row->format), row->format, url, gap + 2);
}

static void read_status(const char *url, struct relay_reply *reply)
{
    int status = reply->http_status;
    const struct status_row *row = status_find(status);
    if (row) {
        reply->outcome = row->outcome;
        reply->problem = format_problem(row, url);
    } else if (status >= HTTP_REDIRECT_FIRST && status <= HTTP_REDIRECT_LAST) {
        reply->outcome = RELAY_REJECTED;
        reply->problem =
            xasprintf("%s redirects to another address (%d), and a token is not sent after a redirect. "
                      "Put the final address into PATCHCORD_URL.",
                url, status);
    } else {
        reply->outcome = status >= HTTP_SERVER_ERROR ? RELAY_UNCERTAIN : RELAY_REJECTED;
        reply->problem =
            xasprintf("The relay at %s answered with something that is not MCP (status %d). Check "
                      "PATCHCORD_URL.",
                url, status);
    }
}

/* A connection that ends amid the headers looks like an answer without a body: what was asked may have been
 * done. */
static void read_cut(const char *url, struct relay_reply *reply)
{
    reply->outcome = RELAY_UNCERTAIN;
    reply->problem = xasprintf("The relay at %s broke off its answer.", url);
}

/* The statuses that come from in front of the MCP endpoint: their body is not read, whoever wrote it. */
static bool status_is_final(int status)
{
    return status_find(status) && status != 404;
}

void relay_reply_read(int http_status, int retry_after_s, const char *body, size_t len, const char *url,
    struct relay_reply *reply)
{
    *reply = (struct relay_reply){.http_status = http_status, .retry_after_s = retry_after_s};
    enum json_fault fault = JSON_FAULT_NONE;
    struct json_object *answer = status_is_final(http_status) ? NULL : json_parse(body, len, &fault);
    struct json_object *part;
    /* Answers of another protocol may hold an "error" object too. */
    bool is_rpc = strcmp(json_text_or(answer, "jsonrpc", ""), "2.0") == 0;
    if (is_rpc && http_status == HTTP_OK && json_get_object(answer, "result", &part) == JSON_FIELD_FOUND)
        take_result(part, reply);
    else if (is_rpc && json_get_object(answer, "error", &part) == JSON_FIELD_FOUND)
        take_error(part, reply);
    else if (http_status == HTTP_OK && len == 0)
        read_cut(url, reply);
    else
        read_status(url, reply);
    json_object_put(answer);
}
