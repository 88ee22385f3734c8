/* What commands print: nothing that a terminal would act upon. */
#include <string.h>

#include "../../bridge/cmd/terminal.h"
#include "unit.h"

/* U+0085, U+009B, U+202E, U+2028: the compiler takes the first two by their bytes alone. */
#define NEL "\xc2\x85"
#define CSI "\xc2\x9b"
#define RLO "\xe2\x80\xae"
#define LS  "\xe2\x80\xa8"
#define TAG "\U000E0041"

START_TEST(text_shows_controls)
{
    struct buf out = {0};
    static const char text[] =
        "a\nb\tc\r\x1b]0;x\a\0" NEL CSI RLO LS TAG "\x7f caf\u00e9 \U0001f468\u200d\U0001f4bb\xff";
    terminal_text(&out, text, sizeof text - 1);
    ck_assert_str_eq(buf_text(&out),
        "a\nb\tc<U+000D><U+001B>]0;x<U+0007><U+0000><U+0085><U+009B><U+202E><U+2028><U+E0041>"
        "<U+007F> caf\u00e9 \U0001f468\u200d\U0001f4bb\ufffd");
    buf_free(&out);
}
END_TEST

START_TEST(a_word_has_no_lines)
{
    struct buf out = {0};
    terminal_word(&out, "a\nb\tc");
    terminal_word(&out, NULL);
    terminal_word(&out, "");
    ck_assert_str_eq(buf_text(&out), "a<U+000A>b<U+0009>c");
    buf_free(&out);
}
END_TEST

START_TEST(json_is_escaped_and_intact)
{
    static const char content[] = "\x1b[2J" NEL CSI RLO TAG "\x7f\"\\/ \u00e9\n";
    struct json_object *value = json_new_object();
    json_add_text(value, "content", content);
    struct buf out = {0};
    terminal_json(&out, value);
    for (size_t i = 0; i + 1 < out.len; i++)
        ck_assert((unsigned char)out.data[i] >= 0x20 && out.data[i] != 0x7f);
    ck_assert_ptr_null(strstr(buf_text(&out), CSI));
    ck_assert_ptr_null(strstr(buf_text(&out), RLO));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\\udb40\\udc41"));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\u00e9"));
    ck_assert_int_eq(out.data[out.len - 1], '\n');

    enum json_fault fault;
    struct json_object *back = json_parse(buf_text(&out), out.len, &fault);
    ck_assert_ptr_nonnull(back);
    ck_assert_str_eq(json_text_or(back, "content", ""), content);
    json_object_put(back);
    json_object_put(value);
    buf_free(&out);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("terminal", &tests);
    tcase_add_test(tests, text_shows_controls);
    tcase_add_test(tests, a_word_has_no_lines);
    tcase_add_test(tests, json_is_escaped_and_intact);
    return run_unit(suite);
}
