/* host_watch.h: what the bridge knows of the host, the agent's program that spawned it: whether it still
 * lives, and how much of what we wrote it has not read. Everything that only Linux can do is here, each with
 * its portable variant. */
#ifndef BRIDGE_HOST_WATCH_H
#define BRIDGE_HOST_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct host_watch {
    pid_t parent;
    int fd;          /* readable when the host is gone (pidfd); -1: look at host_watch_gone now and then */
    int interval_ms; /* how often; -1: never */
};

enum host_watch_way { HOST_WATCH_BEST, HOST_WATCH_PORTABLE };

/* Starts watching our parent. */
void host_watch_start(struct host_watch *watch, enum host_watch_way way);
void host_watch_end(struct host_watch *watch);
/* True once the parent has ended. */
bool host_watch_gone(const struct host_watch *watch);

/* Bytes that were written to fd (a pipe or a socket) and not read at the other end. For a socket the number
 * only tells zero from more. 0 where the system cannot tell, and for files. */
size_t host_unread(int fd);

#endif
