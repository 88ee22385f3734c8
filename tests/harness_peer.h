/* harness_peer.h: a scripted HTTP peer in the place of a relay, for what a real one does not do on demand:
 * refusing, breaking off, staying silent. Threads of the test's own process; ended with it. */
#ifndef TESTS_HARNESS_PEER_H
#define TESTS_HARNESS_PEER_H

#include "harness.h"

struct peer_request {
    int number;    /* among the requests for its path, from 1 */
    char *path;    /* "/mcp/bearer" */
    char *headers; /* request line and headers as sent */
    struct json_object *body;
    bool broken_off; /* the client hung up before it was answered */
};

struct peer_answer {
    int status;          /* 0: break the connection off */
    const char *headers; /* more, each ending in "\r\n"; NULL: none */
    char *body;          /* freed by the peer; NULL: empty */
    bool silent;         /* says nothing until the client hangs up, or peer_let_go */
    bool no_http;        /* answers as a program of another protocol does */
};

/* Fills in *answer (zeroed, status 200). Called from the peer's threads, one at a time. */
typedef void peer_script_fn(const struct peer_request *request, struct peer_answer *answer);

struct peer;
struct peer *peer_start(peer_script_fn *script);
/* To start bridges against; the url is the peer's. Borrowed. */
const struct relay_process *peer_relay(const struct peer *peer);
/* How many requests for the path came. */
int peer_count(struct peer *peer, const char *path);
/* Polls until that many came; fails the test after 20 s. */
void peer_await(struct peer *peer, const char *path, int count);
/* Number of the path's requests (from 1); fails the test where there is none. Borrowed. */
const struct peer_request *peer_request(struct peer *peer, const char *path, int number);
/* Polls until that request's client has hung up; fails the test after 20 s. */
void peer_await_broken_off(struct peer *peer, const char *path, int number);
/* Between the two the script is not run: for changing what it reads. */
void peer_script_hold(struct peer *peer);
void peer_script_resume(struct peer *peer);
/* Silent requests are answered now, as scripted. */
void peer_let_go(struct peer *peer);

/* Bodies of answers to tool calls; the caller passes them to the peer. */
char *peer_result(const char *text);
char *peer_offer(const char *text, const char *lease, const char *message_id);
char *peer_timed_out(const char *text);

#endif
