#include <string.h>

#include "../../common/alloc.h"
#include "../../common/utf8.h"
#include "unit.h"

/* Writes a code point the plain way. */
static size_t encode(uint32_t value, char out[static 4])
{
    static const unsigned char lead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    size_t len = value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1;) {
        out[i] = (char)(0x80 | (value & 0x3F));
        value >>= 6;
    }
    out[0] = (char)(lead[len] | value);
    return len;
}

START_TEST(every_code_point_is_decoded)
{
    for (uint32_t value = 0; value <= 0x10FFFF; value++) {
        char bytes[4];
        size_t len = encode(value, bytes);
        uint32_t got = 0;
        size_t step = utf8_decode(bytes, len, &got);
        if (value >= 0xD800 && value <= 0xDFFF) {
            ck_assert_uint_eq(step, 0);
            continue;
        }
        if (step != len || got != value || utf8_decode(bytes, len - 1 ? len - 1 : 1, &got) != (len == 1)) {
            ck_abort_msg("U+%04X", value);
        }
    }
}
END_TEST

START_TEST(what_is_not_utf8_is_refused)
{
    static const char *const bad[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xF0\x80\x80\x80",
        "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xC3",
        "\xE2\x82",
        "\xF0\x9F\x98",
        "\xC3(",
        "\xE2(\xA1",
        "\xE2\x82(",
        "\xF0\x9F\x98(",
    };
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        size_t len = strlen(bad[i]);
        char *copy = xmalloc(len);
        memcpy(copy, bad[i], len);
        uint32_t ignored;
        ck_assert_msg(utf8_decode(copy, len, &ignored) == 0, "row %zu", i);
        ck_assert(!utf8_valid(copy, len));
        free(copy);
    }
}
END_TEST

/* One, two, three and four bytes, and a NUL. */
static const char mixed[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\0z";

START_TEST(code_points_are_counted)
{
    size_t len = sizeof(mixed) - 1;
    ck_assert(utf8_valid(mixed, len));
    ck_assert(utf8_valid("", 0));
    ck_assert(!utf8_valid(mixed, 2));
    ck_assert_uint_eq(utf8_count(mixed, len), 6);
    ck_assert_uint_eq(utf8_count(mixed, 0), 0);
}
END_TEST

START_TEST(offsets_are_found)
{
    static const size_t offsets[] = {0, 1, 3, 6, 10, 11, 12, 12};
    size_t len = sizeof(mixed) - 1;
    for (size_t i = 0; i < LENGTH_OF(offsets); i++) {
        ck_assert_uint_eq(utf8_offset(mixed, len, i), offsets[i]);
    }
    ck_assert_uint_eq(utf8_offset("", 0, 0), 0);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("utf8", &tests);
    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, every_code_point_is_decoded);
    tcase_add_test(tests, what_is_not_utf8_is_refused);
    tcase_add_test(tests, code_points_are_counted);
    tcase_add_test(tests, offsets_are_found);
    return run_unit(suite);
}
