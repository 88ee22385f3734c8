/* daemons.h: libmicrohttpd's daemons, which have the connections. Whenever one takes up a suspended connection, it walks
 * through all that it has: so there are several, each with its part, in the one loop. For the loop thread. */
#ifndef RELAY_HTTP_DAEMONS_H
#define RELAY_HTTP_DAEMONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../../common/compiler.h"
#include "watch.h"

enum { HTTP_DAEMONS = 16 };

struct http_server;
struct MHD_Daemon;

struct http_daemon {
    struct http_server *server;
    struct MHD_Daemon *library;
    struct watch watch; /* its epoll */
    bool has_work;
    int64_t due_ms; /* when it has work by itself; -1: never */
};

struct http_daemons {
    struct http_daemon list[HTTP_DAEMONS];
    size_t count, next; /* who gets the next connection */
};

/* False: the library refused, or errno says why. */
MUST_CHECK bool daemons_start(struct http_daemons *all, struct http_server *s);
/* Hands an accepted socket over, whatever comes of it. */
void daemons_add(struct http_daemons *all, int fd, const struct sockaddr *address, socklen_t len);
/* When the first of them has something to do (monotonic): now_ms for at once, -1 for never. */
int64_t daemons_due(struct http_daemons *all, int64_t now_ms);
/* Those that have. */
void daemons_run(struct http_daemons *all, int64_t now_ms);
/* Whether they have or not. */
void daemons_run_all(struct http_daemons *all);
/* No connection is suspended. */
void daemons_stop(struct http_daemons *all);

#endif
