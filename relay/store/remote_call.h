/* remote_call.h: how a database elsewhere is asked. Every operation of the store is one SQL function of
 * migrations/postgres/ (JSON in, JSON out), so that kinds of such stores differ only in how a call gets
 * there: by libpq (store_postgres.c), or by HTTP (store_supabase.c). What goes into a call and what its
 * answer means is store_remote.c's. */
#ifndef RELAY_STORE_REMOTE_CALL_H
#define RELAY_STORE_REMOTE_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "store.h"

struct remote_call {
    const char *function; /* "patchcord_send": static text */
    const char *body;     /* one JSON object */
    size_t body_len;
    /* Twice changes no more than once: it reads, or carries ids. Such a call may be made again where its
     * outcome is unknown (the connection broke, 503); another only where it certainly was not begun, or was
     * rolled back (SQLSTATE class 40: a deadlock). */
    bool is_repeatable;
};

enum remote_outcome {
    REMOTE_DONE,    /* answer has the function's result, one JSON object */
    REMOTE_MISSING, /* the database answers, but has no such function: its schema is missing, or older */
    REMOTE_FAULT,   /* anything else: not done, or of unknown outcome */
};

/* The head of every transport's own struct. */
struct remote {
    const struct remote_ops *ops;
};

struct remote_ops {
    /* From any thread; blocks until done, in bounded time. answer is empty when called; what the transport
     * knows of the cause of MISSING and FAULT goes into why, one line for a person without a secret or
     * content in it, which store_remote.c logs. */
    enum remote_outcome (*call)(
        struct remote *remote, const struct remote_call *call, struct buf *answer, struct buf *why);
    /* Lets the other relays of this database know, without waiting: something arrived for that agent; both
     * NULL: something else changed that they may have cached. NULL: this transport cannot. */
    void (*tell)(struct remote *remote, const char *namespace_id, const char *agent);
    /* As store_migrate. NULL: cannot from here, and the operator is told to run the files. */
    bool (*migrate)(struct remote *remote, int *applied, struct buf *why);
    /* Ends its threads and frees it; no call runs any more. */
    void (*close)(struct remote *remote);
};

/* A store of every operation over that transport, which it takes over (closed also where this fails). Asks
 * for the schema's version, but for STORE_ROLE_MIGRATE. NULL: why has one line that says what is wrong and
 * what to do. */
MUST_CHECK struct store *store_remote_open(struct remote *remote, enum store_role role, struct buf *why);

#endif
