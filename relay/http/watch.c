/* watch.c: epoll. */
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/log.h"

enum { EVENTS_A_BATCH = 256 };

struct poller {
    int fd;
    struct epoll_event events[EVENTS_A_BATCH];
};

struct poller *poller_new(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0)
        return NULL;
    struct poller *p = xcalloc(1, sizeof *p);
    p->fd = fd;
    return p;
}

void poller_free(struct poller *p)
{
    if (!p)
        return;
    close(p->fd);
    free(p);
}

bool poller_add(struct poller *p, int fd, uint32_t events, struct watch *watch)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(p->fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void poller_remove(struct poller *p, int fd)
{
    epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, NULL);
}

void poller_wait(struct poller *p, int timeout_ms)
{
    int count = epoll_wait(p->fd, p->events, EVENTS_A_BATCH, timeout_ms);
    if (count < 0 && errno != EINTR) {
        log_error("epoll_failed", LOG_STR("error", strerror(errno)));
        abort();
    }
    for (int i = 0; i < count; i++) {
        struct watch *watch = p->events[i].data.ptr;
        watch->ready(watch->owner, p->events[i].events);
    }
}
