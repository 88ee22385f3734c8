#include "daemons.h"

#include <string.h>
#include <sys/epoll.h>

#include "certificate.h"
#include "loop.h"

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static void daemon_ready(void *owner, uint32_t events)
{
    struct http_daemon *d = owner;
    (void)events;
    d->has_work = true;
}

/* Escapes are decoded by target.c, which refuses what is malformed. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls, (void)mhd;
    return strlen(text);
}

static struct MHD_Daemon *start(struct http_daemon *d)
{
    const struct http_server *s = d->server;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(intptr_t)certificate_retrieve},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    if (s->certificate)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon(flags, 0, NULL, NULL, connection_handle, d, MHD_OPTION_NOTIFY_CONNECTION,
        connection_notify, d, MHD_OPTION_NOTIFY_COMPLETED, connection_completed, d,
        MHD_OPTION_URI_LOG_CALLBACK, connection_target, d, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_CONNECTION_LIMIT, s->connections_limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_CONNECTION_MEMORY, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        s->options.connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT, s->limits.idle_timeout_s,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, s->certificate ? tls : plain, MHD_OPTION_END);
}

static bool watch(struct http_daemon *d)
{
    d->watch = (struct watch){.ready = daemon_ready, .owner = d};
    const int fd = MHD_get_daemon_info(d->library, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return poller_add(d->server->poller, fd, EPOLLIN, &d->watch);
}

bool daemons_start(struct http_daemons *all, struct http_server *s)
{
    /* The library counts an address' connections in each by itself. */
    const size_t count = s->options.connections_per_address > 0 ? 1 : HTTP_DAEMONS;
    for (all->count = 0; all->count < count; all->count++) {
        struct http_daemon *d = &all->list[all->count];
        *d = (struct http_daemon){.server = s, .due_ms = -1};
        d->library = start(d);
        if (!d->library)
            return false;
        if (!watch(d)) {
            all->count++; /* to be stopped, too */
            return false;
        }
    }
    return true;
}

void daemons_add(struct http_daemons *all, int fd, const struct sockaddr *address, socklen_t len)
{
    struct http_daemon *d = &all->list[all->next++ % all->count];
    /* It closes what it does not take. */
    if (MHD_add_connection(d->library, fd, address, len) == MHD_YES)
        d->has_work = true;
}

static int64_t due(struct http_daemon *d, int64_t now_ms)
{
    MHD_UNSIGNED_LONG_LONG left_ms;
    d->due_ms = -1;
    if (MHD_get_timeout(d->library, &left_ms) == MHD_YES)
        d->due_ms = now_ms + (left_ms < INT32_MAX ? (int64_t)left_ms : INT32_MAX);
    return d->has_work ? now_ms : d->due_ms;
}

int64_t daemons_due(struct http_daemons *all, int64_t now_ms)
{
    int64_t first = -1;
    for (size_t i = 0; i < all->count; i++) {
        const int64_t at_ms = due(&all->list[i], now_ms);
        if (at_ms >= 0 && (first < 0 || at_ms < first))
            first = at_ms;
    }
    return first;
}

static void run(struct http_daemon *d)
{
    d->has_work = false;
    MHD_run(d->library);
}

void daemons_run(struct http_daemons *all, int64_t now_ms)
{
    for (size_t i = 0; i < all->count; i++) {
        struct http_daemon *d = &all->list[i];
        if (d->has_work || (d->due_ms >= 0 && now_ms >= d->due_ms))
            run(d);
    }
}

void daemons_run_all(struct http_daemons *all)
{
    for (size_t i = 0; i < all->count; i++)
        run(&all->list[i]);
}

void daemons_stop(struct http_daemons *all)
{
    for (size_t i = 0; i < all->count; i++)
        MHD_stop_daemon(all->list[i].library);
    all->count = 0;
}
