#include "identity_cache.h"

struct cached {
    struct lru_entry entry;
    const struct identity *who; /* NULL in the table of unknown ones */
    int64_t until_ms;
};

static void drop(struct lru_entry *entry)
{
    identity_release(((struct cached *)entry)->who);
}

void identity_cache_init(struct identity_cache *c)
{
    lru_init(&c->known, IDENTITY_CACHE_MAX, sizeof(struct cached), drop);
    lru_init(&c->unknown, IDENTITY_UNKNOWN_MAX, sizeof(struct cached), drop);
    c->generation = 0;
}

void identity_cache_free(struct identity_cache *c)
{
    lru_clear(&c->known);
    lru_clear(&c->unknown);
}

static struct cached *find_fresh(struct lru *table, const char *hash, int64_t now_ms)
{
    struct cached *found = lru_find(table, hash);
    if (!found || found->until_ms > now_ms)
        return found;
    lru_remove(table, found);
    return NULL;
}

enum identity_answer identity_cache_get(
    struct identity_cache *c, const char *hash, int64_t now_ms, const struct identity **who)
{
    *who = NULL;
    const struct cached *found = find_fresh(&c->known, hash, now_ms);
    if (found) {
        *who = identity_retain(found->who);
        return IDENTITY_KNOWN;
    }
    return find_fresh(&c->unknown, hash, now_ms) ? IDENTITY_NOBODY : IDENTITY_ASK;
}

void identity_cache_put(struct identity_cache *c, const char *hash, const struct identity *who,
    int64_t until_ms, uint64_t generation)
{
    if (generation != c->generation)
        return;
    struct cached *entry = lru_add(who ? &c->known : &c->unknown, hash);
    identity_release(entry->who);
    entry->who = who ? identity_retain(who) : NULL;
    entry->until_ms = until_ms;
}

void identity_cache_forget(struct identity_cache *c)
{
    c->generation++;
    lru_clear(&c->known);
    lru_clear(&c->unknown);
}
