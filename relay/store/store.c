#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "sealing.h"
#include "store_cipher.h"
#include "store_ops.h"

const char *const message_status_names[] = {
    [MESSAGE_PENDING] = "pending",
    [MESSAGE_READ] = "read",
    [MESSAGE_REPLIED] = "replied",
    [MESSAGE_DEFERRED] = "deferred",
};

/* ---- callers ---- */

size_t store_caller_namespaces(const struct store_caller *caller)
{
    return 1 + caller->also_count;
}

const char *store_caller_namespace(const struct store_caller *caller, size_t index)
{
    return index == 0 ? caller->namespace_id : caller->also[index - 1];
}

bool store_caller_is_in(const struct store_caller *caller, const char *namespace_id)
{
    for (size_t i = 0; i < store_caller_namespaces(caller); i++) {
        if (strcmp(store_caller_namespace(caller, i), namespace_id) == 0)
            return true;
    }
    return false;
}

/* ---- results ---- */

void *store_list_grow(void *items, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return items;
    return xreallocarray(items, count == 0 ? 1 : 2 * count, size);
}

struct store_message *store_messages_add(struct store_messages *messages)
{
    messages->items = store_list_grow(messages->items, messages->count, sizeof *messages->items);
    struct store_message *added = &messages->items[messages->count++];
    memset(added, 0, sizeof *added);
    return added;
}

struct store_agent *store_agents_add(struct store_agents *agents)
{
    agents->items = store_list_grow(agents->items, agents->count, sizeof *agents->items);
    struct store_agent *added = &agents->items[agents->count++];
    memset(added, 0, sizeof *added);
    return added;
}

struct store_token *store_tokens_add(struct store_tokens *tokens)
{
    tokens->items = store_list_grow(tokens->items, tokens->count, sizeof *tokens->items);
    struct store_token *added = &tokens->items[tokens->count++];
    memset(added, 0, sizeof *added);
    return added;
}

void store_messages_cut(struct store_messages *messages, size_t count)
{
    while (messages->count > count) {
        struct store_message *message = &messages->items[--messages->count];
        free(message->namespace_id);
        free(message->from);
        free(message->to);
        free(message->content);
        free(message->thread);
    }
}

void store_messages_free(struct store_messages *messages)
{
    store_messages_cut(messages, 0);
    free(messages->items);
    *messages = (struct store_messages){0};
}

void store_agents_free(struct store_agents *agents)
{
    for (size_t i = 0; i < agents->count; i++) {
        struct store_agent *agent = &agents->items[i];
        free(agent->namespace_id);
        free(agent->agent);
        free(agent->display_name);
        free(agent->machine_name);
        free(agent->client_type);
        free(agent->platform);
    }
    free(agents->items);
    *agents = (struct store_agents){0};
}

void store_tokens_free(struct store_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++) {
        free(tokens->items[i].namespace_id);
        free(tokens->items[i].agent);
        free(tokens->items[i].label);
        free(tokens->items[i].audience);
        for (size_t k = 0; k < tokens->items[i].also_count; k++)
            free(tokens->items[i].also[k]);
        free(tokens->items[i].also);
    }
    free(tokens->items);
    *tokens = (struct store_tokens){0};
}

void store_sent_free(struct store_sent *sent)
{
    free(sent->namespace_id);
    free(sent->to);
}

void store_send_result_free(struct store_send_result *result)
{
    for (size_t i = 0; i < result->sent_count; i++)
        store_sent_free(&result->sent[i]);
    free(result->sent);
    free(result->refused_to);
    for (size_t i = 0; i < result->names_count; i++)
        free(result->names[i]);
    free(result->names);
    store_messages_free(&result->unread);
    *result = (struct store_send_result){0};
}

void store_offer_result_free(struct store_offer_result *result)
{
    store_messages_free(&result->messages);
    store_messages_free(&result->deferred);
    store_agents_free(&result->agents);
    *result = (struct store_offer_result){0};
}

void store_reply_result_free(struct store_reply_result *result)
{
    store_sent_free(&result->sent);
    free(result->thread);
    *result = (struct store_reply_result){0};
}

void store_cleanup_result_free(struct store_cleanup_result *result)
{
    store_agents_free(&result->notified);
    *result = (struct store_cleanup_result){0};
}

void store_stats_free(struct store_stats *stats)
{
    store_agents_free(&stats->agents);
    *stats = (struct store_stats){0};
}

/* ---- operations ---- */

int64_t store_began(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

enum store_status store_ended(struct store *s, const char *operation, int64_t began, enum store_status status)
{
    if (s->observe)
        s->observe(operation, store_began() - began, status);
    return status;
}

enum store_status store_lacks(const char *operation)
{
    log_error("this_store_lacks_an_operation", LOG_STR("operation", operation));
    return STORE_FAULT;
}

enum store_status store_send(struct store *s, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result)
{
    const int64_t began = store_began();
    *result = (struct store_send_result){0};
    const enum store_status status =
        s->ops->send ? sealing_send(s, caller, send, result) : store_lacks("send");
    if (status == STORE_FAULT)
        store_send_result_free(result);
    sealing_open(s, &result->unread);
    return store_ended(s, "send", began, status);
}

enum store_status store_offer(struct store *s, const struct store_caller *caller,
    const struct store_offer *offer, struct store_offer_result *result)
{
    const int64_t began = store_began();
    *result = (struct store_offer_result){0};
    const enum store_status status =
        s->ops->offer ? s->ops->offer(s, caller, offer, result) : store_lacks("offer");
    if (status == STORE_FAULT)
        store_offer_result_free(result);
    sealing_open(s, &result->messages);
    sealing_open(s, &result->deferred);
    return store_ended(s, "offer", began, status);
}

enum store_status store_ack(struct store *s, const struct store_caller *caller, const char *lease,
    const char *const *ids, size_t ids_count, enum store_release release, int64_t *released)
{
    const int64_t began = store_began();
    int64_t went_back = 0;
    const enum store_status status =
        s->ops->ack ? s->ops->ack(s, caller, lease, ids, ids_count, release, &went_back) : store_lacks("ack");
    if (released)
        *released = status == STORE_FAULT ? 0 : went_back;
    return store_ended(s, "ack", began, status);
}

enum store_status store_reply(struct store *s, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result)
{
    const int64_t began = store_began();
    *result = (struct store_reply_result){0};
    const enum store_status status =
        s->ops->reply ? sealing_reply(s, caller, reply, result) : store_lacks("reply");
    if (status == STORE_FAULT)
        store_reply_result_free(result);
    return store_ended(s, "reply", began, status);
}

enum store_status store_unsend(
    struct store *s, const struct store_caller *caller, const char *message_id, enum store_refusal *refusal)
{
    const int64_t began = store_began();
    *refusal = REFUSAL_NONE;
    const enum store_status status =
        s->ops->unsend ? s->ops->unsend(s, caller, message_id, refusal) : store_lacks("unsend");
    return store_ended(s, "unsend", began, status);
}

enum store_status store_recall(struct store *s, const struct store_caller *caller,
    const struct store_recall *recall, struct store_messages *result)
{
    const int64_t began = store_began();
    *result = (struct store_messages){0};
    const enum store_status status =
        s->ops->recall ? s->ops->recall(s, caller, recall, result) : store_lacks("recall");
    if (status == STORE_FAULT)
        store_messages_free(result);
    sealing_open(s, result);
    return store_ended(s, "recall", began, status);
}

enum store_status store_inbox(struct store *s, const struct store_caller *caller,
    enum message_status status_wanted, size_t limit, bool count_only, struct store_messages *result,
    int64_t *count)
{
    const int64_t began = store_began();
    *result = (struct store_messages){0};
    *count = 0;
    const enum store_status status =
        s->ops->inbox ? s->ops->inbox(s, caller, status_wanted, limit, count_only, result, count)
                      : store_lacks("inbox");
    if (status == STORE_FAULT)
        store_messages_free(result);
    sealing_open(s, result);
    return store_ended(s, "inbox", began, status);
}

enum store_status store_events(struct store *s, const struct store_caller *caller, int64_t after_seq,
    size_t limit, struct store_messages *result, int64_t *newest)
{
    const int64_t began = store_began();
    *result = (struct store_messages){0};
    *newest = 0;
    const enum store_status status =
        s->ops->events ? s->ops->events(s, caller, after_seq, limit, result, newest) : store_lacks("events");
    if (status == STORE_FAULT)
        store_messages_free(result);
    return store_ended(s, "events", began, status);
}

enum store_status store_touch(struct store *s, const struct store_caller *caller)
{
    const int64_t began = store_began();
    const enum store_status status = s->ops->touch ? s->ops->touch(s, caller) : store_lacks("touch");
    return store_ended(s, "touch", began, status);
}

enum store_status store_token_find(
    struct store *s, const char hash[static SHA256_HEX_SIZE], struct store_tokens *result)
{
    const int64_t began = store_began();
    *result = (struct store_tokens){0};
    const enum store_status status =
        s->ops->token_find ? s->ops->token_find(s, hash, result) : store_lacks("token_find");
    if (status == STORE_FAULT)
        store_tokens_free(result);
    return store_ended(s, "token_find", began, status);
}

enum store_status store_token_add(
    struct store *s, const struct store_token *token, enum store_refusal *refusal)
{
    const int64_t began = store_began();
    *refusal = REFUSAL_NONE;
    const enum store_status status =
        s->ops->token_add ? s->ops->token_add(s, token, refusal) : store_lacks("token_add");
    return store_ended(s, "token_add", began, status);
}

enum store_status store_token_list(struct store *s, struct store_tokens *result)
{
    const int64_t began = store_began();
    *result = (struct store_tokens){0};
    const enum store_status status =
        s->ops->token_list ? s->ops->token_list(s, result) : store_lacks("token_list");
    if (status == STORE_FAULT)
        store_tokens_free(result);
    return store_ended(s, "token_list", began, status);
}

enum store_status store_token_end(struct store *s, const char *hash_prefix, const char *namespace_id,
    const char *agent, int64_t expires_ms, int64_t *count)
{
    const int64_t began = store_began();
    *count = 0;
    const enum store_status status =
        s->ops->token_end ? s->ops->token_end(s, hash_prefix, namespace_id, agent, expires_ms, count)
                          : store_lacks("token_end");
    return store_ended(s, "token_end", began, status);
}

enum store_status store_ban_put(struct store *s, const struct store_ban *ban)
{
    const int64_t began = store_began();
    const enum store_status status = s->ops->ban_put ? s->ops->ban_put(s, ban) : store_lacks("ban_put");
    return store_ended(s, "ban_put", began, status);
}

enum store_status store_ban_list(struct store *s, struct store_ban **bans, size_t *count)
{
    const int64_t began = store_began();
    *bans = NULL;
    *count = 0;
    const enum store_status status =
        s->ops->ban_list ? s->ops->ban_list(s, bans, count) : store_lacks("ban_list");
    if (status == STORE_FAULT) {
        free(*bans);
        *bans = NULL;
        *count = 0;
    }
    return store_ended(s, "ban_list", began, status);
}

enum store_status store_cleanup(struct store *s, int64_t max_age_ms, int64_t active_window_ms, bool dry_run,
    struct store_cleanup_result *result)
{
    const int64_t began = store_began();
    *result = (struct store_cleanup_result){0};
    const enum store_status status = s->ops->cleanup
                                         ? s->ops->cleanup(s, max_age_ms, active_window_ms, dry_run, result)
                                         : store_lacks("cleanup");
    if (status == STORE_FAULT)
        store_cleanup_result_free(result);
    return store_ended(s, "cleanup", began, status);
}

enum store_status store_stats(struct store *s, struct store_stats *stats)
{
    const int64_t began = store_began();
    *stats = (struct store_stats){0};
    const enum store_status status = s->ops->stats ? s->ops->stats(s, stats) : store_lacks("stats");
    if (status == STORE_FAULT)
        store_stats_free(stats);
    return store_ended(s, "stats", began, status);
}

bool store_ready(struct store *s)
{
    const int64_t began = store_began();
    const enum store_status status = s->ops->ready ? s->ops->ready(s) : store_lacks("ready");
    return store_ended(s, "ready", began, status) == STORE_DONE;
}

bool store_backup(struct store *s, const char *folder, struct buf *why)
{
    const int64_t began = store_began();
    const bool done = s->ops->backup ? s->ops->backup(s, folder, why) : store_lacks("backup") == STORE_DONE;
    store_ended(s, "backup", began, done ? STORE_DONE : STORE_FAULT);
    return done;
}

bool store_migrate(struct store *s, int *applied, struct buf *why)
{
    *applied = 0;
    return s->ops->migrate ? s->ops->migrate(s, applied, why) : store_lacks("migrate") == STORE_DONE;
}

void store_observe(
    struct store *s, void (*observe)(const char *operation, int64_t micros, enum store_status status))
{
    s->observe = observe;
}

bool store_is_sealed(const struct store *s)
{
    return s->cipher != NULL;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_cipher_free(s->cipher);
    s->ops->close(s);
}
