/* metrics.h: counters and histograms in Prometheus' text format 0.0.4. Lock-free to count, any thread.
 *
 * Labels (routes, tools, operations) are texts of ours, never a client's: they are kept as they are given,
 * and live as long as the process. At most METRICS_SERIES_MAX different ones of a family are counted. */
#ifndef RELAY_METRICS_H
#define RELAY_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/buf.h"

enum { METRICS_SERIES_MAX = 512 };

struct metrics;
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

void metrics_request(struct metrics *m, const char *route, int status, int64_t micros);
void metrics_tool(struct metrics *m, const char *tool, bool failed, int64_t micros);
void metrics_store(struct metrics *m, const char *operation, bool failed, int64_t micros);

/* What is read at the time of a scrape. */
struct metrics_gauges {
    int64_t parked, bans;
    bool has_messages; /* false where the store did not answer: those below are left out */
    int64_t messages_by_status[4], messages_leased;
    int64_t clients, grants; /* OAuth's: registered, and standing */
};
void metrics_write(struct metrics *m, const struct metrics_gauges *gauges, struct buf *out);

#endif
