/* sqlite_looks.h: when each agent last looked into its inbox, and up to which message: the inbox gate lets
 * pass what came shortly after. In memory alone, so that a look that finds nothing writes nothing; a restart
 * costs at most one refusal too many. */
#ifndef RELAY_STORE_SQLITE_LOOKS_H
#define RELAY_STORE_SQLITE_LOOKS_H

#include <stdint.h>

struct looks;

struct looks *looks_new(void);
void looks_free(struct looks *looks);
/* Any thread. An agent's look at now_ms saw every message up to seq. */
void looks_put(struct looks *looks, const char *namespace_id, const char *agent, int64_t now_ms, int64_t seq);

struct look {
    int64_t at_ms, seq;
};
/* The last one; one that excuses nothing where there is none. */
struct look looks_get(struct looks *looks, const char *namespace_id, const char *agent);

#endif
