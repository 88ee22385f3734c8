#include <string.h>

#include "../../common/ident.h"
#include "unit.h"

#define NAME_64 "a234567890123456789012345678901234567890123456789012345678901234"

START_TEST(names_follow_their_rule)
{
    static const char *const good[] = {"a", "0", "claude-code", "a.b_c-d", "v1.2", NAME_64};
    static const char *const bad[] = {
        "", "A", "-a", ".a", "_a", "a b", "a@b", "a:b", "a/b", "\xC3\xA9", "a\n", NAME_64 "5"};
    for (size_t i = 0; i < LENGTH_OF(good); i++) {
        ck_assert_msg(ident_name_valid(good[i]), "%s", good[i]);
    }
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        ck_assert_msg(!ident_name_valid(bad[i]), "%s", bad[i]);
    }
}
END_TEST

START_TEST(names_are_lowered)
{
    char name[NAME_SIZE];
    ck_assert(ident_name_normalize("FrontEnd", name));
    ck_assert_str_eq(name, "frontend");
    ck_assert(ident_name_normalize(NAME_64, name));
    ck_assert_str_eq(name, NAME_64);
    ck_assert(!ident_name_normalize(NAME_64 "X", name));
    ck_assert_str_eq(name, "");
    ck_assert(!ident_name_normalize("Front End", name));
    ck_assert_str_eq(name, "");
}
END_TEST

static const struct {
    const char *address;
    bool good;
    const char *agent, *namespace_id;
} addresses[] = {
    {"backend", true, "backend", ""},
    {"Backend@MyProject", true, "backend", "myproject"},
    {"MyProject:Backend", true, "backend", "myproject"},
    {NAME_64 "@" NAME_64, true, NAME_64, NAME_64},
    {"", false, "", ""},
    {"@", false, "", ""},
    {":", false, "", ""},
    {"a@", false, "", ""},
    {"@b", false, "", ""},
    {"a:", false, "", ""},
    {":b", false, "", ""},
    {"a@b@c", false, "", ""},
    {"a@b:c", false, "", ""},
    {"a:b:c", false, "", ""},
    {"a b@c", false, "", ""},
    {NAME_64 "x@b", false, "", ""},
    {"b:" NAME_64 "x", false, "", ""},
};

START_TEST(addresses_are_read_both_ways)
{
    struct ident ident;
    memset(&ident, 'x', sizeof(ident));
    ck_assert_msg(
        ident_parse(addresses[_i].address, &ident) == addresses[_i].good, "%s", addresses[_i].address);
    ck_assert_str_eq(ident.agent, addresses[_i].agent);
    ck_assert_str_eq(ident.namespace_id, addresses[_i].namespace_id);
}
END_TEST

START_TEST(addresses_are_written_for_people)
{
    char address[ADDRESS_SIZE];
    ident_format("myproject", "backend", address);
    ck_assert_str_eq(address, "backend@myproject");
    ident_format(NAME_64, NAME_64, address);
    ck_assert_str_eq(address, NAME_64 "@" NAME_64);
    /* An older name that is longer stays within its room. */
    ident_format(NAME_64 "56", NAME_64 "56", address);
    ck_assert_str_eq(address, NAME_64 "@" NAME_64);
}
END_TEST

START_TEST(distances_are_counted)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } rows[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"backend", "backend", 0},
        {"backend", "bakend", 1},
        {"backend", "backends", 1},
        {"backend", "bockend", 1},
        {"backend", "bakcend", 1},
        {"ab", "ba", 1},
        {"ca", "abc", 3},
        {"kitten", "sitting", 3},
        {NAME_64, NAME_64 "and what is cut off", 0},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        ck_assert_uint_eq(ident_distance(rows[i].a, rows[i].b), rows[i].distance);
        ck_assert_uint_eq(ident_distance(rows[i].b, rows[i].a), rows[i].distance);
    }
}
END_TEST

START_TEST(the_nearest_name_comes_first)
{
    char frontend[] = "frontend", backend[] = "backend", backups[] = "backups", bocken[] = "bocken",
         a[] = "bakenz";
    char *names[] = {frontend, backups, bocken, a, backend};
    ident_sort_nearest("bakend", names, LENGTH_OF(names));
    ck_assert_str_eq(names[0], "backend");
    ck_assert_str_eq(names[1], "bakenz");
    ck_assert_str_eq(names[2], "bocken");
    ck_assert_str_eq(names[4], "frontend");

    char z[] = "xz", y[] = "xy";
    char *equal[] = {z, y};
    ident_sort_nearest("xx", equal, LENGTH_OF(equal));
    ck_assert_str_eq(equal[0], "xy");
    ident_sort_nearest("xx", equal, 0);

    char far[] = "a@backend", near[] = "backen@elsewhere";
    char *addresses_of[] = {far, near};
    ident_sort_nearest("backend", addresses_of, LENGTH_OF(addresses_of));
    ck_assert_str_eq(addresses_of[0], near);
    ident_sort_nearest("a@backen", addresses_of, LENGTH_OF(addresses_of));
    ck_assert_str_eq(addresses_of[0], far);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("ident", &tests);
    tcase_add_test(tests, names_follow_their_rule);
    tcase_add_test(tests, names_are_lowered);
    tcase_add_loop_test(tests, addresses_are_read_both_ways, 0, LENGTH_OF(addresses));
    tcase_add_test(tests, addresses_are_written_for_people);
    tcase_add_test(tests, distances_are_counted);
    tcase_add_test(tests, the_nearest_name_comes_first);
    return run_unit(suite);
}
