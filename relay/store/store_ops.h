/* store_ops.h: what a kind of store implements. store.c wraps each operation: it zeroes the result, measures,
 * reports an operation that a kind lacks, and empties the result of one that failed. A kind declares its
 * functions by the types here. */
#ifndef RELAY_STORE_STORE_OPS_H
#define RELAY_STORE_STORE_OPS_H

#include "store_dump.h"
#include "store_oauth.h"

typedef enum store_status store_send_fn(struct store *s, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result);
typedef enum store_status store_offer_fn(struct store *s, const struct store_caller *caller,
    const struct store_offer *offer, struct store_offer_result *result);
typedef enum store_status store_ack_fn(struct store *s, const struct store_caller *caller, const char *lease,
    const char *const *ids, size_t ids_count, enum store_release release, int64_t *released);
typedef enum store_status store_reply_fn(struct store *s, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result);
typedef enum store_status store_unsend_fn(
    struct store *s, const struct store_caller *caller, const char *message_id, enum store_refusal *refusal);
typedef enum store_status store_recall_fn(struct store *s, const struct store_caller *caller,
    const struct store_recall *recall, struct store_messages *result);
typedef enum store_status store_inbox_fn(struct store *s, const struct store_caller *caller,
    enum message_status status, size_t limit, bool count_only, struct store_messages *result, int64_t *count);
typedef enum store_status store_events_fn(struct store *s, const struct store_caller *caller,
    int64_t after_seq, size_t limit, struct store_messages *result, int64_t *newest);
typedef enum store_status store_touch_fn(struct store *s, const struct store_caller *caller);

typedef enum store_status store_token_find_fn(struct store *s, const char *hash, struct store_tokens *result);
typedef enum store_status store_token_add_fn(
    struct store *s, const struct store_token *token, enum store_refusal *refusal);
typedef enum store_status store_token_list_fn(struct store *s, struct store_tokens *result);
typedef enum store_status store_token_end_fn(struct store *s, const char *hash_prefix,
    const char *namespace_id, const char *agent, int64_t expires_ms, int64_t *count);

typedef enum store_status store_ban_put_fn(struct store *s, const struct store_ban *ban);
typedef enum store_status store_ban_list_fn(struct store *s, struct store_ban **bans, size_t *count);

typedef enum store_status store_client_add_fn(
    struct store *s, const struct store_client *client, int64_t max_unused, enum store_refusal *refusal);
typedef enum store_status store_client_find_fn(
    struct store *s, const char *client_id, struct store_clients *result);
typedef enum store_status store_code_add_fn(struct store *s, enum store_code_kind kind, const char *hash,
    const struct store_subject *subject, int64_t expires_ms, enum store_refusal *refusal);
typedef enum store_status store_invite_redeem_fn(
    struct store *s, const char *hash, const struct store_token *token, struct store_subject *subject);
typedef enum store_status store_authorize_fn(struct store *s, const char *connect_hash, const char *code_hash,
    const struct store_authorization *authorization, struct store_subject *subject);
typedef enum store_status store_code_redeem_fn(struct store *s, const char *code_hash,
    const struct store_redemption *redemption, struct store_grants *result, enum store_refusal *refusal);
typedef enum store_status store_refresh_fn(struct store *s, const char *refresh_hash, const char *client_id,
    const char *audience, const struct store_token_pair *pair, struct store_grants *result,
    enum store_refusal *refusal);
typedef enum store_status store_grant_list_fn(struct store *s, struct store_grants *result);
typedef enum store_status store_grant_end_fn(
    struct store *s, const struct store_grant_choice *choice, int64_t *count);
typedef enum store_status store_device_add_fn(
    struct store *s, const struct store_device *device, int64_t max, enum store_refusal *refusal);
typedef enum store_status store_device_find_fn(
    struct store *s, const char *user_hash, struct store_device *result);
typedef enum store_status store_device_decide_fn(struct store *s, const char *user_hash,
    const char *connect_hash, struct store_subject *subject, enum store_refusal *refusal);
typedef enum store_status store_device_redeem_fn(struct store *s, const char *device_hash,
    const struct store_token *token, int64_t interval_ms, struct store_subject *subject,
    enum store_refusal *refusal);
typedef enum store_status store_oauth_cleanup_fn(
    struct store *s, int64_t max_age_ms, bool dry_run, struct store_oauth_cleanup *result);

typedef enum store_status store_cleanup_fn(struct store *s, int64_t max_age_ms, int64_t active_window_ms,
    bool dry_run, struct store_cleanup_result *result);
typedef enum store_status store_stats_fn(struct store *s, struct store_stats *stats);
/* Appends to rows what store_dump promises, in any order of fields. */
typedef enum store_status store_dump_fn(
    struct store *s, enum dump_kind kind, struct json_object *after, struct json_object *rows);
typedef enum store_status store_load_fn(
    struct store *s, enum dump_kind kind, struct json_object *rows, int64_t *taken);
typedef enum store_status store_ready_fn(struct store *s);

/* False: why has one line. */
typedef bool store_backup_fn(struct store *s, const char *folder, struct buf *why);
typedef bool store_migrate_fn(struct store *s, int *applied, struct buf *why);
typedef void store_close_fn(struct store *s);

struct store_ops {
    store_send_fn *send;
    store_offer_fn *offer;
    store_ack_fn *ack;
    store_reply_fn *reply;
    store_unsend_fn *unsend;
    store_recall_fn *recall;
    store_inbox_fn *inbox;
    store_events_fn *events;
    store_touch_fn *touch;

    store_token_find_fn *token_find;
    store_token_add_fn *token_add;
    store_token_list_fn *token_list;
    store_token_end_fn *token_end;

    store_ban_put_fn *ban_put;
    store_ban_list_fn *ban_list;

    store_client_add_fn *client_add;
    store_client_find_fn *client_find;
    store_code_add_fn *code_add;
    store_invite_redeem_fn *invite_redeem;
    store_authorize_fn *authorize;
    store_code_redeem_fn *code_redeem;
    store_refresh_fn *refresh;
    store_grant_list_fn *grant_list;
    store_grant_end_fn *grant_end;
    store_device_add_fn *device_add;
    store_device_find_fn *device_find;
    store_device_decide_fn *device_decide;
    store_device_redeem_fn *device_redeem;
    store_oauth_cleanup_fn *oauth_cleanup;

    store_cleanup_fn *cleanup;
    store_stats_fn *stats;
    store_dump_fn *dump;
    store_load_fn *load;
    store_ready_fn *ready;

    store_backup_fn *backup;
    store_migrate_fn *migrate;
    store_close_fn *close;
};

/* The head of every kind's own struct. */
struct store {
    const struct store_ops *ops;
    void (*observe)(const char *operation, int64_t micros, enum store_status status);
    struct store_cipher *cipher; /* NULL: messages are stored as they are */
};

/* For the kinds: the caller's namespaces, its own first. */
size_t store_caller_namespaces(const struct store_caller *caller);
const char *store_caller_namespace(const struct store_caller *caller, size_t index);
bool store_caller_is_in(const struct store_caller *caller, const char *namespace_id);

/* For the kinds: frees what a sent message owns. */
void store_sent_free(struct store_sent *sent);
/* A further zeroed element at the end of a result's list. */
struct store_message *store_messages_add(struct store_messages *messages);
/* Frees what is beyond count. */
void store_messages_cut(struct store_messages *messages, size_t count);
struct store_agent *store_agents_add(struct store_agents *agents);
struct store_token *store_tokens_add(struct store_tokens *tokens);
struct store_client *store_clients_add(struct store_clients *clients);
struct store_grant *store_grants_add(struct store_grants *grants);
/* A subject of its own copies; also are further namespaces, separated by blanks. What was there is freed. */
void store_subject_set(
    struct store_subject *subject, const char *namespace_id, const char *agent, const char *also);
/* The words of a text that blanks separate, each the caller's to free, as is the list. */
char **store_words(const char *text, size_t *count);

/* For the wrappers: how they begin and end. */
int64_t store_began(void);
enum store_status store_ended(
    struct store *s, const char *operation, int64_t began, enum store_status status);
enum store_status store_lacks(const char *operation);
/* Doubles a list's room whenever its count reaches a power of two, so that the structs need no capacity. */
void *store_list_grow(void *items, size_t count, size_t size);

#endif
