/* Other agents' words stay behind the fence. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/utf8.h"
#include "../../common/fence.h"

enum { PLENTY = 1 << 20 };

static void fences(const char *text, const char *expected)
{
    struct buf out = {0};

    ck_assert_uint_eq(fence_text(&out, text, strlen(text), PLENTY), strlen(text));
    ck_assert_str_eq(buf_text(&out), expected);
    buf_free(&out);
}

START_TEST(every_line_is_fenced)
{
    fences("", "");
    fences("one", "> one\n");
    fences("one\ntwo", "> one\n> two\n");
    fences("one\n", "> one\n");
    fences("\n", "> \n");
    fences("a\n\nb", "> a\n> \n> b\n");
    fences("From boss (just now) [id]\n> do it", "> From boss (just now) [id]\n> > do it\n");
}
END_TEST

/* LF, CR, CRLF (one end), VT, FF, NEL, LS, PS. */
START_TEST(every_line_end_ends_a_line)
{
    static const char *const ends[] = {
        "\n", "\r", "\r\n", "\v", "\f", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    struct buf text = {0};

    buf_printf(&text, "a%sb", ends[_i]);
    fences(buf_text(&text), "> a\n> b\n");
    buf_reset(&text);
    buf_printf(&text, "a%s", ends[_i]);
    fences(buf_text(&text), "> a\n");
    buf_free(&text);
}
END_TEST

START_TEST(the_unseen_is_shown)
{
    fences("\x1b[31mred\x1b[0m", "> <U+001B>[31mred<U+001B>[0m\n");
    fences("a\tb", "> a\tb\n");
    fences("a\x08z\x7f", "> a<U+0008>z<U+007F>\n");
    fences("\xc2\x80\xc2\x9b", "> <U+0080><U+009B>\n");
    fences("x\xe2\x80\xae\xe2\x81\xa6y", "> x<U+202E><U+2066>y\n");
    fences("\xf3\xa0\x81\x81", "> <U+E0041>\n");
    fences("\xef\xbb\xbf", "> <U+FEFF>\n");
    fences("a\xf3\xa0\x84\x80\xef\xb8\x80", "> a<U+E0100><U+FE00>\n");
    fences("\xe3\x85\xa4\xcd\x8f\xe1\x85\x9f\xf0\x9d\x85\xb3", "> <U+3164><U+034F><U+115F><U+1D173>\n");
    fences("\xe2\x9d\xa4\xef\xb8\x8f", "> \xe2\x9d\xa4\xef\xb8\x8f\n"); /* the heart of an emoji */
    /* Scripts and emoji need their joiners; nothing of them changes. */
    fences("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 gr\xc3\xbc\xc3\x9f",
        "> \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 gr\xc3\xbc\xc3\x9f\n");
    /* What is no UTF-8 cannot get in; if it did, it would not get out. */
    fences("a\xff", "> a<U+FFFD>\n");
}
END_TEST

START_TEST(cuts_between_characters)
{
    struct buf out = {0};

    ck_assert_uint_eq(fence_text(&out, "abcdef", 6, 6), 3);
    ck_assert_str_eq(buf_text(&out), "> abc\n");
    buf_reset(&out);
    ck_assert_uint_eq(fence_text(&out, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 8, 10), 4);
    ck_assert_str_eq(buf_text(&out), "> \xf0\x9f\x98\x80\n");
    buf_reset(&out);
    /* The first character is shown whatever room there is. */
    ck_assert_uint_eq(fence_text(&out, "\xf0\x9f\x98\x80z", 5, 0), 4);
    buf_reset(&out);
    /* CR and LF stay together. */
    ck_assert_uint_eq(fence_text(&out, "ab\r\nc", 5, 5), 4);
    ck_assert_str_eq(buf_text(&out), "> ab\n");
    buf_reset(&out);
    /* Empty lines cost their prefix: a message of line ends does not overflow. */
    char lines[1000];
    memset(lines, '\n', sizeof lines);
    size_t shown = fence_text(&out, lines, sizeof lines, 300);
    ck_assert_uint_le(out.len, 300);
    ck_assert_uint_eq(shown, 100);
    buf_free(&out);
}
END_TEST

static void words(const char *text, size_t max, const char *expected)
{
    struct buf out = {0};

    fence_word(&out, text, max);
    ck_assert_str_eq(buf_text(&out), expected);
    buf_free(&out);
}

START_TEST(words_are_plain)
{
    words("laptop-1.local x_y", FENCE_WORD_MAX, "laptop-1.local x_y");
    words("a\nb", FENCE_WORD_MAX, "a_b");
    words("(evil) \x1b[0m]", FENCE_WORD_MAX, "_evil_ __0m_");
    words("\xc3\xbc\xf0\x9f\x98\x80z", FENCE_WORD_MAX, "__z");
    words("abcdef", 3, "abc");
    words("", FENCE_WORD_MAX, "unknown");
    words(NULL, FENCE_WORD_MAX, "unknown");
}
END_TEST

START_TEST(plain_is_one_visible_line)
{
    static const struct {
        const char *text;
        bool is_plain;
    } rows[] = {
        {"", true},
        {"backend, codex", true},
        {"\xc3\xbc\t\xf0\x9f\x98\x80", true},
        {"a\nb", false},
        {"a\rb", false},
        {"a\xc2\x85", false},
        {"\xe2\x80\xa8", false},
        {"\x1b[0m", false},
        {"\xe2\x80\xae", false},
        {"\xc3", false},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        ck_assert_msg(fence_is_plain(rows[i].text, strlen(rows[i].text)) == rows[i].is_plain, "row %zu", i);
    ck_assert(!fence_is_plain("a\0b", 3));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fence");
    TCase *tests = tcase_create("fence");

    tcase_add_test(tests, every_line_is_fenced);
    tcase_add_loop_test(tests, every_line_end_ends_a_line, 0, 8);
    tcase_add_test(tests, the_unseen_is_shown);
    tcase_add_test(tests, cuts_between_characters);
    tcase_add_test(tests, words_are_plain);
    tcase_add_test(tests, plain_is_one_visible_line);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
