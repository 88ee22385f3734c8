/* claims.h: who works on what (a path, a namespace), so that nobody does the same work beside another, and so
 * that all such work together, and those who wait for it, leave the relay's workers to others. Any thread. */
#ifndef RELAY_BLOB_CLAIMS_H
#define RELAY_BLOB_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/compiler.h"

struct claims;

struct claims_options {
    size_t max;         /* claimed at the same time */
    size_t waiters_max; /* callers that wait for a claim, together */
    int64_t wait_ms;    /* how long one waits */
};

/* What the kinds of blob stores use that look into an upload when it is first asked for. */
enum { FIRST_LOOKS_MAX = 8, FIRST_LOOK_WAITERS_MAX = 16, FIRST_LOOK_WAIT_MS = 5000 };
static const struct claims_options first_looks = {
    .max = FIRST_LOOKS_MAX, .waiters_max = FIRST_LOOK_WAITERS_MAX, .wait_ms = FIRST_LOOK_WAIT_MS};

struct claims *claims_new(const struct claims_options *options);
/* Nothing may be claimed. NULL is fine. */
void claims_free(struct claims *c);

/* Claims the key, which is borrowed until it is given back; waits where another has it, or where as much is
 * claimed as may be. False: not in time, or too many wait already. */
MUST_CHECK bool claims_take(struct claims *c, const char *key);
void claims_give_back(struct claims *c, const char *key);

#endif
