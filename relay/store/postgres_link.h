/* postgres_link.h: one connection to PostgreSQL, never waited for without an end. */
#ifndef RELAY_STORE_POSTGRES_LINK_H
#define RELAY_STORE_POSTGRES_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

/* The server ends a statement after the first; the second is for a server that does not answer at all. */
enum { POSTGRES_STATEMENT_MS = 15 * 1000, POSTGRES_ANSWER_MS = 18 * 1000 };
enum { POSTGRES_MIGRATION_MS = 3600 * 1000 }; /* for the files of migrations/, which have no other limit */

/* Connects as the URL (or key=value text) says, TLS included, and sets the session's limits. NULL: why has
 * one line without the password. Ends with PQfinish. */
MUST_CHECK PGconn *postgres_connect(const char *url, struct buf *why);
/* Waits for the result of what was sent, and takes it off the connection. NULL: the connection broke, or
 * nothing came for wait_ms: it is of no further use. Ends with PQclear. */
PGresult *postgres_result(PGconn *link, int64_t wait_ms);
/* Sends SQL without parameters and waits. False: why has one line. */
MUST_CHECK bool postgres_run(PGconn *link, const char *sql, int64_t wait_ms, struct buf *why);
/* Whether an idle connection still stands, as far as this side knows. */
bool postgres_is_alive(PGconn *link);
/* What the server or the library said, in one line, without what was sent. result may be NULL. */
void postgres_error(const PGconn *link, const PGresult *result, struct buf *why);

#endif
