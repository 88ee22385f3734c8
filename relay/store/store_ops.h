/* store_ops.h: what a kind of store implements. store.c wraps each operation: it zeroes the result, measures,
 * reports an operation that a kind lacks, and empties the result of one that failed. */
#ifndef RELAY_STORE_STORE_OPS_H
#define RELAY_STORE_STORE_OPS_H

#include "store_dump.h"
#include "store_oauth.h"

struct store_ops {
    enum store_status (*send)(struct store *s, const struct store_caller *caller,
        const struct store_send *send, struct store_send_result *result);
    enum store_status (*offer)(struct store *s, const struct store_caller *caller,
        const struct store_offer *offer, struct store_offer_result *result);
    enum store_status (*ack)(struct store *s, const struct store_caller *caller, const char *lease,
        const char *const *ids, size_t ids_count, enum store_release release, int64_t *released);
    enum store_status (*reply)(struct store *s, const struct store_caller *caller,
        const struct store_reply *reply, struct store_reply_result *result);
    enum store_status (*unsend)(struct store *s, const struct store_caller *caller, const char *message_id,
        enum store_refusal *refusal);
    enum store_status (*recall)(struct store *s, const struct store_caller *caller,
        const struct store_recall *recall, struct store_messages *result);
    enum store_status (*inbox)(struct store *s, const struct store_caller *caller, enum message_status status,
        size_t limit, bool count_only, struct store_messages *result, int64_t *count);
    enum store_status (*events)(struct store *s, const struct store_caller *caller, int64_t after_seq,
        size_t limit, struct store_messages *result, int64_t *newest);
    enum store_status (*touch)(struct store *s, const struct store_caller *caller);

    enum store_status (*token_find)(struct store *s, const char *hash, struct store_tokens *result);
    enum store_status (*token_add)(
        struct store *s, const struct store_token *token, enum store_refusal *refusal);
    enum store_status (*token_list)(struct store *s, struct store_tokens *result);
    enum store_status (*token_end)(struct store *s, const char *hash_prefix, const char *namespace_id,
        const char *agent, int64_t expires_ms, int64_t *count);

    enum store_status (*ban_put)(struct store *s, const struct store_ban *ban);
    enum store_status (*ban_list)(struct store *s, struct store_ban **bans, size_t *count);

    enum store_status (*client_add)(
        struct store *s, const struct store_client *client, int64_t max_unused, enum store_refusal *refusal);
    enum store_status (*client_find)(struct store *s, const char *client_id, struct store_clients *result);
    enum store_status (*code_add)(struct store *s, enum store_code_kind kind, const char *hash,
        const struct store_subject *subject, int64_t expires_ms, enum store_refusal *refusal);
    enum store_status (*invite_redeem)(
        struct store *s, const char *hash, const struct store_token *token, struct store_subject *subject);
    enum store_status (*authorize)(struct store *s, const char *connect_hash, const char *code_hash,
        const struct store_authorization *authorization, struct store_subject *subject);
    enum store_status (*code_redeem)(struct store *s, const char *code_hash,
        const struct store_redemption *redemption, struct store_grants *result, enum store_refusal *refusal);
    enum store_status (*refresh)(struct store *s, const char *refresh_hash, const char *client_id,
        const char *audience, const struct store_token_pair *pair, struct store_grants *result,
        enum store_refusal *refusal);
    enum store_status (*grant_list)(struct store *s, struct store_grants *result);
    enum store_status (*grant_end)(struct store *s, const struct store_grant_choice *choice, int64_t *count);
    enum store_status (*device_add)(
        struct store *s, const struct store_device *device, int64_t max, enum store_refusal *refusal);
    enum store_status (*device_find)(struct store *s, const char *user_hash, struct store_device *result);
    enum store_status (*device_decide)(struct store *s, const char *user_hash, const char *connect_hash,
        struct store_subject *subject, enum store_refusal *refusal);
    enum store_status (*device_redeem)(struct store *s, const char *device_hash,
        const struct store_token *token, int64_t interval_ms, struct store_subject *subject,
        enum store_refusal *refusal);
    enum store_status (*oauth_cleanup)(
        struct store *s, int64_t max_age_ms, bool dry_run, struct store_oauth_cleanup *result);

    enum store_status (*cleanup)(struct store *s, int64_t max_age_ms, int64_t active_window_ms, bool dry_run,
        struct store_cleanup_result *result);
    enum store_status (*stats)(struct store *s, struct store_stats *stats);
    /* Appends to rows what store_dump promises, in any order of fields. */
    enum store_status (*dump)(
        struct store *s, enum dump_kind kind, struct json_object *after, struct json_object *rows);
    enum store_status (*load)(struct store *s, enum dump_kind kind, struct json_object *rows, int64_t *taken);
    enum store_status (*ready)(struct store *s);

    /* False: why has one line. */
    bool (*backup)(struct store *s, const char *folder, struct buf *why);
    bool (*migrate)(struct store *s, int *applied, struct buf *why);
    void (*close)(struct store *s);
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
