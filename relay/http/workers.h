/* workers.h: a pool of threads that run jobs in the order in which they came. */
#ifndef RELAY_HTTP_WORKERS_H
#define RELAY_HTTP_WORKERS_H

#include <bsd/sys/queue.h>
#include <stddef.h>

#include "../../common/buf.h"

/* Lives inside what it works on. */
struct job {
    STAILQ_ENTRY(job) link;
    void (*run)(void *owner); /* on a worker */
    void *owner;
};

struct workers;

/* NULL: why has one line. */
struct workers *workers_new(size_t count, struct buf *why);
/* Any thread. The job may be pushed again once it runs. */
void workers_push(struct workers *w, struct job *job);
/* Runs what was pushed, ends the threads and waits for them. */
void workers_free(struct workers *w);

#endif
