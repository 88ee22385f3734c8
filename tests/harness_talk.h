/* harness_talk.h: agents in conversation at random: chance, calls that say something, and what they read. */
#ifndef TESTS_HARNESS_TALK_H
#define TESTS_HARNESS_TALK_H

#include <stddef.h>
#include <stdint.h>

#include "harness.h"

/* A number from 0 to below - 1, by xorshift64*, so that a seed means the same everywhere. */
static inline uint64_t chance(uint64_t *state, uint64_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (*state * UINT64_C(2685821657736338717) >> 33) % below;
}

/* bridge_call_begin with the arguments {key: value, "content": content}. */
int64_t talk_begin(
    struct bridge_process *bridge, const char *tool, const char *key, const char *value, const char *content);

/* One message in an answer's text. */
struct talk_heard {
    char *header; /* "From a3 (just now) [id], attempt 2" */
    char *id;
    struct buf content; /* unfenced */
};
/* The next message at or behind *at from an agent whose name begins with "a", and *at moves behind it; false
 * where there is none. Frees what heard had (zeroed: nothing). */
bool talk_hear(const char **at, struct talk_heard *heard);
void talk_heard_free(struct talk_heard *heard);

#endif
