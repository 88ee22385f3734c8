/* delivery.c: confirming deliveries, and closing politely. */
#include "delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bsd/sys/queue.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"

enum { FIRST_LOOK_MS = 1, LOOKS_APART_MAX_MS = 250, LINGER_LOOKS_APART_MS = 20 };

struct delivery {
    struct deliveries *all;
    int fd;
    int64_t until_ms, apart_ms;
    struct timer timer;
    void (*done)(void *owner, bool delivered);
    void *owner;
    LIST_ENTRY(delivery) link;
};

struct lingering {
    struct deliveries *all;
    int fd;
    int64_t until_ms;
    size_t dropped;
    struct timer timer;
    LIST_ENTRY(lingering) link;
};

struct deliveries {
    struct timers *timers;
    LIST_HEAD(, delivery) watched;
    LIST_HEAD(, lingering) lingering;
    size_t lingering_count;
};

struct deliveries *deliveries_new(struct timers *timers)
{
    struct deliveries *d = xcalloc(1, sizeof *d);
    d->timers = timers;
    LIST_INIT(&d->watched);
    LIST_INIT(&d->lingering);
    return d;
}

static int duplicate(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

enum delivery_state delivery_look(int fd)
{
    int error = 0, unacknowledged = 0;
    socklen_t error_len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0 || error != 0)
        return DELIVERY_LOST;
    if (ioctl(fd, SIOCOUTQ, &unacknowledged) != 0)
        return DELIVERY_LOST;
    if (unacknowledged == 0)
        return DELIVERY_DONE;
    /* After a reset that somebody else has read off the socket the queue keeps its length. */
    struct tcp_info info = {0};
    socklen_t info_len = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_len) != 0 || info.tcpi_state == TCP_CLOSE)
        return DELIVERY_LOST;
    return DELIVERY_PENDING;
}

bool delivery_peer_gone(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLERR | POLLHUP | POLLNVAL)) != 0;
}

static void delivery_finish(struct delivery *w, bool delivered)
{
    void (*done)(void *, bool) = w->done;
    void *owner = w->owner;
    timer_cancel(w->all->timers, &w->timer);
    LIST_REMOVE(w, link);
    close(w->fd);
    free(w);
    done(owner, delivered);
}

static void delivery_again(void *owner)
{
    struct delivery *w = owner;
    int64_t now = clock_mono_ms();
    enum delivery_state state = delivery_look(w->fd);
    if (state == DELIVERY_PENDING && now < w->until_ms) {
        w->apart_ms = w->apart_ms * 2 < LOOKS_APART_MAX_MS ? w->apart_ms * 2 : LOOKS_APART_MAX_MS;
        timer_arm(w->all->timers, &w->timer, now + w->apart_ms);
        return;
    }
    delivery_finish(w, state == DELIVERY_DONE);
}

struct delivery *delivery_watch(
    struct deliveries *d, int fd, int64_t timeout_ms, void (*done)(void *owner, bool delivered), void *owner)
{
    struct delivery *w = xcalloc(1, sizeof *w);
    *w = (struct delivery){.all = d, .fd = duplicate(fd), .done = done, .owner = owner};
    w->until_ms = clock_mono_ms() + timeout_ms;
    w->apart_ms = FIRST_LOOK_MS;
    LIST_INSERT_HEAD(&d->watched, w, link);
    timer_init(&w->timer, delivery_again, w);
    timer_arm(d->timers, &w->timer, clock_mono_ms() + w->apart_ms);
    return w;
}

void delivery_hurry(struct delivery *w)
{
    delivery_again(w);
}

void deliveries_give_up(struct deliveries *d)
{
    struct delivery *w;
    while ((w = LIST_FIRST(&d->watched)) != NULL)
        delivery_finish(w, false);
}

static void linger_end(struct lingering *l)
{
    timer_cancel(l->all->timers, &l->timer);
    LIST_REMOVE(l, link);
    l->all->lingering_count--;
    close(l->fd);
    free(l);
}

/* True while more may come. */
static bool linger_read(struct lingering *l)
{
    char dropped[16 * 1024];
    ssize_t got;
    while ((got = recv(l->fd, dropped, sizeof dropped, MSG_DONTWAIT)) > 0) {
        l->dropped += (size_t)got;
        if (l->dropped > LINGER_BYTES)
            return false;
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

static void linger_again(void *owner)
{
    struct lingering *l = owner;
    int64_t now = clock_mono_ms();
    if (!linger_read(l) || now >= l->until_ms)
        linger_end(l);
    else
        timer_arm(l->all->timers, &l->timer, now + LINGER_LOOKS_APART_MS);
}

void delivery_linger(struct deliveries *d, int fd)
{
    if (d->lingering_count >= LINGERING_MAX)
        return;
    int copy = duplicate(fd);
    if (copy < 0)
        return;
    shutdown(copy, SHUT_WR);
    struct lingering *l = xcalloc(1, sizeof *l);
    *l = (struct lingering){.all = d, .fd = copy, .until_ms = clock_mono_ms() + LINGER_MS};
    timer_init(&l->timer, linger_again, l);
    LIST_INSERT_HEAD(&d->lingering, l, link);
    d->lingering_count++;
    linger_again(l);
}

void deliveries_free(struct deliveries *d)
{
    if (!d)
        return;
    struct lingering *l;
    while ((l = LIST_FIRST(&d->lingering)) != NULL)
        linger_end(l);
    free(d);
}
