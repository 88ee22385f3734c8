#include "supabase_poll.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/json.h"
#include "../../common/log.h"

struct supabase_poll {
    struct supabase_link *link;
    int64_t interval_ms;
    void (*arrived)(void *arg, const char *namespace_id, const char *agent);
    void (*changed)(void *arg);
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stop; /* under lock */
    /* the thread's: */
    bool has_begun;
    /* Numbers become visible a little out of their order: each look begins where the last but one ended. */
    int64_t newest, before;
    int64_t changes; /* of tokens and grants, counted by the database */
};

static void tell(struct supabase_poll *poll, struct json_object *agents)
{
    for (size_t i = 0; i < json_object_array_length(agents); i++) {
        struct json_object *one = json_object_array_get_idx(agents, i);
        poll->arrived(poll->arg, json_text_or(one, "ns", ""), json_text_or(one, "agent", ""));
    }
}

static void read_news(struct supabase_poll *poll, struct json_object *news)
{
    struct json_object *agents;
    int64_t newest, changes;
    if (json_get_int(news, "newest", &newest) != JSON_FIELD_FOUND ||
        json_get_int(news, "changes", &changes) != JSON_FIELD_FOUND ||
        json_get_array(news, "agents", &agents) != JSON_FIELD_FOUND) {
        log_error("poll_failed", LOG_STR("why", "the answer is not what patchcord_arrived answers"));
        return;
    }
    if (poll->has_begun)
        tell(poll, agents);
    if (poll->has_begun && changes != poll->changes)
        poll->changed(poll->arg);
    poll->before = poll->has_begun ? poll->newest : newest;
    poll->newest = newest;
    poll->changes = changes;
    poll->has_begun = true;
}

static void look(struct supabase_poll *poll)
{
    struct buf answer = {0}, why = {0}, body = {0};
    /* What was there before the first look is everybody's own to find. */
    buf_printf(&body, "{\"after\": %" PRId64 "}", poll->has_begun ? poll->before : INT64_MAX);
    const struct supabase_request request = {.method = "POST",
        .path = "rpc/patchcord_arrived",
        .body = buf_text(&body),
        .body_len = body.len,
        .is_repeatable = true};
    if (supabase_ask(poll->link, &request, &answer, &why) == SUPABASE_DONE) {
        enum json_fault fault;
        struct json_object *news = json_parse(buf_text(&answer), answer.len, &fault);
        read_news(poll, news);
        json_object_put(news);
    } else {
        log_debug("poll_failed", LOG_STR("why", buf_text(&why)));
    }
    buf_free(&answer);
    buf_free(&body);
    buf_free(&why);
}

/* False where it is to stop. */
static bool sleep_for(struct supabase_poll *poll, int64_t ms)
{
    const int64_t until_ms = clock_mono_ms() + ms;
    const struct timespec until = {
        .tv_sec = until_ms / MS_PER_SECOND, .tv_nsec = until_ms % MS_PER_SECOND * 1000000};
    int error = 0;
    pthread_mutex_lock(&poll->lock);
    while (!poll->stop && error == 0)
        error = pthread_cond_timedwait(&poll->stopped, &poll->lock, &until);
    const bool stop = poll->stop;
    pthread_mutex_unlock(&poll->lock);
    return !stop;
}

static void *work(void *arg)
{
    struct supabase_poll *poll = arg;
    do {
        look(poll);
    } while (sleep_for(poll, poll->interval_ms));
    return NULL;
}

static void destroy(struct supabase_poll *poll)
{
    pthread_cond_destroy(&poll->stopped);
    pthread_mutex_destroy(&poll->lock);
    free(poll);
}

struct supabase_poll *supabase_poll_start(const struct store_options *options, struct supabase_link *link)
{
    struct supabase_poll *poll = xcalloc(1, sizeof *poll);
    pthread_condattr_t monotonic;
    poll->link = link;
    poll->interval_ms = options->supabase.poll_ms;
    poll->arrived = options->arrived;
    poll->changed = options->changed;
    poll->arg = options->changed_arg;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&poll->stopped, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&poll->lock, NULL);
    if (pthread_create(&poll->thread, NULL, work, poll) == 0)
        return poll;
    destroy(poll);
    return NULL;
}

void supabase_poll_stop(struct supabase_poll *poll)
{
    if (!poll)
        return;
    pthread_mutex_lock(&poll->lock);
    poll->stop = true;
    pthread_cond_signal(&poll->stopped);
    pthread_mutex_unlock(&poll->lock);
    pthread_join(poll->thread, NULL);
    destroy(poll);
}
