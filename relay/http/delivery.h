/* delivery.h: what becomes of a socket after the library is done with it: has the client's kernel taken
 * everything (SIOCOUTQ), and closing without a reset that would take the answer back.
 *
 * Both work on a duplicate of the socket, so that they outlive the connection. For the loop thread. */
#ifndef RELAY_HTTP_DELIVERY_H
#define RELAY_HTTP_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timer.h"

enum {
    LINGER_MS = 2 * 1000,           /* how long the rest of a refused request is read and thrown away */
    LINGER_BYTES = 4 * 1024 * 1024, /* and how much of it */
    LINGERING_MAX = 256,            /* sockets at a time; more are closed at once */
};

struct deliveries;
struct delivery;

struct deliveries *deliveries_new(struct timers *timers);
/* Ends all lingering; every delivery must have ended (deliveries_give_up). */
void deliveries_free(struct deliveries *d);

enum delivery_state { DELIVERY_PENDING, DELIVERY_DONE, DELIVERY_LOST };
/* Where the bytes written to a TCP socket are now. */
enum delivery_state delivery_look(int fd);
/* True where the peer closed its side or the connection broke. */
bool delivery_peer_gone(int fd);

/* Looks again and again, for at most timeout_ms, then calls done once, from the timers. The caller keeps its
 * fd. */
struct delivery *delivery_watch(
    struct deliveries *d, int fd, int64_t timeout_ms, void (*done)(void *owner, bool delivered), void *owner);
/* Looks at once; may call done. */
void delivery_hurry(struct delivery *w);
/* Ends them all as not delivered. */
void deliveries_give_up(struct deliveries *d);

/* Reads and drops what the client still sends, for a while, so that it can read its answer before the socket
 * closes. */
void delivery_linger(struct deliveries *d, int fd);

#endif
