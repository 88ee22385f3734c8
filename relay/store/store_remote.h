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
store_send_fn remote_send;
store_reply_fn remote_reply;
store_unsend_fn remote_unsend;
store_offer_fn remote_offer;
store_ack_fn remote_ack;
store_touch_fn remote_touch;
store_recall_fn remote_recall;
store_inbox_fn remote_inbox;
store_events_fn remote_events;
store_token_find_fn remote_token_find;
store_token_add_fn remote_token_add;
store_token_list_fn remote_token_list;
store_token_end_fn remote_token_end;
store_ban_put_fn remote_ban_put;
store_ban_list_fn remote_ban_list;
store_cleanup_fn remote_cleanup;
store_stats_fn remote_stats;
store_client_add_fn remote_client_add;
store_client_find_fn remote_client_find;
store_code_add_fn remote_code_add;
store_invite_redeem_fn remote_invite_redeem;
store_authorize_fn remote_authorize;
store_code_redeem_fn remote_code_redeem;
store_refresh_fn remote_refresh;
store_grant_list_fn remote_grant_list;
store_grant_end_fn remote_grant_end;
store_device_add_fn remote_device_add;
store_device_find_fn remote_device_find;
store_device_decide_fn remote_device_decide;
store_device_redeem_fn remote_device_redeem;
store_oauth_cleanup_fn remote_oauth_cleanup;
store_dump_fn remote_dump;
store_load_fn remote_load;

#endif
