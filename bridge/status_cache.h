/* status_cache.h: what the relay last said of an agent's inbox, for the status line: a small file in the
 * state folder's status/, so that the line needs no relay to be drawn. */
#ifndef BRIDGE_STATUS_CACHE_H
#define BRIDGE_STATUS_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/buf.h"
#include "../common/clock.h"
#include "../common/ident.h"
#include "config.h"
#include "inbox_look.h"

/* How long an answer is shown, and how soon a new one is asked for. */
enum { STATUS_KEEP_MS = 5 * MS_PER_MINUTE, STATUS_REFRESH_MS = 15 * MS_PER_SECOND };
enum { STATUS_MAX_BYTES = 4096, STATUS_AGENTS_MAX = 200 };

struct status {
    char agent[ADDRESS_SIZE]; /* "agent@namespace", fit to be shown; "": not known */
    bool refused;             /* the last answer was that the token is not accepted */
    int64_t waiting;          /* messages, in the last answer */
    int64_t answered_ms;      /* wall time of the last answer; 0: there was none */
    int64_t asked_ms;         /* of the last question */
};

/* What was kept for the identity in config; all zero where there is nothing. */
void status_load(const struct config *config, struct status *out);
void status_save(const struct config *config, const struct status *status);
/* Takes over what a look has seen; one that got no answer counts as a question. */
void status_take(struct status *status, const struct inbox_look *pending, int64_t now_ms);
/* The two in one. */
void status_note(const struct config *config, const struct inbox_look *pending);

/* The answer is of the last STATUS_KEEP_MS; a new one is due. A clock that was set back makes both so. Pure.
 */
bool status_is_fresh(const struct status *status, int64_t now_ms);
bool status_is_due(const struct status *status, int64_t now_ms);

/* The file's text. Pure. What is no such text is all zero. */
void status_parse(const char *text, size_t len, struct status *out);
void status_write(const struct status *status, struct buf *out);

#endif
