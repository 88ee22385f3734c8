/* sqlite_store.h: the SQLite store's parts, shared by its operations (sqlite_*.c). */
#ifndef RELAY_STORE_SQLITE_STORE_H
#define RELAY_STORE_SQLITE_STORE_H

#include "fingerprint.h"
#include "message_life.h"
#include "sqlite_looks.h"
#include "sqlite_readers.h"
#include "sqlite_writer.h"
#include "store_ops.h"

struct sqlite_store {
    struct store base; /* first: a struct store * is one of these */
    char *data_dir, *path;
    enum store_role role;
    int lock_fd; /* -1: none held */
    struct keeper *keeper;
    struct writer *writer;
    struct readers *readers;
    struct looks *looks;
};

struct sqlite_store *sqlite_store(struct store *s);

/* ---- what operations have in common ---- */

/* Applies the caller's acks and presence. */
MUST_CHECK bool sqlite_apply_caller(struct db *db, const struct store_caller *caller);
/* True where the caller brings something to be written. */
bool sqlite_caller_writes(const struct store_caller *caller);
/* What the caller of a read brings: acks are applied or the read is a fault, presence as well as can be. */
enum store_status sqlite_touch_for_read(struct store *s, const struct store_caller *caller);

/* The row that a statement of MESSAGE_COLUMNS and content stands at, at the end of the list. */
void sqlite_message_read(struct db *db, sqlite3_stmt *statement, struct store_messages *messages);
/* Steps such a statement to its end. */
MUST_CHECK enum store_status sqlite_messages_read(
    struct db *db, sqlite3_stmt *statement, struct store_messages *messages);
/* Makes one list of those that were read for each of the caller's namespaces: in the store's order, or newest
 * first, and at most limit. Does nothing for a caller of one namespace. */
void sqlite_messages_merge(
    const struct store_caller *caller, struct store_messages *messages, bool newest_first, size_t limit);
const char *sqlite_status_name(enum message_status status);
enum { LIFE_COLUMNS_COUNT = 5 };
/* What the row is that a statement of LIFE_COLUMNS, these first, stands at. */
struct message_life sqlite_life_read(struct db *db, sqlite3_stmt *statement);

/* The row of an agent's presence: namespace, name, display name, machine, client type, platform, last seen.
 */
struct store_agent *sqlite_agent_read(sqlite3_stmt *statement, struct store_agents *agents);

/* What an id that a caller gave already belongs to. */
enum id_owner { ID_FREE, ID_REPEAT, ID_TAKEN, ID_FAULT };
MUST_CHECK enum id_owner sqlite_id_owner(struct db *db, const char *id, const struct store_caller *caller,
    const uint8_t fingerprint[static FINGERPRINT_SIZE]);

/* One message to store. */
struct delivery {
    const char *id, *namespace_id, *from, *to;
    const char *reply_to, *thread_id, *group_id; /* NULL: none */
    const uint8_t *fingerprint;                  /* NULL: none */
    const char *content;
    size_t content_len;
    const struct buf *words; /* of the content */
    bool is_notice, is_sealed;
};
MUST_CHECK bool sqlite_deliver(struct db *db, const struct delivery *delivery);

/* Stores a bearer token where its hash is not there yet: db_changes tells. */
MUST_CHECK bool sqlite_token_insert(struct db *db, const struct store_token *token);

/* ---- the operations ---- */
enum store_status sqlite_send(struct store *s, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result);
enum store_status sqlite_reply(struct store *s, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result);
enum store_status sqlite_unsend(
    struct store *s, const struct store_caller *caller, const char *message_id, enum store_refusal *refusal);
enum store_status sqlite_offer(struct store *s, const struct store_caller *caller,
    const struct store_offer *offer, struct store_offer_result *result);
enum store_status sqlite_ack(struct store *s, const struct store_caller *caller, const char *lease,
    const char *const *ids, size_t ids_count, enum store_release release, int64_t *released);
enum store_status sqlite_touch(struct store *s, const struct store_caller *caller);
enum store_status sqlite_recall(struct store *s, const struct store_caller *caller,
    const struct store_recall *recall, struct store_messages *result);
enum store_status sqlite_inbox(struct store *s, const struct store_caller *caller, enum message_status status,
    size_t limit, bool count_only, struct store_messages *result, int64_t *count);
enum store_status sqlite_events(struct store *s, const struct store_caller *caller, int64_t after_seq,
    size_t limit, struct store_messages *result, int64_t *newest);
enum store_status sqlite_token_find(struct store *s, const char *hash, struct store_tokens *result);
enum store_status sqlite_token_add(
    struct store *s, const struct store_token *token, enum store_refusal *refusal);
enum store_status sqlite_token_list(struct store *s, struct store_tokens *result);
enum store_status sqlite_token_end(struct store *s, const char *hash_prefix, const char *namespace_id,
    const char *agent, int64_t expires_ms, int64_t *count);
enum store_status sqlite_ban_put(struct store *s, const struct store_ban *ban);
enum store_status sqlite_ban_list(struct store *s, struct store_ban **bans, size_t *count);
enum store_status sqlite_cleanup(struct store *s, int64_t max_age_ms, int64_t active_window_ms, bool dry_run,
    struct store_cleanup_result *result);
enum store_status sqlite_stats(struct store *s, struct store_stats *stats);
enum store_status sqlite_dump(
    struct store *s, enum dump_kind kind, struct json_object *after, struct json_object *rows);
enum store_status sqlite_load(
    struct store *s, enum dump_kind kind, struct json_object *rows, int64_t *taken);
bool sqlite_backup(struct store *s, const char *folder, struct buf *why);

#endif
