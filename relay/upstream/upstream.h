/* upstream.h: calls to a server that the operator named in the settings: a database's HTTP interface, an
 * object store. Connections are kept and used again, everything is bounded in time and size, and what is safe
 * to repeat is repeated. Over libcurl; any thread.
 *
 * Nothing here is for URLs that clients give: those are relay/fetch's. */
#ifndef RELAY_UPSTREAM_UPSTREAM_H
#define RELAY_UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

enum {
    UPSTREAM_CONNECT_MS = 5000,    /* for a connection, TLS included */
    UPSTREAM_TRIES_MAX = 4,        /* of a call that may be repeated */
    UPSTREAM_PAUSE_FIRST_MS = 100, /* before the second try, doubling from then on, with jitter */
    UPSTREAM_HEADERS_MAX = 64 * 1024,
};

struct upstream;

struct upstream_options {
    const char *ca_file; /* PEM: authorities that are trusted beside the system's; NULL: none */
    size_t connections;  /* calls under way at the same time; further ones wait for their turn */
};
/* NULL: why has one line. */
struct upstream *upstream_new(const struct upstream_options *options, struct buf *why);
/* No call may be under way. NULL is fine. */
void upstream_free(struct upstream *upstream);

/* The process is to end: what is under way gets UPSTREAM_STOP_MS more, and is broken off then. From any thread. */
enum { UPSTREAM_STOP_MS = 4000 };
void upstream_stop(struct upstream *upstream);

struct upstream_call {
    const char *method, *url;
    const char *const *headers; /* NULL-ended "Name: value"; borrowed */
    const void *body;           /* NULL: none, or body_fd's */
    size_t body_len;
    bool has_file; /* the body is body_len bytes of body_fd, from its beginning */
    int body_fd;
    bool is_repeatable; /* twice does no more than once: tried again when its outcome is unknown, or 429, 502,
                           503, 504; another only where no byte of it was sent */
    int64_t timeout_ms; /* for all tries together */
    size_t answer_max;  /* bytes of the answer's body (of one that is taken: any) */
    /* Gets the body of a 200 or 206 in place of answer->body; false ends the call. */
    bool (*take)(void *arg, const void *bytes, size_t len);
    /* Told before each try after the first that takes: what came before is void. */
    void (*restart)(void *arg);
    void *arg;
};

enum upstream_outcome {
    UPSTREAM_ANSWERED,  /* status, headers and the whole body are there */
    UPSTREAM_NOT_SENT,  /* no connection: certainly not done */
    UPSTREAM_BROKEN,    /* the connection broke: perhaps done */
    UPSTREAM_SLOW,      /* out of time: perhaps done */
    UPSTREAM_TOO_LARGE, /* its answer is over the limit: perhaps done */
    UPSTREAM_NOT_TAKEN, /* take returned false */
};

struct upstream_answer {
    enum upstream_outcome outcome;
    int status;
    struct buf headers; /* upstream_header reads them */
    struct buf body;
    int tries;
    char reason[160]; /* one clause for the log, without the URL: "Connection refused" */
};

/* *answer is filled in whatever it returns (which is answer->outcome), and freed by upstream_answer_free. */
enum upstream_outcome upstream_call(
    struct upstream *upstream, const struct upstream_call *call, struct upstream_answer *answer);
void upstream_answer_free(struct upstream_answer *answer);
/* The header's value (name in lower case); NULL where there is none. Borrowed from the answer. */
const char *upstream_header(const struct upstream_answer *answer, const char *name);
/* Seconds from a Retry-After in that form (RFC 9110 section 10.2.3); -1: none, or a date. */
int64_t upstream_retry_after(const struct upstream_answer *answer);

#endif
