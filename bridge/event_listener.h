/* event_listener.h: the relay's events for as long as somebody wants them: one stream after the other, each
 * going on where the last one ended, through restarts of the relay and networks that come and go. */
#ifndef BRIDGE_EVENT_LISTENER_H
#define BRIDGE_EVENT_LISTENER_H

#include <signal.h>
#include <stdbool.h>

#include "../common/buf.h"
#include "config.h"
#include "relay_reply.h"

/* Each returns false to end the listening. arg is the setup's. */
struct event_listener_setup {
    const struct config *config;
    const volatile sig_atomic_t *stop; /* ends it once it is not zero */
    /* An event is complete: its name and data, borrowed for the call. */
    bool (*heard)(void *arg, const char *name, const struct buf *data);
    /* Bytes came (events in them were heard before): a stream's first ones right after it was opened, then at
     * least a comment every 15 s. */
    bool (*beat)(void *arg);
    /* A stream ended, and the next one is about to begin. NULL: nothing. */
    bool (*again)(void *arg);
    /* About twice a second, also while no relay is there. NULL: nothing. */
    bool (*tick)(void *arg);
    void *arg;
};

/* Listens until a callback or stop ends it (RELAY_DONE, RELAY_STOPPED), or the relay refuses for good: the
 * caller frees *reply. */
void event_listener_run(const struct event_listener_setup *setup, struct relay_reply *reply);

#endif
