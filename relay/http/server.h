/* server.h: the HTTP server: one loop thread around libmicrohttpd, a pool of workers, parked exchanges.
 *
 * The one place that names libmicrohttpd is server.c and its neighbours in this folder. */
#ifndef RELAY_HTTP_SERVER_H
#define RELAY_HTTP_SERVER_H

#include "exchange.h"
#include "parking.h"

enum {
    /* From the connection's (or the request's) first byte to the end of its header. */
    HTTP_HEADER_TIMEOUT_MS = 10 * 1000,
    /* From the request line to the end of its body, longer by a second for each 16 KB received. */
    HTTP_BODY_TIMEOUT_MS = 14 * 1000,
    HTTP_IDLE_TIMEOUT_S = 75,           /* keep-alive */
    HTTP_CONNECTION_MEMORY = 16 * 1024, /* header block included: a longer one is 431 */
    HTTP_CONNECTIONS_MAX = 20000,
    HTTP_BODIES_MAX = 256 * 1024 * 1024, /* all bodies in memory together; beyond that 503 */
    HTTP_BODIES_SHARE = 4,               /* of strangers an address has at most a quarter of them, */
    HTTP_BODIES_STRANGERS = 2,           /* and all strangers together half */
    HTTP_DRAIN_MS = 10 * 1000,           /* how long a confirmed delivery may take */
};

/* The same as values, for tests that cannot wait that long. */
struct http_limits {
    int64_t header_timeout_ms, body_timeout_ms, drain_ms, stream_keepalive_ms;
    unsigned idle_timeout_s, connections_max;
    size_t bodies_max;
};

struct http_server_options {
    const char *host;                         /* numeric address */
    int port;                                 /* 0: any free one */
    const char *tls_cert_file, *tls_key_file; /* both or none */
    size_t workers;
    unsigned connections_per_address; /* further ones are closed; 0: as many as there may be of all */
    const struct route *routes;       /* ended by a NULL handle */
    void *app;                        /* for exchanges */
    const struct http_limits *limits; /* NULL: the constants above */
    const char *version; /* "1.0.0": sent as X-Patchcord-Version, and behind "patchcord/" as Server */
    /* Called on the loop thread when an exchange has its answer (also those that never reached a handler:
     * route may be NULL): metrics and access log. */
    void (*answered)(void *app, const struct exchange *ex, int64_t micros);
    /* Whether the caller of a request, of which the header is there, is known by its credential: bodies of
     * those who are not have less room. On the loop thread, so it must not block. NULL: nobody is. */
    bool (*knows)(void *app, const struct exchange *ex);
    /* Called on the loop thread for SIGHUP, after the certificate was read again. */
    void (*reload)(void *app);
    /* Called on the loop thread when serving ends: handlers at work are to come to their end. May be NULL. */
    void (*stopping)(void *app);
};

struct http_server;

/* Binds and prepares; nothing is served yet. NULL: why has one line. */
struct http_server *http_server_new(const struct http_server_options *options, struct buf *why);
/* The port it is bound to. */
int http_server_port(const struct http_server *s);
struct parking *http_server_parking(struct http_server *s);
/* Serves on the calling thread until SIGTERM, SIGINT or http_server_stop; then: no new connections, every
 * parked exchange gets WAKE_SHUTDOWN, work in flight ends; returns within grace_ms. The signals must be
 * blocked in all threads before any is started (http_server_new does so for the calling one). */
void http_server_run(struct http_server *s, int64_t grace_ms);
/* Makes http_server_run return; any thread, or a signal handler. */
void http_server_stop(struct http_server *s);
void http_server_free(struct http_server *s);

#endif
