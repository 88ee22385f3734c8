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
store_client_add_fn sqlite_client_add;
store_client_find_fn sqlite_client_find;
store_code_add_fn sqlite_code_add;
store_invite_redeem_fn sqlite_invite_redeem;
store_authorize_fn sqlite_authorize;
store_code_redeem_fn sqlite_code_redeem;
store_refresh_fn sqlite_refresh;
store_grant_list_fn sqlite_grant_list;
store_grant_end_fn sqlite_grant_end;
store_device_add_fn sqlite_device_add;
store_device_find_fn sqlite_device_find;
store_device_decide_fn sqlite_device_decide;
store_device_redeem_fn sqlite_device_redeem;
store_oauth_cleanup_fn sqlite_oauth_cleanup;

#endif
