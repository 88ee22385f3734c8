#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/buf.h"
#include "unit.h"

START_TEST(an_empty_buffer_is_text)
{
    struct buf b = {0};
    ck_assert_str_eq(buf_text(&b), "");
    buf_reset(&b);
    buf_consume(&b, 0);
    char *text = buf_take(&b);
    ck_assert_str_eq(text, "");
    free(text);
    buf_free(&b);
    buf_wipe(&b);
}
END_TEST

START_TEST(bytes_are_appended_and_ended)
{
    struct buf b = {0};
    buf_puts(&b, "one ");
    buf_append(&b, "t\0o", 3);
    buf_putc(&b, ' ');
    buf_printf(&b, "%s-%d", "three", 3);
    buf_append(&b, NULL, 0);
    ck_assert_uint_eq(b.len, 15);
    ck_assert_mem_eq(b.data, "one t\0o three-3", 16);
    buf_consume(&b, 8);
    ck_assert_str_eq(buf_text(&b), "three-3");
    buf_consume(&b, b.len);
    ck_assert_str_eq(buf_text(&b), "");
    buf_puts(&b, "again");
    buf_reset(&b);
    ck_assert_str_eq(buf_text(&b), "");
    ck_assert_uint_eq(b.len, 0);
    buf_free(&b);
    ck_assert_ptr_null(b.data);
}
END_TEST

/* Each length around the growth steps, written byte by byte and in one piece. */
START_TEST(every_length_fits)
{
    char expected[300];
    memset(expected, 'x', sizeof(expected));
    for (size_t len = 0; len < sizeof(expected); len++) {
        struct buf whole = {0}, pieces = {0}, printed = {0};
        buf_append(&whole, expected, len);
        for (size_t i = 0; i < len; i++) {
            buf_putc(&pieces, 'x');
        }
        buf_printf(&printed, "%.*s", (int)len, expected);
        ck_assert_uint_eq(strlen(buf_text(&whole)), len);
        ck_assert_str_eq(buf_text(&whole), buf_text(&pieces));
        ck_assert_str_eq(buf_text(&whole), buf_text(&printed));
        buf_free(&whole);
        buf_free(&pieces);
        buf_free(&printed);
    }
}
END_TEST

START_TEST(room_is_reserved)
{
    struct buf b = {0};
    buf_puts(&b, "a");
    char *end = buf_reserve(&b, 1000);
    memset(end, 'b', 1000);
    buf_commit(&b, 1000);
    ck_assert_uint_eq(strlen(buf_text(&b)), 1001);
    buf_putc(&b, 'c');
    ck_assert_uint_eq(b.len, 1002);
    ck_assert_uint_eq(strlen(buf_text(&b)), 1002);
    ck_assert_int_eq(b.data[1001], 'c');
    buf_wipe(&b);
    ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(bytes_are_handed_over)
{
    struct buf b = {0};
    buf_puts(&b, "text");
    char *text = buf_take(&b);
    ck_assert_str_eq(text, "text");
    ck_assert_ptr_null(b.data);
    ck_assert_uint_eq(b.len, 0);
    free(text);
}
END_TEST

START_TEST(bytes_take_the_place_of_others)
{
    struct buf b = {0};
    buf_splice(&b, 0, 0, NULL, 0);
    ck_assert_str_eq(buf_text(&b), "");
    buf_splice(&b, 0, 0, "ad", 2);
    buf_splice(&b, 1, 1, "bc", 2);
    ck_assert_str_eq(buf_text(&b), "abcd");
    buf_splice(&b, 4, 4, "e", 1);
    buf_splice(&b, 1, 4, "-", 1);
    ck_assert_str_eq(buf_text(&b), "a-e");
    ck_assert_uint_eq(b.len, 3);
    buf_splice(&b, 1, 2, "0123456789012345678901234567890123456789012345678901234567890123456789", 70);
    ck_assert_uint_eq(b.len, 72);
    ck_assert_str_eq(buf_text(&b) + 70, "9e");
    buf_splice(&b, 0, 72, NULL, 0);
    ck_assert_str_eq(buf_text(&b), "");
    buf_free(&b);
}
END_TEST

START_TEST(copies_are_ended)
{
    char *copy = xmemdup_text("a\0bc", 3);
    ck_assert_mem_eq(copy, "a\0b", 4);
    free(copy);
    ck_assert_ptr_null(xstrdup_or_null(NULL));
    copy = xstrdup_or_null("x");
    ck_assert_str_eq(copy, "x");
    free(copy);
    copy = xasprintf("%d%s", 12, "ab");
    ck_assert_str_eq(copy, "12ab");
    free(copy);
    unsigned char *zeroes = xcalloc(3, 2);
    ck_assert_mem_eq(zeroes, "\0\0\0\0\0\0", 6);
    free(zeroes);
    free(xmalloc(0));
    free(xcalloc(0, 8));
}
END_TEST

START_TEST(an_impossible_size_ends_the_process)
{
    free(xmemdup_text("", SIZE_MAX));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("buf", &tests);
    tcase_add_test(tests, an_empty_buffer_is_text);
    tcase_add_test(tests, bytes_are_appended_and_ended);
    tcase_add_test(tests, every_length_fits);
    tcase_add_test(tests, room_is_reserved);
    tcase_add_test(tests, bytes_are_handed_over);
    tcase_add_test(tests, bytes_take_the_place_of_others);
    tcase_add_test(tests, copies_are_ended);
    tcase_add_test_raise_signal(tests, an_impossible_size_ends_the_process, SIGABRT);
    return run_unit(suite);
}
