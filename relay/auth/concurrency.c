#include "concurrency.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "lru.h"

struct places {
    struct lru_entry entry;
    unsigned taken;
};

struct concurrency {
    pthread_mutex_t lock;
    struct lru keys; /* those with at least one place taken: bounded by the connections */
};

struct concurrency *concurrency_new(void)
{
    struct concurrency *c = xcalloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    lru_init(&c->keys, SIZE_MAX, sizeof(struct places), NULL);
    return c;
}

void concurrency_free(struct concurrency *c)
{
    if (!c)
        return;
    lru_clear(&c->keys);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool concurrency_enter(struct concurrency *c, const char *key, unsigned max)
{
    pthread_mutex_lock(&c->lock);
    struct places *places = lru_add(&c->keys, key);
    const bool fits = places->taken < max;
    if (fits)
        places->taken++;
    if (places->taken == 0)
        lru_remove(&c->keys, places);
    pthread_mutex_unlock(&c->lock);
    return fits;
}

void concurrency_leave(struct concurrency *c, const char *key)
{
    pthread_mutex_lock(&c->lock);
    struct places *places = lru_find(&c->keys, key);
    assert(places && places->taken > 0);
    if (--places->taken == 0)
        lru_remove(&c->keys, places);
    pthread_mutex_unlock(&c->lock);
}
