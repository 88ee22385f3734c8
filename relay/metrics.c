#include "metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/compiler.h"

/* Upper bounds of the histograms' buckets; one more is for what takes longer. */
static const struct {
    int64_t micros;
    const char *seconds;
} buckets[] = {
    {500, "0.0005"},
    {1000, "0.001"},
    {2500, "0.0025"},
    {5000, "0.005"},
    {10000, "0.01"},
    {25000, "0.025"},
    {50000, "0.05"},
    {100000, "0.1"},
    {250000, "0.25"},
    {500000, "0.5"},
    {1000000, "1"},
    {5000000, "5"},
};
enum { BUCKETS = LENGTH_OF(buckets) };

struct series {
    const char *label;
    int code; /* an HTTP status, or 0 done, 1 failed */
    atomic_int_fast64_t micros;
    atomic_int_fast64_t counts[BUCKETS + 1]; /* each call in one bucket */
};

/* Open addressing; a place once taken stays taken, so that readers need no lock. */
struct family {
    _Atomic(struct series *) places[METRICS_SERIES_MAX];
};

struct metrics {
    struct family requests, tools, store;
};

struct metrics *metrics_new(void)
{
    return xcalloc(1, sizeof(struct metrics));
}

static void family_free(struct family *f)
{
    for (size_t i = 0; i < METRICS_SERIES_MAX; i++)
        free(atomic_load(&f->places[i]));
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    family_free(&m->requests);
    family_free(&m->tools);
    family_free(&m->store);
    free(m);
}

/* FNV-1a. */
static size_t hash(const char *label, int code)
{
    uint32_t h = 2166136261U ^ (uint32_t)code;
    for (; *label; label++)
        h = (h ^ (unsigned char)*label) * 16777619U;
    return h;
}

/* Puts a new series into a free place; the one that is there where another thread was faster. */
static struct series *claim(_Atomic(struct series *) *place, const char *label, int code)
{
    struct series *mine = xcalloc(1, sizeof *mine), *there = NULL;
    mine->label = label;
    mine->code = code;
    if (atomic_compare_exchange_strong(place, &there, mine))
        return mine;
    free(mine);
    return there;
}

/* NULL where the family is full. */
static struct series *find(struct family *f, const char *label, int code)
{
    const size_t start = hash(label, code);
    for (size_t i = 0; i < METRICS_SERIES_MAX; i++) {
        _Atomic(struct series *) *place = &f->places[(start + i) % METRICS_SERIES_MAX];
        struct series *s = atomic_load_explicit(place, memory_order_acquire);
        if (!s)
            s = claim(place, label, code);
        if (s->code == code && strcmp(s->label, label) == 0)
            return s;
    }
    return NULL;
}

static void count(struct family *f, const char *label, int code, int64_t micros)
{
    struct series *s = find(f, label, code);
    if (!s)
        return;
    size_t bucket = 0;
    while (bucket < BUCKETS && micros > buckets[bucket].micros)
        bucket++;
    atomic_fetch_add_explicit(&s->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->micros, micros, memory_order_relaxed);
}

void metrics_request(struct metrics *m, const char *route, int status, int64_t micros)
{
    count(&m->requests, route, status, micros);
}

void metrics_tool(struct metrics *m, const char *tool, bool failed, int64_t micros)
{
    count(&m->tools, tool, failed, micros);
}

void metrics_store(struct metrics *m, const char *operation, bool failed, int64_t micros)
{
    count(&m->store, operation, failed, micros);
}

/* ---- writing ---- */

static void write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_gauge(struct buf *out, const char *name, int64_t value, const char *help)
{
    write_head(out, name, "gauge", help);
    buf_printf(out, "%s %" PRId64 "\n", name, value);
}

static void write_labels(struct buf *out, const char *label_name, const struct series *s, bool is_request)
{
    if (is_request)
        buf_printf(out, "%s=\"%s\",status=\"%d\"", label_name, s->label, s->code);
    else
        buf_printf(out, "%s=\"%s\",outcome=\"%s\"", label_name, s->label, s->code ? "failed" : "done");
}

static int64_t series_total(struct series *s)
{
    int64_t total = 0;
    for (size_t i = 0; i <= BUCKETS; i++)
        total += atomic_load_explicit(&s->counts[i], memory_order_relaxed);
    return total;
}

static void write_histogram(struct buf *out, const char *name, const char *label_name, struct series *s)
{
    int64_t sum = 0;
    for (size_t i = 0; i <= BUCKETS; i++) {
        sum += atomic_load_explicit(&s->counts[i], memory_order_relaxed);
        buf_printf(out, "%s_bucket{", name);
        write_labels(out, label_name, s, false);
        buf_printf(out, ",le=\"%s\"} %" PRId64 "\n", i < BUCKETS ? buckets[i].seconds : "+Inf", sum);
    }
    buf_printf(out, "%s_sum{", name);
    write_labels(out, label_name, s, false);
    buf_printf(out, "} %.6f\n%s_count{", (double)atomic_load(&s->micros) / 1e6, name);
    write_labels(out, label_name, s, false);
    buf_printf(out, "} %" PRId64 "\n", sum);
}

static void write_requests(struct family *f, struct buf *out)
{
    static const char name[] = "patchcord_http_requests_total";
    write_head(out, name, "counter", "HTTP requests that were answered.");
    for (size_t i = 0; i < METRICS_SERIES_MAX; i++) {
        struct series *s = atomic_load(&f->places[i]);
        if (!s)
            continue;
        buf_printf(out, "%s{", name);
        write_labels(out, "route", s, true);
        buf_printf(out, "} %" PRId64 "\n", series_total(s));
    }
}

static void write_latencies(
    struct family *f, const char *name, const char *label_name, const char *help, struct buf *out)
{
    write_head(out, name, "histogram", help);
    for (size_t i = 0; i < METRICS_SERIES_MAX; i++) {
        struct series *s = atomic_load(&f->places[i]);
        if (s)
            write_histogram(out, name, label_name, s);
    }
}

static void write_store(const struct metrics_gauges *gauges, struct buf *out)
{
    static const char *const statuses[] = {"pending", "read", "replied", "deferred"};
    static const char name[] = "patchcord_messages";
    write_head(out, name, "gauge", "Messages in the store.");
    for (size_t i = 0; i < LENGTH_OF(statuses); i++)
        buf_printf(out, "%s{status=\"%s\"} %" PRId64 "\n", name, statuses[i], gauges->messages_by_status[i]);
    write_gauge(out, "patchcord_messages_leased", gauges->messages_leased,
        "Messages handed out and not yet acknowledged.");
    write_gauge(out, "patchcord_oauth_clients", gauges->clients, "Clients that are registered.");
    write_gauge(out, "patchcord_oauth_grants", gauges->grants, "Clients that are let in.");
}

void metrics_write(struct metrics *m, const struct metrics_gauges *gauges, struct buf *out)
{
    write_head(out, "patchcord_build_info", "gauge", "The relay's version.");
    buf_puts(out, "patchcord_build_info{version=\"" PATCHCORD_VERSION "\"} 1\n");
    write_gauge(out, "patchcord_parked_waits", gauges->parked, "Requests that wait for a message.");
    write_gauge(out, "patchcord_bans", gauges->bans, "Tokens and addresses that are shut out.");
    if (gauges->has_messages)
        write_store(gauges, out);
    write_requests(&m->requests, out);
    write_latencies(
        &m->tools, "patchcord_tool_call_seconds", "tool", "Tool calls: how long, and how they ended.", out);
    write_latencies(&m->store, "patchcord_store_seconds", "operation",
        "Store operations: how long, and how they ended.", out);
}
