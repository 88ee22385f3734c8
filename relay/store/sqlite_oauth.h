/* sqlite_oauth.h: the SQLite store's operations of store_oauth.h, and what they have in common. */
#ifndef RELAY_STORE_SQLITE_OAUTH_H
#define RELAY_STORE_SQLITE_OAUTH_H

#include "sqlite_store.h"

/* Reads namespace, agent and further namespaces from three columns on. */
void sqlite_subject_read(sqlite3_stmt *statement, int column, struct store_subject *subject);
/* A subject's further namespaces as a column has them; the caller frees. */
char *sqlite_subject_also(const struct store_subject *subject);

/* Uses up a code that stands: DONE, and *subject is whose it is. ABSENT: no such code, used or run out. */
MUST_CHECK enum store_status sqlite_code_use(
    struct db *db, enum store_code_kind kind, const char *hash, struct store_subject *subject);
/* A bearer token for the subject's agent. */
MUST_CHECK bool sqlite_subject_let_in(
    struct db *db, const struct store_subject *subject, const struct store_token *token);

/* ---- the operations ---- */
enum store_status sqlite_client_add(
    struct store *s, const struct store_client *client, int64_t max_unused, enum store_refusal *refusal);
enum store_status sqlite_client_find(struct store *s, const char *client_id, struct store_clients *result);
enum store_status sqlite_code_add(struct store *s, enum store_code_kind kind, const char *hash,
    const struct store_subject *subject, int64_t expires_ms, enum store_refusal *refusal);
enum store_status sqlite_invite_redeem(
    struct store *s, const char *hash, const struct store_token *token, struct store_subject *subject);
enum store_status sqlite_authorize(struct store *s, const char *connect_hash, const char *code_hash,
    const struct store_authorization *authorization, struct store_subject *subject);
enum store_status sqlite_code_redeem(struct store *s, const char *code_hash,
    const struct store_redemption *redemption, struct store_grants *result, enum store_refusal *refusal);
enum store_status sqlite_refresh(struct store *s, const char *refresh_hash, const char *client_id,
    const char *audience, const struct store_token_pair *pair, struct store_grants *result,
    enum store_refusal *refusal);
enum store_status sqlite_grant_list(struct store *s, struct store_grants *result);
enum store_status sqlite_grant_end(struct store *s, const struct store_grant_choice *choice, int64_t *count);
enum store_status sqlite_device_add(
    struct store *s, const struct store_device *device, int64_t max, enum store_refusal *refusal);
enum store_status sqlite_device_find(struct store *s, const char *user_hash, struct store_device *result);
enum store_status sqlite_device_decide(struct store *s, const char *user_hash, const char *connect_hash,
    struct store_subject *subject, enum store_refusal *refusal);
enum store_status sqlite_device_redeem(struct store *s, const char *device_hash,
    const struct store_token *token, int64_t interval_ms, struct store_subject *subject,
    enum store_refusal *refusal);
enum store_status sqlite_oauth_cleanup(
    struct store *s, int64_t max_age_ms, bool dry_run, struct store_oauth_cleanup *result);

#endif
