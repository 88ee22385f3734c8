#include "rate_limit.h"

#include <stdlib.h>

#include "../../common/alloc.h"
#include "lru.h"

struct window {
    struct lru_entry entry;
    int64_t began_ms;
    int64_t calls, calls_before; /* in this window, in the one before */
};

struct ban {
    struct lru_entry entry;
    int64_t until_ms;
};

struct rate_limit {
    int64_t per_minute, ban_ms;
    struct lru windows, bans;
};

struct rate_limit *rate_limit_new(int64_t per_minute, int64_t ban_ms)
{
    struct rate_limit *r = xcalloc(1, sizeof *r);
    r->per_minute = per_minute;
    r->ban_ms = ban_ms;
    lru_init(&r->windows, RATE_KEYS_MAX, sizeof(struct window), NULL);
    lru_init(&r->bans, RATE_KEYS_MAX, sizeof(struct ban), NULL);
    return r;
}

void rate_limit_free(struct rate_limit *r)
{
    if (!r)
        return;
    lru_clear(&r->windows);
    lru_clear(&r->bans);
    free(r);
}

static int64_t ban_left(struct rate_limit *r, const char *key, int64_t now_ms)
{
    struct ban *ban = lru_find(&r->bans, key);
    if (!ban)
        return 0;
    if (ban->until_ms > now_ms)
        return ban->until_ms - now_ms;
    lru_remove(&r->bans, ban);
    return 0;
}

/* Moves the window on to the one that now_ms is in. */
static void window_advance(struct window *w, int64_t now_ms)
{
    const int64_t age = now_ms - w->began_ms;
    if (age < RATE_WINDOW_MS)
        return;
    w->calls_before = age < 2 * (int64_t)RATE_WINDOW_MS ? w->calls : 0;
    w->calls = 0;
    w->began_ms += age / RATE_WINDOW_MS * RATE_WINDOW_MS;
}

static int64_t calls_in_last_minute(const struct window *w, int64_t now_ms)
{
    const int64_t left = RATE_WINDOW_MS - (now_ms - w->began_ms);
    return w->calls + w->calls_before * left / RATE_WINDOW_MS;
}

static struct window *window_of(struct rate_limit *r, const char *key, int64_t now_ms)
{
    struct window *w = lru_find(&r->windows, key);
    if (!w) {
        w = lru_add(&r->windows, key);
        w->began_ms = now_ms;
    }
    window_advance(w, now_ms);
    return w;
}

enum rate_verdict rate_limit_count(struct rate_limit *r, const char *key, int64_t now_ms, int64_t *retry_ms)
{
    *retry_ms = 0;
    if (r->per_minute == 0)
        return RATE_FINE;
    *retry_ms = ban_left(r, key, now_ms);
    if (*retry_ms > 0)
        return RATE_REFUSED;
    struct window *w = window_of(r, key, now_ms);
    if (calls_in_last_minute(w, now_ms) < r->per_minute) {
        w->calls++;
        return RATE_FINE;
    }
    if (r->ban_ms == 0) {
        *retry_ms = RATE_WINDOW_MS - (now_ms - w->began_ms);
        return RATE_REFUSED;
    }
    /* The ban is the whole punishment: the key starts afresh after it. */
    lru_remove(&r->windows, w);
    rate_limit_ban(r, key, now_ms + r->ban_ms);
    *retry_ms = r->ban_ms;
    return RATE_BAN_BEGINS;
}

int64_t rate_limit_left(struct rate_limit *r, const char *key, int64_t now_ms)
{
    const int64_t ban_ms = r->per_minute == 0 ? 0 : ban_left(r, key, now_ms);
    struct window *w = ban_ms == 0 && r->ban_ms == 0 ? lru_find(&r->windows, key) : NULL;
    if (!w)
        return ban_ms;
    window_advance(w, now_ms);
    return calls_in_last_minute(w, now_ms) < r->per_minute ? 0 : RATE_WINDOW_MS - (now_ms - w->began_ms);
}

void rate_limit_ban(struct rate_limit *r, const char *key, int64_t until_ms)
{
    struct ban *ban = lru_add(&r->bans, key);
    ban->until_ms = until_ms;
}

size_t rate_limit_bans(struct rate_limit *r, int64_t now_ms)
{
    size_t in_force = 0;
    struct lru_entry *entry, *next;
    for (entry = TAILQ_FIRST(&r->bans.ages); entry; entry = next) {
        next = TAILQ_NEXT(entry, by_age);
        struct ban *ban = (struct ban *)entry;
        if (ban->until_ms > now_ms)
            in_force++;
        else
            lru_remove(&r->bans, ban);
    }
    return in_force;
}
