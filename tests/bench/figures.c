#include "figures.h"

#include <dirent.h>
#include <json-c/json.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/secret.h"
#include "../harness.h"

/* ---- samples ---- */

void samples_add(struct samples *s, double value)
{
    if (s->count == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        s->values = xreallocarray(s->values, s->room, sizeof *s->values);
    }
    s->values[s->count++] = value;
    s->is_sorted = false;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_at(struct samples *s, double part)
{
    if (s->count == 0)
        return 0;
    if (!s->is_sorted)
        qsort(s->values, s->count, sizeof *s->values, by_size);
    s->is_sorted = true;
    const size_t rank = (size_t)ceil(part * (double)s->count);
    return s->values[rank == 0 ? 0 : rank - 1];
}

double samples_median(struct samples *s)
{
    return samples_at(s, 0.5);
}

void samples_free(struct samples *s)
{
    free(s->values);
    *s = (struct samples){0};
}

/* ---- figures ---- */

static struct {
    char *name, *title, *unit_x;
    struct json_object *points, *targets, *notes;
} bench;

void figures_begin(const char *name, const char *title, const char *unit_x)
{
    bench.name = xstrdup(name);
    bench.title = xstrdup(title);
    bench.unit_x = xstrdup(unit_x);
    bench.points = json_object_new_array();
    bench.targets = json_object_new_array();
    bench.notes = json_object_new_array();
    printf("%s\n", title);
}

static void add_number(struct json_object *to, const char *key, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", value);
    json_object_object_add(to, key, json_object_new_double_s(value, text));
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
    json_object_object_add(to, key, json_object_new_string(text));
}

void figures_add(const char *series, double x, const char *unit, struct samples *samples)
{
    struct json_object *point = json_object_new_object();
    add_text(point, "series", series);
    add_number(point, "x", x);
    add_text(point, "unit", unit);
    add_number(point, "median", samples_median(samples));
    add_number(point, "low", samples_at(samples, 0));
    add_number(point, "high", samples_at(samples, 1));
    add_number(point, "p99", samples_at(samples, 0.99));
    json_object_object_add(point, "samples", json_object_new_int64((int64_t)samples->count));
    json_object_array_add(bench.points, point);
    printf("  %-44s %10.6g %-14s %12.6g %-10s", series, x, bench.unit_x, samples_median(samples), unit);
    if (samples->count > 1)
        printf(" (%.6g to %.6g, p99 %.6g, %zu samples)", samples_at(samples, 0), samples_at(samples, 1),
            samples_at(samples, 0.99), samples->count);
    putchar('\n');
    (void)fflush(stdout);
    samples_free(samples);
}

void figures_put(const char *series, double x, const char *unit, double value)
{
    struct samples one = {0};
    samples_add(&one, value);
    figures_add(series, x, unit, &one);
}

void figures_target(const char *what, const char *unit, double figure, const char *limit_name, double limit,
    const char *target, bool is_met)
{
    struct json_object *row = json_object_new_object();
    add_text(row, "what", what);
    add_text(row, "unit", unit);
    add_number(row, "figure", figure);
    if (limit > 0) {
        add_text(row, "limit_name", limit_name);
        add_number(row, "limit", limit);
        add_number(row, "ratio", figure / limit);
    }
    add_text(row, "target", target);
    json_object_object_add(row, "met", json_object_new_boolean(is_met));
    json_object_array_add(bench.targets, row);
    printf("  TARGET %s: %.6g %s", what, figure, unit);
    if (limit > 0)
        printf(" beside %.6g (%s), ratio %.3g", limit, limit_name, figure / limit);
    printf("; %s: %s\n", target, is_met ? "met" : "MISSED");
}

void figures_note(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_object_array_add(bench.notes, json_object_new_string(text));
    printf("  %s\n", text);
}

double figures_get(const char *series, double x)
{
    for (size_t i = 0; i < json_object_array_length(bench.points); i++) {
        struct json_object *point = json_object_array_get_idx(bench.points, i);
        if (strcmp(json_object_get_string(json_object_object_get(point, "series")), series) == 0 &&
            fabs(json_object_get_double(json_object_object_get(point, "x")) - x) < 1e-9)
            return json_object_get_double(json_object_object_get(point, "median"));
    }
    return 0;
}

static struct json_object *machine(void)
{
    struct json_object *about = json_object_new_object();
    struct utsname system;
    if (uname(&system) == 0)
        add_text(about, "kernel", system.release);
    json_object_object_add(about, "processors", json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)));
    add_text(about, "version", PATCHCORD_VERSION);
    return about;
}

static void write_results(const char *folder)
{
    struct json_object *all = json_object_new_object();
    add_text(all, "name", bench.name);
    add_text(all, "title", bench.title);
    add_text(all, "unit_x", bench.unit_x);
    json_object_object_add(all, "machine", machine());
    json_object_object_add(all, "points", json_object_get(bench.points));
    json_object_object_add(all, "targets", json_object_get(bench.targets));
    json_object_object_add(all, "notes", json_object_get(bench.notes));
    char *path = xasprintf("%s/%s.json", folder, bench.name);
    bench_must(json_object_to_file_ext(path, all, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED) == 0,
        "writing the results");
    free(path);
    json_object_put(all);
}

void figures_end(void)
{
    const char *folder = getenv("BENCH_RESULTS");
    if (folder && *folder)
        write_results(folder);
    json_object_put(bench.points);
    json_object_put(bench.targets);
    json_object_put(bench.notes);
    free(bench.name);
    free(bench.title);
    free(bench.unit_x);
    putchar('\n');
    (void)fflush(stdout);
}

/* ---- settings and failures ---- */

static const char *program_name;

size_t bench_setting(const char *name, size_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : fallback;
}

size_t bench_list(const char *name, const char *fallback, size_t *out, size_t max)
{
    const char *text = getenv(name);
    size_t count = 0;
    for (text = text ? text : fallback; *text && count < max; text += strspn(text, ", ")) {
        char *end;
        out[count++] = strtoul(text, &end, 10);
        bench_must(end != text, name);
        text = end;
    }
    return count;
}

static void failed(const char *message)
{
    static bool failing;
    fprintf(stderr, "%s: %s\n", program_name, message);
    if (!failing) {
        failing = true;
        harness_cleanup();
    }
    exit(EXIT_FAILURE);
}

void bench_must(bool happened, const char *what)
{
    if (!happened)
        failed(what);
}

void bench_init(const char *program)
{
    struct rlimit limit;
    program_name = program;
    harness_on_failure = failed;
    signal(SIGPIPE, SIG_IGN);
    secret_init();
    log_configure(LOG_FORMAT_LOGFMT, LOG_LEVEL_WARN);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- of a process ---- */

int64_t process_status(int pid, const char *name)
{
    char *path = xasprintf("/proc/%d/status", pid), line[256];
    const size_t len = strlen(name);
    int64_t number = -1;
    FILE *file = fopen(path, "re");
    while (file && number < 0 && fgets(line, sizeof line, file)) {
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            number = strtoll(line + len + 1, NULL, 10);
    }
    if (file)
        fclose(file);
    free(path);
    return number;
}

int64_t process_cpu_ms(int pid)
{
    char *path = xasprintf("/proc/%d/stat", pid);
    unsigned long long user = 0, system = 0;
    FILE *file = fopen(path, "re");
    bench_must(file && fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
                           &user, &system) == 2,
        path);
    fclose(file);
    free(path);
    return (int64_t)(user + system) * MS_PER_SECOND / sysconf(_SC_CLK_TCK);
}

size_t process_descriptors(int pid)
{
    char *path = xasprintf("/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    size_t count = 0;
    bench_must(folder != NULL, path);
    while (readdir(folder))
        count++;
    closedir(folder);
    free(path);
    return count - 2; /* "." and ".." */
}
