#include "tool_run.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/fence.h"
#include "../../common/tool_spec.h"
#include "../auth/concurrency.h"
#include "../config.h"
#include "../metrics.h"

struct tool_run {
    struct tool_call call;
    const struct tool *tool; /* NULL: the arguments were wrong, and the call has failed already */
    const char *name;
    enum mcp_era era;
    struct json_object *id;
    struct json_object *args;
    const struct client_labels *labels;
    struct store_presence presence; /* borrows from them */
    char (*ack_ids)[UUID_SIZE];
    const char **acks;
    bool structured;
    bool is_waiting; /* it has a place among its agent's waits */

    struct json_object *progress_token; /* NULL: none is wanted */
    int64_t next_progress_ms, last_progress;
};

/* ---- what the caller says in _meta ---- */

/* An optional UUID. False where there is something else. */
static bool read_id(struct json_object *meta, const char *key, char out[static UUID_SIZE])
{
    const char *text = NULL;
    size_t len = 0;

    out[0] = '\0';
    switch (json_get_text(meta, key, &text, &len)) {
    case JSON_FIELD_ABSENT:
        return true;
    case JSON_FIELD_FOUND:
        return uuid_parse(text, len, out);
    default:
        return false;
    }
}

static bool read_acks(struct tool_run *run, struct json_object *meta)
{
    struct json_object *ids = NULL;
    enum json_field field = json_get_array(meta, PATCHCORD_META_ACK, &ids);

    if (field != JSON_FIELD_FOUND)
        return field == JSON_FIELD_ABSENT;
    size_t count = json_object_array_length(ids);
    if (count > PATCHCORD_ACKS_MAX)
        return false;
    run->ack_ids = xcalloc(count + 1, sizeof *run->ack_ids);
    run->acks = xcalloc(count + 1, sizeof *run->acks);
    for (size_t i = 0; i < count; i++) {
        struct json_object *id = json_object_array_get_idx(ids, i);
        if (!json_object_is_type(id, json_type_string) ||
            !uuid_parse(json_object_get_string(id), (size_t)json_object_get_string_len(id), run->ack_ids[i]))
            return false;
        run->acks[i] = run->ack_ids[i];
    }
    run->call.caller.acks = run->acks;
    run->call.caller.acks_count = count;
    return true;
}

/* The key that is wrong, or NULL. */
static const char *read_meta(struct tool_run *run, struct json_object *meta)
{
    struct tool_call *call = &run->call;
    const struct {
        const char *key;
        bool *flag;
    } flags[] = {
        {PATCHCORD_META_PEEK, &call->peek},
        {PATCHCORD_META_QUEUED, &call->queued},
        {PATCHCORD_META_STRUCTURED, &run->structured},
    };

    for (size_t i = 0; i < LENGTH_OF(flags); i++) {
        if (json_get_bool(meta, flags[i].key, flags[i].flag) == JSON_FIELD_WRONG)
            return flags[i].key;
    }
    if (!read_id(meta, PATCHCORD_META_LEASE, call->lease))
        return PATCHCORD_META_LEASE;
    if (!read_id(meta, PATCHCORD_META_MESSAGE_ID, call->message_id))
        return PATCHCORD_META_MESSAGE_ID;
    if (!read_acks(run, meta))
        return PATCHCORD_META_ACK;
    if (!call->lease[0])
        uuid_v4(call->lease);
    return NULL;
}

/* ---- beginning ---- */

static struct json_object *malformed_meta(struct json_object *id, const char *key)
{
    char *text = xasprintf("malformed _meta: %s", key);
    struct json_object *error = jsonrpc_error(id, JSONRPC_INVALID_PARAMS, text, NULL);
    free(text);
    return error;
}

static struct json_object *unknown_tool(struct json_object *id, const char *name)
{
    struct buf text = {0};

    buf_puts(&text, "Unknown tool: ");
    fence_word(&text, name, FENCE_WORD_MAX);
    struct json_object *error = jsonrpc_error(id, JSONRPC_INVALID_PARAMS, buf_text(&text), NULL);
    buf_free(&text);
    return error;
}

/* Wrong arguments are the model's to correct: a failed call, not a failed request. */
static void check_arguments(struct tool_run *run, const struct tool_spec *spec, struct json_object *given)
{
    struct buf why = {0};

    run->args = tool_spec_check(spec, given, &why);
    run->call.args = run->args;
    run->tool = run->args ? tool_find(spec->name) : NULL;
    if (!run->args)
        tool_fail(&run->call, "%s", buf_text(&why));
    buf_free(&why);
}

struct tool_run *tool_run_new(struct relay *relay, const struct identity *who, const struct client *client,
    const struct client_labels *labels, const struct jsonrpc_message *message, const struct mcp_call *mcp,
    bool reports, struct json_object **error)
{
    const char *name = NULL;
    struct json_object *given = NULL;

    if (json_get_text(message->params, "name", &name, NULL) != JSON_FIELD_FOUND) {
        *error =
            jsonrpc_error(message->id, JSONRPC_INVALID_PARAMS, "params.name must be a tool's name", NULL);
        return NULL;
    }
    if (json_get_object(message->params, "arguments", &given) == JSON_FIELD_WRONG) {
        *error =
            jsonrpc_error(message->id, JSONRPC_INVALID_PARAMS, "params.arguments must be an object", NULL);
        return NULL;
    }
    const struct tool_spec *spec = tool_spec_find(name);
    if (!spec || !tool_find(spec->name)) {
        *error = unknown_tool(message->id, name);
        return NULL;
    }

    struct tool_run *run = xcalloc(1, sizeof *run);
    run->call = (struct tool_call){.relay = relay, .who = who, .client = client, .began_ms = clock_mono_ms()};
    run->call.caller = identity_caller(who);
    run->labels = labels;
    run->name = spec->name;
    run->era = mcp->era;
    run->id = json_object_get(message->id);
    run->structured = relay->config->output_format == OUTPUT_JSON;
    run->progress_token = reports ? json_object_get(mcp->progress_token) : NULL;
    run->next_progress_ms = run->call.began_ms + TOOL_RUN_PROGRESS_MS;
    const char *wrong = read_meta(run, mcp->meta);
    if (wrong) {
        *error = malformed_meta(message->id, wrong);
        tool_run_free(run);
        return NULL;
    }
    check_arguments(run, spec, given);
    return run;
}

/* ---- going on ---- */

/* Seconds waited of those that the wait may last, if it is time to say so: strictly increasing. */
static struct json_object *progress(struct tool_run *run, int64_t now_ms)
{
    int64_t seconds = (now_ms - run->call.began_ms) / MS_PER_SECOND;

    if (!run->progress_token || now_ms < run->next_progress_ms || seconds <= run->last_progress)
        return NULL;
    run->next_progress_ms = now_ms + TOOL_RUN_PROGRESS_MS;
    run->last_progress = seconds;
    struct json_object *params = json_new_object();
    json_add(params, "progressToken", json_object_get(run->progress_token));
    json_add_int(params, "progress", seconds);
    json_add_text(params, "message", "waiting for a message");
    return jsonrpc_notification("notifications/progress", params);
}

/* A call that failed before it asked the store still brought acks, which its caller counts as taken. */
static void apply_rest(struct tool_call *call)
{
    if (call->caller_used || (!call->caller.presence && call->caller.acks_count == 0))
        return;
    if (store_touch(call->relay->store, &call->caller) == STORE_FAULT && call->caller.acks_count > 0)
        tool_fail_store(call);
}

static void finish(struct tool_run *run)
{
    apply_rest(&run->call);
    metrics_tool(run->call.relay->metrics, run->name, run->call.is_error,
        (clock_mono_ms() - run->call.began_ms) * 1000);
}

/* False: the call has failed. */
static bool may_wait(struct tool_run *run)
{
    struct tool_call *call = &run->call;

    if (!run->is_waiting)
        run->is_waiting = concurrency_enter(call->relay->waits, call->who->address, WAITS_PER_AGENT);
    if (!run->is_waiting)
        tool_fail(call,
            "%s waits %d times already, as often as an agent may: end a wait, or look with inbox.",
            call->who->address, WAITS_PER_AGENT);
    return run->is_waiting;
}

enum verdict tool_run_step(struct tool_run *run, enum wake wake, struct wait *wait, struct json_object **told)
{
    struct tool_call *call = &run->call;
    bool only_progress = wake == WAKE_DEADLINE && clock_mono_ms() < call->wait.until_ms;
    enum verdict verdict = VERDICT_WAIT;

    *told = NULL;
    if (wake == WAKE_START && presence_due(call->relay->auth, call->who, run->labels, &run->presence))
        call->caller.presence = &run->presence;
    if (!only_progress) {
        call->wake = wake;
        verdict = run->tool ? run->tool->run(call) : VERDICT_DONE;
    }
    if (verdict == VERDICT_DONE || !may_wait(run)) {
        finish(run);
        return VERDICT_DONE;
    }
    json_object_put(run->args); /* what is parked is small */
    run->args = call->args = NULL;
    call->caller.presence = NULL; /* it was stored by the first look */
    *told = progress(run, clock_mono_ms());
    *wait = call->wait;
    if (run->progress_token && run->next_progress_ms < wait->until_ms)
        wait->until_ms = run->next_progress_ms;
    return VERDICT_WAIT;
}

static struct json_object *meta_of(struct json_object *result)
{
    struct json_object *meta = NULL;

    if (json_get_object(result, "_meta", &meta) == JSON_FIELD_FOUND)
        return meta;
    meta = json_new_object();
    json_add(result, "_meta", meta);
    return meta;
}

struct json_object *tool_run_answer(struct tool_run *run)
{
    struct tool_call *call = &run->call;
    struct json_object *result =
        mcp_tool_result(run->era, buf_text(&call->text), call->text.len, call->is_error);

    if (run->structured && call->structured)
        json_add(result, "structuredContent", json_object_get(call->structured));
    if (call->client->acks && call->offer)
        json_add(meta_of(result), PATCHCORD_META_OFFER, json_object_get(call->offer));
    return jsonrpc_result(run->id, result);
}

struct tool_call *tool_run_call(struct tool_run *run)
{
    return &run->call;
}

void tool_run_free(struct tool_run *run)
{
    if (!run)
        return;
    if (run->is_waiting)
        concurrency_leave(run->call.relay->waits, run->call.who->address);
    tool_call_free(&run->call);
    json_object_put(run->args);
    json_object_put(run->progress_token);
    json_object_put(run->id);
    free(run->acks);
    free(run->ack_ids);
    free(run);
}
