/* store_remote.h: the parts of a store over remote_call.h, shared by its operations (remote_*.c). Fields of
 * calls and answers are said beside each function of migrations/postgres/. */
#ifndef RELAY_STORE_STORE_REMOTE_H
#define RELAY_STORE_STORE_REMOTE_H

#include "../../common/json.h"
#include "remote_call.h"
#include "store_ops.h"

struct remote_store {
    struct store base; /* first: a struct store * is one of these */
    struct remote *remote;
};

/* ---- asking ---- */

enum { CALL_ONCE = false, CALL_REPEATABLE = true };

/* A call's body, with what all have. */
struct json_object *remote_body(void);
/* The same with the caller and what rides along. */
struct json_object *remote_body_of(const struct store_caller *caller);
/* Adds an id; false where it is not a UUID, so that nothing can have it. */
MUST_CHECK bool remote_add_id(struct json_object *body, const char *key, const char *id);
/* Adds ids to the body's list "acks"; what is not a UUID is passed over. */
void remote_add_acks(struct json_object *body, const char *const *ids, size_t count);
/* Adds the words of a text, as words.h has them. */
void remote_add_words(struct json_object *body, const char *text, size_t len);

/* Adds what makes a bearer token, without whose it is. */
void remote_add_token(struct json_object *body, const struct store_token *token);

/* Calls the function, and ends body. What the answer's status says; the caller puts *answer (NULL for FAULT).
 * A fault is logged. */
MUST_CHECK enum store_status remote_ask(struct store *s, const char *function, struct json_object *body,
    bool is_repeatable, struct json_object **answer);
/* The same where nothing but the status is of interest. */
MUST_CHECK enum store_status remote_do(
    struct store *s, const char *function, struct json_object *body, bool is_repeatable);
/* Logs that an answer lacks what it must have. */
enum store_status remote_malformed(const char *function);

/* Tells the other relays; both NULL: that something else changed. */
void remote_tell(struct store *s, const char *namespace_id, const char *agent);

/* ---- reading answers: false where one is not as it must be ---- */

/* A required text, to be freed. */
MUST_CHECK bool remote_read_text(struct json_object *holder, const char *key, char **text);
/* One that may be missing: NULL. */
MUST_CHECK bool remote_read_text_or_null(struct json_object *holder, const char *key, char **text);
MUST_CHECK bool remote_read_id(struct json_object *holder, const char *key, char out[static UUID_SIZE]);
/* "" where it is missing. */
MUST_CHECK bool remote_read_id_or_none(
    struct json_object *holder, const char *key, char out[static UUID_SIZE]);
/* 0 where it is missing. */
MUST_CHECK bool remote_read_int(struct json_object *holder, const char *key, int64_t *number);
MUST_CHECK bool remote_read_hash(
    struct json_object *holder, const char *key, char out[static SHA256_HEX_SIZE]);
/* A list of texts, each to be freed, as is the list; nothing where it is missing. */
MUST_CHECK bool remote_read_texts(struct json_object *holder, const char *key, char ***texts, size_t *count);
MUST_CHECK bool remote_read_bool(struct json_object *holder, const char *key, bool *flag);
MUST_CHECK bool remote_read_refusal(struct json_object *answer, enum store_refusal *refusal);
/* The list of that name, to the end of what is there; nothing where it is missing. */
MUST_CHECK bool remote_read_messages(
    struct json_object *holder, const char *key, struct store_messages *messages);
MUST_CHECK bool remote_read_agents(struct json_object *holder, const char *key, struct store_agents *agents);

/* ---- the operations ---- */
enum store_status remote_send(struct store *s, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result);
enum store_status remote_reply(struct store *s, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result);
enum store_status remote_unsend(
    struct store *s, const struct store_caller *caller, const char *message_id, enum store_refusal *refusal);
enum store_status remote_offer(struct store *s, const struct store_caller *caller,
    const struct store_offer *offer, struct store_offer_result *result);
enum store_status remote_ack(struct store *s, const struct store_caller *caller, const char *lease,
    const char *const *ids, size_t ids_count, enum store_release release, int64_t *released);
enum store_status remote_touch(struct store *s, const struct store_caller *caller);
enum store_status remote_recall(struct store *s, const struct store_caller *caller,
    const struct store_recall *recall, struct store_messages *result);
enum store_status remote_inbox(struct store *s, const struct store_caller *caller, enum message_status status,
    size_t limit, bool count_only, struct store_messages *result, int64_t *count);
enum store_status remote_events(struct store *s, const struct store_caller *caller, int64_t after_seq,
    size_t limit, struct store_messages *result, int64_t *newest);
enum store_status remote_token_find(struct store *s, const char *hash, struct store_tokens *result);
enum store_status remote_token_add(
    struct store *s, const struct store_token *token, enum store_refusal *refusal);
enum store_status remote_token_list(struct store *s, struct store_tokens *result);
enum store_status remote_token_end(struct store *s, const char *hash_prefix, const char *namespace_id,
    const char *agent, int64_t expires_ms, int64_t *count);
enum store_status remote_ban_put(struct store *s, const struct store_ban *ban);
enum store_status remote_ban_list(struct store *s, struct store_ban **bans, size_t *count);
enum store_status remote_cleanup(struct store *s, int64_t max_age_ms, int64_t active_window_ms, bool dry_run,
    struct store_cleanup_result *result);
enum store_status remote_stats(struct store *s, struct store_stats *stats);
enum store_status remote_client_add(
    struct store *s, const struct store_client *client, int64_t max_unused, enum store_refusal *refusal);
enum store_status remote_client_find(struct store *s, const char *client_id, struct store_clients *result);
enum store_status remote_code_add(struct store *s, enum store_code_kind kind, const char *hash,
    const struct store_subject *subject, int64_t expires_ms, enum store_refusal *refusal);
enum store_status remote_invite_redeem(
    struct store *s, const char *hash, const struct store_token *token, struct store_subject *subject);
enum store_status remote_authorize(struct store *s, const char *connect_hash, const char *code_hash,
    const struct store_authorization *authorization, struct store_subject *subject);
enum store_status remote_code_redeem(struct store *s, const char *code_hash,
    const struct store_redemption *redemption, struct store_grants *result, enum store_refusal *refusal);
enum store_status remote_refresh(struct store *s, const char *refresh_hash, const char *client_id,
    const char *audience, const struct store_token_pair *pair, struct store_grants *result,
    enum store_refusal *refusal);
enum store_status remote_grant_list(struct store *s, struct store_grants *result);
enum store_status remote_grant_end(struct store *s, const struct store_grant_choice *choice, int64_t *count);
enum store_status remote_device_add(
    struct store *s, const struct store_device *device, int64_t max, enum store_refusal *refusal);
enum store_status remote_device_find(struct store *s, const char *user_hash, struct store_device *result);
enum store_status remote_device_decide(struct store *s, const char *user_hash, const char *connect_hash,
    struct store_subject *subject, enum store_refusal *refusal);
enum store_status remote_device_redeem(struct store *s, const char *device_hash,
    const struct store_token *token, int64_t interval_ms, struct store_subject *subject,
    enum store_refusal *refusal);
enum store_status remote_oauth_cleanup(
    struct store *s, int64_t max_age_ms, bool dry_run, struct store_oauth_cleanup *result);
enum store_status remote_dump(
    struct store *s, enum dump_kind kind, struct json_object *after, struct json_object *rows);
enum store_status remote_load(struct store *s, enum dump_kind kind, struct json_object *rows, int64_t *taken);

#endif
