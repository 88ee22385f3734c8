/* report FOLDER [PLOTS]: the table of targets out of the results of all benchmarks in FOLDER, and with PLOTS
 * the curves as PNG there, drawn by gnuplot. */
#include <dirent.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/compiler.h"

static const char *text_of(struct json_object *from, const char *key)
{
    const char *text = json_object_get_string(json_object_object_get(from, key));
    return text ? text : "";
}

static double number_of(struct json_object *from, const char *key)
{
    return json_object_get_double(json_object_object_get(from, key));
}

/* ---- targets ---- */

static void print_target(struct json_object *target)
{
    char limit[96] = "";
    if (json_object_object_get(target, "limit"))
        snprintf(limit, sizeof limit, "%.6g (%s)", number_of(target, "limit"), text_of(target, "limit_name"));
    printf("| %s | %.6g %s | %s | ", text_of(target, "what"), number_of(target, "figure"),
        text_of(target, "unit"), limit);
    if (*limit)
        printf("%.3g", number_of(target, "ratio"));
    printf(" | %s | %s |\n", text_of(target, "target"),
        json_object_get_boolean(json_object_object_get(target, "met")) ? "met" : "missed");
}

static void print_targets(struct json_object *result)
{
    struct json_object *targets = json_object_object_get(result, "targets");
    for (size_t i = 0; i < json_object_array_length(targets); i++)
        print_target(json_object_array_get_idx(targets, i));
}

/* ---- curves ---- */

/* One block of data for each series and unit that has more than one point. */
struct curve {
    const char *series, *unit;
    size_t points;
};

static size_t find_curves(struct json_object *points, struct curve *curves, size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < json_object_array_length(points); i++) {
        struct json_object *point = json_object_array_get_idx(points, i);
        size_t k = 0;
        while (k < count && strcmp(curves[k].series, text_of(point, "series")) != 0)
            k++;
        if (k == max)
            continue;
        if (k == count)
            curves[count++] = (struct curve){text_of(point, "series"), text_of(point, "unit"), 0};
        curves[k].points++;
    }
    return count;
}

/* Between single quotes, where gnuplot has one that belongs to the text twice. */
static void write_quoted(FILE *to, const char *text)
{
    fputc('\'', to);
    for (; *text; text++) {
        if (*text == '\'')
            fputc('\'', to);
        fputc(*text, to);
    }
    fputc('\'', to);
}

static void write_data(FILE *to, struct json_object *points, const struct curve *curve, size_t number)
{
    fprintf(to, "$curve%zu << END\n", number);
    for (size_t i = 0; i < json_object_array_length(points); i++) {
        struct json_object *point = json_object_array_get_idx(points, i);
        if (strcmp(curve->series, text_of(point, "series")) == 0)
            fprintf(to, "%.6g %.6g %.6g %.6g\n", number_of(point, "x"), number_of(point, "median"),
                number_of(point, "low"), number_of(point, "p99"));
    }
    fputs("END\n", to);
}

static void write_settings(FILE *to, struct json_object *result, const char *folder)
{
    const struct {
        const char *setting, *key;
    } settings[] = {{"title", "title"}, {"xlabel", "unit_x"}};
    char *path = xasprintf("%s/%s.png", folder, text_of(result, "name"));
    fputs("set terminal pngcairo noenhanced size 900,600\nset output ", to);
    write_quoted(to, path);
    for (size_t i = 0; i < LENGTH_OF(settings); i++) {
        fprintf(to, "\nset %s ", settings[i].setting);
        write_quoted(to, text_of(result, settings[i].key));
    }
    fputs("\nset logscale xy\nset grid\nset key below vertical\n", to);
    free(path);
}

static void write_plot(FILE *to, const struct curve *curves, size_t count)
{
    const char *before = "plot";
    for (size_t i = 0; i < count; i++) {
        if (curves[i].points < 2)
            continue;
        char *title = xasprintf("%s (%s)", curves[i].series, curves[i].unit);
        fprintf(to, "%s $curve%zu using ($1 < 1 ? 1 : $1):2 with linespoints title ", before, i);
        write_quoted(to, title);
        free(title);
        before = ",";
    }
    fputs("\n", to);
}

static bool has_curve(const struct curve *curves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (curves[i].points > 1)
            return true;
    }
    return false;
}

static bool plot(struct json_object *result, const char *folder)
{
    enum { CURVES_MAX = 32 };
    struct curve curves[CURVES_MAX];
    struct json_object *points = json_object_object_get(result, "points");
    const size_t count = find_curves(points, curves, CURVES_MAX);
    if (!has_curve(curves, count))
        return true;
    FILE *to = popen("gnuplot", "we");
    if (!to)
        return false;
    write_settings(to, result, folder);
    for (size_t i = 0; i < count; i++)
        write_data(to, points, &curves[i], i);
    write_plot(to, curves, count);
    return pclose(to) == 0;
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    const int count = argc > 1 ? scandir(argv[1], &entries, NULL, alphasort) : -1;
    bool done = count >= 0;
    if (!done)
        fprintf(stderr, "usage: report FOLDER [PLOTS]\n");
    else
        puts("| what | figure | limit beside it | ratio | target | |\n|---|---|---|---|---|---|");
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(entries[i]->d_name, '.');
        char *path = xasprintf("%s/%s", argv[1], entries[i]->d_name);
        struct json_object *result = dot && strcmp(dot, ".json") == 0 ? json_object_from_file(path) : NULL;
        if (result) {
            print_targets(result);
            done = (argc < 3 || plot(result, argv[2])) && done;
        }
        json_object_put(result);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
