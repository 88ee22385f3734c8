#include "claims.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"

struct claims {
    struct claims_options options;
    pthread_mutex_t lock;
    pthread_cond_t given_back;
    const char **keys; /* under lock, as what follows */
    size_t count, waiters;
};

struct claims *claims_new(const struct claims_options *options)
{
    struct claims *c = xcalloc(1, sizeof *c);
    pthread_condattr_t monotonic;
    c->options = *options;
    c->keys = xcalloc(options->max, sizeof *c->keys);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->given_back, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return c;
}

void claims_free(struct claims *c)
{
    if (!c)
        return;
    assert(c->count == 0);
    pthread_cond_destroy(&c->given_back);
    pthread_mutex_destroy(&c->lock);
    free(c->keys);
    free(c);
}

/* Under the lock, as what follows. Where the key stands; count: nowhere. */
static size_t find(const struct claims *c, const char *key)
{
    size_t i = 0;
    while (i < c->count && strcmp(c->keys[i], key) != 0)
        i++;
    return i;
}

static bool is_free(const struct claims *c, const char *key)
{
    return c->count < c->options.max && find(c, key) == c->count;
}

/* False: not in time. */
static bool wait_for(struct claims *c, const char *key)
{
    const int64_t until_ms = clock_mono_ms() + c->options.wait_ms;
    const struct timespec until = {
        .tv_sec = until_ms / MS_PER_SECOND, .tv_nsec = until_ms % MS_PER_SECOND * 1000000};
    int error = 0;
    if (c->waiters == c->options.waiters_max)
        return false;
    c->waiters++;
    while (!is_free(c, key) && error == 0)
        error = pthread_cond_timedwait(&c->given_back, &c->lock, &until);
    c->waiters--;
    return is_free(c, key);
}

bool claims_take(struct claims *c, const char *key)
{
    pthread_mutex_lock(&c->lock);
    const bool taken = is_free(c, key) || wait_for(c, key);
    if (taken)
        c->keys[c->count++] = key;
    pthread_mutex_unlock(&c->lock);
    return taken;
}

void claims_give_back(struct claims *c, const char *key)
{
    pthread_mutex_lock(&c->lock);
    const size_t at = find(c, key);
    assert(at < c->count);
    c->keys[at] = c->keys[--c->count];
    pthread_cond_broadcast(&c->given_back); /* each waits for something else */
    pthread_mutex_unlock(&c->lock);
}
