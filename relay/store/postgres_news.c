#include "postgres_news.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/json.h"
#include "../../common/log.h"
#include "../../common/secret.h"

#define CHANNEL "patchcord"
/* In place of a list of agents: look at everything again. */
#define EVERYTHING "*"

enum { PAYLOAD_MAX = 7500, TOLD_MAX = 4096, RETRY_MS = 500 };

/* An agent for whom something arrived. */
struct told {
    char *namespace_id, *agent;
};

struct postgres_news {
    struct store_options options;
    char *url;
    int wake; /* eventfd: there is something to tell, or it is over */
    pthread_t thread;
    pthread_mutex_t lock;
    /* under the lock */
    struct told *told;
    size_t told_count;
    bool has_change, is_stopping;
    /* the thread's own */
    PGconn *link; /* NULL: to be made */
    bool was_connected, is_due;
    int64_t flush_ms, look_ms, retry_ms; /* when to do it next */
    int64_t newest, before, changes;     /* of the last look, and of the one before */
};

/* ---- any thread ---- */

static void wake_up(struct postgres_news *news)
{
    const uint64_t one = 1;
    /* Fails only where it is awake already. */
    (void)!write(news->wake, &one, sizeof one);
}

static bool is_told(const struct postgres_news *news, const char *namespace_id, const char *agent)
{
    for (size_t i = 0; i < news->told_count; i++) {
        if (strcmp(news->told[i].agent, agent) == 0 && strcmp(news->told[i].namespace_id, namespace_id) == 0)
            return true;
    }
    return false;
}

static void forget_told(struct told *told, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(told[i].namespace_id);
        free(told[i].agent);
    }
    free(told);
}

void postgres_news_tell(struct postgres_news *news, const char *namespace_id, const char *agent)
{
    pthread_mutex_lock(&news->lock);
    const bool is_quiet = news->told_count == 0 && !news->has_change;
    if (!agent || news->told_count == TOLD_MAX) {
        news->has_change = true;
    } else if (!is_told(news, namespace_id, agent)) {
        news->told = xreallocarray(news->told, news->told_count + 1, sizeof *news->told);
        news->told[news->told_count++] =
            (struct told){.namespace_id = xstrdup(namespace_id), .agent = xstrdup(agent)};
    }
    pthread_mutex_unlock(&news->lock);
    if (is_quiet)
        wake_up(news);
}

/* ---- telling ---- */

static bool notify(PGconn *link, const char *payload, struct buf *why)
{
    const char *const values[] = {payload};
    PGresult *result =
        PQsendQueryParams(link, "select pg_notify('" CHANNEL "', $1)", 1, NULL, values, NULL, NULL, 0)
            ? postgres_result(link, POSTGRES_ANSWER_MS)
            : NULL;
    const bool done = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (!done)
        postgres_error(link, result, why);
    PQclear(result);
    return done;
}

bool postgres_news_tell_all(PGconn *link, struct buf *why)
{
    return notify(link, EVERYTHING, why);
}

/* The text of as many as fit into one notification, from *at on: [["namespace", "agent"], ...]. */
static void write_payload(const struct told *told, size_t count, size_t *at, struct buf *payload)
{
    buf_putc(payload, '[');
    for (const size_t first = *at; *at < count; ++*at) {
        struct json_object *pair = json_new_array();
        struct buf text = {0};
        json_append_text(pair, told[*at].namespace_id);
        json_append_text(pair, told[*at].agent);
        json_write(pair, &text);
        json_object_put(pair);
        const bool fits = payload->len + text.len < PAYLOAD_MAX;
        if (fits && *at > first)
            buf_putc(payload, ',');
        if (fits)
            buf_append(payload, text.data, text.len);
        buf_free(&text);
        if (!fits && *at > first)
            break; /* into the next one; one that fits into none is left to the look */
    }
    buf_putc(payload, ']');
}

static bool notify_list(PGconn *link, const struct told *told, size_t count, struct buf *why)
{
    bool done = true;
    for (size_t at = 0; done && at < count;) {
        struct buf payload = {0};
        write_payload(told, count, &at, &payload);
        done = notify(link, buf_text(&payload), why);
        buf_free(&payload);
    }
    return done;
}

static void disconnect(struct postgres_news *news, const struct buf *why)
{
    if (news->link || !news->was_connected)
        log_warn("news_are_cut_off", LOG_STR("why", buf_text(why)));
    PQfinish(news->link);
    news->link = NULL;
    news->was_connected = true;
    news->retry_ms = clock_mono_ms() + RETRY_MS;
}

static void flush(struct postgres_news *news)
{
    struct buf why = {0};
    pthread_mutex_lock(&news->lock);
    struct told *told = news->told;
    const size_t count = news->told_count;
    const bool has_change = news->has_change;
    news->told = NULL;
    news->told_count = 0;
    news->has_change = false;
    pthread_mutex_unlock(&news->lock);
    news->is_due = false;
    /* What cannot be told now, the others see at their next look. */
    if (!(has_change ? notify(news->link, EVERYTHING, &why) : notify_list(news->link, told, count, &why)))
        disconnect(news, &why);
    news->flush_ms = clock_mono_ms() + NEWS_COLLECT_MS;
    forget_told(told, count);
    buf_free(&why);
}

/* ---- hearing ---- */

static void changed(const struct postgres_news *news)
{
    if (news->options.changed)
        news->options.changed(news->options.changed_arg);
}

static void arrived(
    const struct postgres_news *news, struct json_object *namespace_id, struct json_object *agent)
{
    if (news->options.arrived && json_object_is_type(namespace_id, json_type_string) &&
        json_object_is_type(agent, json_type_string))
        news->options.arrived(
            news->options.changed_arg, json_object_get_string(namespace_id), json_object_get_string(agent));
}

static void heard(const struct postgres_news *news, const char *payload)
{
    enum json_fault fault;
    struct json_object *list = json_parse(payload, strlen(payload), &fault);
    if (!json_object_is_type(list, json_type_array)) {
        changed(news);
        json_object_put(list);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *pair = json_object_array_get_idx(list, i);
        if (json_object_is_type(pair, json_type_array) && json_object_array_length(pair) == 2)
            arrived(news, json_object_array_get_idx(pair, 0), json_object_array_get_idx(pair, 1));
    }
    json_object_put(list);
}

static void hear(struct postgres_news *news)
{
    for (PGnotify *n; news->link && (n = PQnotifies(news->link));) {
        if (n->be_pid != PQbackendPID(news->link))
            heard(news, n->extra);
        PQfreemem(n);
    }
}

/* ---- looking ---- */

static void tell_of(const struct postgres_news *news, struct json_object *answer)
{
    struct json_object *agents = NULL;
    if (json_get_array(answer, "agents", &agents) != JSON_FIELD_FOUND)
        return;
    for (size_t i = 0; i < json_object_array_length(agents); i++) {
        struct json_object *row = json_object_array_get_idx(agents, i), *namespace_id = NULL, *agent = NULL;
        if (json_object_object_get_ex(row, "ns", &namespace_id) &&
            json_object_object_get_ex(row, "agent", &agent))
            arrived(news, namespace_id, agent);
    }
}

/* What came since the look before the last one: a message's transaction may take some seconds. */
static void look(struct postgres_news *news)
{
    char body[64];
    const char *const values[] = {body};
    (void)snprintf(body, sizeof body, "{\"after\": %lld}", (long long)news->before);
    PGresult *result = PQsendQueryParams(news->link, "select public.patchcord_arrived($1::jsonb)", 1, NULL,
                           values, NULL, NULL, 0)
                           ? postgres_result(news->link, POSTGRES_ANSWER_MS)
                           : NULL;
    news->look_ms = clock_mono_ms() + NEWS_LOOK_MS;
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        enum json_fault fault;
        int64_t newest = 0, changes = 0;
        struct json_object *answer =
            json_parse(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0), &fault);
        if (json_get_int(answer, "newest", &newest) == JSON_FIELD_FOUND &&
            json_get_int(answer, "changes", &changes) == JSON_FIELD_FOUND) {
            tell_of(news, answer);
            if (changes != news->changes && news->newest >= 0)
                changed(news);
            news->before = news->newest >= 0 ? news->newest : newest;
            news->newest = newest;
            news->changes = changes;
        }
        json_object_put(answer);
    } else {
        struct buf why = {0};
        postgres_error(news->link, result, &why);
        disconnect(news, &why);
        buf_free(&why);
    }
    PQclear(result);
}

/* ---- the thread ---- */

static void connect_again(struct postgres_news *news)
{
    struct buf why = {0};
    news->link = postgres_connect(news->url, &why);
    if (news->link &&
        postgres_run(news->link, "set synchronous_commit = off; listen " CHANNEL, POSTGRES_ANSWER_MS, &why)) {
        if (news->was_connected)
            log_info("news_are_heard");
        news->was_connected = true;
        look(news); /* what was told meanwhile */
    } else {
        disconnect(news, &why);
    }
    buf_free(&why);
}

static int wait_ms(const struct postgres_news *news)
{
    int64_t until = news->look_ms;
    if (!news->link)
        until = news->retry_ms;
    else if (news->is_due && news->flush_ms < until)
        until = news->flush_ms;
    const int64_t left = until - clock_mono_ms();
    return left < 0 ? 0 : (int)left;
}

static bool sleep_until_needed(struct postgres_news *news)
{
    struct pollfd waits[] = {{.fd = news->wake, .events = POLLIN},
        {.fd = news->link ? PQsocket(news->link) : -1, .events = POLLIN}};
    poll(waits, LENGTH_OF(waits), wait_ms(news));
    uint64_t times;
    if (waits[0].revents != 0 && read(news->wake, &times, sizeof times) == sizeof times)
        news->is_due = true;
    if (waits[1].revents != 0 && PQconsumeInput(news->link) == 0) {
        struct buf why = {0};
        postgres_error(news->link, NULL, &why);
        disconnect(news, &why);
        buf_free(&why);
    }
    pthread_mutex_lock(&news->lock);
    const bool goes_on = !news->is_stopping;
    pthread_mutex_unlock(&news->lock);
    return goes_on;
}

static void *news_run(void *arg)
{
    struct postgres_news *news = arg;
    do {
        const int64_t now = clock_mono_ms();
        if (!news->link && now >= news->retry_ms)
            connect_again(news);
        if (news->link && news->is_due && now >= news->flush_ms)
            flush(news);
        if (news->link && now >= news->look_ms)
            look(news);
        hear(news);
    } while (sleep_until_needed(news));
    return NULL;
}

struct postgres_news *postgres_news_start(const struct store_options *options)
{
    struct postgres_news *news = xcalloc(1, sizeof *news);
    news->options = *options;
    news->url = xstrdup(options->database_url);
    news->before = INT64_MAX; /* the first look is told of nothing */
    news->newest = -1;
    news->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&news->lock, NULL);
    connect_again(news); /* here, so that nothing that comes after goes unheard */
    if (news->wake < 0 || pthread_create(&news->thread, NULL, news_run, news) != 0)
        alloc_failed();
    return news;
}

void postgres_news_stop(struct postgres_news *news)
{
    if (!news)
        return;
    pthread_mutex_lock(&news->lock);
    news->is_stopping = true;
    pthread_mutex_unlock(&news->lock);
    wake_up(news);
    pthread_join(news->thread, NULL);
    PQfinish(news->link);
    close(news->wake);
    forget_told(news->told, news->told_count);
    pthread_mutex_destroy(&news->lock);
    secret_free(news->url);
    free(news);
}
