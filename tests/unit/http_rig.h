/* http_rig.h: a server of test routes in this process, and sockets to talk to it. */
#ifndef TESTS_UNIT_HTTP_RIG_H
#define TESTS_UNIT_HTTP_RIG_H

#include <pthread.h>
#include <stdatomic.h>

#include "../../common/buf.h"
#include "../../relay/http/server.h"

/* The limits that the server has here. */
enum {
    RIG_HEADER_MS = 1000,
    RIG_BODY_MS = 1500,
    RIG_DRAIN_MS = 1500,
    RIG_KEEPALIVE_MS = 500,
    RIG_IDLE_S = 4,
    RIG_CONNECTIONS = 300,
    RIG_BODIES_BYTES = 8 * 1024 * 1024,
};

struct rig {
    struct http_server *server;
    pthread_t thread;
    int64_t grace_ms;
    atomic_int delivered, lost, runs, answered, reloaded;
    atomic_int last_status;
};
extern struct rig rig;

/* Starts the server; cert and key NULL: plain HTTP. */
void rig_start(const char *cert_file, const char *key_file);
/* Ends it; returns how long the loop took to end, in milliseconds. */
int64_t rig_stop(void);

/* A connection to the server, with a read time-out of 10 s. */
int rig_connect(void);
/* The same from 127.0.0.<host>. */
int rig_connect_from(unsigned host);
void rig_send(int fd, const char *text);
/* Reads one answer with a Content-Length (or without a body); returns its status, 0 where the connection
 * ended first. */
int rig_answer(int fd, struct buf *head, struct buf *body);
/* Reads until the end of the connection, or until text was seen. False: the end came first. */
bool rig_read_until(int fd, const char *text, struct buf *got);
/* Sends bytes over a connection of its own, and reads all until the end. The status, or 0. */
int rig_once(const char *bytes, size_t len, struct buf *answer);
/* Of the bytes that came before (0 at the start) and these: what PUT /sink answers behind their number. */
uint64_t rig_fingerprint(uint64_t before, const char *bytes, size_t len);
/* Until *counter is at least wanted; false after timeout_ms. */
bool rig_reaches(atomic_int *counter, int wanted, int timeout_ms);
bool rig_parked(size_t wanted, int timeout_ms);

#endif
