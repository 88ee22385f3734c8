/* timer.c: deadlines in a red-black tree, earliest first. */
#include "timer.h"

static int timer_compare(const struct timer *a, const struct timer *b)
{
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

RB_GENERATE_INTERNAL(timer_tree, timer, link, timer_compare, __attribute__((unused)) static)

void timer_init(struct timer *t, void (*fire)(void *owner), void *owner)
{
    *t = (struct timer){.fire = fire, .owner = owner};
}

void timer_arm(struct timers *all, struct timer *t, int64_t at_ms)
{
    timer_cancel(all, t);
    /* What arms itself for the past from within timers_run must not hold the loop. */
    t->at_ms = all->running_ms != 0 && at_ms <= all->running_ms ? all->running_ms + 1 : at_ms;
    t->armed = true;
    RB_INSERT(timer_tree, &all->tree, t);
}

void timer_cancel(struct timers *all, struct timer *t)
{
    if (!t->armed)
        return;
    RB_REMOVE(timer_tree, &all->tree, t);
    t->armed = false;
}

int64_t timers_next(struct timers *all)
{
    const struct timer *first = RB_MIN(timer_tree, &all->tree);
    return first ? first->at_ms : -1;
}

void timers_run(struct timers *all, int64_t now_ms)
{
    all->running_ms = now_ms;
    for (;;) {
        struct timer *t = RB_MIN(timer_tree, &all->tree);
        if (!t || t->at_ms > now_ms)
            break;
        timer_cancel(all, t);
        t->fire(t->owner);
    }
    all->running_ms = 0;
}
