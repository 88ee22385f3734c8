/* Parking: tickets, who is woken, who counts as waiting. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/buf.h"
#include "../../common/clock.h"
#include "../../common/secret.h"
#include "../../relay/http/parking_loop.h"
#include "unit.h"

static struct parking *parking;
static int kicks;
static struct parked who[8];
static char woken[64]; /* a letter for each, in order */

static void count_kick(void *arg)
{
    (void)arg;
    kicks++;
}

static void note_woken(void *owner)
{
    const struct parked *w = owner;
    size_t len = strlen(woken);
    ck_assert_uint_lt(len, sizeof woken - 1);
    woken[len] = (char)('a' + (w - who));
    woken[len + 1] = '\0';
}

static void setup(void)
{
    secret_init();
    parking = parking_new(count_kick, NULL);
    memset(who, 0, sizeof who);
    for (size_t i = 0; i < LENGTH_OF(who); i++)
        who[i].owner = &who[i];
    kicks = 0;
    woken[0] = '\0';
}

static void teardown(void)
{
    parking_free(parking);
}

static void enter(struct parked *w, const char *key, bool exclusive)
{
    w->exclusive = exclusive;
    ck_assert(parking_enter(parking, w, key, parking_ticket(parking, key)));
}

static void expect_woken(const char *letters)
{
    woken[0] = '\0';
    parking_drain(parking, note_woken);
    ck_assert_str_eq(woken, letters);
}

START_TEST(a_ticket_is_good_until_the_next_notification)
{
    uint64_t ticket = parking_ticket(parking, "x");
    ck_assert_uint_eq(parking_ticket(parking, "x"), ticket);
    parking_notify(parking, "x");
    ck_assert_uint_ne(parking_ticket(parking, "x"), ticket);
    ck_assert(!parking_enter(parking, &who[0], "x", ticket));
    ck_assert_uint_eq(parking_count(parking), 0);
    ticket = parking_ticket(parking, "x");
    parking_notify_all(parking);
    ck_assert(!parking_enter(parking, &who[0], "x", ticket));
    enter(&who[0], "x", true);
    ck_assert_uint_eq(parking_count(parking), 1);
    parking_leave(parking, &who[0]);
    parking_leave(parking, &who[0]);
    ck_assert_uint_eq(parking_count(parking), 0);
}
END_TEST

START_TEST(one_exclusive_and_all_others_are_woken)
{
    enter(&who[0], "x", true);
    enter(&who[1], "x", true);
    enter(&who[2], "x", false);
    enter(&who[3], "y", true);
    enter(&who[4], "x", false);
    parking_notify(parking, "x");
    expect_woken("ace");
    expect_woken("");
    parking_notify(parking, "x");
    expect_woken("b");
    ck_assert_uint_eq(parking_count(parking), 1);
    parking_notify_all(parking);
    expect_woken("d");
    ck_assert_uint_eq(parking_count(parking), 0);
}
END_TEST

/* Two notifications before the loop looks wake two. */
START_TEST(each_notification_counts)
{
    enter(&who[0], "x", true);
    enter(&who[1], "x", true);
    enter(&who[2], "x", true);
    parking_notify(parking, "x");
    parking_notify(parking, "x");
    expect_woken("ab");
    parking_leave(parking, &who[2]);
}
END_TEST

START_TEST(the_loop_is_only_kicked_where_somebody_waits)
{
    parking_notify(parking, "x");
    ck_assert_int_eq(kicks, 0);
    enter(&who[0], "x", true);
    enter(&who[1], "x", true);
    parking_notify(parking, "x");
    parking_notify(parking, "x");
    ck_assert_int_eq(kicks, 1);
    expect_woken("ab");
    parking_notify_all(parking);
    parking_notify_all(parking);
    ck_assert_int_eq(kicks, 2);
}
END_TEST

START_TEST(who_left_is_not_woken)
{
    enter(&who[0], "x", true);
    enter(&who[1], "x", true);
    parking_notify(parking, "x");
    parking_leave(parking, &who[0]);
    expect_woken("b");
}
END_TEST

START_TEST(exclusive_waits_count_as_waiting)
{
    ck_assert(!parking_is_waiting(parking, "x"));

    enter(&who[0], "x", false);
    ck_assert(!parking_is_waiting(parking, "x"));
    enter(&who[1], "x", true);
    ck_assert(parking_is_waiting(parking, "x"));
    ck_assert(!parking_is_waiting(parking, "y"));
    parking_leave(parking, &who[1]);
    ck_assert(parking_is_waiting(parking, "x")); /* just now */
    parking_leave(parking, &who[0]);
    ck_assert(!parking_is_waiting(parking, "y"));
}
END_TEST

START_TEST(just_now_passes)
{
    enter(&who[0], "x", true);
    int64_t left = clock_mono_ms();
    parking_leave(parking, &who[0]);
    while (parking_is_waiting(parking, "x") && clock_mono_ms() - left < 2 * PARKING_JUST_NOW_MS)
        poll(NULL, 0, 10);
    ck_assert_int_ge(clock_mono_ms() - left, PARKING_JUST_NOW_MS);
    ck_assert_int_lt(clock_mono_ms() - left, 2 * PARKING_JUST_NOW_MS);
}
END_TEST

START_TEST(a_wait_under_several_keys_is_woken_by_each)
{
    enter(&who[0], "x\ny\nz", true);
    ck_assert_uint_eq(parking_count(parking), 1);
    parking_notify(parking, "y");
    expect_woken("a");
    ck_assert_uint_eq(parking_count(parking), 0);
    parking_notify(parking, "x");
    expect_woken("");

    /* News under two of its keys wakes it once, and the next of the other key. */
    enter(&who[0], "x\ny", true);
    enter(&who[1], "y", true);
    enter(&who[2], "y\nx", false);
    parking_notify(parking, "x");
    parking_notify(parking, "y");
    expect_woken("acb");

    /* One call may tell of several. */
    enter(&who[0], "x", true);
    enter(&who[1], "y", true);
    enter(&who[2], "z", true);
    parking_notify(parking, "x\ny");
    expect_woken("ab");
    parking_leave(parking, &who[2]);
}
END_TEST

START_TEST(several_keys_are_left_together)
{
    enter(&who[0], "x\ny", true);
    ck_assert(parking_is_waiting(parking, "x") && parking_is_waiting(parking, "y"));
    ck_assert(!parking_is_waiting(parking, "x\ny")); /* that is one key's question */
    parking_leave(parking, &who[0]);
    parking_notify(parking, "x\ny");
    expect_woken("");

    enter(&who[0], "x\ny", true);
    enter(&who[1], "x\ny", false);
    parking_notify_all(parking);
    expect_woken("ab");
    ck_assert_uint_eq(parking_count(parking), 0);
}
END_TEST

START_TEST(a_ticket_of_several_keys_ends_with_news_of_one)
{
    const uint64_t ticket = parking_ticket(parking, "x\ny");
    parking_notify(parking, "y");
    ck_assert(!parking_enter(parking, &who[0], "x\ny", ticket));
    ck_assert_uint_eq(parking_count(parking), 0);
    parking_notify(parking, "y");
    expect_woken("");
}
END_TEST

/* The same key twice, and keys that share a place: none of it wakes anybody twice. */
START_TEST(keys_that_meet_do_no_harm)
{
    struct buf keys = {0};
    buf_puts(&keys, "x\nx");
    for (int i = 0; i < 500; i++) /* of 8,192 places */
        buf_printf(&keys, "\nk%d", i);
    enter(&who[0], buf_text(&keys), false);
    enter(&who[1], "x\nx", true);
    parking_notify(parking, "x");
    parking_notify(parking, "k77");
    expect_woken("ba");
    enter(&who[0], buf_text(&keys), true);
    parking_leave(parking, &who[0]);
    ck_assert_uint_eq(parking_count(parking), 0);
    buf_free(&keys);
}
END_TEST

/* More keys than places. */
START_TEST(many_keys)
{
    enum { MANY = 50000 };
    struct parked *many = xcalloc(MANY, sizeof *many);
    char key[32];
    for (int i = 0; i < MANY; i++) {
        many[i].owner = &who[0];
        many[i].exclusive = true;
        snprintf(key, sizeof key, "agent%d@ns", i);
        ck_assert(parking_enter(parking, &many[i], key, parking_ticket(parking, key)));
    }
    ck_assert_uint_eq(parking_count(parking), MANY);
    parking_notify(parking, "agent77@ns");
    expect_woken("a");
    ck_assert(!many[77].linked);
    ck_assert_uint_eq(parking_count(parking), MANY - 1);
    for (int i = 0; i < MANY; i++)
        parking_leave(parking, &many[i]);
    ck_assert_uint_eq(parking_count(parking), 0);
    free(many);
}
END_TEST

/* News is put down and notified by one thread; the other looks, and parks where it found none. It must see
 * the last. */
enum { NEWS = 200000 };
static atomic_int news;

static void *tell(void *arg)
{
    (void)arg;
    for (int i = 1; i <= NEWS; i++) {
        atomic_store(&news, i);
        parking_notify(parking, "x");
    }
    return NULL;
}

static void ignore_woken(void *owner)
{
    (void)owner;
}

START_TEST(no_news_is_slept_through)
{
    pthread_t thread;
    int seen = 0;
    long tries = 0;
    ck_assert_int_eq(pthread_create(&thread, NULL, tell, NULL), 0);
    while (seen < NEWS) {
        uint64_t ticket = parking_ticket(parking, "x");
        seen = atomic_load(&news);
        if (seen < NEWS && parking_enter(parking, &who[0], "x", ticket)) {
            while (who[0].linked) {
                ck_assert_int_lt(tries++, 2000000000L);
                parking_drain(parking, ignore_woken);
            }
        }
    }
    pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("parking", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, a_ticket_is_good_until_the_next_notification);
    tcase_add_test(tests, one_exclusive_and_all_others_are_woken);
    tcase_add_test(tests, each_notification_counts);
    tcase_add_test(tests, the_loop_is_only_kicked_where_somebody_waits);
    tcase_add_test(tests, who_left_is_not_woken);
    tcase_add_test(tests, exclusive_waits_count_as_waiting);
    tcase_add_test(tests, just_now_passes);
    tcase_add_test(tests, a_wait_under_several_keys_is_woken_by_each);
    tcase_add_test(tests, several_keys_are_left_together);
    tcase_add_test(tests, a_ticket_of_several_keys_ends_with_news_of_one);
    tcase_add_test(tests, keys_that_meet_do_no_harm);
    tcase_add_test(tests, many_keys);
    tcase_add_test(tests, no_news_is_slept_through);
    return run_unit(suite);
}
