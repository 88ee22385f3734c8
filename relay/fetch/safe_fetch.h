/* safe_fetch.h: fetching what somebody else named, without being led to what only the relay can reach.
 *
 * https with a valid certificate alone; every connection goes to a public address (address_class.h), decided
 * at the socket, so that no DNS answer matters; no proxy, cookies, netrc or credentials; redirects are
 * followed one at a time, each by the same rules; nothing is decompressed; size and time are bounded while
 * the content comes in. Knows nothing about what the content is for. */
#ifndef RELAY_FETCH_SAFE_FETCH_H
#define RELAY_FETCH_SAFE_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

enum {
    SAFE_FETCH_REDIRECTS_MAX = 5,
    SAFE_FETCH_HEADERS_MAX = 64 * 1024, /* bytes of all headers of one answer */
    SAFE_FETCH_CONNECT_MS = 10 * 1000,  /* name, connection and TLS */
    SAFE_FETCH_SLOWEST_BYTES = 1024,    /* a second, over the next: slower ends the fetch */
    SAFE_FETCH_SLOW_S = 10,
};

/* What all fetches share. */
struct safe_fetcher;
/* ca_file: PEM certificates of authorities that are trusted beside the system's; NULL: none. NULL: why has
 * one line. */
struct safe_fetcher *safe_fetcher_new(const char *ca_file, struct buf *why);
/* Every fetch under way ends within a second or so, later ones at once: SAFE_FETCH_STOPPED. Any thread. */
void safe_fetcher_stop(struct safe_fetcher *fetcher);
/* Every fetch must have returned. NULL is fine. */
void safe_fetcher_free(struct safe_fetcher *fetcher);

enum safe_fetch_status {
    SAFE_FETCH_DONE,
    SAFE_FETCH_BAD_URL,     /* the URL that was given, or one that an answer redirected to */
    SAFE_FETCH_NOT_PUBLIC,  /* the host has no public address, and perhaps others */
    SAFE_FETCH_UNREACHABLE, /* no such host, or no connection */
    SAFE_FETCH_UNTRUSTED,   /* no TLS, or no certificate that is valid for the host */
    SAFE_FETCH_BAD_STATUS,  /* an answer other than 200 */
    SAFE_FETCH_REDIRECTS,   /* more than SAFE_FETCH_REDIRECTS_MAX, or any where none is wanted */
    SAFE_FETCH_TOO_LARGE,
    SAFE_FETCH_TOO_SLOW,
    SAFE_FETCH_BROKEN,    /* cut off, malformed, or compressed unasked */
    SAFE_FETCH_STOPPED,   /* safe_fetcher_stop */
    SAFE_FETCH_ABANDONED, /* begin or take said so */
};

/* What a good answer says about itself; borrowed during the call. */
struct safe_fetch_head {
    const char *url;           /* after redirects */
    const char *type;          /* Content-Type as it came; NULL: none */
    const char *cache_control; /* the same */
    int64_t length;            /* announced bytes; -1: not told */
};

struct safe_fetch {
    const char *url;
    const char *accept; /* media types to ask for; NULL: any */
    int64_t max_bytes;
    int64_t timeout_ms; /* for all of it, redirects included */
    bool no_redirects;
    /* Called once before the content, also where there is none. */
    bool (*begin)(void *arg, const struct safe_fetch_head *head);
    bool (*take)(void *arg, const void *bytes, size_t len);
    void *arg;
};

/* Blocks until it is over. Where it is not DONE, why gets a clause for people ("https://… answered with 404")
 * that tells no more about the relay's own network than its caller knew: a host that does not exist, one that
 * does not answer and one at a private address sound the same. Hosts in it are reduced to plain characters.
 */
MUST_CHECK enum safe_fetch_status safe_fetch(
    struct safe_fetcher *fetcher, const struct safe_fetch *fetch, struct buf *why);

#endif
