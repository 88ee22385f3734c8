/* load.h: agents at a relay for benchmarks, over plain HTTP on connections that stay open, by hand: no time
 * is lost in a library. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "../harness.h"
#include "figures.h"

/* Puts agents a0 … into the store of a folder; their tokens are their names. */
void load_agents(const char *data_dir, size_t count);
/* A relay whose store has those agents and nothing else: the embedded store, or what tests/postgres.sh or
 * tests/supabase.sh (with PATCHCORD_TEST_DIRECT) runs. */
struct relay_process *load_relay(size_t agents);

int load_connect(const struct relay_process *relay);
/* A tools/call as one block of bytes; the caller frees. */
char *load_request(const char *token, const char *tool, const char *args);
/* The same for a caller that acknowledges, and takes what is offered under that lease. */
char *load_request_leased(const char *token, const char *tool, const char *args, const char *lease);
void load_send(int fd, const char *request);
/* Reads one answer with a Content-Length; it must hold text, unless that is NULL. */
void load_answer(int fd, const char *text);

/* A closed loop: each connection sends its next request when it has the answer to the one before. */
struct load {
    const struct relay_process *relay;
    const struct relay_process *other; /* every second connection goes there; NULL: none does */
    size_t connections;
    int64_t ms;     /* how long */
    size_t at_most; /* requests; 0: any number */
    double
        rate; /* requests a second that are begun, as far as connections are free; 0: as many as there are */
    /* The next request of a connection, after the answer to the one before (NULL: it is the first); borrowed
     * until its next. */
    const char *(*next)(void *arg, size_t connection, size_t number, const char *answer);
    void *arg;
    const char *expect; /* what each answer must hold; NULL: next looks at it */
    bool hangs_up;      /* when the time is over, what is still under way is not waited for */
    /* out */
    size_t answered;
    int64_t took_us;
    struct samples latency_us;
};
void load_run(struct load *load);
double load_rate(const struct load *load); /* a second */

enum { LOAD_SENDERS = 256, LOAD_RECIPIENTS = 256, LOAD_SENDS_MAX = LOAD_RECIPIENTS * 900 };
/* A load's next: connection n is agent a<n>, and sends a message to one after the other of the LOAD_RECIPIENTS agents
 * from a<LOAD_SENDERS> on, whose queues hold LOAD_SENDS_MAX together. */
const char *load_next_send(void *arg, size_t connection, size_t number, const char *answer);

/* Parks a wait for each of the agents from first on; the descriptors, which the caller closes and frees. */
int *load_park(const struct relay_process *relay, size_t first, size_t count);

#endif
