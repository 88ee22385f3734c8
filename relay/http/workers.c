/* workers.c: one queue, one lock, threads with small stacks. */
#include "workers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"

enum { WORKER_STACK_BYTES = 512 * 1024 };

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t work;
    STAILQ_HEAD(, job) queue;
    bool ending;
    size_t count;
    pthread_t threads[];
};

static struct job *take(struct workers *w)
{
    pthread_mutex_lock(&w->lock);
    while (STAILQ_EMPTY(&w->queue) && !w->ending)
        pthread_cond_wait(&w->work, &w->lock);
    struct job *job = STAILQ_FIRST(&w->queue);
    if (job)
        STAILQ_REMOVE_HEAD(&w->queue, link);
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void *worker(void *arg)
{
    struct workers *w = arg;
    struct job *job;
    while ((job = take(w)) != NULL)
        job->run(job->owner);
    return NULL;
}

struct workers *workers_new(size_t count, struct buf *why)
{
    struct workers *w = xcalloc(1, sizeof *w + count * sizeof w->threads[0]);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    STAILQ_INIT(&w->queue);

    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES);
    int failure = 0;
    while (w->count < count && failure == 0) {
        failure = pthread_create(&w->threads[w->count], &attributes, worker, w);
        w->count += failure == 0;
    }
    pthread_attr_destroy(&attributes);
    if (failure == 0)
        return w;
    buf_printf(why, "cannot start worker thread %zu of %zu: %s; lower PATCHCORD_WORKERS", w->count + 1, count,
        strerror(failure));
    workers_free(w);
    return NULL;
}

void workers_push(struct workers *w, struct job *job)
{
    pthread_mutex_lock(&w->lock);
    STAILQ_INSERT_TAIL(&w->queue, job, link);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_signal(&w->work);
}

void workers_free(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_mutex_unlock(&w->lock);
    pthread_cond_broadcast(&w->work);
    for (size_t i = 0; i < w->count; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
