/* transfer.h: HTTP exchanges with the relay, many at once, in one thread. The only file of the bridge that
 * names libcurl, which is initialised with the first exchange. */
#ifndef BRIDGE_TRANSFER_H
#define BRIDGE_TRANSFER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../common/buf.h"

struct transfers;
struct transfer;

struct transfers *transfers_new(void);
/* Aborts what is in flight (without calling its done) and frees. */
void transfers_free(struct transfers *all);

enum transfer_fault {
    TRANSFER_ANSWERED,    /* there is a status */
    TRANSFER_MISDIRECTED, /* not sent: no such host, or a certificate that is not trusted */
    TRANSFER_NOT_SENT,    /* not sent: no connection */
    TRANSFER_BROKEN,      /* sent at least in part, and no whole answer came */
    TRANSFER_GARBLED,     /* sent, and what came back is no HTTP: nobody knows what was done */
    TRANSFER_TAKER_DONE,  /* take returned false, or give -1 */
};

/* Borrowed until done returns. */
struct transfer_result {
    enum transfer_fault fault;
    const char *reason; /* of a fault: a clause for people */
    int status;
    int retry_after_s;   /* at most TRANSFER_RETRY_AFTER_MAX_S; -1: not given */
    int64_t date_s;      /* its Date header, Unix time; -1: not given */
    const char *version; /* its X-Patchcord-Version header; NULL: not given */
    const char *body;
    size_t body_len;
};
typedef void transfer_done_fn(void *arg, const struct transfer_result *result);

enum { TRANSFER_CONNECT_MS = 5000, TRANSFER_ANSWER_MAX = 64 * 1024 * 1024 };
/* Whoever names a longer time is asked again after that; its milliseconds fit an int. */
enum { TRANSFER_RETRY_AFTER_MAX_S = 6 * 3600 };

/* Everything is borrowed for the call alone, but for body. */
struct transfer_request {
    const char *url;
    const char *token; /* for Authorization: Bearer; NULL: none */
    /* Trusted beside the system's authorities: a file of such, or "sha256//…", the key that the server has to
     * have, whoever signed its certificate. NULL: none. */
    const char *ca_file;
    const char *const *headers; /* "Name: value", NULL-ended */
    struct buf *body;           /* POST; its bytes are taken over, *body is empty afterwards. NULL: GET */
    int64_t timeout_ms;         /* whole exchange; for a stream: the longest silence */
    /* A stream: gets the bytes of a 200's body as they come, false ends the exchange. NULL: the body is
     * collected. */
    bool (*take)(void *arg, const char *bytes, size_t len);
    /* PUT of give_size bytes: puts some of those from offset at on into a room of that size and returns how
     * many; -1 ends the exchange. May have to begin again at 0. The time is that of a stream. NULL: no PUT.
     */
    ssize_t (*give)(void *arg, int64_t at, char *into, size_t room);
    int64_t give_size;
    transfer_done_fn *done; /* once, from transfers_step; never from transfer_start */
    void *arg;              /* of take, give and done */
};

struct transfer *transfer_start(struct transfers *all, const struct transfer_request *request);
/* Ends it without calling done. */
void transfer_abort(struct transfer *transfer);

/* Waits for transfers, descriptors (revents is set as poll(2) sets it) or timeout_ms (-1: for ever). An
 * interruption by a signal ends the wait. */
void transfers_poll(struct transfers *all, struct pollfd *fds, nfds_t count, int timeout_ms);
/* Moves the transfers on and calls done for those that ended. done may start and abort transfers. */
void transfers_step(struct transfers *all);

#endif
