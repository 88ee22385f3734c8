#include "mcp_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/mcp.h"
#include "../auth/authenticator.h"
#include "../config.h"
#include "../relay.h"
#include "handout.h"
#include "mcp_headers.h"
#include "subscription.h"
#include "tool_run.h"

enum {
    STATUS_OK = 200,
    STATUS_ACCEPTED = 202,
    STATUS_BAD_REQUEST = 400,
    STATUS_NOT_FOUND = 404,
    STATUS_NOT_ALLOWED = 405,
    STATUS_UNAVAILABLE = 503,
};

/* The one revision that has batches, and how many messages one may hold: a batch counts as one call. */
#define BATCH_VERSION MCP_HTTP_DEFAULT
enum { BATCH_MAX = 20 };

/* One POST, from its body to its answer. */
struct post {
    struct relay *relay;
    const struct identity *who;
    struct client client;
    struct client_labels *labels; /* NULL once it was parked */
    struct json_object *body;     /* a message, or an array of them */
    bool is_batch;
    size_t next; /* which message of the batch is under way */
    struct json_object *answers;
    struct tool_run *run;
    struct subscription *subscription;
    struct handout *handouts;
    size_t handouts_count;
};

/* What one message gets. */
struct reply {
    int status;
    struct json_object *message; /* owned; NULL: no body */
};

static void post_free(struct post *post)
{
    for (size_t i = 0; i < post->handouts_count; i++)
        handout_free(&post->handouts[i]);
    free(post->handouts);
    tool_run_free(post->run);
    subscription_end(post->subscription);
    json_object_put(post->answers);
    json_object_put(post->body);
    identity_release(post->who);
    free(post->labels);
    free(post);
}

static void settle(struct exchange *ex, enum settlement how)
{
    struct post *post = ex->state;

    ex->state = NULL;
    for (size_t i = 0; i < post->handouts_count; i++)
        handout_settle(&post->handouts[i], post->relay, post->who, post->client.acks, how);
    post_free(post);
}

/* ---- answering ---- */

static void write_event(struct exchange *ex, struct json_object *message)
{
    buf_puts(&ex->answer, "event: message\ndata: ");
    json_write(message, &ex->answer);
    buf_puts(&ex->answer, "\n\n");
}

/* Takes the message over. */
static void answer(struct exchange *ex, int status, struct json_object *message)
{
    if (message && ex->is_stream) {
        write_event(ex, message);
    } else {
        ex->status = status;
        ex->content_type = message ? "application/json" : NULL;
        if (message)
            json_write(message, &ex->answer);
    }
    json_object_put(message);
}

/* The exchange has its answer. What was handed out waits for its settlement; else nothing is left to do. */
static enum verdict done(struct exchange *ex, struct post *post)
{
    if (post->handouts_count > 0) {
        ex->confirm_delivery = !post->client.acks;
        return VERDICT_DONE;
    }
    ex->state = NULL;
    ex->settle = NULL;
    post_free(post);
    return VERDICT_DONE;
}

static struct reply refusal(
    struct json_object *id, int status, int code, const char *problem, struct json_object *data)
{
    return (struct reply){status, jsonrpc_error(id, code, problem, data)};
}

/* ---- which revision is spoken ---- */

static enum mcp_header compare_header(
    const struct exchange *ex, const char *name, const char *wanted, bool encoded)
{
    return mcp_header_compare(ex->headers, ex->headers_count, name, wanted, strlen(wanted), encoded);
}

static bool mismatch(const char *name, enum mcp_header found, struct json_object *id, struct reply *reply)
{
    static const char *const what[] = {
        [MCP_HEADER_MISSING] = "is missing",
        [MCP_HEADER_DIFFERS] = "does not match the body",
        [MCP_HEADER_MALFORMED] = "is malformed",
    };

    if (found == MCP_HEADER_EQUAL)
        return false;
    char *problem = xasprintf("Header mismatch: %s %s", name, what[found]);
    *reply = refusal(id, STATUS_BAD_REQUEST, MCP_HEADER_MISMATCH, problem, NULL);
    free(problem);
    return true;
}

/* The parameter that Mcp-Name repeats, by method. */
static const struct {
    const char *method, *key;
} named_by[] = {{"tools/call", "name"}, {"prompts/get", "name"}, {"resources/read", "uri"}};

static bool name_mismatch(
    const struct exchange *ex, const struct jsonrpc_message *message, struct reply *reply)
{
    for (size_t i = 0; i < LENGTH_OF(named_by); i++) {
        const char *name = NULL;
        if (strcmp(named_by[i].method, message->method) != 0)
            continue;
        if (json_get_text(message->params, named_by[i].key, &name, NULL) != JSON_FIELD_FOUND)
            return false; /* the method says what is wrong with the body */
        return mismatch("Mcp-Name", compare_header(ex, "Mcp-Name", name, true), message->id, reply);
    }
    return false;
}

static struct json_object *version_data(const char *requested)
{
    struct json_object *data = json_new_object(), *supported = json_new_array();

    for (const char *const *version = mcp_versions; *version; version++)
        json_append_text(supported, *version);
    json_add(data, "supported", supported);
    json_add_text(data, "requested", requested);
    return data;
}

/* A message without a modern _meta: the header decides what it is held against. */
static bool check_legacy(
    const struct exchange *ex, const struct jsonrpc_message *message, struct reply *reply)
{
    struct buf version = {0};
    const char *header = exchange_header(ex, "MCP-Protocol-Version");
    bool fine = true;

    if (!header)
        return true;
    if (!mcp_header_decode(header, false, &version)) {
        fine = !mismatch("MCP-Protocol-Version", MCP_HEADER_MALFORMED, message->id, reply);
    } else if (strcmp(buf_text(&version), MCP_MODERN_VERSION) == 0) {
        fine = message->kind == JSONRPC_NOTIFICATION;
        if (!fine)
            *reply = refusal(message->id, STATUS_BAD_REQUEST, JSONRPC_INVALID_PARAMS,
                "_meta needs " MCP_META_VERSION " and " MCP_META_CAPABILITIES, NULL);
    } else if (!mcp_version_is_legacy(buf_text(&version))) {
        fine = false;
        *reply = refusal(message->id, STATUS_BAD_REQUEST, MCP_UNSUPPORTED_VERSION,
            "Unsupported protocol version", version_data(buf_text(&version)));
    }
    buf_free(&version);
    return fine;
}

/* Reads the era and holds the headers against the body. False: *reply is the answer. */
static bool read_call(const struct exchange *ex, const struct jsonrpc_message *message, struct mcp_call *mcp,
    struct reply *reply)
{
    const char *problem = NULL;
    struct json_object *data = NULL;
    int code = mcp_read_call(message, mcp, &problem, &data);
    bool modern = mcp->era == MCP_MODERN;
    const char *version = "MCP-Protocol-Version";

    if (modern && mismatch(version, compare_header(ex, version, mcp->version, false), message->id, reply)) {
        json_object_put(data);
        return false;
    }
    if (code) {
        *reply = refusal(message->id, STATUS_BAD_REQUEST, code, problem, data);
        return false;
    }
    if (!modern)
        return check_legacy(ex, message, reply);
    return !mismatch(
               "Mcp-Method", compare_header(ex, "Mcp-Method", message->method, false), message->id, reply) &&
           !name_mismatch(ex, message, reply);
}

/* ---- one message ---- */

/* An unacknowledged stream is no place for an answer that a bridge acknowledges, nor for one of a batch. */
static bool may_stream(const struct exchange *ex, const struct post *post)
{
    const char *accept = exchange_header(ex, "Accept");
    return !post->is_batch && !post->client.acks && accept && strstr(accept, "text/event-stream");
}

static enum verdict step_tool(struct exchange *ex, struct post *post, enum wake wake, struct reply *reply)
{
    struct wait wait;
    struct json_object *progress = NULL;

    if (tool_run_step(post->run, wake, &wait, &progress) == VERDICT_WAIT) {
        if (may_stream(ex, post) && !ex->is_stream)
            exchange_stream(ex);
        if (progress)
            write_event(ex, progress);
        json_object_put(progress);
        return exchange_wait(ex, wait.keys, wait.ticket, wait.until_ms, wait.exclusive);
    }
    struct tool_call *call = tool_run_call(post->run);
    if (call->offered_count > 0) {
        post->handouts = xreallocarray(post->handouts, post->handouts_count + 1, sizeof *post->handouts);
        handout_begin(&post->handouts[post->handouts_count++], call);
    }
    *reply = (struct reply){STATUS_OK, tool_run_answer(post->run)};
    if (call->retry_after_s > 0 && post->client.acks) {
        char seconds[12];
        snprintf(seconds, sizeof seconds, "%d", call->retry_after_s);
        exchange_add_header(ex, "Retry-After", seconds);
        reply->status = STATUS_UNAVAILABLE;
    }
    tool_run_free(post->run);
    post->run = NULL;
    return VERDICT_DONE;
}

static enum verdict begin_tool(struct exchange *ex, struct post *post, const struct jsonrpc_message *message,
    const struct mcp_call *mcp, enum wake wake, struct reply *reply)
{
    *reply = (struct reply){.status = STATUS_OK};
    post->run = tool_run_new(post->relay, post->who, &post->client, post->labels, message, mcp,
        may_stream(ex, post), &reply->message);
    return post->run ? step_tool(ex, post, wake, reply) : VERDICT_DONE;
}

static enum verdict step_subscription(
    struct exchange *ex, struct post *post, enum wake wake, struct reply *reply)
{
    struct wait wait;

    if (subscription_step(post->subscription, wake, &wait, &reply->message) == VERDICT_WAIT)
        return exchange_wait(ex, wait.keys, wait.ticket, wait.until_ms, wait.exclusive);
    return VERDICT_DONE;
}

static enum verdict begin_subscription(struct exchange *ex, struct post *post,
    const struct jsonrpc_message *message, enum wake wake, struct reply *reply)
{
    struct json_object *acknowledged = NULL;

    post->subscription =
        subscription_begin(post->relay, post->who, message, &acknowledged, &reply->message, &reply->status);
    if (!post->subscription)
        return VERDICT_DONE;
    exchange_stream(ex);
    write_event(ex, acknowledged);
    json_object_put(acknowledged);
    return step_subscription(ex, post, wake, reply);
}

/* Whoever asks for lists only is around, too. */
static void touch(struct post *post)
{
    struct store_presence presence;
    struct store_caller caller = identity_caller(post->who);

    caller.presence = &presence;
    /* Presence is a courtesy: a store that fails is reported by the calls that need it. */
    if (presence_due(post->relay->auth, post->who, post->labels, &presence))
        (void)!store_touch(post->relay->store, &caller);
}

static enum verdict answer_request(struct exchange *ex, struct post *post,
    const struct jsonrpc_message *message, enum wake wake, struct reply *reply)
{
    struct mcp_call mcp;

    if (!read_call(ex, message, &mcp, reply))
        return VERDICT_DONE;
    if (strcmp(message->method, "tools/call") == 0)
        return begin_tool(ex, post, message, &mcp, wake, reply);
    if (mcp.era == MCP_MODERN && strcmp(message->method, "subscriptions/listen") == 0)
        return begin_subscription(ex, post, message, wake, reply);
    touch(post);
    bool found = mcp_answers(mcp.era, message->method);
    reply->status = found || mcp.era == MCP_LEGACY ? STATUS_OK : STATUS_NOT_FOUND;
    reply->message = mcp_answer(MCP_FACE_RELAY, &mcp, message, false);
    return VERDICT_DONE;
}

static enum verdict answer_message(
    struct exchange *ex, struct post *post, struct json_object *value, enum wake wake, struct reply *reply)
{
    struct jsonrpc_message message;

    jsonrpc_classify(value, &message);
    switch (message.kind) {
    case JSONRPC_REQUEST:
        return answer_request(ex, post, &message, wake, reply);
    case JSONRPC_NOTIFICATION:
        if (check_legacy(ex, &message, reply))
            *reply = (struct reply){.status = STATUS_ACCEPTED};
        return VERDICT_DONE;
    case JSONRPC_RESPONSE: /* to nothing that was asked */
        *reply = (struct reply){.status = STATUS_ACCEPTED};
        return VERDICT_DONE;
    case JSONRPC_INVALID:
        break;
    }
    *reply = refusal(message.id, STATUS_BAD_REQUEST, JSONRPC_INVALID_REQUEST, message.problem, NULL);
    return VERDICT_DONE;
}

/* ---- one POST ---- */

static enum verdict go_on(
    struct exchange *ex, struct post *post, struct json_object *value, enum wake wake, struct reply *reply)
{
    if (post->subscription)
        return step_subscription(ex, post, wake, reply);
    if (post->run)
        return step_tool(ex, post, wake, reply);
    return answer_message(ex, post, value, wake, reply);
}

static enum verdict run_batch(struct exchange *ex, struct post *post)
{
    enum wake wake = ex->wake;

    for (; post->next < json_object_array_length(post->body); post->next++) {
        struct reply reply = {0};
        if (go_on(ex, post, json_object_array_get_idx(post->body, post->next), wake, &reply) == VERDICT_WAIT)
            return VERDICT_WAIT;
        if (reply.message)
            json_append(post->answers, reply.message);
        if (wake != WAKE_SHUTDOWN)
            wake = WAKE_START;
    }
    bool empty = json_object_array_length(post->answers) == 0;
    answer(ex, empty ? STATUS_ACCEPTED : STATUS_OK, empty ? NULL : json_object_get(post->answers));
    return done(ex, post);
}

static enum verdict run(struct exchange *ex, struct post *post)
{
    struct reply reply = {0};

    if (post->is_batch)
        return run_batch(ex, post);
    if (go_on(ex, post, post->body, ex->wake, &reply) == VERDICT_WAIT) {
        /* What is parked is small: the run, or the subscription, has what it needs of the message. */
        json_object_put(post->body);
        post->body = NULL;
        free(post->labels);
        post->labels = NULL;
        return VERDICT_WAIT;
    }
    answer(ex, reply.status, reply.message);
    return done(ex, post);
}

/* Why an array is no batch; NULL where it is one. */
static const char *batch_problem(const struct exchange *ex, struct json_object *body)
{
    enum mcp_header version = compare_header(ex, "MCP-Protocol-Version", BATCH_VERSION, false);
    size_t count = json_object_array_length(body);

    if (version != MCP_HEADER_EQUAL && version != MCP_HEADER_MISSING)
        return "batches exist in revision " BATCH_VERSION " only";
    if (count == 0)
        return "an empty batch";
    return count > BATCH_MAX ? "too many messages in one batch" : NULL;
}

/* False: the exchange is answered. */
static bool read_body(struct exchange *ex, struct post *post)
{
    enum json_fault fault = JSON_FAULT_NONE;
    struct reply reply = {0};

    post->body = json_parse(ex->body.data, ex->body.len, &fault);
    buf_free(&ex->body);
    if (fault != JSON_FAULT_NONE) {
        char *problem = xasprintf("Parse error: the body %s", json_fault_text(fault));
        reply = refusal(NULL, STATUS_BAD_REQUEST, JSONRPC_PARSE_ERROR, problem, NULL);
        free(problem);
    } else if (json_object_is_type(post->body, json_type_array)) {
        const char *problem = batch_problem(ex, post->body);
        if (problem)
            reply = refusal(NULL, STATUS_BAD_REQUEST, JSONRPC_INVALID_REQUEST, problem, NULL);
        post->is_batch = !problem;
        post->answers = json_new_array();
    }
    if (!reply.message)
        return true;
    answer(ex, reply.status, reply.message);
    return false;
}

/* Clients that come without a token are told where one is to be had, but not at the path for those that have
 * one already. */
static const struct identity *identify(const struct relay *relay, struct exchange *ex)
{
    const bool is_bearer = strcmp(ex->path, relay->config->bearer_path) == 0;
    char *path =
        is_bearer ? NULL : xasprintf("/.well-known/oauth-protected-resource%s", relay->config->mcp_path);
    const struct identity *who = authenticate(relay->auth, ex, ACCESS_METERED, path);
    free(path);
    return who;
}

static enum verdict begin(struct exchange *ex)
{
    struct relay *relay = ex->app;
    const struct identity *who = identify(relay, ex);

    if (!who)
        return VERDICT_DONE;
    struct post *post = xcalloc(1, sizeof *post);
    post->relay = relay;
    post->who = who;
    post->labels = xcalloc(1, sizeof *post->labels);
    client_read(ex, &post->client, post->labels);
    ex->state = post;
    ex->settle = settle;
    return read_body(ex, post) ? run(ex, post) : done(ex, post);
}

enum verdict mcp_http_post(struct exchange *ex)
{
    return ex->state ? run(ex, ex->state) : begin(ex);
}

enum verdict mcp_http_bearer_post(struct exchange *ex)
{
    return mcp_http_post(ex);
}

enum verdict mcp_http_other(struct exchange *ex)
{
    struct relay *relay = ex->app;
    const struct identity *who = identify(relay, ex);

    if (!who)
        return VERDICT_DONE;
    identity_release(who);
    exchange_error(ex, STATUS_NOT_ALLOWED, "method_not_allowed", "Send MCP messages as POST.");
    exchange_add_header(ex, "Allow", "POST");
    return VERDICT_DONE;
}
