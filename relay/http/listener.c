#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/clock.h"
#include "../../common/log.h"
#include "loop.h"

enum {
    LISTEN_BACKLOG = 4096,
    ACCEPTS_A_TURN = 64, /* so that those who are there have their turns meanwhile */
    PAUSE_MS = 100,      /* where descriptors or memory run out: a connection may end by then */
};

/* ---- opening ---- */

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

static void accept_ready(void *owner, uint32_t events);

static void pause_over(void *owner)
{
    if (!listener_look(owner))
        log_error("listening_failed", LOG_STR("error", strerror(errno)));
}

bool listener_open(struct listener *l, struct http_server *s, struct buf *why)
{
    *l = (struct listener){.server = s, .watch = {.ready = accept_ready, .owner = l}};
    timer_init(&l->pause, pause_over, l);
    l->fd = listen_on(&s->options, why);
    return l->fd >= 0;
}

int listener_port(const struct listener *l)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    if (getsockname(l->fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)(void *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)(void *)&address)->sin_port);
}

/* ---- accepting ---- */

static bool has_room(const struct listener *l)
{
    return l->fd >= 0 && !l->pause.armed && l->server->connections_count < l->server->connections_limit;
}

bool listener_look(struct listener *l)
{
    const bool has = has_room(l);
    if (has == l->is_watched)
        return true;
    l->is_watched = has;
    if (has)
        return poller_add(l->server->poller, l->fd, EPOLLIN, &l->watch);
    poller_remove(l->server->poller, l->fd);
    return true;
}

/* False: there is none, for now. */
static bool accept_one(struct listener *l)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    const int fd = accept4(l->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        daemons_add(&l->server->daemons, fd, (const struct sockaddr *)&address, len);
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        log_warn("cannot_accept", LOG_STR("error", strerror(errno)));
        timer_arm(&l->server->timers, &l->pause, clock_mono_ms() + PAUSE_MS);
        return false;
    default:
        return true; /* of the one connection, which is gone (accept(2)) */
    }
}

static void accept_ready(void *owner, uint32_t events)
{
    struct listener *l = owner;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN && has_room(l) && accept_one(l); i++)
        continue;
    (void)!listener_look(l); /* at most it listens no more: that cannot fail */
}

void listener_close(struct listener *l)
{
    if (l->fd < 0)
        return;
    timer_cancel(&l->server->timers, &l->pause);
    if (l->is_watched)
        poller_remove(l->server->poller, l->fd);
    l->is_watched = false;
    close(l->fd);
    l->fd = -1;
}
