#include "postgres_pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/secret.h"

/* While the server is away, it is asked again that often. */
enum { RETRY_MS = 100 };

struct postgres_pool {
    char *url;
    pthread_mutex_t lock;
    pthread_cond_t news; /* a connection came back, or the server did, or it did not */
    /* under the lock */
    struct pooled *idle[POOL_MAX];
    size_t idle_count, count; /* count: idle, in use, or being made */
    bool is_down, is_trying;  /* is_trying: a thread asks whether the server is back */
    int64_t down_ms, retry_ms;
    struct buf error; /* why it is down */
};

struct postgres_pool *postgres_pool_new(const char *url)
{
    struct postgres_pool *pool = xcalloc(1, sizeof *pool);
    pthread_condattr_t attributes;
    pool->url = xstrdup(url);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->news, &attributes);
    pthread_condattr_destroy(&attributes);
    return pool;
}

static void end(struct pooled *one)
{
    PQfinish(one->link);
    free(one);
}

void postgres_pool_free(struct postgres_pool *pool)
{
    for (size_t i = 0; i < pool->idle_count; i++)
        end(pool->idle[i]);
    pthread_cond_destroy(&pool->news);
    pthread_mutex_destroy(&pool->lock);
    buf_free(&pool->error);
    secret_free(pool->url);
    free(pool);
}

/* ---- under the lock ---- */

static void note_down(struct postgres_pool *pool, const struct buf *why)
{
    const int64_t now = clock_mono_ms();
    if (!pool->is_down) {
        log_warn("database_is_away", LOG_STR("why", buf_text(why)));
        pool->down_ms = now;
    }
    pool->is_down = true;
    pool->retry_ms = now + RETRY_MS;
    buf_reset(&pool->error);
    buf_puts(&pool->error, buf_text(why));
}

static void note_up(struct postgres_pool *pool)
{
    if (pool->is_down)
        log_info("database_is_back", LOG_INT("after_ms", clock_mono_ms() - pool->down_ms));
    pool->is_down = false;
}

/* Makes one, without the lock. */
static struct pooled *make(struct postgres_pool *pool)
{
    struct buf why = {0};
    struct pooled *one = NULL;
    pool->count++;
    pool->is_trying = pool->is_down;
    pthread_mutex_unlock(&pool->lock);
    PGconn *link = postgres_connect(pool->url, &why);
    if (link) {
        one = xcalloc(1, sizeof *one);
        one->link = link;
    }
    pthread_mutex_lock(&pool->lock);
    pool->is_trying = false;
    if (one) {
        note_up(pool);
    } else {
        pool->count--;
        note_down(pool, &why);
    }
    pthread_cond_broadcast(&pool->news);
    buf_free(&why);
    return one;
}

/* One that is idle and stands; those that do not are ended. */
static struct pooled *take_idle(struct postgres_pool *pool)
{
    while (pool->idle_count > 0) {
        struct pooled *one = pool->idle[--pool->idle_count];
        if (postgres_is_alive(one->link))
            return one;
        end(one);
        pool->count--;
    }
    return NULL;
}

static bool may_make(const struct postgres_pool *pool, int64_t now)
{
    return pool->count < POOL_MAX && (!pool->is_down || (!pool->is_trying && now >= pool->retry_ms));
}

static void wait_for_news(struct postgres_pool *pool, int64_t until_ms)
{
    const int64_t real_ms = until_ms - clock_passed();
    const struct timespec until = {
        .tv_sec = real_ms / MS_PER_SECOND, .tv_nsec = real_ms % MS_PER_SECOND * 1000000L};
    pthread_cond_timedwait(&pool->news, &pool->lock, &until);
}

/* NULL with *until_ms 0: given up. */
static struct pooled *try_take(
    struct postgres_pool *pool, int64_t began_ms, int64_t *until_ms, struct buf *why)
{
    struct pooled *one = take_idle(pool);
    if (!one && may_make(pool, clock_mono_ms()))
        one = make(pool);
    const int64_t now = clock_mono_ms();
    *until_ms = began_ms + POOL_WAIT_MS;
    if (one)
        return one;
    if (pool->is_down && now >= pool->down_ms + POOL_PATIENCE_MS) {
        buf_puts(why, buf_text(&pool->error));
        *until_ms = 0;
    } else if (now >= *until_ms) {
        buf_printf(why, "all %d connections are in use", POOL_MAX);
        *until_ms = 0;
    } else if (pool->is_down) {
        *until_ms = now + RETRY_MS;
    }
    return NULL;
}

/* ---- any thread ---- */

struct pooled *postgres_pool_take(struct postgres_pool *pool, struct buf *why)
{
    const int64_t began_ms = clock_mono_ms();
    pthread_mutex_lock(&pool->lock);
    struct pooled *one = NULL;
    for (int64_t until_ms = 1; !one && until_ms != 0;) {
        one = try_take(pool, began_ms, &until_ms, why);
        if (!one && until_ms != 0)
            wait_for_news(pool, until_ms);
    }
    pthread_mutex_unlock(&pool->lock);
    return one;
}

void postgres_pool_give(struct postgres_pool *pool, struct pooled *one, bool is_broken)
{
    if (is_broken)
        end(one);
    pthread_mutex_lock(&pool->lock);
    if (is_broken)
        pool->count--;
    else
        pool->idle[pool->idle_count++] = one;
    pthread_cond_signal(&pool->news);
    pthread_mutex_unlock(&pool->lock);
}
