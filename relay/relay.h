/* relay.h: what handlers share. Each part gets only what it needs; no part below the handlers sees this struct. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H


struct config;
struct store;
struct parking;
struct authenticator;
struct metrics;

struct relay {
    const struct config *config;
    struct store *store;
    struct parking *parking;
    struct authenticator *auth;
    struct metrics *metrics;
};

#endif
