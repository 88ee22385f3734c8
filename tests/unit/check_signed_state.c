/* What a page hands to its form: read by the same browser, for the same purpose, unchanged and in time. */
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../../relay/oauth/signed_state.h"
#include "unit.h"

enum { NOW_MS = 1000, UNTIL_MS = 2000 };

static const uint8_t key[SIGNED_STATE_KEY_BYTES] = "a key for tests, for them only.";
static const uint8_t other_key[SIGNED_STATE_KEY_BYTES] = "another";
static const struct signed_state_scope scope = {key, "authorize", "browser"};
static struct buf text;
static struct form form;

static void setup(void)
{
    static const struct signed_state_field fields[] = {
        {"client_id", "a&b=c"}, {"nothing", NULL}, {"state", "\xc3\xa4 \"<"}};
    secret_init();
    signed_state_seal(&scope, fields, LENGTH_OF(fields), UNTIL_MS, &text);
}

static void teardown(void)
{
    buf_free(&text);
    form_free(&form);
}

START_TEST(what_was_sealed_is_read)
{
    ck_assert(signed_state_open(&scope, buf_text(&text), NOW_MS, &form));
    ck_assert_str_eq(form_get(&form, "client_id"), "a&b=c");
    ck_assert_str_eq(form_get(&form, "state"), "\xc3\xa4 \"<");
    ck_assert_ptr_null(form_get(&form, "nothing"));
    ck_assert_uint_eq(strlen(form_get(&form, "id")), 36);
}
END_TEST

START_TEST(each_has_its_own_id)
{
    struct buf again = {0};
    struct form second;
    signed_state_seal(&scope, NULL, 0, UNTIL_MS, &again);
    ck_assert(signed_state_open(&scope, buf_text(&text), NOW_MS, &form));
    ck_assert(signed_state_open(&scope, buf_text(&again), NOW_MS, &second));
    ck_assert_str_ne(form_get(&form, "id"), form_get(&second, "id"));
    form_free(&second);
    buf_free(&again);
}
END_TEST

START_TEST(every_other_scope_is_refused)
{
    const struct signed_state_scope others[] = {
        {other_key, "authorize", "browser"},
        {key, "device", "browser"},
        {key, "authorize", "browsers"},
        {key, "authorize", ""},
        {key, "authorizebrowser", ""},
    };
    ck_assert(!signed_state_open(&others[_i], buf_text(&text), NOW_MS, &form));
    ck_assert_uint_eq(form.count, 0);
}
END_TEST

START_TEST(what_ran_out_is_refused)
{
    ck_assert(!signed_state_open(&scope, buf_text(&text), UNTIL_MS, &form));
    ck_assert(signed_state_open(&scope, buf_text(&text), UNTIL_MS - 1, &form));
}
END_TEST

START_TEST(every_changed_byte_is_noticed)
{
    char *copy = xstrdup(buf_text(&text));
    for (size_t i = 0; i < text.len; i++) {
        const char was = copy[i];
        copy[i] = was == 'A' ? 'B' : 'A';
        if (signed_state_open(&scope, copy, NOW_MS, &form))
            ck_abort_msg("byte %zu of %zu", i, text.len);
        copy[i] = '\0';
        ck_assert(!signed_state_open(&scope, copy, NOW_MS, &form));
        copy[i] = was;
    }
    free(copy);
}
END_TEST

START_TEST(nonsense_is_refused)
{
    static const char *const texts[] = {
        "", ".", "..", "a.b", "YQ", "YQ.", ".YQ", "YQ.YQ", "\xff.\xff", "a b.c"};
    for (size_t i = 0; i < LENGTH_OF(texts); i++)
        ck_assert_msg(!signed_state_open(&scope, texts[i], NOW_MS, &form), "%s", texts[i]);
    buf_puts(&text, "=");
    ck_assert(!signed_state_open(&scope, buf_text(&text), NOW_MS, &form));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("signed_state", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_was_sealed_is_read);
    tcase_add_test(tests, each_has_its_own_id);
    tcase_add_loop_test(tests, every_other_scope_is_refused, 0, 5);
    tcase_add_test(tests, what_ran_out_is_refused);
    tcase_add_test(tests, every_changed_byte_is_noticed);
    tcase_add_test(tests, nonsense_is_refused);
    return run_unit(suite);
}
