#include "janitor.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../blob/blob.h"
#include "../config.h"
#include "../notify.h"
#include "../relay.h"
#include "../store/store_oauth.h"

struct janitor {
    const struct relay *relay;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stop; /* under lock */
};

static void clean_files(const struct relay *relay)
{
    struct blob_cleanup_result result;
    if (blob_cleanup(relay->blobs, relay->config->cleanup_max_age_days * MS_PER_DAY, false, &result) ==
        BLOB_DONE)
        log_info("cleanup_files", LOG_INT("removed", result.removed), LOG_INT("abandoned", result.abandoned),
            LOG_INT("bytes", result.bytes));
    else
        log_error("cleanup_failed");
}

static void clean_logins(const struct relay *relay)
{
    struct store_oauth_cleanup result;
    if (store_oauth_cleanup(relay->store, CLIENT_UNUSED_MS, false, &result) == STORE_DONE)
        log_info("cleanup_logins", LOG_INT("clients", result.clients), LOG_INT("grants", result.grants),
            LOG_INT("codes", result.codes), LOG_INT("tokens", result.tokens));
    else
        log_error("cleanup_failed");
}

static void clean_up(const struct relay *relay)
{
    struct store_cleanup_result result = {0};
    const enum store_status status =
        store_cleanup(relay->store, relay->config->cleanup_max_age_days * MS_PER_DAY,
            relay->config->active_window_seconds * MS_PER_SECOND, false, &result);
    if (status == STORE_DONE) {
        notify_agents(relay, &result.notified);
        log_info("cleanup", LOG_INT("expired", result.expired), LOG_INT("notices", result.notices),
            LOG_INT("deleted", result.deleted), LOG_INT("offline", result.offline));
    } else {
        log_error("cleanup_failed");
    }
    store_cleanup_result_free(&result);
    clean_logins(relay);
    clean_files(relay);
}

/* True where the time has passed; false where the janitor is to stop. */
static bool sleep_until(struct janitor *j, int64_t mono_ms)
{
    const struct timespec until = {
        .tv_sec = mono_ms / MS_PER_SECOND, .tv_nsec = mono_ms % MS_PER_SECOND * 1000000};
    int error = 0;
    pthread_mutex_lock(&j->lock);
    while (!j->stop && error == 0)
        error = pthread_cond_timedwait(&j->stopped, &j->lock, &until);
    const bool stop = j->stop;
    pthread_mutex_unlock(&j->lock);
    return !stop;
}

static void *work(void *arg)
{
    struct janitor *j = arg;
    int64_t due_ms = clock_mono_ms() + JANITOR_FIRST_MS;
    while (sleep_until(j, due_ms)) {
        clean_up(j->relay);
        due_ms = clock_mono_ms() + j->relay->config->cleanup_interval_hours * MS_PER_HOUR;
    }
    return NULL;
}

struct janitor *janitor_start(const struct relay *relay)
{
    if (relay->config->cleanup_interval_hours == 0)
        return NULL;
    struct janitor *j = xcalloc(1, sizeof *j);
    j->relay = relay;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&j->stopped, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&j->lock, NULL);
    if (pthread_create(&j->thread, NULL, work, j) == 0)
        return j;
    log_error("no_janitor",
        LOG_STR("why", "no thread could be started: call POST /api/cleanup or the command cleanup"));
    pthread_cond_destroy(&j->stopped);
    pthread_mutex_destroy(&j->lock);
    free(j);
    return NULL;
}

void janitor_stop(struct janitor *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_signal(&j->stopped);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    pthread_cond_destroy(&j->stopped);
    pthread_mutex_destroy(&j->lock);
    free(j);
}
