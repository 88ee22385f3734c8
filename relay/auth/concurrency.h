/* concurrency.h: how many of something (event streams) a key has open at the same time. Thread-safe. */
#ifndef RELAY_AUTH_CONCURRENCY_H
#define RELAY_AUTH_CONCURRENCY_H

#include <stdbool.h>

#include "../../common/compiler.h"

struct concurrency;

struct concurrency *concurrency_new(void);
void concurrency_free(struct concurrency *c);
/* Takes one more place for the key; false (nothing taken) where it has max already. */
MUST_CHECK bool concurrency_enter(struct concurrency *c, const char *key, unsigned max);
/* Gives back a place that concurrency_enter took. */
void concurrency_leave(struct concurrency *c, const char *key);

#endif
