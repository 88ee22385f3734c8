/* identity_cache.h: which credential hash belongs to whom, for a while, and which belong to nobody. Bounded:
 * hashes that belong to nobody cannot push out those that do. Times are monotonic milliseconds. Not
 * thread-safe: its owner locks. */
#ifndef RELAY_AUTH_IDENTITY_CACHE_H
#define RELAY_AUTH_IDENTITY_CACHE_H

#include "authenticator.h"
#include "lru.h"

enum { IDENTITY_CACHE_MAX = 16384, IDENTITY_UNKNOWN_MAX = 4096, IDENTITY_UNKNOWN_MS = 5 * 1000 };

struct identity_cache {
    struct lru known, unknown;
    uint64_t generation; /* counts identity_cache_forget */
};

void identity_cache_init(struct identity_cache *c);
void identity_cache_free(struct identity_cache *c);

enum identity_answer {
    IDENTITY_KNOWN,  /* *who, retained for the caller */
    IDENTITY_NOBODY, /* the store did not know it a moment ago */
    IDENTITY_ASK,    /* ask the store, then identity_cache_put with the generation of now */
};
enum identity_answer identity_cache_get(
    struct identity_cache *c, const char *hash, int64_t now_ms, const struct identity **who);
/* Keeps what the store said until then (who NULL: nobody). Does nothing where the cache was told to forget
 * since the generation was read: the answer may be older than the change. */
void identity_cache_put(struct identity_cache *c, const char *hash, const struct identity *who,
    int64_t until_ms, uint64_t generation);
void identity_cache_forget(struct identity_cache *c);

#endif
