/* rings.h: which messages an agent was rung for, so that it hears of each once, and of what nobody came for
 * once more after a while. Pure: the clock is the caller's. */
#ifndef BRIDGE_RINGS_H
#define BRIDGE_RINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/uuid.h"
#include "inbox_look.h"

/* Messages that are remembered: the last ones. As many as wait at most are always among them. */
enum { RINGS_MAX = 2000 };

struct rings {
    char ids[RINGS_MAX][UUID_SIZE];
    size_t count, next; /* next: where the next one goes */
    int64_t again_ms;   /* how long after the last ring the second comes; 0: never */
    int64_t due_ms;     /* of the second; 0: none is due */
};

/* True where the message was not rung for yet: it is then. now: monotonic. */
bool rings_first(struct rings *rings, const char *id, int64_t now_ms);
/* How many of those that wait were not rung for yet; they are then. */
size_t rings_first_of(struct rings *rings, const struct inbox_look *pending, int64_t now_ms);
/* True when it is time to look whether anybody came. */
bool rings_due(const struct rings *rings, int64_t now_ms);
void rings_postpone(struct rings *rings, int64_t due_ms);
/* After that look: how many are to be rung for once more, which is then not done again for them. */
size_t rings_second(struct rings *rings, const struct inbox_look *pending);

#endif
