/* Ids of events: they lead back to their place, for their agent alone, and tell nothing of it. */
#include <check.h>
#include <sodium.h>
#include <string.h>

#include "../../common/secret.h"
#include "../../relay/api/event_id.h"
#include "unit.h"

#define BOB "bob@team"

static uint8_t key[EVENT_ID_KEY_BYTES];

static void setup(void)
{
    secret_init();
    randombytes_buf(key, sizeof key);
}

START_TEST(an_id_leads_back_to_its_place)
{
    static const int64_t places[] = {0, 1, 2, 255, 256, 1000000, INT64_MAX};
    for (size_t i = 0; i < LENGTH_OF(places); i++) {
        char id[EVENT_ID_SIZE], again[EVENT_ID_SIZE];
        int64_t seq = -1;
        event_id_write(key, BOB, places[i], id);
        event_id_write(key, BOB, places[i], again);
        ck_assert_str_eq(id, again);
        ck_assert_uint_eq(strspn(id, "0123456789abcdef"), EVENT_ID_SIZE - 1);
        ck_assert(event_id_read(key, BOB, id, &seq));
        ck_assert_int_eq(seq, places[i]);
    }
}
END_TEST

/* Neither an order nor a distance is seen: each half of an id looks drawn. */
START_TEST(neighbours_have_nothing_in_common)
{
    enum { SOME = 1000, LEAST = 400, PLACE_AT = 2 * EVENT_ID_TAG_BYTES, PART = 8 };
    char last[EVENT_ID_SIZE], id[EVENT_ID_SIZE], others[EVENT_ID_SIZE];
    int ascents[2] = {0};
    event_id_write(key, BOB, 0, last);
    for (int64_t i = 1; i <= SOME; i++) {
        event_id_write(key, BOB, i, id);
        event_id_write(key, "alice@team", i, others);
        ck_assert(memcmp(id, others, PART) != 0);
        ck_assert(memcmp(id + PLACE_AT, others + PLACE_AT, PART) != 0);
        ck_assert(memcmp(id + PLACE_AT, last + PLACE_AT, PART) != 0);
        ascents[0] += memcmp(id, last, PART) > 0;
        ascents[1] += memcmp(id + PLACE_AT, last + PLACE_AT, PART) > 0;
        memcpy(last, id, sizeof last);
    }
    for (size_t i = 0; i < LENGTH_OF(ascents); i++) {
        ck_assert_int_gt(ascents[i], LEAST);
        ck_assert_int_lt(ascents[i], SOME - LEAST);
    }
}
END_TEST

START_TEST(any_other_text_is_refused)
{
    static const char *const others[] = {"", "0", "42", "999999999", "-1",
        "00000000000000000000000000000000000000000000000", "000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000",
        "zz0000000000000000000000000000000000000000000000"};
    char id[EVENT_ID_SIZE];
    int64_t seq = -1;
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        ck_assert_msg(!event_id_read(key, BOB, others[i], &seq), "%s", others[i]);
        ck_assert_int_eq(seq, 0);
    }
    event_id_write(key, BOB, 7, id);
    ck_assert(!event_id_read(key, "bob@tea", id, &seq));
    for (size_t i = 0; i < EVENT_ID_SIZE - 1; i++) {
        const char before = id[i];
        id[i] = before == '0' ? '1' : '0';
        ck_assert_msg(!event_id_read(key, BOB, id, &seq), "%s", id);
        id[i] = before;
    }
    ck_assert(event_id_read(key, BOB, id, &seq));
    key[0] ^= 1;
    ck_assert(!event_id_read(key, BOB, id, &seq));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("event_id", &tests);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, an_id_leads_back_to_its_place);
    tcase_add_test(tests, neighbours_have_nothing_in_common);
    tcase_add_test(tests, any_other_text_is_refused);
    return run_unit(suite);
}
