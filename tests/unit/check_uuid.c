#include <pthread.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/secret.h"
#include "../../common/uuid.h"
#include "unit.h"

START_TEST(canonical_text_is_read)
{
    char id[UUID_SIZE];
    static const char upper[] = "0192F0C1-89AB-7CDE-8F01-23456789ABCD";
    ck_assert(uuid_parse(upper, UUID_LEN, id));
    ck_assert_str_eq(id, "0192f0c1-89ab-7cde-8f01-23456789abcd");
    ck_assert(uuid_parse(id, UUID_LEN, id));
    ck_assert_str_eq(id, "0192f0c1-89ab-7cde-8f01-23456789abcd");
}
END_TEST

START_TEST(other_text_is_refused)
{
    static const char *const bad[] = {
        "",
        "0192f0c1-89ab-7cde-8f01-23456789abc",
        "0192f0c1-89ab-7cde-8f01-23456789abcde",
        "0192f0c189ab7cde8f0123456789abcd",
        "{192f0c1-89ab-7cde-8f01-23456789abc}",
        "0192f0c1-89ab-7cde-8f01-23456789abcg",
        "0192f0c1_89ab_7cde_8f01_23456789abcd",
        "0192f0c-189ab-7cde-8f01-23456789abcd",
        "0192f0c1-89ab-7cde-8f01-23456789ab d",
        "------------------------------------",
    };
    char id[UUID_SIZE];
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        strcpy(id, "x");
        ck_assert_msg(!uuid_parse(bad[i], strlen(bad[i]), id), "%s", bad[i]);
        ck_assert_str_eq(id, "");
    }
}
END_TEST

static void expect_version(const char *id, char version)
{
    char same[UUID_SIZE];
    ck_assert(uuid_parse(id, strlen(id), same));
    ck_assert_str_eq(id, same);
    ck_assert_int_eq(id[14], version);
    ck_assert_ptr_nonnull(strchr("89ab", id[19]));
}

START_TEST(random_ones_differ)
{
    char a[UUID_SIZE], b[UUID_SIZE];
    uuid_v4(a);
    uuid_v4(b);
    expect_version(a, '4');
    ck_assert_str_ne(a, b);
}
END_TEST

START_TEST(time_ordered_ones_ascend)
{
    char last[UUID_SIZE], id[UUID_SIZE];
    uuid_v7(last);
    expect_version(last, '7');
    /* Far more than a millisecond's counter holds. */
    for (int i = 0; i < 20000; i++) {
        uuid_v7(id);
        ck_assert_msg(strcmp(last, id) < 0, "%s then %s", last, id);
        memcpy(last, id, sizeof(last));
    }
    expect_version(id, '7');
}
END_TEST

START_TEST(a_clock_set_back_does_not_reorder)
{
    char before[UUID_SIZE], after[UUID_SIZE];
    uuid_v7(before);
    clock_shift_wall(-MS_PER_HOUR);
    uuid_v7(after);
    clock_shift_wall(MS_PER_HOUR);
    ck_assert_str_lt(before, after);
}
END_TEST

START_TEST(the_time_is_in_front)
{
    char id[UUID_SIZE];
    int64_t before = clock_wall_ms();
    uuid_v7(id);
    char hex[13] = {0};
    memcpy(hex, id, 8);
    memcpy(hex + 8, id + 9, 4);
    int64_t stamped = (int64_t)strtoll(hex, NULL, 16);
    ck_assert_int_ge(stamped, before);
    ck_assert_int_le(stamped, clock_wall_ms());
}
END_TEST

enum { EACH = 3000 };

static void *make_many(void *arg)
{
    char(*ids)[UUID_SIZE] = arg;
    for (size_t i = 0; i < EACH; i++) {
        uuid_v7(ids[i]);
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

START_TEST(threads_never_make_the_same)
{
    static char ids[4 * EACH][UUID_SIZE];
    pthread_t threads[4];
    for (size_t i = 0; i < LENGTH_OF(threads); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, make_many, ids[i * EACH]), 0);
    }
    for (size_t i = 0; i < LENGTH_OF(threads); i++) {
        pthread_join(threads[i], NULL);
        for (size_t k = 1; k < EACH; k++) {
            ck_assert_str_lt(ids[i * EACH + k - 1], ids[i * EACH + k]);
        }
    }
    qsort(ids, LENGTH_OF(ids), sizeof(ids[0]), compare);
    for (size_t i = 1; i < LENGTH_OF(ids); i++) {
        ck_assert_str_ne(ids[i - 1], ids[i]);
    }
}
END_TEST

/* RFC 9562, appendix A.4. */
START_TEST(name_based_ones_are_the_standards)
{
    char id[UUID_SIZE], other[UUID_SIZE];
    uuid_v5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com", id);
    ck_assert_str_eq(id, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    uuid_v5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.org", other);
    expect_version(other, '5');
    ck_assert_str_ne(id, other);
}
END_TEST

int main(void)
{
    secret_init();
    TCase *tests;
    Suite *suite = unit_suite("uuid", &tests);
    tcase_add_test(tests, canonical_text_is_read);
    tcase_add_test(tests, other_text_is_refused);
    tcase_add_test(tests, random_ones_differ);
    tcase_add_test(tests, time_ordered_ones_ascend);
    tcase_add_test(tests, a_clock_set_back_does_not_reorder);
    tcase_add_test(tests, the_time_is_in_front);
    tcase_add_test(tests, threads_never_make_the_same);
    tcase_add_test(tests, name_based_ones_are_the_standards);
    return run_unit(suite);
}
