/* parking_loop.h: the loop's side of parking.h: putting waits there and taking them out. Only the loop thread
 * calls it. */
#ifndef RELAY_HTTP_PARKING_LOOP_H
#define RELAY_HTTP_PARKING_LOOP_H

#include <bsd/sys/queue.h>

#include "../../common/compiler.h"
#include "parking.h"

/* A wait's place under one key. */
struct parked_spot {
    TAILQ_ENTRY(parked_spot) link;
    uint64_t hash; /* of the key */
    struct parked *who;
};

/* Lives inside what waits. Zeroed: parked nowhere. */
struct parked {
    struct parked_spot first;
    struct parked_spot *more; /* under further keys; owned while it is parked */
    size_t more_count;
    TAILQ_ENTRY(parked) woken;
    /* One notification wakes the oldest of these, and all others; these alone count as waiting. */
    bool exclusive;
    bool linked;
    void *owner;
};

/* Parks under each of the keys; exclusive and owner are set by the caller. False, and nothing is parked,
 * where the ticket is out of date: look again. */
MUST_CHECK bool parking_enter(struct parking *p, struct parked *who, const char *keys, uint64_t ticket);
/* Does nothing where it is not parked. */
void parking_leave(struct parking *p, struct parked *who);
/* Takes out who was notified since the last call and passes its owner to wake, which may park it again. */
void parking_drain(struct parking *p, void (*wake)(void *owner));

#endif
