/* server.c: the loop, from its making to its end. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
    LISTEN_BACKLOG = 4096,
    DESCRIPTORS_KEPT = 256, /* for the store, logs, outgoing connections */
    CONNECTIONS_MIN = 64,   /* however few descriptors there are */
    STOP_RESERVE_MS = 1000, /* of the grace, for what is cut off to be settled */
    STOP_RECEIVE_MS = 1000, /* how long requests that are still coming in are waited for */
    STOP_LOOK_MS = 50,
};

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

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

static void daemon_ready(void *owner, uint32_t events)
{
    (void)events;
    struct http_server *s = owner;
    s->run_daemon = true;
}

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

/* Connections inherit the keep-alive: a client that vanished without a word while parked is noticed in two
 * minutes. */
static bool set_options(int fd, int family)
{
    static const struct {
        int level, name, value;
    } settings[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 15},
        {IPPROTO_TCP, TCP_KEEPCNT, 4},
        {IPPROTO_IPV6, IPV6_V6ONLY, 0},
    };
    for (size_t i = 0; i < LENGTH_OF(settings); i++) {
        if (settings[i].level == IPPROTO_IPV6 && family != AF_INET6)
            continue;
        if (setsockopt(fd, settings[i].level, settings[i].name, &settings[i].value, sizeof(int)) != 0)
            return false;
    }
    return true;
}

static int listen_on(const struct http_server_options *options, struct buf *why)
{
    char port[8];
    snprintf(port, sizeof port, "%d", options->port);
    struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *address = NULL;
    int failure = getaddrinfo(options->host, port, &hints, &address);
    if (failure != 0) {
        buf_printf(why, "cannot listen on %s: %s", options->host, gai_strerror(failure));
        return -1;
    }
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && set_options(fd, address->ai_family);
    ok = ok && bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0;
    int error = errno;
    freeaddrinfo(address);
    if (ok)
        return fd;
    buf_printf(why, "cannot listen on %s port %d: %s%s", options->host, options->port, strerror(error),
        error == EADDRINUSE ? "; set PATCHCORD_PORT to another one" : "");
    if (fd >= 0)
        close(fd);
    return -1;
}

static int port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

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

/* Escapes are decoded by target.c, which refuses what is malformed. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls, (void)mhd;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct http_server *s)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(intptr_t)certificate_retrieve},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    if (s->certificate)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(flags, 0, NULL, NULL, connection_handle, s, MHD_OPTION_LISTEN_SOCKET,
        s->listen_fd, MHD_OPTION_NOTIFY_CONNECTION, connection_notify, s, MHD_OPTION_NOTIFY_COMPLETED,
        connection_completed, s, MHD_OPTION_URI_LOG_CALLBACK, connection_target, s,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT,
        connections_limit(s->limits.connections_max), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_CONNECTION_MEMORY, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        s->options.connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT, s->limits.idle_timeout_s,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, s->certificate ? tls : plain, MHD_OPTION_END);
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
    s->mhd_watch = (struct watch){.ready = daemon_ready, .owner = s};
    int mhd_fd = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return poller_add(s->poller, s->event_fd, EPOLLIN, &s->event_watch) &&
           poller_add(s->poller, s->signal_fd, EPOLLIN, &s->signal_watch) &&
           poller_add(s->poller, mhd_fd, EPOLLIN, &s->mhd_watch);
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
    s->listen_fd = listen_on(&s->options, why);
    if (s->listen_fd < 0)
        return false;
    s->port = port_of(s->listen_fd);
    if (!make_descriptors(s)) {
        buf_printf(why, "cannot start the HTTP server: %s", strerror(errno));
        return false;
    }
    s->workers = workers_new(s->options.workers, why);
    if (!s->workers)
        return false;
    s->daemon = start_daemon(s);
    if (s->daemon && watch_all(s))
        return true;
    buf_printf(
        why, "cannot start the HTTP server: %s", s->daemon ? strerror(errno) : "the HTTP library refused");
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
    s->listen_fd = s->event_fd = s->signal_fd = -1;
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
    MHD_UNSIGNED_LONG_LONG library_ms;
    s->daemon_due_ms = -1;
    if (MHD_get_timeout(s->daemon, &library_ms) == MHD_YES)
        s->daemon_due_ms = now_ms + (library_ms < INT32_MAX ? (int64_t)library_ms : INT32_MAX);
    int64_t next = timers_next(&s->timers);
    if (next < 0 || (s->daemon_due_ms >= 0 && s->daemon_due_ms < next))
        return s->daemon_due_ms;
    return next;
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
    poller_wait(s->poller, s->run_daemon ? 0 : wait_ms(due, now));
    now = clock_mono_ms();
    timers_run(&s->timers, now);
    if (atomic_exchange(&s->kicked, false)) {
        take_results(s);
        parking_drain(s->parking, request_wake);
    }
    if (s->run_daemon || (s->daemon_due_ms >= 0 && now >= s->daemon_due_ms)) {
        s->run_daemon = false;
        MHD_run(s->daemon);
    }
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
    int fd = MHD_quiesce_daemon(s->daemon);
    if (fd >= 0)
        close(fd);
    s->listen_fd = -1;
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
    if (s->daemon) {
        abandon_all(s);
        MHD_run(s->daemon);
        deliveries_give_up(s->deliveries);
        MHD_stop_daemon(s->daemon);
    }
    workers_free(s->workers);
    settle_leftovers(s);
    deliveries_free(s->deliveries);
    parking_free(s->parking);
    certificate_free(s->certificate);
    poller_free(s->poller);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
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
