/* proxy.h: a bad network between bridges and their relay: connections that are delayed, cut short, reset, and
 * left hanging, each by chance; and times when nothing goes through at all. Runs on a thread of its own. */
#ifndef TESTS_TORTURE_PROXY_H
#define TESTS_TORTURE_PROXY_H

#include <stdbool.h>
#include <stdint.h>

struct proxy;

/* Listens on a free port of the loopback address, forwards to that port. Fails the test where it cannot. */
struct proxy *proxy_start(int to_port, uint64_t seed);
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
