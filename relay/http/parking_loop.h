/* parking_loop.h: the loop's side of parking.h: putting waits there and taking them out. Only the loop thread
 * calls it. */
#ifndef RELAY_HTTP_PARKING_LOOP_H
#define RELAY_HTTP_PARKING_LOOP_H

#include <bsd/sys/queue.h>

#include "../../common/compiler.h"
#include "parking.h"

/* Lives inside what waits. Zeroed: parked nowhere. */
struct parked {
    TAILQ_ENTRY(parked) link;
    uint64_t hash; /* of the key */
    /* One notification wakes the oldest of these, and all others; these alone count as waiting. */
    bool exclusive;
    bool linked;
    void *owner;
};

/* Parks under key; exclusive and owner are set by the caller. False, and nothing is parked, where
 * the ticket is out of date: look again. */
MUST_CHECK bool parking_enter(struct parking *p, struct parked *who, const char *key, uint64_t ticket);
/* Does nothing where it is not parked. */
void parking_leave(struct parking *p, struct parked *who);
/* Takes out who was notified since the last call and passes its owner to wake, which may park it again. */
void parking_drain(struct parking *p, void (*wake)(void *owner));

#endif
