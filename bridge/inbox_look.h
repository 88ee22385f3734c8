/* inbox_look.h: a look at what waits for an agent (GET /api/inbox), which takes nothing and is over in a
 * bounded time: for hooks and the status line. */
#ifndef BRIDGE_INBOX_LOOK_H
#define BRIDGE_INBOX_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "../common/ident.h"
#include "../common/uuid.h"
#include "config.h"

enum inbox_sight {
    INBOX_SEEN,
    INBOX_REFUSED, /* the relay does not accept the token: 401 or 403 */
    INBOX_AWAY,    /* no relay, none in time, or one with another answer */
};

struct inbox_row {
    char id[UUID_SIZE];
    char *from; /* as the relay has it: to be shown by fence_word */
    int64_t sent_ms;
};

/* The messages of one status, newest first. */
struct inbox_look {
    enum inbox_sight sight;
    char agent[ADDRESS_SIZE]; /* SEEN: who asked, "agent@namespace", fit to be shown */
    struct inbox_row *rows;
    size_t count;
};

/* The most rows that a look asks for, which is the most that the relay gives. */
enum { INBOX_LOOK_ROWS = 100 };
/* A hook's look; what else a hook does stays far below the rest of its second. */
enum { INBOX_LOOK_MS = 800 };

/* Looks at the pending messages, and where deferred is not NULL at those too, at the same time. Both are
 * filled in, and freed by the caller. */
void inbox_look(
    const struct config *config, int64_t timeout_ms, struct inbox_look *pending, struct inbox_look *deferred);
void inbox_look_free(struct inbox_look *look);

/* Reads the relay's answer. Pure; fills in *look. */
void inbox_look_read(int status, const char *body, size_t len, struct inbox_look *look);

#endif
