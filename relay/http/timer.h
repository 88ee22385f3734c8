/* timer.h: deadlines of the loop, in clock_mono_ms. For one thread; a timer lives inside what it belongs to.
 */
#ifndef RELAY_HTTP_TIMER_H
#define RELAY_HTTP_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <bsd/sys/tree.h>

struct timer {
    RB_ENTRY(timer) link;
    int64_t at_ms;
    bool armed;
    void (*fire)(void *owner); /* the timer is disarmed by then, and may be armed anew */
    void *owner;
};

RB_HEAD(timer_tree, timer);

/* An empty tree is a zeroed one. */
struct timers {
    struct timer_tree tree;
    int64_t running_ms; /* within timers_run: its now_ms; else 0 */
};

void timer_init(struct timer *t, void (*fire)(void *owner), void *owner);
/* Sets or moves the deadline. */
void timer_arm(struct timers *all, struct timer *t, int64_t at_ms);
/* Does nothing where it is not armed. */
void timer_cancel(struct timers *all, struct timer *t);
/* The earliest deadline, or -1. */
int64_t timers_next(struct timers *all);
/* Fires what is due at now_ms > 0; a timer that is armed from within waits for the next call. */
void timers_run(struct timers *all, int64_t now_ms);

#endif
