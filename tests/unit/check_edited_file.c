/* Files of others: read, changed and put back whole, or left alone. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../bridge/edited_file.h"
#include "../../common/alloc.h"
#include "unit.h"

static char folder[PATH_MAX];
static char *path, *other;
static struct edited_file file;
static struct buf why;

static void setup(void)
{
    unit_folder(folder);
    path = xasprintf("%s/settings", folder);
    other = xasprintf("%s/sub/deep/other", folder);
    umask(022);
}

static void teardown(void)
{
    free(path);
    free(other);
    buf_free(&why);
}

static void write_file(const char *where, const char *text, mode_t mode)
{
    FILE *out = fopen(where, "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_ge(fputs(text, out), 0);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_int_eq(chmod(where, mode), 0);
}

static void expect_text(const char *where, const char *wanted)
{
    char text[64] = "";
    FILE *in = fopen(where, "r");
    ck_assert_ptr_nonnull(in);
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    ck_assert_str_eq(text, wanted);
}

static struct stat stat_of(const char *where)
{
    struct stat st;
    ck_assert_int_eq(lstat(where, &st), 0);
    return st;
}

static void open_file(const char *where)
{
    ck_assert_msg(edited_file_open(where, NULL, &file, &why), "%s", buf_text(&why));
}

static void set_text(const char *text)
{
    buf_reset(&file.text);
    buf_puts(&file.text, text);
}

static void commit(mode_t mode)
{
    ck_assert_msg(edited_file_commit(&file, mode, &why), "%s", buf_text(&why));
    edited_file_free(&file);
}

static void refused(const char *where, const char *within, const char *part)
{
    buf_reset(&why);
    ck_assert(!edited_file_open(where, within, &file, &why));
    ck_assert_msg(strstr(buf_text(&why), part) && strstr(buf_text(&why), where), "%s", buf_text(&why));
}

START_TEST(mode_and_group_stay)
{
    write_file(path, "old", 0640);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(path, (uid_t)-1, 7), 0);
    open_file(path);
    ck_assert(file.exists && !edited_file_changed(&file));
    ck_assert_str_eq(buf_text(&file.text), "old");
    set_text("new");
    commit(0600);
    expect_text(path, "new");
    ck_assert_uint_eq(stat_of(path).st_mode & 07777, 0640);
    if (geteuid() == 0)
        ck_assert_uint_eq(stat_of(path).st_gid, 7);
}
END_TEST

START_TEST(what_is_unchanged_is_not_written)
{
    write_file(path, "old", 0644);
    ino_t before = stat_of(path).st_ino;
    open_file(path);
    commit(0600);
    ck_assert_uint_eq(stat_of(path).st_ino, before);
}
END_TEST

START_TEST(a_new_file_gets_its_folders)
{
    open_file(other);
    ck_assert(!file.exists);
    set_text("new");
    commit(0666);
    expect_text(other, "new");
    ck_assert_uint_eq(stat_of(other).st_mode & 07777, 0644);
    char *above = xasprintf("%s/sub", folder);
    ck_assert_uint_eq(stat_of(above).st_mode & 07777, 0755);
    free(above);
}
END_TEST

START_TEST(a_link_stays_and_its_target_is_changed)
{
    char *target = xasprintf("%s/target", folder);
    write_file(target, "old", 0600);
    ck_assert_int_eq(symlink("target", path), 0);
    open_file(path);
    set_text("new");
    commit(0600);
    ck_assert(S_ISLNK(stat_of(path).st_mode));
    expect_text(target, "new");
    open_file(path);
    ck_assert_msg(edited_file_remove(&file, &why), "%s", buf_text(&why));
    edited_file_free(&file);
    ck_assert_int_eq(access(target, F_OK), -1);
    struct stat st;
    ck_assert_int_eq(lstat(path, &st), -1);
    free(target);
}
END_TEST

START_TEST(what_is_unfit_is_left_alone)
{
    ck_assert_int_eq(symlink("nowhere", path), 0);
    refused(path, NULL, "leads nowhere");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    refused(path, folder, "leads out of");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    refused(path, NULL, "not a regular file");
    ck_assert_int_eq(unlink(path), 0);
    write_file(path, "x", 0444);
    refused(path, NULL, "read-only");
    write_file(path, "", 0600);
    ck_assert_int_eq(truncate(path, EDITED_FILE_MAX_BYTES + 1), 0);
    refused(path, NULL, "too large");
    ck_assert_int_eq(truncate(path, EDITED_FILE_MAX_BYTES), 0);
    open_file(path);
    edited_file_free(&file);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, 1, (gid_t)-1), 0);
        refused(path, NULL, "belongs to another user");
    }
}
END_TEST

START_TEST(a_folder_that_leads_out_is_not_entered)
{
    char *link = xasprintf("%s/.codex", folder), *in_it = xasprintf("%s/.codex/config", folder);
    ck_assert_int_eq(symlink("/tmp", link), 0);
    refused(in_it, folder, "leads out of");
    free(in_it);
    free(link);
}
END_TEST

START_TEST(somebody_elses_change_is_not_lost)
{
    write_file(path, "old", 0600);
    open_file(path);
    set_text("ours");
    write_file(path, "theirs", 0600);
    ck_assert(!edited_file_commit(&file, 0600, &why));
    ck_assert_msg(strstr(buf_text(&why), "was changed by another program"), "%s", buf_text(&why));
    ck_assert(!edited_file_remove(&file, &why));
    edited_file_free(&file);
    expect_text(path, "theirs");

    open_file(other);
    set_text("ours");
    char *above = xasprintf("mkdir -p %s/sub/deep", folder);
    ck_assert_int_eq(system(above), 0);
    free(above);
    write_file(other, "theirs", 0600);
    ck_assert(!edited_file_commit(&file, 0600, &why));
    edited_file_free(&file);
    expect_text(other, "theirs");
    /* Nothing of ours is left lying about. */
    char *look = xasprintf("test -z \"$(find %s -name '.patchcord-*')\"", folder);
    ck_assert_int_eq(system(look), 0);
    free(look);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("edited_file", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, mode_and_group_stay);
    tcase_add_test(tests, what_is_unchanged_is_not_written);
    tcase_add_test(tests, a_new_file_gets_its_folders);
    tcase_add_test(tests, a_link_stays_and_its_target_is_changed);
    tcase_add_test(tests, what_is_unfit_is_left_alone);
    tcase_add_test(tests, a_folder_that_leads_out_is_not_entered);
    tcase_add_test(tests, somebody_elses_change_is_not_lost);
    return run_unit(suite);
}
