/* exchange.h: one HTTP request and its answer, as handlers see them. No handler sees libmicrohttpd or a
 * socket.
 *
 * A handler runs on a worker thread, straight through, and may block. It returns VERDICT_DONE with the answer
 * filled in, or VERDICT_WAIT with wait filled in: then the exchange holds no thread, and the same handler
 * runs again, with wake telling why. State that must survive goes into state, freed in settle. */
#ifndef RELAY_HTTP_EXCHANGE_H
#define RELAY_HTTP_EXCHANGE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

enum verdict { VERDICT_DONE, VERDICT_WAIT };

enum wake {
    WAKE_START,    /* the first run */
    WAKE_NOTIFIED, /* a key was notified */
    WAKE_DEADLINE, /* wait.until_ms has come */
    WAKE_SHUTDOWN, /* the relay is ending: answer now; VERDICT_WAIT is not honoured */
};

/* How an exchange ended, for the one call of settle. */
enum settlement {
    SETTLED_DELIVERED, /* the whole answer left the socket's queue: the client's kernel has it */
    SETTLED_LOST,      /* the client went first, or the answer was not sent completely */
};

struct http_field {
    char *name, *value;
};

/* Bytes of a file that are sent as they are. */
struct file_answer {
    bool is_set;
    int fd; /* owned */
    int64_t at, len;
};

/* Where and until when an exchange waits. */
struct wait {
    char *keys;       /* of parking.h; owned by the exchange (set with exchange_wait) */
    uint64_t ticket;  /* taken before the handler looked */
    int64_t until_ms; /* clock_mono_ms of WAKE_DEADLINE */
    /* One notification wakes the oldest exclusive exchange of its key, and all that are not. */
    bool exclusive;
};

struct exchange {
    /* the request */
    void *app;                  /* what http_server_options.app is */
    char id[17];                /* for logs and X-Request-Id */
    char *method, *path;        /* path is percent-decoded, without the query */
    struct http_field *headers; /* none any more once it was parked */
    size_t headers_count;
    struct http_field *query; /* decoded */
    size_t query_count;
    struct buf body;
    int64_t body_announced;      /* bytes of the body, 0 for none; -1 where it comes without a length */
    char peer[INET6_ADDRSTRLEN]; /* the connection's other end */
    bool peer_is_loopback;
    const struct route *route;
    int64_t began_ms; /* monotonic */

    /* the answer */
    int status;               /* 0 until a handler set one */
    const char *content_type; /* static text; NULL with an empty body */
    struct http_field *answer_headers;
    size_t answer_headers_count;
    struct buf answer;
    struct file_answer file; /* in place of answer; see exchange_answer_file */

    /* waiting */
    enum wake wake;
    struct wait wait;
    bool is_stream; /* set by exchange_stream */

    /* the handler's own */
    void *state;
    /* On a worker, exactly once, when the exchange is over: frees state. NULL: nothing to do. */
    void (*settle)(struct exchange *ex, enum settlement how);
    bool confirm_delivery; /* settle waits until the socket's queue is empty or the client is gone */
};

typedef enum verdict handler_fn(struct exchange *ex);

/* For bodies that are not gathered in memory. */
struct body_sink {
    /* On the loop's thread, when the header is complete, so it must not block: whether the body is wanted.
     * False: it has answered. */
    bool (*admit)(struct exchange *ex);
    /* On a worker, each time some of the body is in ex->body (what comes last is left to the route's
     * handler). False: it has answered, the rest is not wanted, and the connection closes. Where the body
     * breaks off, settle is called if one was set. */
    bool (*receive)(struct exchange *ex);
};

struct route {
    const char *method; /* NULL: any */
    const char *path;   /* ends in '/' + '*': every path below */
    const char *name;   /* its label in metrics */
    size_t max_body;    /* bytes; a longer body is 413 before the handler runs */
    handler_fn *handle;
    const struct body_sink *sink; /* NULL: the body is gathered, up to max_body (which does not count here) */
};

/* A header's value (names ignore case), or NULL. Borrowed. */
const char *exchange_header(const struct exchange *ex, const char *name);
/* A query parameter's decoded value, or NULL. Borrowed. */
const char *exchange_query(const struct exchange *ex, const char *name);

/* Adds a header to the answer (copied). Value must hold no control characters: such a header is dropped. */
void exchange_add_header(struct exchange *ex, const char *name, const char *value);
/* Fills in status and a body (copied). */
void exchange_answer(struct exchange *ex, int status, const char *content_type, const char *body, size_t len);
/* Fills in status and, as the body, len bytes of a file from at on. Takes the descriptor over. */
void exchange_answer_file(struct exchange *ex, int status, int fd, int64_t at, int64_t len);
/* {"error": code, "message": text}; message may be NULL. */
void exchange_error(struct exchange *ex, int status, const char *code, const char *message);

/* Fills in wait; returns VERDICT_WAIT. */
enum verdict exchange_wait(
    struct exchange *ex, const char *keys, uint64_t ticket, int64_t until_mono_ms, bool exclusive);

/* Turns the answer into an event stream (status 200, text/event-stream, X-Accel-Buffering: no, Cache-Control:
 * no-store). From then on what the handler appends to ex->answer is sent each time it returns, VERDICT_DONE
 * ends the stream, and the server sends a comment line every STREAM_KEEPALIVE_MS by itself. A client that
 * does not read for long is cut off once STREAM_QUEUE_MAX bytes wait. */
void exchange_stream(struct exchange *ex);
enum { STREAM_KEEPALIVE_MS = 15 * 1000, STREAM_QUEUE_MAX = 1024 * 1024 };

#endif
