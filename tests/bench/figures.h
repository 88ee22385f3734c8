/* figures.h: what a benchmark measured, as a table for people and as JSON for tests/bench/results/. Nothing
 * is asserted: a figure stands beside its limit, and a target beside what became of it. */
#ifndef TESTS_BENCH_FIGURES_H
#define TESTS_BENCH_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- samples ---- */

struct samples {
    double *values;
    size_t count, room;
    bool is_sorted;
};
void samples_add(struct samples *s, double value);
/* The value that part (0 to 1) of the samples do not exceed; 0 where there are none. */
double samples_at(struct samples *s, double part);
double samples_median(struct samples *s);
void samples_free(struct samples *s);

/* ---- figures ---- */

/* Begins the benchmark of that name; the one figures_end writes. unit_x: what x counts ("connections"). */
void figures_begin(const char *name, const char *title, const char *unit_x);
/* One point of a curve: the median of the samples, and how far they spread. Empties the samples. */
void figures_add(const char *series, double x, const char *unit, struct samples *samples);
/* The same of a single value. */
void figures_put(const char *series, double x, const char *unit, double value);
/* A row of the table of targets: the figure, what limits it (0: nothing was measured beside), and the target
 * as it is written in the design. */
void figures_target(const char *what, const char *unit, double figure, const char *limit_name, double limit,
    const char *target, bool is_met);
/* A sentence for the reader: what was left out, what a comparison does not cover. */
void figures_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The median that was added for that point; 0: none. */
double figures_get(const char *series, double x);
/* Prints the table, and writes $BENCH_RESULTS/<name>.json where that is set. */
void figures_end(void);

/* ---- settings and failures ---- */

/* A number out of the environment. */
size_t bench_setting(const char *name, size_t fallback);
/* "1,8,64": at most max numbers; returns how many. */
size_t bench_list(const char *name, const char *fallback, size_t *out, size_t max);
void bench_must(bool happened, const char *what);
/* To be called first: failures of the harness end the program, all descriptors are allowed. */
void bench_init(const char *program);

/* ---- of a process ---- */

/* A number out of /proc/PID/status ("VmRSS": KB); -1: there is none. */
int64_t process_status(int pid, const char *name);
/* CPU time that it has used. */
int64_t process_cpu_ms(int pid);
size_t process_descriptors(int pid);

#endif
