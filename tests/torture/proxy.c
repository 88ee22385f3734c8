#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../harness.h"
#include "../harness_process.h"
#include "../harness_talk.h"

enum {
    LINKS_MAX = 256,
    CHUNK = 16384,
    TURN_MS = 20,
    HANG_MS = 1500,
    DELAY_MAX_MS = 400,
    SPAN_MAX_BYTES = 30000
};

/* What becomes of a connection, in parts of a hundred; the rest goes well. */
enum ill { ILL_NONE, ILL_DELAY, ILL_TRUNCATE, ILL_RESET, ILL_HANG };
static const struct {
    enum ill ill;
    unsigned share;
} ills[] = {{ILL_DELAY, 8}, {ILL_TRUNCATE, 20}, {ILL_RESET, 20}, {ILL_HANG, 2}};

enum { SIDE_CLIENT, SIDE_RELAY, SIDES };

struct link {
    int fds[SIDES];
    struct buf waiting[SIDES]; /* to be written to that side */
    enum ill ill;
    int64_t bytes_left; /* until a truncation or reset strikes: of what the relay answers, of both */
    int64_t held_until_us;
};

struct proxy {
    pthread_t thread;
    int listener, port;
    int to_ports[PROXY_TARGETS_MAX];
    size_t targets;
    uint64_t random;
    struct link links[LINKS_MAX];
    size_t count;
    _Atomic bool healed, stopping;
    _Atomic int64_t cut_until_us;
    _Atomic int64_t connections, by_ill[ILL_HANG + 1], refused;
};

static void close_hard(int fd)
{
    const struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
}

static void link_drop(struct proxy *proxy, size_t at, bool hard)
{
    struct link *link = &proxy->links[at];
    for (int side = 0; side < SIDES; side++) {
        hard ? close_hard(link->fds[side]) : (void)close(link->fds[side]);
        buf_free(&link->waiting[side]);
    }
    *link = proxy->links[--proxy->count];
}

static enum ill choose_ill(struct proxy *proxy)
{
    uint64_t draw = chance(&proxy->random, 100);
    for (size_t i = 0; i < sizeof ills / sizeof ills[0]; i++) {
        if (draw < ills[i].share)
            return ills[i].ill;
        draw -= ills[i].share;
    }
    return ILL_NONE;
}

static void link_open(struct proxy *proxy, int client)
{
    const int port = proxy->to_ports[chance(&proxy->random, proxy->targets)];
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int relay = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (proxy->count == LINKS_MAX || now_us() < proxy->cut_until_us ||
        connect(relay, (struct sockaddr *)&to, sizeof to) != 0) {
        close(relay);
        close_hard(client);
        proxy->refused++;
        return;
    }
    struct link *link = &proxy->links[proxy->count++];
    *link = (struct link){.fds = {client, relay}, .ill = proxy->healed ? ILL_NONE : choose_ill(proxy)};
    link->bytes_left = (int64_t)chance(&proxy->random, SPAN_MAX_BYTES);
    if (link->ill == ILL_DELAY)
        link->held_until_us = now_us() + (int64_t)chance(&proxy->random, DELAY_MAX_MS) * 1000;
    if (link->ill == ILL_HANG)
        link->held_until_us = now_us() + (int64_t)HANG_MS * 1000;
    proxy->connections++;
    proxy->by_ill[link->ill]++;
}

/* False: it struck, or the connection is over. */
static bool link_count(struct link *link, int from, ssize_t *got)
{
    if (link->ill != ILL_RESET && !(link->ill == ILL_TRUNCATE && from == SIDE_RELAY))
        return true;
    if (*got >= link->bytes_left)
        *got = link->bytes_left;
    link->bytes_left -= *got;
    return link->bytes_left > 0;
}

/* Writes what waits for that side. False: it is gone. */
static bool link_write(struct link *link, int side)
{
    struct buf *waiting = &link->waiting[side];
    if (waiting->len == 0)
        return true;
    ssize_t put = send(link->fds[side], waiting->data, waiting->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put > 0)
        buf_consume(waiting, (size_t)put);
    return put > 0 || errno == EAGAIN || errno == EINTR;
}

enum turn { TURN_GOES_ON, TURN_ENDS, TURN_STRIKES };

static enum turn link_forward(struct link *link, int from)
{
    char bytes[CHUNK];
    ssize_t got = recv(link->fds[from], bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? TURN_GOES_ON : TURN_STRIKES;
    if (got == 0)
        return TURN_ENDS;
    const bool goes_on = link_count(link, from, &got);
    buf_append(&link->waiting[!from], bytes, (size_t)got);
    if (!link_write(link, !from))
        return TURN_ENDS;
    return goes_on ? TURN_GOES_ON : TURN_STRIKES;
}

static enum turn link_turn(struct link *link, const struct pollfd fds[static SIDES])
{
    for (int side = 0; side < SIDES; side++) {
        if ((fds[side].revents & POLLOUT) && !link_write(link, side))
            return TURN_ENDS;
        if (!(fds[side].revents & (POLLIN | POLLHUP | POLLERR)))
            continue;
        enum turn turn = link_forward(link, side);
        if (turn != TURN_GOES_ON)
            return turn;
    }
    return TURN_GOES_ON;
}

static void link_events(const struct link *link, struct pollfd fds[static SIDES])
{
    const bool held = now_us() < link->held_until_us;
    for (int side = 0; side < SIDES; side++) {
        short events = (short)(POLLIN | (link->waiting[side].len > 0 ? POLLOUT : 0));
        fds[side] = (struct pollfd){.fd = held ? -1 : link->fds[side], .events = events};
    }
}

static void serve_links(struct proxy *proxy, const struct pollfd *fds, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        struct link *link = &proxy->links[i];
        const bool hung = link->ill == ILL_HANG && now_us() >= link->held_until_us;
        enum turn turn =
            hung || now_us() < proxy->cut_until_us ? TURN_STRIKES : link_turn(link, fds + SIDES * i);
        if (turn != TURN_GOES_ON)
            link_drop(proxy, i, turn == TURN_STRIKES && link->ill != ILL_TRUNCATE);
    }
}

static void *proxy_run(void *arg)
{
    struct proxy *proxy = arg;
    while (!proxy->stopping) {
        struct pollfd fds[SIDES * LINKS_MAX + 1];
        const size_t count = proxy->count;
        for (size_t i = 0; i < count; i++)
            link_events(&proxy->links[i], fds + SIDES * i);
        fds[SIDES * count] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
        poll(fds, SIDES * count + 1, TURN_MS);
        serve_links(proxy, fds, count);
        for (int client; (client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
            link_open(proxy, client);
    }
    while (proxy->count > 0)
        link_drop(proxy, 0, true);
    return NULL;
}

struct proxy *proxy_start(const int *to_ports, size_t count, uint64_t seed)
{
    struct proxy *proxy = xcalloc(1, sizeof *proxy);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    memcpy(proxy->to_ports, to_ports, count * sizeof *to_ports);
    proxy->targets = count;
    proxy->random = seed * 2 + 1;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (proxy->listener < 0 || bind(proxy->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(proxy->listener, 128) != 0 ||
        getsockname(proxy->listener, (struct sockaddr *)&at, &len) != 0 ||
        pthread_create(&proxy->thread, NULL, proxy_run, proxy) != 0)
        harness_fail("the proxy does not start: %s", strerror(errno));
    proxy->port = ntohs(at.sin_port);
    return proxy;
}

int proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

void proxy_cut(struct proxy *proxy, int ms)
{
    proxy->cut_until_us = now_us() + (int64_t)ms * 1000;
}

void proxy_heal(struct proxy *proxy)
{
    proxy->cut_until_us = 0;
    proxy->healed = true;
}

void proxy_counts(struct proxy *proxy, struct proxy_counts *counts)
{
    *counts = (struct proxy_counts){.connections = proxy->connections,
        .delayed = proxy->by_ill[ILL_DELAY],
        .truncated = proxy->by_ill[ILL_TRUNCATE],
        .reset = proxy->by_ill[ILL_RESET],
        .hung = proxy->by_ill[ILL_HANG],
        .refused = proxy->refused};
}

void proxy_stop(struct proxy *proxy)
{
    proxy->stopping = true;
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    free(proxy);
}
