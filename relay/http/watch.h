/* watch.h: descriptors that the loop waits for. */
#ifndef RELAY_HTTP_WATCH_H
#define RELAY_HTTP_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/compiler.h"

/* Lives inside what owns the descriptor. ready must not free other watches: they may be in the same batch. */
struct watch {
    void (*ready)(void *owner, uint32_t events); /* EPOLL* */
    void *owner;
};

struct poller;

/* NULL: errno says why. */
struct poller *poller_new(void);
void poller_free(struct poller *p);
MUST_CHECK bool poller_add(struct poller *p, int fd, uint32_t events, struct watch *watch);
void poller_remove(struct poller *p, int fd);
/* Waits at most timeout_ms (-1: for ever) and calls ready for what came. */
void poller_wait(struct poller *p, int timeout_ms);

#endif
