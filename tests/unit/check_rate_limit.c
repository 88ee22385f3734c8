/* Limits: the last call that passes and the first that does not, windows that slide, bans that end. */
#include <stdio.h>

#include "../../relay/auth/rate_limit.h"
#include "unit.h"

enum { START = 1000000, BAN_MS = 60000 };

static int64_t retry;

static int allowed(struct rate_limit *r, const char *key, int64_t now_ms, int calls)
{
    int fine = 0;
    for (int i = 0; i < calls; i++)
        fine += rate_limit_count(r, key, now_ms, &retry) == RATE_FINE;
    return fine;
}

START_TEST(edge_of_the_limit)
{
    struct rate_limit *r = rate_limit_new(100, BAN_MS);
    ck_assert_int_eq(allowed(r, "a", START, 100), 100);
    ck_assert_int_eq(rate_limit_count(r, "a", START, &retry), RATE_BAN_BEGINS);
    ck_assert_int_eq(retry, BAN_MS);
    ck_assert_int_eq(rate_limit_count(r, "a", START, &retry), RATE_REFUSED);
    ck_assert_int_eq(rate_limit_count(r, "b", START, &retry), RATE_FINE);
    rate_limit_free(r);
}
END_TEST

START_TEST(calls_in_a_ban_do_not_extend_it)
{
    struct rate_limit *r = rate_limit_new(2, BAN_MS);
    ck_assert_int_eq(allowed(r, "a", START, 3), 2);
    for (int64_t t = START; t < START + BAN_MS; t += 1000) {
        ck_assert_int_eq(rate_limit_count(r, "a", t, &retry), RATE_REFUSED);
        ck_assert_int_eq(retry, START + BAN_MS - t);
    }
    ck_assert_int_eq(allowed(r, "a", START + BAN_MS, 3), 2);
    rate_limit_free(r);
}
END_TEST

START_TEST(window_slides)
{
    struct rate_limit *r = rate_limit_new(10, BAN_MS);
    ck_assert_int_eq(allowed(r, "a", START, 10), 10);
    /* Half a window on, half of the calls before still count. */
    ck_assert_int_eq(allowed(r, "a", START + RATE_WINDOW_MS + RATE_WINDOW_MS / 2, 5), 5);
    ck_assert_int_eq(
        rate_limit_count(r, "a", START + RATE_WINDOW_MS + RATE_WINDOW_MS / 2, &retry), RATE_BAN_BEGINS);
    /* Two windows on nothing does. */
    ck_assert_int_eq(allowed(r, "b", START, 10), 10);
    ck_assert_int_eq(allowed(r, "b", START + 2 * RATE_WINDOW_MS, 10), 10);
    rate_limit_free(r);
}
END_TEST

START_TEST(zero_is_no_limit)
{
    struct rate_limit *r = rate_limit_new(0, BAN_MS);
    rate_limit_ban(r, "a", START + BAN_MS);
    ck_assert_int_eq(allowed(r, "a", START, 10000), 10000);
    rate_limit_free(r);
}
END_TEST

START_TEST(no_ban_only_refuses)
{
    struct rate_limit *r = rate_limit_new(3, 0);
    ck_assert_int_eq(allowed(r, "a", START, 5), 3);
    ck_assert_int_eq(rate_limit_count(r, "a", START + 1000, &retry), RATE_REFUSED);
    ck_assert_int_eq(retry, RATE_WINDOW_MS - 1000);
    ck_assert_uint_eq(rate_limit_bans(r, START), 0);
    ck_assert_int_eq(allowed(r, "a", START + 2 * RATE_WINDOW_MS, 5), 3);
    rate_limit_free(r);
}
END_TEST

START_TEST(stored_bans)
{
    struct rate_limit *r = rate_limit_new(100, BAN_MS);
    rate_limit_ban(r, "a", START + 5000);
    rate_limit_ban(r, "b", START - 1);
    ck_assert_uint_eq(rate_limit_bans(r, START), 1);
    ck_assert_int_eq(rate_limit_count(r, "a", START, &retry), RATE_REFUSED);
    ck_assert_int_eq(retry, 5000);
    ck_assert_int_eq(rate_limit_count(r, "b", START, &retry), RATE_FINE);
    ck_assert_int_eq(rate_limit_count(r, "a", START + 5000, &retry), RATE_FINE);
    ck_assert_uint_eq(rate_limit_bans(r, START + 5000), 0);
    rate_limit_free(r);
}
END_TEST

/* As rate_limit_count would tell, without counting. */
START_TEST(a_look_counts_nothing)
{
    for (int ban_ms = 0; ban_ms <= BAN_MS; ban_ms += BAN_MS) {
        struct rate_limit *r = rate_limit_new(2, ban_ms);
        ck_assert_int_eq(rate_limit_left(r, "a", START), 0);
        ck_assert_int_eq(allowed(r, "a", START, 1), 1);
        for (int i = 0; i < 5; i++)
            ck_assert_int_eq(rate_limit_left(r, "a", START), 0);
        ck_assert_int_eq(allowed(r, "a", START, 2), 1);
        ck_assert_int_eq(rate_limit_left(r, "a", START + 1000), retry - 1000);
        ck_assert_int_eq(rate_limit_left(r, "b", START), 0);
        ck_assert_int_eq(rate_limit_left(r, "a", START + 2 * RATE_WINDOW_MS), 0);
        rate_limit_free(r);
    }
    struct rate_limit *none = rate_limit_new(0, BAN_MS);
    rate_limit_ban(none, "a", START + BAN_MS);
    ck_assert_int_eq(rate_limit_left(none, "a", START), 0);
    rate_limit_free(none);
}
END_TEST

/* A flood of keys makes room by the ones used longest ago, and no key in use loses its count to it. */
START_TEST(bounded)
{
    struct rate_limit *r = rate_limit_new(2, BAN_MS);
    char key[16];
    ck_assert_int_eq(allowed(r, "old", START, 2), 2);
    for (int i = 0; i < RATE_KEYS_MAX - 1; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(allowed(r, key, START, 1), 1);
    }
    ck_assert_int_eq(rate_limit_count(r, "old", START, &retry), RATE_BAN_BEGINS);
    for (int i = 0; i < RATE_KEYS_MAX; i++) {
        (void)snprintf(key, sizeof key, "m%d", i);
        ck_assert_int_eq(allowed(r, key, START, 1), 1);
    }
    /* Bans are kept apart from counts: the flood does not lift them. */
    ck_assert_int_eq(rate_limit_count(r, "old", START, &retry), RATE_REFUSED);
    ck_assert_int_eq(allowed(r, "k0", START, 2), 2); /* made room, begins anew */
    rate_limit_free(r);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("rate_limit", &tests);
    tcase_add_test(tests, edge_of_the_limit);
    tcase_add_test(tests, calls_in_a_ban_do_not_extend_it);
    tcase_add_test(tests, window_slides);
    tcase_add_test(tests, zero_is_no_limit);
    tcase_add_test(tests, no_ban_only_refuses);
    tcase_add_test(tests, stored_bans);
    tcase_add_test(tests, a_look_counts_nothing);
    tcase_add_test(tests, bounded);
    return run_unit(suite);
}
