/* wake_up.h: a command of the person's that is run because messages came: one at a time, and what comes while
 * it runs is one further run. It gets the number of messages and the senders' names as its arguments $1 and
 * $2. */
#ifndef BRIDGE_WAKE_UP_H
#define BRIDGE_WAKE_UP_H

#include <stddef.h>
#include <sys/types.h>

#include "../common/buf.h"

enum { WAKE_UP_NAMES_MAX = 10 };

/* With a command set and all else zero it is ready. */
struct wake_up {
    const char *command; /* for sh -c; NULL: none, and nothing is ever run. Borrowed */
    pid_t running;       /* 0: none */
    size_t count;        /* messages since it was last started */
    struct buf names;    /* of their senders, each once: "a, b" */
    size_t names_count;
};

/* So many messages came, from that sender (fit to be shown; NULL: from several). */
void wake_up_note(struct wake_up *wake, size_t count, const char *from);
/* Starts what is due, and sees what has ended: to be called now and then. */
void wake_up_step(struct wake_up *wake);
/* A run that is under way goes on. */
void wake_up_free(struct wake_up *wake);

#endif
