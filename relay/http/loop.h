/* loop.h: what the files of the server share: the loop, its connections and requests. Everything here belongs
 * to the loop thread but for what says otherwise.
 *
 * Who owns what: libmicrohttpd announces a connection and its end (connection.c); a request begins with its
 * request line and ends when its answer was sent or its connection broke (connection.c), lives on until its
 * handler has returned and its settle has run (request.c), and is freed by request_release alone. */
#ifndef RELAY_HTTP_LOOP_H
#define RELAY_HTTP_LOOP_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "daemons.h"
#include "delivery.h"
#include "listener.h"
#include "parking_loop.h"
#include "server.h"
#include "target.h"
#include "timer.h"
#include "watch.h"
#include "workers.h"

struct certificate;
struct request;

/* What a client sent before it hung up is read within that. libmicrohttpd does not notice an end that came
 * together with bytes. */
enum { HANG_UP_MS = 1000 };

struct connection {
    struct http_server *server;
    struct http_daemon *daemon; /* whose it is */
    struct MHD_Connection *mhd;
    struct watch watch; /* the socket in our epoll, edge-triggered, from the connection's begin to its end */
    int fd;
    char peer[INET6_ADDRSTRLEN];
    bool peer_is_loopback;

    struct request *request; /* under way, or NULL */
    /* Answered over this connection, and their settle has not returned yet: several where a streamed body was
     * cut off before it came to a handler. */
    LIST_HEAD(, request) settling;
    struct timer timer; /* of the phase: header, body, comment of a silent stream, sending */

    int64_t idle_since_ms; /* when its last request was answered; 0: it had none */
    bool hung_up;          /* the client closed its side, or the connection broke */
    bool abandoned;        /* to be closed without (a further part of) an answer */
    bool linger;           /* if it closes now, part of a request may be unread */
    bool suspended;        /* in libmicrohttpd */
    TAILQ_ENTRY(connection) link;
};

enum phase {
    PHASE_RECEIVING, /* libmicrohttpd is at it; no handler ran */
    PHASE_TAKING,    /* of a streamed body: a worker takes what has come, nobody else touches exchange */
    PHASE_HELD,      /* complete; waits until the connection's previous request has settled */
    PHASE_WORKING,   /* a worker has it: nobody else touches exchange */
    PHASE_PARKED,
    PHASE_ANSWERED, /* the answer is there, not yet given to libmicrohttpd */
    PHASE_SENDING,  /* libmicrohttpd sends it */
    PHASE_SETTLING, /* waits for delivery, or a worker runs settle */
};

struct request {
    struct exchange ex; /* first */
    struct http_server *server;
    struct connection *connection; /* NULL once it is gone */
    enum phase phase;
    bool begun;      /* its header was complete */
    bool is_bad;     /* the target could not be read */
    bool is_refused; /* answered without a handler */
    bool is_known;   /* its caller, by the credential; only asked where there is a body */
    int64_t began_us;
    size_t body_counted; /* of server->body_bytes */
    size_t received;     /* of the body so far */
    bool is_wanted;      /* what the sink's receive returned */

    struct job job;
    enum verdict verdict; /* what the handler returned */
    STAILQ_ENTRY(request) done_link;

    struct parked parked;
    struct timer deadline; /* ex.wait.until_ms while parked */

    bool streams; /* as ex.is_stream, which is a worker's at times; never for HEAD */
    bool stream_started, stream_ended;
    bool was_left;     /* the client had gone before the (end of the) answer was on its way */
    bool arrived;      /* the client's side has all of the stream, but for the mark of its end */
    struct buf stream; /* to be sent */

    enum settlement how;
    struct connection *held_up; /* among whose settling this is, or NULL */
    LIST_ENTRY(request) settling_link;
    struct delivery *delivery; /* being confirmed */
    TAILQ_ENTRY(request) link;
};

STAILQ_HEAD(request_queue, request);
TAILQ_HEAD(request_list, request);
TAILQ_HEAD(connection_list, connection);

struct http_server {
    struct http_server_options options;
    struct http_limits limits;
    char *host, *version, *server_header, *cert_file, *key_file;
    struct http_daemons daemons;
    struct listener listener;
    struct certificate *certificate;
    struct parking *parking;
    struct workers *workers;
    struct poller *poller;
    struct timers timers;
    struct deliveries *deliveries;
    int port, event_fd, signal_fd;
    struct watch event_watch, signal_watch;
    uint64_t id_base, id_count;

    struct connection_list connections;
    unsigned connections_count, connections_limit;
    struct request_list requests; /* all that are alive */
    size_t body_bytes;

    bool stopping;
    int64_t stop_by_ms, abandon_at_ms;
    struct timer stop_timer;

    atomic_bool stop_asked, kicked;
    pthread_mutex_t done_lock;
    struct request_queue done; /* back from a worker; under done_lock */
};

/* server.c */
/* Any thread, or a signal handler: makes the loop look at done, parking and stop_asked. */
void server_kick(struct http_server *s);

/* connection.c: libmicrohttpd's callbacks, and what is handed back to it. */
void connection_notify(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code);
void *connection_target(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result connection_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_len, void **context);
void connection_completed(
    void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how);
/* The request has an answer, or more of its stream. Not from within libmicrohttpd's callbacks. */
void connection_hand_over(struct connection *c);
/* Gives the client until then, by its size, to take what is sent. */
void connection_limit_sending(struct connection *c, size_t len);
/* Ends the connection, whatever its request is doing. As above. */
void connection_abandon(struct connection *c);

/* A worker took what had come of the body: the rest is to come. */
void connection_receive_on(struct connection *c);
/* A worker has answered before the body was complete: the answer goes out, and the connection ends. */
void connection_cut_off(struct connection *c);

/* request.c: the life of a request between its last byte and its settlement. */
struct request *request_new(struct connection *c, const char *target);
/* Sends it to a worker, after the connection's previous request has settled. */
void request_dispatch(struct request *r);
/* Hands what has come of the body to a worker. */
void request_take_body(struct request *r);
/* A worker is done with it. */
void request_returned(struct request *r);
/* The connection saw the client go, while the request may be parked. */
void request_client_gone(struct request *r);
/* The relay ends: what is parked runs once more. */
void request_shutdown(struct request *r);
/* The answer was sent whole (or not); the connection is to be forgotten. */
void request_sent(struct request *r, bool complete);
/* News for a parked request (of parking_drain). */
void request_wake(void *owner);
/* A comment line for a stream that is silent. */
void request_keepalive(struct request *r);
/* Tells options.answered. */
void request_announce(struct request *r);
void request_release(struct request *r);

#endif
