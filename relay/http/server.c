/* server.c: the loop, from its making to its end. */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "certificate.h"
#include "loop.h"

enum {
    DESCRIPTORS_KEPT = 256, /* for the store, logs, outgoing connections */
    CONNECTIONS_MIN = 64,   /* however few descriptors there are */
    STOP_RESERVE_MS = 1000, /* of the grace, for what is cut off to be settled */
    STOP_RECEIVE_MS = 1000, /* how long requests that are still coming in are waited for */
    STOP_LOOK_MS = 50,
};

void server_kick(struct http_server *s)
{
    uint64_t one = 1;
    if (write(s->event_fd, &one, sizeof one) < 0)
        return; /* full: it is readable already */
}

static void kick(void *arg)
{
    server_kick(arg);
}

void http_server_stop(struct http_server *s)
{
    atomic_store(&s->stop_asked, true);
    server_kick(s);
}

/* ---- what the loop waits for ---- */

static void event_ready(void *owner, uint32_t events)
{
    (void)events;
    struct http_server *s = owner;
    uint64_t count;
    if (read(s->event_fd, &count, sizeof count) != (ssize_t)sizeof count)
        return;
    atomic_store(&s->kicked, true);
}

static void reload(struct http_server *s)
{
    struct buf why = {0};
    if (s->certificate) {
        struct certificate *fresh = certificate_load(s->cert_file, s->key_file, &why);
        if (fresh) {
            s->certificate = fresh;
            certificate_use(fresh);
            log_info("certificate_reloaded", LOG_STR("file", s->cert_file));
        } else {
            log_error("certificate_kept_as_it_was", LOG_STR("error", buf_text(&why)));
        }
    }
    buf_free(&why);
    if (s->options.reload)
        s->options.reload(s->options.app);
}

static void signal_ready(void *owner, uint32_t events)
{
    (void)events;
    struct http_server *s = owner;
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            reload(s);
        else
            atomic_store(&s->stop_asked, true);
    }
}

/* ---- making ---- */

/* As many connections as there are descriptors for. */
static unsigned connections_limit(unsigned wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return CONNECTIONS_MIN;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return CONNECTIONS_MIN;
    if (limit.rlim_cur >= (rlim_t)wanted + DESCRIPTORS_KEPT)
        return wanted;
    return limit.rlim_cur > CONNECTIONS_MIN + DESCRIPTORS_KEPT ? (unsigned)limit.rlim_cur - DESCRIPTORS_KEPT
                                                               : CONNECTIONS_MIN;
}

static bool make_descriptors(struct http_server *s)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0)
        return false;
    s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    s->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    s->poller = poller_new();
    return s->event_fd >= 0 && s->signal_fd >= 0 && s->poller;
}

static bool watch_all(struct http_server *s)
{
    s->event_watch = (struct watch){.ready = event_ready, .owner = s};
    s->signal_watch = (struct watch){.ready = signal_ready, .owner = s};
    return poller_add(s->poller, s->event_fd, EPOLLIN, &s->event_watch) &&
           poller_add(s->poller, s->signal_fd, EPOLLIN, &s->signal_watch) && listener_look(&s->listener);
}

static bool load_certificate(struct http_server *s, struct buf *why)
{
    if (!s->cert_file)
        return true;
    s->certificate = certificate_load(s->cert_file, s->key_file, why);
    if (s->certificate)
        certificate_use(s->certificate);
    return s->certificate != NULL;
}

static bool prepare(struct http_server *s, struct buf *why)
{
    if (!load_certificate(s, why))
        return false;
    if (!listener_open(&s->listener, s, why))
        return false;
    s->port = listener_port(&s->listener);
    s->connections_limit = connections_limit(s->limits.connections_max);
    if (!make_descriptors(s)) {
        buf_printf(why, "cannot start the HTTP server: %s", strerror(errno));
        return false;
    }
    s->workers = workers_new(s->options.workers, why);
    if (!s->workers)
        return false;
    errno = 0;
    if (daemons_start(&s->daemons, s) && watch_all(s))
        return true;
    buf_printf(
        why, "cannot start the HTTP server: %s", errno != 0 ? strerror(errno) : "the HTTP library refused");
    return false;
}

static const struct http_limits published_limits = {
    .header_timeout_ms = HTTP_HEADER_TIMEOUT_MS,
    .body_timeout_ms = HTTP_BODY_TIMEOUT_MS,
    .drain_ms = HTTP_DRAIN_MS,
    .stream_keepalive_ms = STREAM_KEEPALIVE_MS,
    .idle_timeout_s = HTTP_IDLE_TIMEOUT_S,
    .connections_max = HTTP_CONNECTIONS_MAX,
    .bodies_max = HTTP_BODIES_MAX,
};

struct http_server *http_server_new(const struct http_server_options *options, struct buf *why)
{
    struct http_server *s = xcalloc(1, sizeof *s);
    s->options = *options;
    s->limits = options->limits ? *options->limits : published_limits;
    s->options.host = s->host = xstrdup(options->host);
    s->options.version = s->version = xstrdup(options->version);
    s->server_header = xasprintf("patchcord/%s", options->version);
    s->cert_file = xstrdup_or_null(options->tls_cert_file);
    s->key_file = xstrdup_or_null(options->tls_key_file);
    s->listener.fd = s->event_fd = s->signal_fd = -1;
    TAILQ_INIT(&s->connections);
    TAILQ_INIT(&s->requests);
    STAILQ_INIT(&s->done);
    pthread_mutex_init(&s->done_lock, NULL);
    s->parking = parking_new(kick, s);
    s->deliveries = deliveries_new(&s->timers);
    randombytes_buf(&s->id_base, sizeof s->id_base);
    signal(SIGPIPE, SIG_IGN);
    if (prepare(s, why))
        return s;
    http_server_free(s);
    return NULL;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

struct parking *http_server_parking(struct http_server *s)
{
    return s->parking;
}

/* ---- serving ---- */

static void take_results(struct http_server *s)
{
    struct request_queue batch = STAILQ_HEAD_INITIALIZER(batch);
    pthread_mutex_lock(&s->done_lock);
    STAILQ_CONCAT(&batch, &s->done);
    pthread_mutex_unlock(&s->done_lock);

    struct request *r;
    while ((r = STAILQ_FIRST(&batch)) != NULL) {
        STAILQ_REMOVE_HEAD(&batch, done_link);
        request_returned(r);
    }
}

/* When the loop has something to do by itself (monotonic), or -1. */
static int64_t next_due(struct http_server *s, int64_t now_ms)
{
    const int64_t library_ms = daemons_due(&s->daemons, now_ms), timer_ms = timers_next(&s->timers);
    return timer_ms < 0 || (library_ms >= 0 && library_ms < timer_ms) ? library_ms : timer_ms;
}

static int wait_ms(int64_t due_ms, int64_t now_ms)
{
    if (due_ms < 0)
        return -1;
    int64_t left = due_ms - now_ms;
    return left <= 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static void turn(struct http_server *s)
{
    int64_t now = clock_mono_ms();
    int64_t due = next_due(s, now);
    poller_wait(s->poller, wait_ms(due, now));
    now = clock_mono_ms();
    timers_run(&s->timers, now);
    if (atomic_exchange(&s->kicked, false)) {
        take_results(s);
        parking_drain(s->parking, request_wake);
    }
    daemons_run(&s->daemons, now);
}

/* ---- stopping ---- */

static void stop_begin(struct http_server *s, int64_t grace_ms)
{
    int64_t now = clock_mono_ms();
    s->stopping = true;
    if (s->options.stopping)
        s->options.stopping(s->options.app);
    s->stop_by_ms = now + grace_ms;
    s->abandon_at_ms = s->stop_by_ms - (grace_ms > 4 * STOP_RESERVE_MS ? STOP_RESERVE_MS : grace_ms / 4);
    listener_close(&s->listener);
    struct request *r, *next;
    TAILQ_FOREACH_SAFE(r, &s->requests, link, next)
    request_shutdown(r);
}

static bool is_in_flight(const struct http_server *s, const struct request *r, int64_t now_ms)
{
    if (r->phase != PHASE_RECEIVING)
        return true;
    return now_ms < s->stop_by_ms && now_ms < r->ex.began_ms + STOP_RECEIVE_MS;
}

static bool work_in_flight(const struct http_server *s)
{
    int64_t now = clock_mono_ms();
    const struct request *r;
    TAILQ_FOREACH(r, &s->requests, link)
    {
        if (is_in_flight(s, r, now))
            return true;
    }
    return false;
}

static void abandon_requests(struct http_server *s)
{
    struct connection *c, *next;
    TAILQ_FOREACH_SAFE(c, &s->connections, link, next)
    {
        if (c->request)
            connection_abandon(c);
    }
}

/* Those between two requests, too: the next one may have come already, would be suspended by the library's
 * last run, and the library aborts when it is stopped with suspended connections. */
static void abandon_all(struct http_server *s)
{
    struct connection *c, *next;
    TAILQ_FOREACH_SAFE(c, &s->connections, link, next)
    connection_abandon(c);
}

static void stop_look(void *owner)
{
    struct http_server *s = owner;
    if (s->abandon_at_ms != 0 && clock_mono_ms() >= s->abandon_at_ms) {
        s->abandon_at_ms = 0;
        abandon_requests(s);
        deliveries_give_up(s->deliveries);
    }
    timer_arm(&s->timers, &s->stop_timer, clock_mono_ms() + STOP_LOOK_MS);
}

void http_server_run(struct http_server *s, int64_t grace_ms)
{
    while (!atomic_load(&s->stop_asked))
        turn(s);
    stop_begin(s, grace_ms);
    timer_init(&s->stop_timer, stop_look, s);
    stop_look(s);
    while (work_in_flight(s) && clock_mono_ms() < s->stop_by_ms)
        turn(s);
    timer_cancel(&s->timers, &s->stop_timer);
}

/* What the workers gave back after the loop had ended. */
static void settle_leftovers(struct http_server *s)
{
    struct request *r, *next;
    TAILQ_FOREACH_SAFE(r, &s->requests, link, next)
    {
        if (r->ex.settle && r->phase != PHASE_SETTLING)
            r->ex.settle(&r->ex, SETTLED_LOST);
        request_release(r);
    }
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    abandon_all(s);
    daemons_run_all(&s->daemons);
    deliveries_give_up(s->deliveries);
    daemons_stop(&s->daemons);
    workers_free(s->workers);
    settle_leftovers(s);
    deliveries_free(s->deliveries);
    parking_free(s->parking);
    certificate_free(s->certificate);
    listener_close(&s->listener);
    poller_free(s->poller);
    if (s->event_fd >= 0)
        close(s->event_fd);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    pthread_mutex_destroy(&s->done_lock);
    free(s->host);
    free(s->version);
    free(s->server_header);
    free(s->cert_file);
    free(s->key_file);
    free(s);
}
