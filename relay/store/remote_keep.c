/* Tokens, bans and counts, on a remote store. */
#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "store_remote.h"

/* ---- tokens ---- */

void remote_add_token(struct json_object *body, const struct store_token *token)
{
    json_add_text(body, "hash", token->hash);
    json_add_text(body, "label", token->label);
    json_add_int(body, "created", token->created_ms);
    json_add_int(body, "expires", token->expires_ms);
}

static bool read_token(struct json_object *row, struct store_token *token)
{
    return remote_read_hash(row, "hash", token->hash) && remote_read_text(row, "ns", &token->namespace_id) &&
           remote_read_text(row, "agent", &token->agent) &&
           remote_read_text_or_null(row, "label", &token->label) &&
           remote_read_bool(row, "active", &token->active) &&
           remote_read_int(row, "created", &token->created_ms) &&
           remote_read_int(row, "expires", &token->expires_ms) &&
           remote_read_int(row, "used", &token->last_used_ms) &&
           remote_read_texts(row, "also", &token->also, &token->also_count) &&
           remote_read_id_or_none(row, "grant", token->grant_id) &&
           remote_read_text_or_null(row, "audience", &token->audience);
}

static enum store_status ask_tokens(
    struct store *s, const char *function, struct json_object *body, struct store_tokens *result)
{
    struct json_object *answer = NULL, *list = NULL;
    const enum store_status status = remote_ask(s, function, body, CALL_REPEATABLE, &answer);
    bool is_read = status != STORE_DONE || json_get_array(answer, "tokens", &list) == JSON_FIELD_FOUND;
    for (size_t i = 0; is_read && list && i < json_object_array_length(list); i++)
        is_read = read_token(json_object_array_get_idx(list, i), store_tokens_add(result));
    json_object_put(answer);
    return is_read ? status : remote_malformed(function);
}

enum store_status remote_token_find(struct store *s, const char *hash, struct store_tokens *result)
{
    struct json_object *body = remote_body();
    json_add_text(body, "hash", hash);
    return ask_tokens(s, "patchcord_token_find", body, result);
}

enum store_status remote_token_list(struct store *s, struct store_tokens *result)
{
    return ask_tokens(s, "patchcord_token_list", remote_body(), result);
}

enum store_status remote_token_add(
    struct store *s, const struct store_token *token, enum store_refusal *refusal)
{
    struct json_object *body = remote_body(), *answer = NULL;
    remote_add_token(body, token);
    json_add_text(body, "ns", token->namespace_id);
    json_add_text(body, "agent", token->agent);
    const enum store_status status = remote_ask(s, "patchcord_token_add", body, CALL_ONCE, &answer);
    const bool is_read = remote_read_refusal(answer, refusal);
    json_object_put(answer);
    if (status == STORE_DONE)
        remote_tell(s, NULL, NULL);
    return is_read ? status : remote_malformed("patchcord_token_add");
}

enum store_status remote_token_end(struct store *s, const char *hash_prefix, const char *namespace_id,
    const char *agent, int64_t expires_ms, int64_t *count)
{
    struct json_object *body = remote_body(), *answer = NULL;
    json_add_text(body, "prefix", hash_prefix);
    json_add_text(body, "ns", namespace_id);
    json_add_text(body, "agent", agent);
    json_add_int(body, "expires", expires_ms);
    const enum store_status status = remote_ask(s, "patchcord_token_end", body, CALL_ONCE, &answer);
    const bool is_read = remote_read_int(answer, "count", count);
    json_object_put(answer);
    if (status == STORE_DONE)
        remote_tell(s, NULL, NULL);
    return is_read ? status : remote_malformed("patchcord_token_end");
}

/* ---- bans ---- */

enum store_status remote_ban_put(struct store *s, const struct store_ban *ban)
{
    struct json_object *body = remote_body();
    json_add_text(body, "hash", ban->token_hash);
    json_add_int(body, "until", ban->until_ms);
    return remote_do(s, "patchcord_ban_put", body, CALL_REPEATABLE);
}

static bool read_bans(struct json_object *answer, struct store_ban **bans, size_t *count)
{
    struct json_object *list = NULL;
    if (json_get_array(answer, "bans", &list) != JSON_FIELD_FOUND)
        return false;
    const size_t there = json_object_array_length(list);
    *bans = xcalloc(there + 1, sizeof **bans);
    for (*count = 0; *count < there; ++*count) {
        struct json_object *row = json_object_array_get_idx(list, *count);
        struct store_ban *ban = &(*bans)[*count];
        if (!remote_read_hash(row, "hash", ban->token_hash) || !remote_read_int(row, "until", &ban->until_ms))
            return false;
    }
    return true;
}

enum store_status remote_ban_list(struct store *s, struct store_ban **bans, size_t *count)
{
    struct json_object *answer = NULL;
    const enum store_status status =
        remote_ask(s, "patchcord_ban_list", remote_body(), CALL_REPEATABLE, &answer);
    const bool is_read = status != STORE_DONE || read_bans(answer, bans, count);
    json_object_put(answer);
    return is_read ? status : remote_malformed("patchcord_ban_list");
}

/* ---- counts ---- */

static bool read_stats(struct json_object *answer, struct store_stats *stats)
{
    for (enum message_status status = MESSAGE_PENDING; status <= MESSAGE_DEFERRED; status++) {
        if (!remote_read_int(answer, message_status_names[status], &stats->by_status[status]))
            return false;
    }
    if (!remote_read_int(answer, "leased", &stats->leased) ||
        !remote_read_int(answer, "unsent", &stats->unsent) ||
        !remote_read_int(answer, "expired", &stats->expired) ||
        !remote_read_int(answer, "bans", &stats->bans) ||
        !remote_read_int(answer, "clients", &stats->clients) ||
        !remote_read_int(answer, "grants", &stats->grants) ||
        !remote_read_agents(answer, "agents", &stats->agents))
        return false;
    for (size_t i = 0; i < stats->agents.count; i++) {
        const int64_t oldest = stats->agents.items[i].oldest_pending_ms;
        if (oldest != 0 && (stats->oldest_pending_ms == 0 || oldest < stats->oldest_pending_ms))
            stats->oldest_pending_ms = oldest;
    }
    return true;
}

enum store_status remote_stats(struct store *s, struct store_stats *stats)
{
    struct json_object *answer = NULL;
    const enum store_status status =
        remote_ask(s, "patchcord_stats", remote_body(), CALL_REPEATABLE, &answer);
    const bool is_read = status != STORE_DONE || read_stats(answer, stats);
    json_object_put(answer);
    return is_read ? status : remote_malformed("patchcord_stats");
}
