/* proxy.h: a bad network between bridges and their relays: connections that are delayed, cut short, reset, and
 * left hanging, each by chance; and times when nothing goes through at all. Runs on a thread of its own. */
#ifndef TESTS_TORTURE_PROXY_H
#define TESTS_TORTURE_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proxy;

enum { PROXY_TARGETS_MAX = 2 };
/* Listens on a free port of the loopback address, forwards each connection to one of those ports, by chance.
 * Fails the test where it cannot. */
struct proxy *proxy_start(const int *to_ports, size_t count, uint64_t seed);
int proxy_port(const struct proxy *proxy);
/* Nothing goes through for so long; what is open is reset. */
void proxy_cut(struct proxy *proxy, int ms);
/* From now on it is a good network. */
void proxy_heal(struct proxy *proxy);

struct proxy_counts {
    int64_t connections, delayed, truncated, reset, hung, refused;
};
void proxy_counts(struct proxy *proxy, struct proxy_counts *counts);
void proxy_stop(struct proxy *proxy);

#endif
