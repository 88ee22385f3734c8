#include <inttypes.h>

#include "../../common/clock.h"
#include "../../common/compiler.h"
#include "unit.h"

START_TEST(wall_time_can_be_shifted)
{
    int64_t before = clock_wall_ms();
    int64_t mono = clock_mono_ms();
    clock_shift_wall(8 * (int64_t)MS_PER_DAY);
    int64_t shifted = clock_wall_ms();
    ck_assert_int_ge(shifted, before + 8 * (int64_t)MS_PER_DAY);
    ck_assert_int_lt(clock_mono_ms() - mono, MS_PER_MINUTE);
    clock_shift_wall(-8 * (int64_t)MS_PER_DAY);
    ck_assert_int_lt(clock_wall_ms(), before + MS_PER_MINUTE);
}
END_TEST

START_TEST(times_are_written)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000+00:00"},
        {INT64_C(1772867614849), "2026-03-07T07:13:34.849+00:00"},
        {INT64_C(1709164800007), "2024-02-29T00:00:00.007+00:00"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999+00:00"},
        {INT64_MAX, "9999-12-31T23:59:59.999+00:00"},
        {-1, "1970-01-01T00:00:00.000+00:00"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char text[RFC3339_LEN];
        clock_rfc3339(rows[i].ms, text);
        ck_assert_str_eq(text, rows[i].text);
    }
}
END_TEST

START_TEST(times_are_read_again)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"1970-01-01T00:00:00.000+00:00", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"2026-03-07T07:13:34.849+00:00", INT64_C(1772867614849)},
        {"2026-03-07T08:13:34.849+01:00", INT64_C(1772867614849)},
        {"2026-03-07T01:43:34.849-05:30", INT64_C(1772867614849)},
        {"2026-03-07T07:13:34.8499999Z", INT64_C(1772867614849)},
        {"2026-03-07T07:13:34.8Z", INT64_C(1772867614800)},
        {"1969-12-31T23:59:59Z", -1},
        {"2026-03-07T07:13:34", -1},
        {"2026-03-07 07:13:34Z", -1},
        {"2026-03-07T07:13:34+1:00", -1},
        {"2026-03-07T07:13:34+01:0x", -1},
        {"2026-03-07T07:13:34Zulu", -1},
        {"yesterday", -1},
        {"", -1},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        ck_assert_msg(clock_parse_rfc3339(rows[i].text) == rows[i].ms, "%s: %lld", rows[i].text,
            (long long)clock_parse_rfc3339(rows[i].text));
}
END_TEST

START_TEST(ages_are_told)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {INT64_MIN, "just now"},
        {-5, "just now"},
        {0, "just now"},
        {9999, "just now"},
        {10000, "10 s ago"},
        {42999, "42 s ago"},
        {59999, "59 s ago"},
        {60000, "1 min ago"},
        {2 * MS_PER_MINUTE, "2 min ago"},
        {MS_PER_HOUR - 1, "59 min ago"},
        {MS_PER_HOUR, "1h ago"},
        {MS_PER_DAY - 1, "23h ago"},
        {MS_PER_DAY, "1d ago"},
        {INT64_C(400) * MS_PER_DAY, "400d ago"},
        {INT64_MAX, "106751991167d ago"},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char text[AGE_TEXT_LEN];
        clock_age_text(rows[i].ms, text);
        ck_assert_str_eq(text, rows[i].text);
    }
}
END_TEST

START_TEST(durations_are_read)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"0", 0},
        {"90", 90 * 1000},
        {"90s", 90 * 1000},
        {"15m", 15 * MS_PER_MINUTE},
        {"1h", MS_PER_HOUR},
        {"7d", INT64_C(7) * MS_PER_DAY},
        {"3650d", INT64_C(3650) * MS_PER_DAY},
        {"3651d", -1},
        {"87600h", INT64_C(3650) * MS_PER_DAY},
        {"87601h", -1},
        {"315360000", INT64_C(3650) * MS_PER_DAY},
        {"315360001", -1},
        {"", -1},
        {"h", -1},
        {"-1h", -1},
        {"+1h", -1},
        {" 1h", -1},
        {"1 h", -1},
        {"1h ", -1},
        {"1.5h", -1},
        {"1w", -1},
        {"1H", -1},
        {"1h30m", -1},
        {"9999999999999999999999", -1},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        ck_assert_msg(clock_parse_duration(rows[i].text) == rows[i].ms, "%s", rows[i].text);
    }
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("clock", &tests);
    tcase_add_test(tests, wall_time_can_be_shifted);
    tcase_add_test(tests, times_are_written);
    tcase_add_test(tests, times_are_read_again);
    tcase_add_test(tests, ages_are_told);
    tcase_add_test(tests, durations_are_read);
    return run_unit(suite);
}
