/* Sealed message texts: keys, what is bound to what, and any byte changed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../relay/store/store_cipher.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA"
#define ID    "01900000-0000-7000-8000-000000000001"

static struct store_cipher *cipher_of(const char *keys)
{
    struct buf why = {0};
    struct store_cipher *cipher = store_cipher_new(keys, &why);
    ck_assert_msg(cipher != NULL, "%s", buf_text(&why));
    buf_free(&why);
    return cipher;
}

static struct buf seal(
    const struct store_cipher *cipher, size_t key, const char *from, const char *id, const char *text)
{
    struct buf sealed = {0};
    store_cipher_seal(cipher, key, &(struct cipher_context){from, id}, text, strlen(text), &sealed);
    return sealed;
}

static enum cipher_open open_as(
    const struct store_cipher *cipher, const char *from, const char *sealed, size_t len, const char *expected)
{
    char key_id[CIPHER_KEY_ID_SIZE];
    struct buf text = {0};
    const enum cipher_open opened = store_cipher_open(cipher, from, sealed, len, &text, key_id);
    if (opened == CIPHER_OPENED)
        ck_assert_str_eq(buf_text(&text), expected);
    buf_free(&text);
    return opened;
}

START_TEST(texts_come_back)
{
    static const char *const texts[] = {"", "a", "run the migration", "\xE2\x82\xAC and \"quotes\"\n"};
    struct store_cipher *cipher = cipher_of(KEY_A);
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        struct buf sealed = seal(cipher, 0, "frontend", ID, texts[i]);
        ck_assert_int_eq(strncmp(buf_text(&sealed), "v1:", 3), 0);
        ck_assert(*texts[i] == '\0' || !strstr(buf_text(&sealed), texts[i]) || strlen(texts[i]) == 1);
        ck_assert_int_eq(open_as(cipher, "frontend", sealed.data, sealed.len, texts[i]), CIPHER_OPENED);
        buf_free(&sealed);
    }
    store_cipher_free(cipher);
}
END_TEST

/* Each byte in turn: what was changed is never taken for a text, and an unknown key is told apart. */
START_TEST(any_change_is_seen)
{
    struct store_cipher *cipher = cipher_of(KEY_A);
    struct buf sealed = seal(cipher, 0, "frontend", ID, "run the migration");
    for (size_t i = 0; i < sealed.len; i++) {
        const char was = sealed.data[i];
        sealed.data[i] = was == 'A' ? 'B' : 'A';
        ck_assert_int_ne(open_as(cipher, "frontend", sealed.data, sealed.len, ""), CIPHER_OPENED);
        sealed.data[i] = was;
    }
    for (size_t len = 0; len < sealed.len; len++)
        ck_assert_int_ne(open_as(cipher, "frontend", sealed.data, len, ""), CIPHER_OPENED);
    ck_assert_int_eq(
        open_as(cipher, "frontend", sealed.data, sealed.len, "run the migration"), CIPHER_OPENED);
    ck_assert_int_eq(open_as(cipher, "backend", sealed.data, sealed.len, ""), CIPHER_CHANGED);
    buf_free(&sealed);
    store_cipher_free(cipher);
}
END_TEST

START_TEST(old_keys_read)
{
    struct store_cipher *old = cipher_of(KEY_A), *both = cipher_of(KEY_B "," KEY_A), *new = cipher_of(KEY_B);
    struct buf before = seal(old, 0, "frontend", ID, "before"),
               after = seal(both, 0, "frontend", ID, "after");
    ck_assert_uint_eq(store_cipher_keys(both), 2);
    ck_assert_int_eq(open_as(both, "frontend", before.data, before.len, "before"), CIPHER_OPENED);
    ck_assert_int_eq(open_as(both, "frontend", after.data, after.len, "after"), CIPHER_OPENED);
    ck_assert_int_eq(open_as(new, "frontend", before.data, before.len, ""), CIPHER_NO_KEY);
    ck_assert_int_eq(open_as(old, "frontend", after.data, after.len, ""), CIPHER_NO_KEY);
    buf_free(&before);
    buf_free(&after);
    store_cipher_free(old);
    store_cipher_free(both);
    store_cipher_free(new);
}
END_TEST

/* A repeat has the same bytes; anything else does not, and neither does a text without an id. */
START_TEST(the_nonce_follows_from_what_is_sealed)
{
    struct store_cipher *cipher = cipher_of(KEY_A);
    static const struct {
        const char *from, *id, *text;
        bool is_same;
    } others[] = {
        {"frontend", ID, "text", true},
        {"frontend", ID, "texT", false},
        {"frontend", "01900000-0000-7000-8000-000000000002", "text", false},
        {"backend", ID, "text", false},
        {"frontend", NULL, "text", false},
    };
    struct buf first = seal(cipher, 0, "frontend", ID, "text");
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        struct buf other = seal(cipher, 0, others[i].from, others[i].id, others[i].text);
        ck_assert_int_eq(strcmp(buf_text(&first), buf_text(&other)) == 0, others[i].is_same);
        buf_free(&other);
    }
    buf_free(&first);
    store_cipher_free(cipher);
}
END_TEST

START_TEST(keys_are_checked)
{
    static const struct {
        const char *keys, *why;
    } wrong[] = {
        {"", "has no key"},
        {" , ", "has no key"},
        {"secret", "number 1 is none"},
        {KEY_A ",AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", "number 2 is none"},
        {KEY_A "AAAA", "number 1 is none"},
        {KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A,
            "more than 8 keys"},
    };
    for (size_t i = 0; i < LENGTH_OF(wrong); i++) {
        struct buf why = {0};
        ck_assert_ptr_null(store_cipher_new(wrong[i].keys, &why));
        ck_assert_msg(strstr(buf_text(&why), wrong[i].why) != NULL, "%s", buf_text(&why));
        ck_assert_ptr_null(strstr(buf_text(&why), "AAEC"));
        buf_free(&why);
    }
    struct store_cipher *most =
        cipher_of(KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A "," KEY_A);
    ck_assert_uint_eq(store_cipher_keys(most), CIPHER_KEYS_MAX);
    store_cipher_free(most);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_cipher");
    TCase *tests = tcase_create("texts");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, texts_come_back);
    tcase_add_test(tests, any_change_is_seen);
    tcase_add_test(tests, old_keys_read);
    tcase_add_test(tests, the_nonce_follows_from_what_is_sealed);
    tcase_add_test(tests, keys_are_checked);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
