/* Copies of folders: what is in them, who may read them, and what is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../relay/cmd/folder.h"
#include "unit.h"

static char top[PATH_MAX];
static struct buf why;

static char *in_top(const char *name)
{
    return xasprintf("%s/%s", top, name);
}

static void make_folder(const char *name)
{
    char *path = in_top(name);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    free(path);
}

static void make_file(const char *name, const char *content)
{
    char *path = in_top(name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(content, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
}

static void assert_file(const char *name, const char *content)
{
    char *path = in_top(name), text[64] = "";
    struct stat st;
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "no %s", path);
    ck_assert_uint_eq(fread(text, 1, sizeof text - 1, file), strlen(content));
    ck_assert_str_eq(text, content);
    ck_assert_int_eq(fstat(fileno(file), &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
}

static bool exists(const char *name)
{
    char *path = in_top(name);
    const bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static bool is_ignored(const char *name)
{
    return strcmp(name, "ignored") == 0;
}

static bool copy(const char *from, const char *to)
{
    char *source = in_top(from), *target = in_top(to);
    const bool fine = folder_copy(source, target, is_ignored, &why);
    free(source);
    free(target);
    return fine;
}

static void setup(void)
{
    unit_folder(top);
    why = (struct buf){0};
    make_folder("from");
    make_folder("to");
}

static void teardown(void)
{
    folder_empty(top, NULL);
    ck_assert_int_eq(rmdir(top), 0);
    buf_free(&why);
}

START_TEST(copies)
{
    make_file("from/key", "secret");
    make_file("from/empty", "");
    make_file("from/ignored", "x");
    make_folder("from/deeper");
    make_file("from/deeper/ignored", "kept below the top");
    ck_assert_msg(copy("from", "to"), "%s", buf_text(&why));
    assert_file("to/key", "secret");
    assert_file("to/empty", "");
    assert_file("to/deeper/ignored", "kept below the top");
    ck_assert(!exists("to/ignored"));
}
END_TEST

START_TEST(overwrites_nothing)
{
    make_file("from/key", "new");
    make_file("to/key", "old");
    ck_assert(!copy("from", "to"));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "to/key"));
}
END_TEST

START_TEST(follows_no_link)
{
    char *link = in_top("from/link");
    ck_assert_int_eq(symlink("/etc/hostname", link), 0);
    ck_assert(!copy("from", "to"));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "neither a file nor a folder"));
    ck_assert(!exists("to/link"));
    free(link);
}
END_TEST

START_TEST(prepares_only_what_is_empty)
{
    char *fresh = in_top("fresh"), *to = in_top("to"), *orphan = in_top("no/parent");
    struct stat st;
    ck_assert(folder_prepare_empty(fresh, NULL, &why));
    ck_assert_int_eq(stat(fresh, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0700);
    ck_assert(folder_prepare_empty(fresh, NULL, &why));
    make_file("to/ignored", "x");
    ck_assert(folder_prepare_empty(to, is_ignored, &why));
    ck_assert(!folder_prepare_empty(to, NULL, &why));
    ck_assert(!folder_prepare_empty(orphan, NULL, &why));
    free(fresh);
    free(to);
    free(orphan);
}
END_TEST

START_TEST(empties)
{
    make_folder("to/a");
    make_file("to/a/b", "x");
    make_file("to/c", "x");
    make_file("to/ignored", "x");
    char *to = in_top("to");
    folder_empty(to, is_ignored);
    ck_assert(!exists("to/a"));
    ck_assert(!exists("to/c"));
    ck_assert(exists("to/ignored"));
    free(to);
}
END_TEST

START_TEST(within)
{
    make_folder("to/inner");
    make_folder("to2");
    char *to = in_top("to"), *inner = in_top("to/inner"), *other = in_top("to2"),
         *round = in_top("to2/../to/inner");
    ck_assert(folder_is_within(to, to));
    ck_assert(folder_is_within(inner, to));
    ck_assert(folder_is_within(round, to));
    ck_assert(!folder_is_within(other, to));
    ck_assert(!folder_is_within(to, inner));
    free(to);
    free(inner);
    free(other);
    free(round);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("folder", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, copies);
    tcase_add_test(tests, overwrites_nothing);
    tcase_add_test(tests, follows_no_link);
    tcase_add_test(tests, prepares_only_what_is_empty);
    tcase_add_test(tests, empties);
    tcase_add_test(tests, within);
    return run_unit(suite);
}
