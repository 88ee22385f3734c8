/* What a namespace has stored and is storing, at its limit. */
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../relay/blob/file_quota.h"
#include "unit.h"

enum { FILES = 2, LIMIT = FILES * FILE_QUOTA_LEAST };

static int64_t on_disk;
static struct file_quota *quota;

static bool measure(void *arg, const char *namespace_part, int64_t *bytes)
{
    (void)arg, (void)namespace_part;
    *bytes = on_disk;
    return true;
}

static bool act(void *done)
{
    return *(bool *)done;
}

static void setup(void)
{
    on_disk = 0;
    quota = file_quota_new(LIMIT, 0, measure, NULL);
}

static void teardown(void)
{
    file_quota_free(quota);
}

static int64_t used(void)
{
    int64_t bytes = -1;
    ck_assert(file_quota_used(quota, "ns", &bytes));
    return bytes;
}

static enum quota_claim claim(int64_t bytes)
{
    return file_quota_claim(quota, "ns", bytes);
}

START_TEST(it_is_full_at_its_limit)
{
    ck_assert_int_eq(claim(LIMIT - 1), QUOTA_CLAIMED);
    ck_assert_int_eq(claim(2), QUOTA_FULL);
    ck_assert_int_eq(claim(1), QUOTA_CLAIMED);
    ck_assert_int_eq(claim(1), QUOTA_FULL);
    ck_assert_int_eq(file_quota_claim(quota, "other", LIMIT), QUOTA_CLAIMED);
    file_quota_release(quota, "ns", 1);
    ck_assert_int_eq(claim(1), QUOTA_CLAIMED);
}
END_TEST

START_TEST(an_upload_that_is_published_counts_once)
{
    bool done = true;
    for (int i = 0; i < FILES; i++) {
        ck_assert_int_eq(claim(FILE_QUOTA_LEAST), QUOTA_CLAIMED);
        ck_assert(file_quota_apply(quota, "ns", FILE_QUOTA_LEAST, FILE_QUOTA_LEAST, act, &done));
        ck_assert_int_eq(used(), (i + 1) * FILE_QUOTA_LEAST);
    }
    ck_assert_int_eq(claim(1), QUOTA_FULL);
    ck_assert(file_quota_apply(quota, "ns", -FILE_QUOTA_LEAST, 0, act, &done));
    ck_assert_int_eq(used(), LIMIT - FILE_QUOTA_LEAST);
}
END_TEST

START_TEST(what_could_not_be_published_stays_set_aside)
{
    bool done = false;
    ck_assert_int_eq(claim(FILE_QUOTA_LEAST), QUOTA_CLAIMED);
    ck_assert(!file_quota_apply(quota, "ns", FILE_QUOTA_LEAST, FILE_QUOTA_LEAST, act, &done));
    ck_assert_int_eq(used(), FILE_QUOTA_LEAST);
    file_quota_release(quota, "ns", FILE_QUOTA_LEAST);
    ck_assert_int_eq(used(), 0);
}
END_TEST

START_TEST(what_was_there_before_counts)
{
    on_disk = LIMIT - 1;
    ck_assert_int_eq(claim(2), QUOTA_FULL);
    ck_assert_int_eq(claim(1), QUOTA_CLAIMED);
}
END_TEST

START_TEST(what_others_store_is_seen_in_time)
{
    enum { STALE_MS = 1000 };
    int64_t bytes;
    file_quota_free(quota);
    quota = file_quota_new(LIMIT, STALE_MS, measure, NULL);
    ck_assert_int_eq(claim(1), QUOTA_CLAIMED);
    on_disk = LIMIT;
    ck_assert_int_eq(claim(1), QUOTA_CLAIMED); /* measured a moment ago */
    clock_pass(STALE_MS);
    ck_assert_int_eq(claim(1), QUOTA_FULL);
    ck_assert_int_eq(used(), LIMIT + 2);
    on_disk = 0;
    ck_assert_int_eq(used(), LIMIT + 2);
    file_quota_forget(quota, "ns");
    ck_assert(file_quota_used(quota, "ns", &bytes));
    ck_assert_int_eq(bytes, 2);
}
END_TEST

/* An upload elsewhere, which a measurement may have seen under way. */
START_TEST(what_was_measured_meanwhile_is_measured_again)
{
    ck_assert_int_eq(claim(FILE_QUOTA_LEAST), QUOTA_CLAIMED);
    clock_pass(1);
    const int64_t began_ms = clock_mono_ms();
    file_quota_settle(quota, "ns", FILE_QUOTA_LEAST, FILE_QUOTA_LEAST, began_ms);
    ck_assert_int_eq(used(), FILE_QUOTA_LEAST); /* counted */

    on_disk = FILE_QUOTA_LEAST;
    ck_assert_int_eq(claim(FILE_QUOTA_LEAST), QUOTA_CLAIMED);
    clock_pass(1);
    file_quota_forget(quota, "ns");
    on_disk = LIMIT;
    ck_assert_int_eq(used(), LIMIT + FILE_QUOTA_LEAST); /* seen while it is set aside, too */
    file_quota_settle(quota, "ns", FILE_QUOTA_LEAST, FILE_QUOTA_LEAST, began_ms);
    ck_assert_int_eq(used(), LIMIT);
}
END_TEST

/* A listing that takes as long as the test wants. */
static pthread_barrier_t measuring;

static bool measure_slowly(void *arg, const char *namespace_part, int64_t *bytes)
{
    if (strcmp(namespace_part, "slow") == 0) {
        pthread_barrier_wait(&measuring); /* it has begun */
        pthread_barrier_wait(&measuring); /* it may end */
    }
    return measure(arg, namespace_part, bytes);
}

static void *claim_slow(void *result)
{
    *(enum quota_claim *)result = file_quota_claim(quota, "slow", LIMIT);
    return NULL;
}

START_TEST(one_namespace_is_measured_while_others_go_on)
{
    enum quota_claim slow = QUOTA_UNKNOWN;
    pthread_t thread;
    file_quota_free(quota);
    quota = file_quota_new(LIMIT, 0, measure_slowly, NULL);
    ck_assert_int_eq(pthread_barrier_init(&measuring, NULL, 2), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, claim_slow, &slow), 0);
    pthread_barrier_wait(&measuring);
    ck_assert_int_eq(claim(LIMIT), QUOTA_CLAIMED);
    ck_assert_int_eq(used(), LIMIT);
    pthread_barrier_wait(&measuring);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(slow, QUOTA_CLAIMED);
    pthread_barrier_destroy(&measuring);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("file_quota", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, it_is_full_at_its_limit);
    tcase_add_test(tests, an_upload_that_is_published_counts_once);
    tcase_add_test(tests, what_could_not_be_published_stays_set_aside);
    tcase_add_test(tests, what_was_there_before_counts);
    tcase_add_test(tests, what_others_store_is_seen_in_time);
    tcase_add_test(tests, what_was_measured_meanwhile_is_measured_again);
    tcase_add_test(tests, one_namespace_is_measured_while_others_go_on);
    return run_unit(suite);
}
