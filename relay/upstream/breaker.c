#include "breaker.h"

#include <pthread.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"

struct breaker {
    pthread_mutex_t lock;
    int64_t pause_max_ms;
    unsigned failures; /* in a row */
    bool is_open, is_probing;
    int64_t pause_ms;
    int64_t probe_at_ms; /* monotonic */
};

struct breaker *breaker_new(int64_t pause_max_ms)
{
    struct breaker *breaker = xcalloc(1, sizeof *breaker);
    pthread_mutex_init(&breaker->lock, NULL);
    breaker->pause_max_ms = pause_max_ms;
    return breaker;
}

void breaker_free(struct breaker *breaker)
{
    pthread_mutex_destroy(&breaker->lock);
    free(breaker);
}

/* Under the lock. */
static bool enter(struct breaker *breaker, int64_t *wait_ms)
{
    const int64_t now_ms = clock_mono_ms();
    *wait_ms = 0;
    if (!breaker->is_open)
        return true;
    if (breaker->is_probing || now_ms < breaker->probe_at_ms) {
        *wait_ms = now_ms < breaker->probe_at_ms ? breaker->probe_at_ms - now_ms : BREAKER_PAUSE_FIRST_MS;
        return false;
    }
    breaker->is_probing = true;
    return true;
}

bool breaker_enter(struct breaker *breaker, int64_t *wait_ms)
{
    pthread_mutex_lock(&breaker->lock);
    const bool may = enter(breaker, wait_ms);
    pthread_mutex_unlock(&breaker->lock);
    return may;
}

static void pause_again(struct breaker *breaker)
{
    breaker->pause_ms = breaker->pause_ms == 0 ? BREAKER_PAUSE_FIRST_MS : 2 * breaker->pause_ms;
    if (breaker->pause_ms > breaker->pause_max_ms)
        breaker->pause_ms = breaker->pause_max_ms;
    breaker->probe_at_ms = clock_mono_ms() + breaker->pause_ms;
}

/* Under the lock. Calls that were under way when it opened report, too: their success is as good as a
 * probe's. */
static enum breaker_change report(struct breaker *breaker, bool failed)
{
    const bool was_open = breaker->is_open, was_probing = breaker->is_probing;
    if (!failed) {
        breaker->failures = 0;
        breaker->is_open = breaker->is_probing = false;
        breaker->pause_ms = 0;
        return was_open ? BREAKER_CLOSED : BREAKER_SAME;
    }
    if (was_open) {
        if (was_probing) {
            breaker->is_probing = false;
            pause_again(breaker);
        }
        return BREAKER_SAME;
    }
    if (++breaker->failures < BREAKER_FAILURES)
        return BREAKER_SAME;
    breaker->is_open = true;
    pause_again(breaker);
    return BREAKER_OPENED;
}

enum breaker_change breaker_report(struct breaker *breaker, bool failed)
{
    pthread_mutex_lock(&breaker->lock);
    const enum breaker_change change = report(breaker, failed);
    pthread_mutex_unlock(&breaker->lock);
    return change;
}
