#include "../../relay/store/words.h"

#include <string.h>

#include "../../common/compiler.h"
#include "unit.h"

static void expect(const char *text, const char *words)
{
    struct buf out = {0};
    words_write(text, strlen(text), &out);
    ck_assert_str_eq(buf_text(&out), words);
    buf_free(&out);
}

START_TEST(words_are_runs_of_letters_and_digits)
{
    const char *const cases[][2] = {
        {"", ""},
        {"  \t\n", ""},
        {"Hello, World!", "hello world "},
        {"a", "a "},
        {"x86_64 v1.2", "x86 64 v1 2 "},
        {"don't", "don t "},
        {"AZaz09@[`{", "azaz09 "},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        expect(cases[i][0], cases[i][1]);
}
END_TEST

START_TEST(letters_of_many_scripts_fold)
{
    const char *const cases[][2] = {
        {"GRÖßE ÀÞ ×÷ ÿŸ", "größe àþ ÿÿ "},
        {"ŁÓDŹ ĀāĶķŇň", "łódź āāķķňň "},
        {"ΑΒΓ ΣΊΣΥΦΟΣ Ώ", "αβγ σίσυφοσ ώ "},
        {"Привет МИР Ёлка Ґ", "привет мир ёлка ґ "},
        {"Ａｂ１", "ａｂ１ "},
        {"שלום عربي", "שלום عربي "},
        {"Ở Ẁ", "ở ẁ "},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++)
        expect(cases[i][0], cases[i][1]);
}
END_TEST

START_TEST(each_ideograph_is_a_word)
{
    expect("數據庫v2遷移", "數 據 庫 v2 遷 移 ");
    expect("データ、テスト。", "デ ー タ テ ス ト ");
    expect("한국어", "한 국 어 ");
    expect("𠀀x", "𠀀 x ");
}
END_TEST

START_TEST(signs_separate)
{
    expect("a—b…c\u00a0d\u200be\u2192f\u20acg", "a b c d e f g ");
    expect("ok\U0001F600ok \u00aby\u00bb \u00b5m \u00b2", "ok ok y \u00b5m \u00b2 ");
    expect("\uff0a\uff01a", "a ");
}
END_TEST

START_TEST(a_long_word_counts_by_its_start)
{
    char text[WORD_MAX_BYTES + 5], words[WORD_MAX_BYTES + 5];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memset(words, 'x', WORD_MAX_BYTES);
    memcpy(words + WORD_MAX_BYTES, " ", 2);
    expect(text, words);
    text[WORD_MAX_BYTES] = '\0';
    expect(text, words);
    /* Never cut within a character, and nothing shorter behind it slips in. */
    memcpy(text + WORD_MAX_BYTES - 1, "\u00fcz", 4);
    memcpy(words + WORD_MAX_BYTES - 1, " ", 2);
    expect(text, words);
}
END_TEST

START_TEST(what_is_not_utf8_separates)
{
    expect("a\xff"
           "b\xc3",
        "a b ");
    expect("\xed\xa0\x80x", "x ");
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("words", &tests);
    tcase_add_test(tests, words_are_runs_of_letters_and_digits);
    tcase_add_test(tests, letters_of_many_scripts_fold);
    tcase_add_test(tests, each_ideograph_is_a_word);
    tcase_add_test(tests, signs_separate);
    tcase_add_test(tests, a_long_word_counts_by_its_start);
    tcase_add_test(tests, what_is_not_utf8_separates);
    return run_unit(suite);
}
