#include "session.h"

#include <bsd/string.h>
#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/mcp.h"
#include "../common/tool_spec.h"
#include "channel.h"
#include "client_type.h"
#include "file_tools.h"
#include "id_scan.h"
#include "lines.h"
#include "listens.h"
#include "outbox_call.h"

/* The one legacy revision in which a message may be an array of messages. */
#define BATCH_VERSION "2025-03-26"

struct request {
    TAILQ_ENTRY(request) link;
    struct session *session;
    struct json_object *id;
    enum mcp_era era;
    const struct tool_spec *spec;
    struct json_object *args; /* checked */
    size_t size;              /* of its line */
    char client_type[CLIENT_TYPE_SIZE];
    struct relay_call *call;            /* NULL while it is queued */
    struct file_call *file;             /* in the place of call */
    struct json_object *progress_token; /* NULL: no progress is reported */
    int64_t progress;                   /* bytes last reported of file */
    int64_t began_ms, progress_at_ms;   /* monotonic */
    int64_t wait_s;
};
TAILQ_HEAD(requests, request);

struct session {
    const struct config_options *options;
    struct relay_link *link;
    struct line_writer *writer;
    struct config config;
    bool configured;
    struct outbox *outbox;      /* of config's identity; NULL until there is one */
    struct outbox_flush *flush; /* NULL as outbox */
    bool spoken_to;             /* by the client, for the first time */
    bool looked;                /* for what an earlier session left in the outbox */
    size_t sends;               /* of the active requests */
    bool batches;               /* the client speaks the revision with batches */
    bool closed;
    char client_type[CLIENT_TYPE_SIZE]; /* from initialize */
    struct listens listens;
    struct channel *channel; /* NULL: nothing is pushed */
    struct requests active, queued;
    size_t active_count, queued_bytes;
};

struct session *session_new(
    const struct config_options *options, struct relay_link *link, struct line_writer *writer)
{
    struct session *session = xcalloc(1, sizeof *session);
    session->options = options;
    session->link = link;
    session->writer = writer;
    TAILQ_INIT(&session->active);
    TAILQ_INIT(&session->queued);
    return session;
}

/* ---- answering ---- */

static void send_message(struct session *session, struct json_object *message)
{
    line_writer_add(session->writer, message);
    json_object_put(message);
}

/* An answer can still be taken back by a cancellation of id while it is not written. */
static void send_answer(struct session *session, struct json_object *id, struct json_object *message)
{
    line_writer_add_answer(session->writer, message, id, NULL);
    json_object_put(message);
}

static void send_error(struct session *session, struct json_object *id, int code, const char *problem)
{
    send_answer(session, id, jsonrpc_error(id, code, problem, NULL));
}

/* What became of queued messages stands above the next result, whatever that is. */
static void add_news(struct session *session, struct json_object *result)
{
    struct json_object *content;
    struct buf text = {0};
    if (session->outbox && json_get_array(result, "content", &content) == JSON_FIELD_FOUND &&
        outbox_tell(session->outbox, &text)) {
        struct json_object *first = json_object_array_get_idx(content, 0);
        buf_printf(&text, "\n%s", json_text_or(first, "text", ""));
        json_add_text_len(first, "text", buf_text(&text), text.len);
    }
    buf_free(&text);
}

static void send_tool_error(
    struct session *session, struct json_object *id, enum mcp_era era, const char *problem)
{
    struct json_object *result = mcp_tool_result(era, problem, strlen(problem), true);
    add_news(session, result);
    send_answer(session, id, jsonrpc_result(id, result));
}

/* ---- requests ---- */

static void request_free(struct request *request)
{
    json_object_put(request->id);
    json_object_put(request->args);
    json_object_put(request->progress_token);
    free(request);
}

static void drop_active(struct request *request)
{
    TAILQ_REMOVE(&request->session->active, request, link);
    request->session->active_count--;
    request->session->sends -= outbox_takes(request->spec->name);
    request_free(request);
}

/* Ends an active request without an answer. */
static void stop_active(struct request *request)
{
    if (request->file)
        file_call_cancel(request->file);
    else
        relay_call_cancel(request->call);
    drop_active(request);
}

static void drop_queued(struct request *request)
{
    TAILQ_REMOVE(&request->session->queued, request, link);
    request->session->queued_bytes -= request->size;
    request_free(request);
}

/* The relay's own refusals of a request that we made are no business of the client's. */
static int code_for_client(int code)
{
    return code == JSONRPC_INVALID_PARAMS ? JSONRPC_INVALID_PARAMS : JSONRPC_INTERNAL_ERROR;
}

static void answer_done(struct request *request, struct relay_reply *reply)
{
    struct json_object *result = json_object_get(reply->result);
    mcp_result_set_era(result, request->era);
    add_news(request->session, result);
    struct json_object *message = jsonrpc_result(request->id, result);
    line_writer_add_answer(request->session->writer, message, request->id, &reply->offer);
    json_object_put(message);
}

static struct outbox_call outbox_call_of(const struct request *request)
{
    const struct session *session = request->session;
    return (struct outbox_call){.outbox = session->outbox,
        .flush = session->flush,
        .tool = request->spec->name,
        .args = request->args};
}

/* The relay answered: what waits for it can go. */
static void look_at_outbox(struct session *session)
{
    if (outbox_flush_state(session->flush) != OUTBOX_FLUSH_IDLE || outbox_waiting(session->outbox) > 0)
        outbox_flush_kick(session->flush);
    else
        outbox_flush_learn(session->flush);
}

static void answer_reply(struct request *request, struct relay_reply *reply)
{
    struct session *session = request->session;
    if (reply->outcome == RELAY_DONE)
        answer_done(request, reply);
    else if (reply->outcome == RELAY_RPC_ERROR)
        send_error(session, request->id, code_for_client(reply->rpc_code), reply->problem);
    else
        send_tool_error(session, request->id, request->era, reply->problem);
    /* A refused token may have been replaced by now: the next call looks again. */
    if (reply->outcome == RELAY_TOKEN_REFUSED)
        session->configured = false;
    drop_active(request);
}

static void on_reply(void *arg, struct relay_reply *reply)
{
    struct request *request = arg;
    struct outbox_call call = outbox_call_of(request);
    if (reply->outcome == RELAY_DONE || reply->outcome == RELAY_RPC_ERROR)
        look_at_outbox(request->session);
    outbox_call_end(&call, reply);
    answer_reply(request, reply);
}

static bool on_fate(
    void *arg, const struct outbox_entry *entry, struct relay_reply *reply, const char *problem)
{
    (void)arg, (void)entry, (void)reply, (void)problem;
    return true;
}

static void drop_outbox(struct session *session)
{
    outbox_flush_free(session->flush);
    outbox_free(session->outbox);
    session->flush = NULL;
    session->outbox = NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_identity(const struct config *a, const struct config *b)
{
    return same_text(a->url, b->url) && same_text(a->token, b->token) && same_text(a->agent, b->agent);
}

static void adopt(struct session *session, struct config *fresh)
{
    bool same = session->outbox && same_identity(&session->config, fresh);
    if (!same)
        drop_outbox(session);
    config_free(&session->config);
    session->config = *fresh;
    relay_link_set_config(session->link, &session->config, session->config.client);
    if (same)
        return;
    session->outbox = outbox_of(&session->config);
    session->flush = outbox_flush_new(session->link, session->outbox, on_fate, NULL);
}

/* Reads the configuration where that has not worked yet: what was set up meanwhile counts. */
static bool configure(struct session *session, const char *client_type, struct buf *why)
{
    if (session->configured)
        return true;
    struct config_options options = *session->options;
    if (!options.client && client_type[0])
        options.client = client_type;
    struct config fresh;
    session->configured = config_load(&options, &fresh, why);
    if (session->configured)
        adopt(session, &fresh);
    return session->configured;
}

/* False: why has one line, and nothing was begun. */
static bool request_ask(struct request *request, struct buf *why)
{
    struct session *session = request->session;
    const char *tool = request->spec->name;
    struct outbox_call call = outbox_call_of(request);
    struct relay_reply reply;
    if (outbox_call_begin(&call, &reply)) {
        answer_reply(request, &reply);
        relay_reply_free(&reply);
        return true;
    }
    if (!file_tools_wanted(tool, request->args)) {
        request->call = relay_link_call(session->link, tool, request->args, NULL, on_reply, request);
        return true;
    }
    const struct file_call_end end = {.done = on_reply, .arg = request};
    request->file = file_tools_start(session->link, &session->config, tool, request->args, &end, why);
    return request->file != NULL;
}

static void request_start(struct request *request)
{
    struct session *session = request->session;
    struct buf why = {0};
    TAILQ_INSERT_TAIL(&session->active, request, link);
    session->active_count++;
    session->sends += outbox_takes(request->spec->name);
    if (!configure(session, request->client_type, &why)) {
        send_tool_error(session, request->id, request->era, buf_text(&why));
        drop_active(request);
    } else {
        const char *type = session->options->client ? session->options->client : request->client_type;
        relay_link_set_config(session->link, &session->config, type[0] ? type : session->config.client);
        if (!request_ask(request, &why)) {
            send_tool_error(session, request->id, request->era, buf_text(&why));
            drop_active(request);
        }
    }
    buf_free(&why);
}

/* Sends go one after the other, in the order in which they came: so they arrive in it, or queue in it. */
static void start_queued(struct session *session)
{
    struct request *request, *next;
    TAILQ_FOREACH_SAFE(request, &session->queued, link, next)
    {
        if (session->active_count == SESSION_CALLS_MAX)
            return;
        if (session->sends > 0 && outbox_takes(request->spec->name))
            continue;
        TAILQ_REMOVE(&session->queued, request, link);
        session->queued_bytes -= request->size;
        request_start(request);
    }
}

/* ---- tools/call ---- */

/* Only a wait, or a file on its way, lasts long enough to be asked about. */
static void read_progress(struct request *request, const struct mcp_call *call)
{
    bool waits = strcmp(request->spec->name, "wait_for_message") == 0;
    if (!call->progress_token || !(waits || file_tools_wanted(request->spec->name, request->args)))
        return;
    request->progress_token = json_object_get(call->progress_token);
    request->progress_at_ms = request->began_ms + (waits ? SESSION_PROGRESS_MS : SESSION_FILE_PROGRESS_MS);
    request->wait_s = MCP_WAIT_DEFAULT_S;
    if (json_get_int(request->args, "timeout_seconds", &request->wait_s) != JSON_FIELD_FOUND)
        request->wait_s = MCP_WAIT_DEFAULT_S;
}

static void read_client_type(
    const struct session *session, const struct mcp_call *call, struct request *request)
{
    struct json_object *info;
    strlcpy(request->client_type, session->client_type, sizeof request->client_type);
    if (json_get_object(call->meta, MCP_META_CLIENT_INFO, &info) == JSON_FIELD_FOUND)
        client_type_of(json_text_or(info, "name", ""), request->client_type);
}

static void call_tool(
    struct session *session, const struct jsonrpc_message *message, const struct mcp_call *call, size_t size)
{
    const char *name = json_text_or(message->params, "name", NULL);
    struct json_object *given = NULL;
    const struct tool_spec *spec = name ? tool_spec_find(name) : NULL;
    struct buf why = {0};
    if (!spec) {
        buf_printf(&why, name ? "unknown tool: %s" : "params.name has to be a tool's name", name);
        send_error(session, message->id, JSONRPC_INVALID_PARAMS, buf_text(&why));
        goto out;
    }
    if (json_get_object(message->params, "arguments", &given) == JSON_FIELD_WRONG) {
        send_error(session, message->id, JSONRPC_INVALID_PARAMS, "params.arguments has to be an object");
        goto out;
    }
    struct json_object *args = tool_spec_check(spec, given, &why);
    if (!args) {
        send_tool_error(session, message->id, call->era, buf_text(&why));
        goto out;
    }
    struct request *request = xcalloc(1, sizeof *request);
    request->session = session;
    request->id = json_object_get(message->id);
    request->era = call->era;
    request->spec = spec;
    request->args = args;
    request->size = size;
    request->began_ms = clock_mono_ms();
    read_progress(request, call);
    read_client_type(session, call, request);
    TAILQ_INSERT_TAIL(&session->queued, request, link);
    session->queued_bytes += size;
    start_queued(session);
out:
    buf_free(&why);
}

/* ---- notifications ---- */

static bool has_id(const struct request *request, struct json_object *id)
{
    return json_object_equal(request->id, id);
}

static void cancel_request(struct session *session, struct json_object *id)
{
    struct request *request, *next;
    line_writer_cancel(session->writer, id);
    listens_cancel(&session->listens, id);
    TAILQ_FOREACH_SAFE(request, &session->active, link, next)
    {
        if (!has_id(request, id))
            continue;
        stop_active(request);
    }
    TAILQ_FOREACH_SAFE(request, &session->queued, link, next)
    {
        if (has_id(request, id))
            drop_queued(request);
    }
    start_queued(session);
}

static void take_notification(struct session *session, const struct jsonrpc_message *message)
{
    struct json_object *id;
    if (strcmp(message->method, "notifications/cancelled") == 0 &&
        json_object_object_get_ex(message->params, "requestId", &id) && id)
        cancel_request(session, id);
    if (session->channel && strcmp(message->method, "notifications/initialized") == 0)
        channel_open(session->channel);
}

/* ---- messages ---- */

static void take_initialize(struct session *session, struct json_object *params)
{
    struct json_object *info;
    session->batches = strcmp(json_text_or(params, "protocolVersion", ""), BATCH_VERSION) == 0;
    if (json_get_object(params, "clientInfo", &info) == JSON_FIELD_FOUND)
        client_type_of(json_text_or(info, "name", ""), session->client_type);
}

static void take_request(struct session *session, const struct jsonrpc_message *message, size_t size)
{
    struct mcp_call call;
    const char *problem = NULL;
    struct json_object *data = NULL;
    int code = mcp_read_call(message, &call, &problem, &data);
    if (code != 0) {
        send_message(session, jsonrpc_error(message->id, code, problem, data));
        return;
    }
    if (call.era == MCP_LEGACY && strcmp(message->method, "initialize") == 0)
        take_initialize(session, message->params);
    if (mcp_answers(call.era, message->method)) {
        send_message(session, mcp_answer(MCP_FACE_BRIDGE, &call, message, session->channel != NULL));
    } else if (strcmp(message->method, "tools/call") == 0) {
        call_tool(session, message, &call, size);
    } else if (call.era == MCP_MODERN && strcmp(message->method, "subscriptions/listen") == 0) {
        send_message(session, listens_open(&session->listens, message));
    } else {
        struct buf why = {0};
        buf_printf(&why, "method not found: %s", message->method);
        send_error(session, message->id, JSONRPC_METHOD_NOT_FOUND, buf_text(&why));
        buf_free(&why);
    }
}

static void take_message(struct session *session, struct json_object *value, size_t size)
{
    struct jsonrpc_message message;
    jsonrpc_classify(value, &message);
    switch (message.kind) {
    case JSONRPC_REQUEST:
        take_request(session, &message, size);
        break;
    case JSONRPC_NOTIFICATION:
        take_notification(session, &message);
        break;
    case JSONRPC_RESPONSE: /* we ask the client nothing */
        break;
    case JSONRPC_INVALID:
        send_error(session, message.id, JSONRPC_INVALID_REQUEST, message.problem);
        break;
    }
}

/* Each message of a batch is answered on a line of its own, as the clients of that revision read them. */
static void take_batch(struct session *session, struct json_object *batch, size_t size)
{
    size_t count = json_object_array_length(batch);
    if (count == 0)
        send_error(session, NULL, JSONRPC_INVALID_REQUEST, "an empty batch");
    for (size_t i = 0; i < count; i++)
        take_message(session, json_object_array_get_idx(batch, i), size);
}

static void refuse_line(struct session *session, const char *line, size_t len, enum json_fault fault)
{
    struct id_scan scan = {0};
    id_scan_feed(&scan, line, len);
    struct json_object *id = id_scan_result(&scan);
    struct buf why = {0};
    buf_printf(&why, "the line %s", json_fault_text(fault));
    send_error(session, id, JSONRPC_PARSE_ERROR, buf_text(&why));
    buf_free(&why);
    json_object_put(id);
}

void session_line(struct session *session, const char *line, size_t len)
{
    session->spoken_to = true;
    enum json_fault fault;
    struct json_object *value = json_parse(line, len, &fault);
    if (fault == JSON_FAULT_EMPTY)
        return;
    if (fault != JSON_FAULT_NONE)
        refuse_line(session, line, len, fault);
    else if (session->batches && json_object_is_type(value, json_type_array))
        take_batch(session, value, len);
    else
        take_message(session, value, len);
    json_object_put(value);
}

void session_line_too_long(struct session *session, struct json_object *id)
{
    struct buf why = {0};
    buf_printf(&why, "the line is longer than %d bytes", LINE_MAX_BYTES);
    send_error(session, id, JSONRPC_INVALID_REQUEST, buf_text(&why));
    buf_free(&why);
    json_object_put(id);
}

bool session_reads(const struct session *session)
{
    return !session->closed && session->queued_bytes < SESSION_QUEUE_MAX_BYTES &&
           line_writer_pending(session->writer) < SESSION_OUT_MAX_BYTES;
}

/* ---- time ---- */

static void send_progress(struct request *request, int64_t done, int64_t total, const char *message)
{
    struct json_object *params = json_new_object();
    json_add(params, "progressToken", json_object_get(request->progress_token));
    json_add_int(params, "progress", done);
    json_add_int(params, "total", total);
    json_add_text(params, "message", message);
    send_message(request->session, jsonrpc_notification("notifications/progress", params));
}

/* Each report has to be of more than the one before. */
static void report_file(struct request *request, int64_t now)
{
    struct file_progress progress = file_call_progress(request->file);
    request->progress_at_ms = now + SESSION_FILE_PROGRESS_MS;
    if (progress.done <= request->progress)
        return;
    request->progress = progress.done;
    send_progress(request, progress.done, progress.total, "bytes of the file");
}

static void report_progress(struct request *request, int64_t now)
{
    if (request->file) {
        report_file(request, now);
        return;
    }
    request->progress_at_ms = now + SESSION_PROGRESS_MS;
    send_progress(
        request, (now - request->began_ms) / MS_PER_SECOND, request->wait_s, "waiting for a message");
}

int session_timeout_ms(const struct session *session)
{
    int64_t now = clock_mono_ms(), soonest = -1;
    const struct request *request;
    TAILQ_FOREACH(request, &session->active, link)
    {
        if (!request->progress_token)
            continue;
        int64_t left = request->progress_at_ms > now ? request->progress_at_ms - now : 0;
        if (soonest < 0 || left < soonest)
            soonest = left;
    }
    const int others[] = {session->flush && !session->closed ? outbox_flush_timeout_ms(session->flush) : -1,
        session->channel ? channel_timeout_ms(session->channel) : -1};
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        if (others[i] >= 0 && (soonest < 0 || others[i] < soonest))
            soonest = others[i];
    return (int)soonest;
}

/* What an earlier session left goes out without the agent's doing, and before anything that it sends now. */
static void look_once(struct session *session)
{
    struct buf why = {0};
    session->looked = true;
    if (configure(session, session->client_type, &why) && outbox_waiting(session->outbox) > 0)
        outbox_flush_kick(session->flush);
    buf_free(&why);
}

static void flush_outbox(struct session *session)
{
    if (session->closed)
        return;
    if (session->spoken_to && !session->looked)
        look_once(session);
    if (!session->flush)
        return;
    outbox_flush_step(session->flush);
    /* The token may have been replaced by now: the next call looks. */
    if (outbox_flush_state(session->flush) == OUTBOX_FLUSH_REFUSED)
        session->configured = false;
}

void session_step(struct session *session)
{
    int64_t now = clock_mono_ms();
    struct request *request;
    start_queued(session);
    flush_outbox(session);
    if (session->channel)
        channel_step(session->channel);
    TAILQ_FOREACH(request, &session->active, link)
    {
        if (request->progress_token && request->progress_at_ms <= now)
            report_progress(request, now);
    }
}

/* ---- pushing ---- */

static bool configure_channel(void *arg, struct buf *why)
{
    struct session *session = arg;
    return configure(session, session->client_type, why);
}

static void forget_configuration(void *arg)
{
    struct session *session = arg;
    session->configured = false;
}

void session_open_channel(struct session *session)
{
    session->channel = channel_new(&(struct channel_setup){.link = session->link,
        .writer = session->writer,
        .configure = configure_channel,
        .refused = forget_configuration,
        .arg = session});
}

/* ---- ending ---- */

void session_close(struct session *session)
{
    struct request *request, *next;
    session->closed = true;
    if (session->channel)
        channel_close(session->channel);
    TAILQ_FOREACH_SAFE(request, &session->active, link, next)
    {
        if (strcmp(request->spec->name, "wait_for_message") != 0)
            continue;
        stop_active(request);
    }
    TAILQ_FOREACH_SAFE(request, &session->queued, link, next)
    {
        if (strcmp(request->spec->name, "wait_for_message") == 0)
            drop_queued(request);
    }
    struct json_object *ended;
    while ((ended = listens_close_one(&session->listens)) != NULL)
        send_message(session, ended);
    start_queued(session);
}

void session_abort(struct session *session)
{
    struct request *request;
    while ((request = TAILQ_FIRST(&session->queued)) != NULL)
        drop_queued(request);
    while ((request = TAILQ_FIRST(&session->active)) != NULL) {
        stop_active(request);
    }
    drop_outbox(session);
}

bool session_busy(const struct session *session)
{
    return !TAILQ_EMPTY(&session->active) || !TAILQ_EMPTY(&session->queued);
}

void session_free(struct session *session)
{
    session_abort(session);
    channel_free(session->channel);
    listens_free(&session->listens);
    config_free(&session->config);
    free(session);
}
