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
store_send_fn sqlite_send;
store_reply_fn sqlite_reply;
store_unsend_fn sqlite_unsend;
store_offer_fn sqlite_offer;
store_ack_fn sqlite_ack;
store_touch_fn sqlite_touch;
store_recall_fn sqlite_recall;
store_inbox_fn sqlite_inbox;
store_events_fn sqlite_events;
store_token_find_fn sqlite_token_find;
store_token_add_fn sqlite_token_add;
store_token_list_fn sqlite_token_list;
store_token_end_fn sqlite_token_end;
store_ban_put_fn sqlite_ban_put;
store_ban_list_fn sqlite_ban_list;
store_cleanup_fn sqlite_cleanup;
store_stats_fn sqlite_stats;
store_dump_fn sqlite_dump;
store_load_fn sqlite_load;
store_backup_fn sqlite_backup;

#endif
