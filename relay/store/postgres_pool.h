/* postgres_pool.h: a few connections to one PostgreSQL, each used by one thread at a time. They are made when
 * needed, and made again when they broke. */
#ifndef RELAY_STORE_POSTGRES_POOL_H
#define RELAY_STORE_POSTGRES_POOL_H

#include "postgres_link.h"

enum {
    POOL_MAX = 8,
    POOL_WAIT_MS = 10 * 1000,    /* for a connection that others use */
    POOL_PATIENCE_MS = 5 * 1000, /* for a server that went away, counted from when it did */
    POOL_PREPARED_MAX = 64,
};

struct pooled {
    PGconn *link;
    const char
        *prepared[POOL_PREPARED_MAX]; /* functions that this connection has a statement for: static texts */
    size_t prepared_count;
};

struct postgres_pool;

struct postgres_pool *postgres_pool_new(const char *url);
/* Every connection was given back. */
void postgres_pool_free(struct postgres_pool *pool);
/* A connection that stood a moment ago. NULL: none could be had in time; why has one line. */
MUST_CHECK struct pooled *postgres_pool_take(struct postgres_pool *pool, struct buf *why);
/* A broken one is ended. */
void postgres_pool_give(struct postgres_pool *pool, struct pooled *one, bool is_broken);

#endif
