/* Codes that people type. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../relay/auth/typed_code.h"
#include "unit.h"

static bool reads(const char *typed, const char *wanted)
{
    char code[TYPED_CODE_SIZE] = "x";
    const bool read = typed_code_read(typed, code);
    ck_assert_str_eq(code, read ? wanted : "");
    return read;
}

START_TEST(minted_codes_are_of_the_alphabet_in_groups_and_differ)
{
    static const size_t lengths[] = {TYPED_CODE_LONG, TYPED_CODE_SHORT};
    static const char *const shapes[] = {"xxxx-xxxx-xxxx-x", "xxxx-xxxx"};
    for (size_t k = 0; k < LENGTH_OF(lengths); k++) {
        char last[TYPED_CODE_SIZE] = "", code[TYPED_CODE_SIZE];
        for (int i = 0; i < 1000; i++) {
            typed_code_mint(lengths[k], code);
            ck_assert_str_ne(code, last);
            ck_assert(reads(code, code));
            ck_assert_uint_eq(strlen(code), strlen(shapes[k]));
            ck_assert_ptr_null(strpbrk(code, "ILOU"));
            for (size_t c = 0; shapes[k][c]; c++)
                ck_assert_int_eq(shapes[k][c] == '-', code[c] == '-');
            memcpy(last, code, sizeof last);
        }
    }
}
END_TEST

START_TEST(each_character_comes_up_about_as_often)
{
    enum { CODES = 20000 };
    unsigned seen[128] = {0};
    for (int i = 0; i < CODES; i++) {
        char code[TYPED_CODE_SIZE];
        typed_code_mint(TYPED_CODE_SHORT, code);
        for (const char *c = code; *c; c++)
            seen[(unsigned char)*c]++;
    }
    size_t different = 0;
    for (int c = 0; c < 128; c++) {
        if (c == '-' || seen[c] == 0)
            continue;
        different++;
        ck_assert_uint_gt(seen[c], CODES * 8 / 32 * 9 / 10); /* the odds against are beyond 10^10 */
        ck_assert_uint_lt(seen[c], CODES * 8 / 32 * 11 / 10);
    }
    ck_assert_uint_eq(different, 32);
}
END_TEST

START_TEST(what_a_person_types_is_read_as_it_was_meant)
{
    static const char *const same[] = {
        "0123-ABCD-EFGH-1",
        "0123abcdefgh1",
        " 0 1 2 3 a B c D-e-f-g-h-1\r\n",
        "oi23-abcd-efgh-l", /* O, I and L */
        "OL23-ABCD-EFGH-i",
        "0123\xe2\x80\x93"
        "ABCD\xe2\x80\x94"
        "EFGH\xc2\xa0"
        "1", /* en dash, em dash, no-break space */
        "0123_ABCD.EFGH\xe2\x80\x8b\t1",
    };
    for (size_t i = 0; i < LENGTH_OF(same); i++)
        ck_assert_msg(reads(same[i], "0123-ABCD-EFGH-1"), "%s", same[i]);
    ck_assert(reads("wdjb mjht", "WDJB-MJHT"));
}
END_TEST

START_TEST(what_is_no_code_is_refused)
{
    static const char *const none[] = {
        "",
        " - ",
        "0123-ABCD-EFGH", /* one too few */
        "0123-ABC",       /* the same, of a short one */
        "0123-ABCD-E",
        "0123-ABCD-EFGH-12", /* one too many */
        "0123-ABCD-EFGU-1",  /* no letter of the alphabet */
        "0123-ABCD-EFG\xc3\xa9-1",
        "0123-ABCD-EFGH-1\xff",            /* not UTF-8 */
        "0123-ABCD-EFGH-\xf0\x9d\x9f\x8f", /* a digit elsewhere */
        "0123-ABCD-EFGH-1/",
    };
    for (size_t i = 0; i < LENGTH_OF(none); i++)
        ck_assert_msg(!reads(none[i], ""), "%s", none[i]);
    char *longest = xmalloc(100001);
    memset(longest, 'A', 100000);
    longest[100000] = '\0';
    ck_assert(!reads(longest, ""));
    free(longest);
}
END_TEST

/* ---- keys ---- */

static char folder[PATH_MAX];

static void setup(void)
{
    unit_folder(folder);
    secret_init();
}

static void teardown(void)
{
    char *path = xasprintf("%s/" TYPED_CODE_KEY_NAME, folder);
    unlink(path);
    free(path);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing was left beside it */
}

static struct typed_code_key *open_key(const char *credential)
{
    struct buf why = {0};
    struct typed_code_key *key = typed_code_key_open(folder, credential, &why);
    ck_assert_msg(key != NULL, "%s", buf_text(&why));
    buf_free(&why);
    return key;
}

static void hash_with(const char *credential, const char *code, char out[static SHA256_HEX_SIZE])
{
    struct typed_code_key *key = open_key(credential);
    ck_assert(typed_code_hash(key, code, out));
    ck_assert_uint_eq(strlen(out), SHA256_HEX_SIZE - 1);
    ck_assert_uint_eq(strspn(out, "0123456789abcdef"), SHA256_HEX_SIZE - 1);
    typed_code_key_free(key);
}

START_TEST(a_key_stays_and_each_code_has_a_hash_of_its_own)
{
    char first[SHA256_HEX_SIZE], second[SHA256_HEX_SIZE];
    hash_with(NULL, "0123-ABCD-EFGH-1", first);
    hash_with(NULL, "o123 abcd efgh l", second); /* as it was typed */
    ck_assert_str_eq(first, second);
    hash_with(NULL, "0123-ABCD-EFGH-2", second);
    ck_assert_str_ne(first, second);
    secret_sha256_hex("0123-ABCD-EFGH-1", 16, second);
    ck_assert_str_ne(first, second);

    struct typed_code_key *key = open_key(NULL);
    ck_assert(!typed_code_hash(key, "0123-ABCD-EFGH", second));
    ck_assert_str_eq(second, "");
    typed_code_key_free(key);

    struct stat st;
    char *path = xasprintf("%s/" TYPED_CODE_KEY_NAME, folder);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    unlink(path);
    free(path);
    hash_with(NULL, "0123-ABCD-EFGH-1", second);
    ck_assert_str_ne(first, second);
}
END_TEST

START_TEST(other_keys_are_derived_from_it)
{
    struct buf why = {0};
    unsigned char one[TYPED_CODE_DERIVED_BYTES], same[TYPED_CODE_DERIVED_BYTES],
        another[TYPED_CODE_DERIVED_BYTES];
    struct typed_code_key *key = typed_code_key_open(NULL, "credential", &why);
    ck_assert_ptr_nonnull(key);
    typed_code_key_derive(key, "pages", one);
    typed_code_key_derive(key, "pages", same);
    typed_code_key_derive(key, "others", another);
    ck_assert_mem_eq(one, same, sizeof one);
    ck_assert_mem_ne(one, another, sizeof one);
    typed_code_key_free(key);
}
END_TEST

START_TEST(a_key_of_a_credential_needs_no_file)
{
    char first[SHA256_HEX_SIZE], second[SHA256_HEX_SIZE];
    hash_with("postgres://one", "0123-ABCD-EFGH-1", first);
    hash_with("postgres://one", "0123-ABCD-EFGH-1", second);
    ck_assert_str_eq(first, second);
    hash_with("postgres://two", "0123-ABCD-EFGH-1", second);
    ck_assert_str_ne(first, second);
    hash_with("", "0123-ABCD-EFGH-1", second);
    ck_assert_str_ne(first, second);
}
END_TEST

START_TEST(a_key_that_others_may_read_or_that_is_damaged_is_refused)
{
    typed_code_key_free(open_key(NULL));
    char *path = xasprintf("%s/" TYPED_CODE_KEY_NAME, folder);
    struct buf why = {0};
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_ptr_null(typed_code_key_open(folder, NULL, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "chmod 600"));
    buf_reset(&why);
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert_int_eq(truncate(path, 31), 0);
    ck_assert_ptr_null(typed_code_key_open(folder, NULL, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "of typed codes is damaged"));
    buf_free(&why);
    free(path);
    typed_code_key_free(NULL);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("typed_code", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, minted_codes_are_of_the_alphabet_in_groups_and_differ);
    tcase_add_test(tests, each_character_comes_up_about_as_often);
    tcase_add_test(tests, what_a_person_types_is_read_as_it_was_meant);
    tcase_add_test(tests, what_is_no_code_is_refused);
    tcase_add_test(tests, a_key_stays_and_each_code_has_a_hash_of_its_own);
    tcase_add_test(tests, other_keys_are_derived_from_it);
    tcase_add_test(tests, a_key_of_a_credential_needs_no_file);
    tcase_add_test(tests, a_key_that_others_may_read_or_that_is_damaged_is_refused);
    return run_unit(suite);
}
