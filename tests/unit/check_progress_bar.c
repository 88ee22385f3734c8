/* The line that shows how far a file is. */
#include <check.h>
#include <string.h>

#include "../../bridge/cmd/progress_bar.h"
#include "unit.h"

static const struct {
    const char *label;
    int64_t done, total;
    const char *line;
} rows[] = {
    {"report.pdf", 0, 0, "report.pdf"},
    {"report.pdf", 0, 9400000, "report.pdf  [--------------------]  0 %  0.0 of 9.4 MB"},
    {"report.pdf", 2350000, 9400000, "report.pdf  [#####---------------]  25 %  2.4 of 9.4 MB"},
    {"report.pdf", 9399999, 9400000, "report.pdf  [###################-]  99 %  9.4 of 9.4 MB"},
    {"report.pdf", 9400000, 9400000, "report.pdf  [####################]  100 %  9.4 of 9.4 MB"},
    {"\x1b[2J", 1, 1, "<U+001B>[2J  [####################]  100 %  0.0 of 0.0 MB"},
    {"a-name-that-is-longer-than-thirty-characters", 0, 0, "a-name-that-is-longer-than-thi"},
    {"a", INT64_MAX, INT64_MAX, "a  [####################]  100 %  9223372036854.8 of 9223372036854.8 MB"},
};

START_TEST(a_line_says_how_far_it_is)
{
    struct buf out = {0};
    progress_bar_text(&out, rows[_i].label, rows[_i].done, rows[_i].total);
    ck_assert_str_eq(buf_text(&out), rows[_i].line);
    buf_free(&out);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("progress_bar", &tests);
    tcase_add_loop_test(tests, a_line_says_how_far_it_is, 0, (int)LENGTH_OF(rows));
    return run_unit(suite);
}
