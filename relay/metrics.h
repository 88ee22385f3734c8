/* metrics.h: counters and histograms in Prometheus' text format 0.0.4. Lock-free to count, any thread. */
#ifndef RELAY_METRICS_H
#define RELAY_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/buf.h"

struct metrics;
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

void metrics_request(struct metrics *m, const char *route, int status, int64_t micros);
void metrics_tool(struct metrics *m, const char *tool, bool failed, int64_t micros);
void metrics_store(struct metrics *m, const char *operation, bool failed, int64_t micros);

/* What is read at the time of a scrape. */
struct metrics_gauges {
    int64_t parked, bans, connections;
    int64_t messages_by_status[4], messages_leased;
};
void metrics_write(struct metrics *m, const struct metrics_gauges *gauges, struct buf *out);

#endif
