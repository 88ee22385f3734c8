#include "postgres_link.h"

#include <poll.h>
#include <string.h>

#include "../../common/clock.h"

/* The URL's word counts more. */
#define CONNECT_SECONDS "5"
#define DEAD_PEER_MS    "15000"

enum { ERROR_MAX_LEN = 300 };

/* A statement that another one holds up gives way before the client does. A server that would confirm commits
 * it may lose is told to wait. */
static const char session[] =
    "set statement_timeout = 15000; set lock_timeout = 12000; set idle_in_transaction_session_timeout = "
    "30000;"
    " set client_min_messages = warning; select set_config('synchronous_commit', 'on', false)"
    " where current_setting('synchronous_commit') = 'off'";

/* Line ends become blanks. */
static void add_line(struct buf *out, const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    for (size_t i = 0; i < len && i < ERROR_MAX_LEN; i++)
        buf_putc(out, (unsigned char)text[i] < 0x20 ? ' ' : text[i]);
}

void postgres_error(const PGconn *link, const PGresult *result, struct buf *why)
{
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL,
               *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (message && state) {
        add_line(why, message);
        buf_printf(why, " (%s)", state);
    } else if (PQerrorMessage(link)[0]) {
        add_line(why, PQerrorMessage(link));
    } else {
        buf_puts(why, "no answer in time");
    }
}

PGconn *postgres_connect(const char *url, struct buf *why)
{
    const char *const keys[] = {"connect_timeout", "tcp_user_timeout", "keepalives_idle", "application_name",
        "dbname", "client_encoding", NULL};
    const char *const values[] = {CONNECT_SECONDS, DEAD_PEER_MS, "30", "patchcord-relay", url, "UTF8", NULL};
    PGconn *link = PQconnectdbParams(keys, values, true);
    if (!link || PQstatus(link) != CONNECTION_OK) {
        postgres_error(link, NULL, why);
        PQfinish(link);
        return NULL;
    }
    if (PQsetnonblocking(link, 1) == 0 && postgres_run(link, session, POSTGRES_ANSWER_MS, why))
        return link;
    PQfinish(link);
    return NULL;
}

/* Waits until the connection can be read, or written where something is still to be sent. */
static bool wait_for(PGconn *link, short events, int64_t deadline_ms)
{
    const int64_t left = deadline_ms - clock_mono_ms();
    struct pollfd wait = {.fd = PQsocket(link), .events = events};
    return left > 0 && poll(&wait, 1, (int)left) >= 0;
}

static bool wait_until_answered(PGconn *link, int64_t deadline_ms)
{
    for (;;) {
        const int unsent = PQflush(link);
        if (unsent < 0)
            return false;
        if (unsent == 0 && !PQisBusy(link))
            return true;
        if (!wait_for(link, (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN), deadline_ms) ||
            PQconsumeInput(link) == 0)
            return false;
    }
}

PGresult *postgres_result(PGconn *link, int64_t wait_ms)
{
    const int64_t deadline_ms = clock_mono_ms() + wait_ms;
    PGresult *last = NULL;
    for (;;) {
        if (!wait_until_answered(link, deadline_ms)) {
            PQclear(last);
            return NULL;
        }
        PGresult *result = PQgetResult(link);
        if (!result)
            break;
        /* Of several statements, the first that failed or the last one counts. */
        if (last && PQresultStatus(last) == PGRES_FATAL_ERROR) {
            PQclear(result);
        } else {
            PQclear(last);
            last = result;
        }
    }
    return last;
}

bool postgres_run(PGconn *link, const char *sql, int64_t wait_ms, struct buf *why)
{
    PGresult *result = PQsendQuery(link, sql) ? postgres_result(link, wait_ms) : NULL;
    const ExecStatusType status = PQresultStatus(result);
    const bool done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
    if (!done)
        postgres_error(link, result, why);
    PQclear(result);
    return done;
}

bool postgres_is_alive(PGconn *link)
{
    struct pollfd look = {.fd = PQsocket(link), .events = POLLIN};
    if (PQstatus(link) != CONNECTION_OK)
        return false;
    return poll(&look, 1, 0) == 0 || (PQconsumeInput(link) == 1 && PQstatus(link) == CONNECTION_OK);
}
