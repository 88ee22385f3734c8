/* listener.h: the socket that clients connect to, and who gets their connections (daemons.h). For the loop thread. */
#ifndef RELAY_HTTP_LISTENER_H
#define RELAY_HTTP_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "timer.h"
#include "watch.h"

struct http_server;

struct listener {
    struct http_server *server;
    int fd; /* -1: closed */
    struct watch watch;
    bool is_watched;
    struct timer pause; /* until then no descriptor is to be had */
};

/* Opens the socket that the server's options name, and listens. False: why has one line. */
MUST_CHECK bool listener_open(struct listener *l, struct http_server *s, struct buf *why);
/* Its port; 0: unknown. */
int listener_port(const struct listener *l);
/* Once the loop's poller is there, and whenever a connection ended: whether there is room for another one. False: errno
 * says why. */
bool listener_look(struct listener *l);
/* Clients that connect are refused from now on. Closes once. */
void listener_close(struct listener *l);

#endif
