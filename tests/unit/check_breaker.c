/* When a server that fails is asked again. */
#include <check.h>

#include "../../common/clock.h"
#include "../../relay/upstream/breaker.h"
#include "unit.h"

enum { PAUSE_MAX_MS = 5000 };

static struct breaker *breaker;
static int64_t wait_ms;

static void setup(void)
{
    breaker = breaker_new(PAUSE_MAX_MS);
}

static void teardown(void)
{
    breaker_free(breaker);
}

static enum breaker_change call(bool failed)
{
    ck_assert(breaker_enter(breaker, &wait_ms));
    return breaker_report(breaker, failed);
}

static void open_it(void)
{
    for (int i = 1; i < BREAKER_FAILURES; i++)
        ck_assert_int_eq(call(true), BREAKER_SAME);
    ck_assert_int_eq(call(true), BREAKER_OPENED);
    ck_assert(!breaker_enter(breaker, &wait_ms));
}

START_TEST(failures_in_a_row_open_it)
{
    for (int i = 1; i < BREAKER_FAILURES; i++)
        ck_assert_int_eq(call(true), BREAKER_SAME);
    ck_assert_int_eq(call(false), BREAKER_SAME);
    open_it();
    ck_assert_int_gt(wait_ms, 0);
    ck_assert_int_le(wait_ms, BREAKER_PAUSE_FIRST_MS);
}
END_TEST

START_TEST(one_probe_closes_it)
{
    open_it();
    clock_pass(BREAKER_PAUSE_FIRST_MS);
    ck_assert(breaker_enter(breaker, &wait_ms));
    ck_assert(!breaker_enter(breaker, &wait_ms)); /* one at a time */
    ck_assert_int_gt(wait_ms, 0);
    ck_assert_int_eq(breaker_report(breaker, false), BREAKER_CLOSED);
    ck_assert_int_eq(call(false), BREAKER_SAME);
    open_it(); /* the first pause is short again */
    ck_assert_int_le(wait_ms, BREAKER_PAUSE_FIRST_MS);
}
END_TEST

START_TEST(pauses_grow_to_their_limit)
{
    static const int64_t pauses[] = {2000, 4000, PAUSE_MAX_MS, PAUSE_MAX_MS};
    open_it();
    clock_pass(BREAKER_PAUSE_FIRST_MS);
    for (size_t i = 0; i < LENGTH_OF(pauses); i++) {
        ck_assert_int_eq(call(true), BREAKER_SAME);
        clock_pass(pauses[i] - 100);
        ck_assert(!breaker_enter(breaker, &wait_ms));
        ck_assert_int_le(wait_ms, 100);
        clock_pass(100);
    }
    ck_assert_int_eq(call(false), BREAKER_CLOSED);
}
END_TEST

START_TEST(who_was_under_way_closes_it_too)
{
    ck_assert(breaker_enter(breaker, &wait_ms));
    open_it();
    ck_assert_int_eq(breaker_report(breaker, false), BREAKER_CLOSED);
    ck_assert_int_eq(call(false), BREAKER_SAME);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("breaker", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, failures_in_a_row_open_it);
    tcase_add_test(tests, one_probe_closes_it);
    tcase_add_test(tests, pauses_grow_to_their_limit);
    tcase_add_test(tests, who_was_under_way_closes_it_too);
    return run_unit(suite);
}
