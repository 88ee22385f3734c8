/* Claims: who waits for whom, and for how long. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "../../common/clock.h"
#include "../../common/compiler.h"
#include "../../relay/blob/claims.h"
#include "unit.h"

enum { MOST = 2, WAITERS = 1, WAIT_MS = 50, LONG_MS = 60 * 1000 };

static struct claims *claims;
static atomic_int taken, refused;

static void open_with(int64_t wait_ms)
{
    const struct claims_options options = {.max = MOST, .waiters_max = WAITERS, .wait_ms = wait_ms};
    claims = claims_new(&options);
}

static void teardown(void)
{
    claims_free(claims);
}

static void *take(void *key)
{
    ++*(claims_take(claims, key) ? &taken : &refused);
    return NULL;
}

START_TEST(a_key_is_claimed_once)
{
    open_with(WAIT_MS);
    const int64_t began_ms = clock_mono_ms();
    ck_assert(claims_take(claims, "a"));
    ck_assert(!claims_take(claims, "a"));
    ck_assert_int_ge(clock_mono_ms() - began_ms, WAIT_MS);
    ck_assert(claims_take(claims, "b"));
    claims_give_back(claims, "a");
    ck_assert(claims_take(claims, "a"));
    claims_give_back(claims, "a");
    claims_give_back(claims, "b");
}
END_TEST

START_TEST(as_many_are_claimed_as_may_be)
{
    open_with(WAIT_MS);
    ck_assert(claims_take(claims, "a"));
    ck_assert(claims_take(claims, "b"));
    ck_assert(!claims_take(claims, "c"));
    claims_give_back(claims, "a");
    ck_assert(claims_take(claims, "c"));
    claims_give_back(claims, "c");
    claims_give_back(claims, "b");
}
END_TEST

/* Of two, one waits and gets it; the other is not let wait. */
START_TEST(few_wait)
{
    pthread_t two[WAITERS + 1];
    open_with(LONG_MS);
    const int64_t began_ms = clock_mono_ms();
    ck_assert(claims_take(claims, "a"));
    for (size_t i = 0; i < LENGTH_OF(two); i++)
        ck_assert_int_eq(pthread_create(&two[i], NULL, take, "a"), 0);
    while (atomic_load(&refused) == 0)
        sched_yield();
    claims_give_back(claims, "a");
    for (size_t i = 0; i < LENGTH_OF(two); i++)
        ck_assert_int_eq(pthread_join(two[i], NULL), 0);
    ck_assert_int_eq(atomic_load(&refused), 1);
    ck_assert_int_eq(atomic_load(&taken), WAITERS);
    claims_give_back(claims, "a");
    ck_assert_int_lt(clock_mono_ms() - began_ms, LONG_MS);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("claims", &tests);
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, a_key_is_claimed_once);
    tcase_add_test(tests, as_many_are_claimed_as_may_be);
    tcase_add_test(tests, few_wait);
    return run_unit(suite);
}
