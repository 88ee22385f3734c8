/* relay_reply.h: what came of a tool call at the relay, sorted for those who act on it. */
#ifndef BRIDGE_RELAY_REPLY_H
#define BRIDGE_RELAY_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/json.h"
#include "../common/uuid.h"

enum relay_outcome {
    RELAY_DONE,          /* the tool answered: result (whose isError may be true) */
    RELAY_RPC_ERROR,     /* a JSON-RPC error: rpc_code, rpc_message */
    RELAY_TOKEN_REFUSED, /* 401 or 403 */
    RELAY_UNREACHABLE,   /* nothing was carried out: no connection, 429, 503 */
    RELAY_UNCERTAIN,     /* the connection broke, or a proxy gave up: it may have been carried out */
    RELAY_REJECTED,      /* any other answer: not carried out */
    RELAY_STOPPED,       /* the caller gave it up */
};

struct relay_offer {
    char lease[UUID_SIZE];  /* "" where nothing was offered */
    char (*ids)[UUID_SIZE]; /* owned */
    size_t count;
    bool timed_out;
};

struct relay_reply {
    enum relay_outcome outcome;
    struct json_object *result; /* DONE: owned; our own _meta is taken out; modern era */
    struct relay_offer offer;   /* DONE: what result shows, to be acknowledged */
    int rpc_code;               /* RPC_ERROR */
    char *problem;              /* all but DONE: one line for people and models; owned */
    char *reason;               /* UNREACHABLE, UNCERTAIN: the problem without its advice, or NULL; owned */
    char message_id[UUID_SIZE]; /* of a send or reply: the id that it was tried under; "" for other tools */
    int http_status;            /* 0: no answer */
    int retry_after_s;          /* from Retry-After; -1: not given */
};

void relay_reply_free(struct relay_reply *reply);
/* The result's first text; "" where there is none. Borrowed. */
const char *relay_reply_text(const struct relay_reply *reply);
bool relay_reply_is_error(const struct relay_reply *reply);

/* Sorts an HTTP answer to a tool call. url is the relay's, for the problem's text. Pure; fills in *reply. */
void relay_reply_read(int http_status, int retry_after_s, const char *body, size_t len, const char *url,
    struct relay_reply *reply);

#endif
