/* relay.h: what handlers share. Each part gets only what it needs; no part below the handlers sees this
 * struct. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

struct authenticator;
struct blob_store;
struct concurrency;
struct config;
struct metrics;
struct oauth;
struct parking;
struct routes;
struct safe_fetcher;
struct store;
struct typed_code_key;

struct relay {
    const struct config *config;
    struct store *store;
    struct blob_store *blobs; /* attachments */
    struct parking *parking;
    struct authenticator *auth;
    const struct typed_code_key *code_key; /* of codes that people type */
    struct concurrency *streams;           /* open event streams by agent's address (auth/concurrency.h) */
    struct concurrency *waits;             /* parked waits, likewise */
    struct safe_fetcher *fetcher;          /* fetches what agents name */
    struct concurrency *fetches;           /* under way, by agent's address and of all */
    struct oauth *oauth;                   /* the authorization server */
    struct metrics *metrics;
    const struct routes *routes;
};

/* The longest message, in code points. */
enum { CONTENT_MAX_CHARACTERS = 50000 };

/* How many event streams of one kind an agent may have open at the same time. */
enum { STREAMS_PER_AGENT = 16 };
/* How many waits: one for each of its sessions, and those of sessions that ended unnoticed. */
enum { WAITS_PER_AGENT = 64 };

#endif
