#include <string.h>

#include "../../common/secret.h"
#include "../../relay/blob/blob_path.h"
#include "unit.h"

#define X10   "xxxxxxxxxx"
#define X90   X10 X10 X10 X10 X10 X10 X10 X10 X10
#define HEX40 "0123456789abcdef0123456789abcdef01234567"

/* ---- names that anybody may give ---- */

static const struct {
    const char *given, *safe;
} names[] = {
    {"report.pdf", "report.pdf"},
    {"Report-2026_v1.2.PDF", "Report-2026_v1.2.PDF"},
    {"", "file"},
    {".", "file"},
    {"..", "file"},
    {"...", "file"},
    {"/", "file"},
    {"\\", "file"},
    {"_", "file"},
    {" ", "file"},
    {"-", "file"},
    {".env", "env"},
    {"..env", "env"},
    {".git/hooks/pre-commit", "pre-commit"},
    {"../../etc/passwd", "passwd"},
    {"..\\..\\windows\\system32\\evil.dll", "evil.dll"},
    {"/etc/passwd", "passwd"},
    {"C:\\boot.ini", "boot.ini"},
    {"C:boot.ini", "C_boot.ini"},
    {"a/../b", "b"},
    {"folder/", "file"},
    {"%2e%2e%2fpasswd", "_2e_2e_2fpasswd"},
    {"two words.txt", "two_words.txt"},
    {"two   words.txt", "two_words.txt"},
    {"line\nbreak.txt", "line_break.txt"},
    {"carriage\r\n.txt", "carriage_.txt"},
    {"tab\there", "tab_here"},
    {"bell\a", "bell_"},
    {"\x7f"
     "delete",
        "_delete"},
    {"quote\".txt", "quote_.txt"},
    {"it's.txt", "it_s.txt"},
    {"$(rm -rf).txt", "_rm_-rf_.txt"},
    {"`id`", "_id_"},
    {"a;b|c&d>e<f", "a_b_c_d_e_f"},
    {"a*b?c", "a_b_c"},
    {"-rf", "rf"},
    {"--help", "help"},
    {"-.-x", "x"},
    {"CON", "_CON"},
    {"con.txt", "_con.txt"},
    {"NUL.tar.gz", "_NUL.tar.gz"},
    {"com1", "_com1"},
    {"LPT9.log", "_LPT9.log"},
    {"com", "com"},
    {"com10", "com10"},
    {"console.log", "console.log"},
    {"trailing.", "trailing"},
    {"trailing...", "trailing"},
    {"stream:$DATA", "stream_DATA"},
    {"\xe2\x80\xae"
     "fdp.exe",
        "_fdp.exe"}, /* right-to-left override */
    {"\xe2\x80\x8b"
     "zero.txt",
        "_zero.txt"}, /* zero width space */
    {"r\xc3\xa9sum\xc3\xa9.pdf", "r_sum_.pdf"},
    {"\xe6\x96\x87\xe6\x9b\xb8.pdf", "_.pdf"},
    {"\xff\xfe", "file"},        /* not UTF-8 */
    {"\xc0\xae\xc0\xae/x", "x"}, /* overlong dots */
    {"\xef\xbc\x8f"
     "etc",
        "_etc"}, /* full-width slash */
    {X90 X10 X10 ".txt", X90 "xxxxx.txt"},
    {X10 "." X90 X10, X10 "." X90},
    {"a.tar.gz", "a.tar.gz"},
    {"~root", "_root"},
    {"a_b__c", "a_b_c"},
};

START_TEST(a_name_is_made_safe)
{
    char safe[BLOB_NAME_SIZE], again[BLOB_NAME_SIZE];
    blob_name_safe(names[_i].given, safe);
    if (strlen(names[_i].given) <= BLOB_NAME_MAX)
        ck_assert_str_eq(safe, names[_i].safe);
    ck_assert_uint_le(strlen(safe), BLOB_NAME_MAX);
    ck_assert_uint_eq(
        strspn(safe, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"), strlen(safe));
    ck_assert(safe[0] != '.' && safe[0] != '-' && safe[0] != '\0');
    blob_name_safe(safe, again);
    ck_assert_str_eq(again, safe);
}
END_TEST

START_TEST(a_long_name_keeps_its_extension)
{
    enum { LONG = 4096 };
    char given[LONG + 5], safe[BLOB_NAME_SIZE];
    memset(given, 'x', LONG);
    memcpy(given + LONG, ".pdf", 5);
    blob_name_safe(given, safe);
    ck_assert_uint_eq(strlen(safe), BLOB_NAME_MAX - 1);
    ck_assert_str_eq(safe + strlen(safe) - 5, "x.pdf");
}
END_TEST

/* A device's name is as long as a name may be, and longer by its mark. */
START_TEST(a_long_device_is_made_safe_once)
{
    for (size_t len = BLOB_NAME_MAX - 3; len <= BLOB_NAME_MAX + 2; len++) {
        char given[BLOB_NAME_MAX + 3], safe[BLOB_NAME_SIZE], again[BLOB_NAME_SIZE];
        memset(given, 'x', len);
        memcpy(given, "CON.", 4);
        given[len] = '\0';
        for (int dots = 0; dots < 3; dots++) {
            blob_name_safe(given, safe);
            blob_name_safe(safe, again);
            ck_assert_str_eq(safe, again);
            ck_assert_int_eq(strncmp(safe, "_CON.", 5), 0);
            given[len - 3] = '.';
            given[BLOB_NAME_MAX - 4 - dots] = '.';
        }
    }
}
END_TEST

/* ---- paths from outside ---- */

START_TEST(a_path_is_read_as_it_was_made)
{
    static const char *const agents[] = {"frontend", "a", "Older Name", "\xe6\x96\x87", "..", "a/b", ""};
    for (size_t i = 0; i < LENGTH_OF(agents); i++) {
        struct blob_path path, again;
        const char *problem;
        blob_path_make("ns", agents[i], "re port.txt", &path);
        ck_assert(blob_path_parse(path.text, &again, &problem));
        ck_assert_mem_eq(&path, &again, sizeof path);
        ck_assert(blob_path_in_namespace(&again, "ns"));
        ck_assert(!blob_path_in_namespace(&again, "other"));
    }
}
END_TEST

START_TEST(the_longest_path_is_read)
{
    char owner[NAME_SIZE], name[200];
    struct blob_path path, again;
    const char *problem;
    memset(owner, 'n', NAME_MAX_LEN);
    owner[NAME_MAX_LEN] = '\0';
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    blob_path_make(owner, owner, name, &path);
    ck_assert(blob_path_parse(path.text, &again, &problem));
    ck_assert_mem_eq(&path, &again, sizeof path);
}
END_TEST

START_TEST(no_two_paths_are_the_same)
{
    struct blob_path before, path;
    blob_path_make("ns", "a", "x", &before);
    for (int i = 0; i < 1000; i++, before = path) {
        blob_path_make("ns", "a", "x", &path);
        ck_assert_int_gt(path.made_ms, before.made_ms);
    }
}
END_TEST

START_TEST(no_two_owners_share_a_part)
{
    static const char *const owners[] = {"a", "A", "a b", "a_b", "a/b", "", "~", ".", "..", "\xff"};
    for (size_t i = 0; i < LENGTH_OF(owners); i++) {
        char one[NAME_SIZE], other[NAME_SIZE];
        blob_path_owner(owners[i], one);
        ck_assert(one[0] != '.' && !strchr(one, '/'));
        for (size_t j = 0; j < i; j++) {
            blob_path_owner(owners[j], other);
            ck_assert_str_ne(one, other);
        }
    }
}
END_TEST

START_TEST(blanks_around_a_path_do_not_count)
{
    struct blob_path path;
    const char *problem;
    ck_assert(blob_path_parse(" \tns/a/1700000000000_x.txt\r\n", &path, &problem));
    ck_assert_str_eq(path.text, "ns/a/1700000000000_x.txt");
    ck_assert_str_eq(path.name, "x.txt");
    ck_assert_int_eq(path.made_ms, 1700000000000);
}
END_TEST

static const char *const refused[] = {
    "",
    " ",
    "/",
    "/etc/passwd",
    "/ns/a/1_x",
    "//ns/a/1_x",
    "ns",
    "ns/",
    "ns/a",
    "ns/a/",
    "ns/a/x",
    "ns/a/_x",
    "ns/a/1_",
    "ns/a/1",
    "ns//1_x",
    "/a/1_x",
    "ns/a//1_x",
    "ns/a/b/1_x",
    "ns/a/1_x/",
    "ns/a/1_x/..",
    "ns/a/../1_x",
    "ns/../a/1_x",
    "../ns/a/1_x",
    "../../../etc/passwd",
    "ns/a/1_../../x",
    "ns/a/1_..",
    "ns/a/1_.env",
    "ns/./1_x",
    "./ns/a/1_x",
    "ns/.git/1_x",
    ".git/hooks/1_x",
    ".incoming/a/1_x",
    "ns/a/.1_x",
    "ns\\a\\1_x",
    "ns/a\\1_x",
    "C:/ns/a/1_x",
    "C:\\ns\\a\\1_x",
    "ns/a/1_C:x",
    "file:///etc/passwd",
    "https://evil.test/files/ns/a/1_x",
    "ns/a/1_x?signature=1",
    "ns/a/1_x#part",
    "ns%2fa%2f1_x",
    "ns/%2e%2e/1_x",
    "ns/a/1_%2e%2e%2fx",
    "ns/a/1_x%00.txt",
    "ns/a/%31_x",
    "ns/a/-1_x",
    "ns/a/+1_x",
    "ns/a/01_x",
    "ns/a/0_x",
    "ns/a/1e3_x",
    "ns/a/9999999999999999999_x",
    "ns/a/ 1_x",
    "ns/a/1_x y",
    "ns/a/1_x\ny",
    "ns/a/1_con",
    "ns/a/1_NUL.txt",
    "ns/a/1_-rf",
    "ns/a/1_x.",
    "ns/a/1_a__b",
    "ns/a/1_\xe2\x80\xae"
    "fdp.exe",
    "ns/a/1_r\xc3\xa9sum\xc3\xa9",
    "ns/a/1_\xff",
    "ns/\xc0\xae\xc0\xae/1_x",
    "Ns/a/1_x",
    "ns/A/1_x",
    "ns/a b/1_x",
    "~/a/1_x",
    "~root/a/1_x",
    "~" HEX40 "0/a/1_x",
    "ns/~" HEX40 "g/1_x",
    "ns/a/1_" X90 X10 "x",
};

START_TEST(a_hostile_path_is_refused)
{
    struct blob_path path;
    const char *problem = NULL;
    ck_assert(!blob_path_parse(refused[_i], &path, &problem));
    ck_assert_ptr_nonnull(problem);
    ck_assert_str_eq(path.text, "");
}
END_TEST

START_TEST(a_path_of_4_kb_is_refused)
{
    enum { LONG = 4096 };
    char text[LONG + 1];
    struct blob_path path;
    const char *problem = NULL;
    memset(text, 'a', LONG);
    text[LONG] = '\0';
    ck_assert(!blob_path_parse(text, &path, &problem));
    memcpy(text, "ns/a/1_", 7);
    ck_assert(!blob_path_parse(text, &path, &problem));
    ck_assert_ptr_nonnull(strstr(problem, "too long"));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("blob_path", &tests);
    secret_init();
    tcase_add_loop_test(tests, a_name_is_made_safe, 0, LENGTH_OF(names));
    tcase_add_test(tests, a_long_name_keeps_its_extension);
    tcase_add_test(tests, a_long_device_is_made_safe_once);
    tcase_add_test(tests, a_path_is_read_as_it_was_made);
    tcase_add_test(tests, the_longest_path_is_read);
    tcase_add_test(tests, no_two_paths_are_the_same);
    tcase_add_test(tests, no_two_owners_share_a_part);
    tcase_add_test(tests, blanks_around_a_path_do_not_count);
    tcase_add_loop_test(tests, a_hostile_path_is_refused, 0, LENGTH_OF(refused));
    tcase_add_test(tests, a_path_of_4_kb_is_refused);
    return run_unit(suite);
}
