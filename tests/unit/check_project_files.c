/* Which files an agent may send and save: every way into a project's folder and out of it, in both ways of
 * opening. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../bridge/project_files.h"
#include "../../bridge/save_file.h"
#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "unit.h"

static char *top; /* holds project/, allowed/, home/ and secret */
static char *project, *allowed;

static char *in_top(const char *path)
{
    return xasprintf("%s/%s", top, path);
}

static void make_folder(const char *path)
{
    char *whole = in_top(path);
    ck_assert_int_eq(mkdir(whole, 0755), 0);
    free(whole);
}

static void make_file(const char *path, const char *text)
{
    char *whole = in_top(path);
    FILE *file = fopen(whole, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    free(whole);
}

static void make_link(const char *path, const char *target)
{
    char *whole = in_top(path);
    ck_assert_int_eq(symlink(target, whole), 0);
    free(whole);
}

static void make_socket(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char *whole = in_top(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_uint_lt(strlen(whole), sizeof at.sun_path);
    strcpy(at.sun_path, whole);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    close(fd);
    free(whole);
}

static void make_fifo(const char *path)
{
    char *whole = in_top(path);
    ck_assert_int_eq(mkfifo(whole, 0644), 0);
    free(whole);
}

static void set_up(void)
{
    char name[PATH_MAX];
    unit_folder(name);
    top = realpath(name, NULL);
    project = in_top("project");
    allowed = in_top("allowed");
    static const char *const folders[] = {"project", "project/a", "project/a/b", "project/.git",
        "project/.git/hooks", "project/a/.hidden", "allowed", "allowed/c", "home", "home/work", "projectile"};
    for (size_t i = 0; i < LENGTH_OF(folders); i++)
        make_folder(folders[i]);
    static const char *const files[] = {"secret", "project/file", "project/a/b/deep", "project/.env",
        "project/.git/config", "project/a/.hidden/file", "project/..file", "project/x..y", "allowed/c/file",
        "allowed/.env", "home/work/file", "projectile/file"};
    for (size_t i = 0; i < LENGTH_OF(files); i++)
        make_file(files[i], files[i]);
    static const char *const links[][2] = {{"in", "a/b/deep"}, {"a/back", "../file"}, {"folder", "a/b"},
        {"chain", "in"}, {"out", "../secret"}, {"out2", "a/../../secret"}, {"outfolder", ".."}, {"root", "/"},
        {"absolute", "/etc/passwd"}, {"proc", "/proc/self/environ"}, {"env", ".env"}, {"git", ".git"},
        {"a/env", "../.env"}, {"hidden", "a/.hidden"}, {"loop", "loop"}, {"pool", "puul"}, {"puul", "pool"},
        {"dangling", "nowhere"}, {"danglingout", "../nowhere"}, {"self", "."}, {"device", "/dev/zero"},
        {"around", "../project/file"}};
    for (size_t i = 0; i < LENGTH_OF(links); i++) {
        char *path = xasprintf("project/%s", links[i][0]);
        make_link(path, links[i][1]);
        free(path);
    }
    make_fifo("project/fifo");
    make_socket("project/socket");
}

static void tear_down(void)
{
    free(top);
    free(project);
    free(allowed);
}

static struct project_files files_of(enum beneath_way way)
{
    static char *folders[2];
    folders[0] = allowed;
    return (struct project_files){.folder = project, .allowed = folders, .way = way};
}

/* "PROJECT/…", "ALLOWED/…" and "TOP/…" are absolute paths. */
static char *expand(const char *path)
{
    static const char *const words[] = {"PROJECT", "ALLOWED", "TOP"};
    const char *const folders[] = {project, allowed, top};
    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        size_t len = strlen(words[i]);
        if (strncmp(path, words[i], len) == 0)
            return xasprintf("%s%s", folders[i], path + len);
    }
    return xstrdup(path);
}

/* A part of 256 bytes, and one of 255. */
#define X16  "xxxxxxxxxxxxxxxx"
#define X240 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X255 X240 "xxxxxxxxxxxxxxx"
#define X256 X240 X16

static const struct {
    const char *path;
    const char *text; /* what is read; NULL: refused */
    const char *why;  /* a part of the reason */
} readings[] = {
    {"file", "project/file", NULL},
    {"./file", "project/file", NULL},
    {"a//b/./deep", "project/a/b/deep", NULL},
    {"x..y", "project/x..y", NULL},
    {"PROJECT/file", "project/file", NULL},
    {"PROJECT//a/b/deep", "project/a/b/deep", NULL},
    {"ALLOWED/c/file", "allowed/c/file", NULL},
    /* links that stay inside */
    {"in", "project/a/b/deep", NULL},
    {"chain", "project/a/b/deep", NULL},
    {"folder/deep", "project/a/b/deep", NULL},
    {"a/back", "project/file", NULL},
    {"self/self/file", "project/file", NULL},
    /* links that do not */
    {"out", NULL, "leads out"},
    {"out2", NULL, "leads out"},
    {"outfolder/secret", NULL, "leads out"},
    {"outfolder/project/file", NULL, "leads out"},
    {"around", NULL, "leads out"},
    {"absolute", NULL, "leads out"},
    {"root/etc/passwd", NULL, "leads out"},
    {"proc", NULL, "leads out"},
    {"device", NULL, "leads out"},
    {"danglingout", NULL, "leads out"},
    {"dangling", NULL, "No such file"},
    {"loop", NULL, "symbolic links"},
    {"pool", NULL, "symbolic links"},
    /* what is hidden, and links to it */
    {".env", NULL, "hidden"},
    {"./.env", NULL, "hidden"},
    {".git/config", NULL, "hidden"},
    {"a/.hidden/file", NULL, "hidden"},
    {"..file", NULL, "hidden"},
    {"...", NULL, "hidden"},
    {"env", NULL, "hidden"},
    {"a/env", NULL, "hidden"},
    {"git/config", NULL, "hidden"},
    {"hidden/file", NULL, "hidden"},
    {"PROJECT/.env", NULL, "hidden"},
    {"ALLOWED/.env", NULL, "hidden"},
    {"\xe2\x80\x8c.env", NULL, "cannot be seen"}, /* a zero-width non-joiner, which HFS+ ignores */
    {"\xe2\x80\xae"
     "file",
        NULL, "cannot be seen"}, /* right-to-left override */
    {"file\n", NULL, "cannot be seen"},
    {"file\x7f", NULL, "cannot be seen"},
    {"file\xff", NULL, "cannot be seen"},
    {"ENV~1", NULL, "short name"}, /* of .env, on FAT and NTFS */
    {"GIT~1/config", NULL, "short name"},
    {"a~b~2", NULL, "short name"},
    {"file~", NULL, "No such file"},
    {"file~x", NULL, "No such file"},
    /* other ways out */
    {"..", NULL, "\"..\""},
    {"../secret", NULL, "\"..\""},
    {"a/../file", NULL, "\"..\""},
    {"a/../../secret", NULL, "\"..\""},
    {"PROJECT/../secret", NULL, "\"..\""},
    {"ALLOWED/../secret", NULL, "\"..\""},
    {"TOP/secret", NULL, "only files of the project"},
    {"TOP/projectile/file", NULL, "only files of the project"},
    {"/etc/passwd", NULL, "only files of the project"},
    {"/dev/zero", NULL, "only files of the project"},
    {"/proc/self/environ", NULL, "only files of the project"},
    {"//file", NULL, "only files of the project"},
    {"~/file", NULL, "No such file"},
    {"%2e%2e/secret", NULL, "No such file"},
    /* no files */
    {"", NULL, "names no file"},
    {".", NULL, "names no file"},
    {"PROJECT/", NULL, "names no file"},
    {"PROJECT", NULL, "only files of the project"},
    {"self", NULL, "no regular file"},
    {"a", NULL, "no regular file"},
    {"a/", NULL, "no regular file"},
    {"fifo", NULL, "no regular file"},
    {"socket", NULL, "no regular file"},
    {"file/x", NULL, "Not a directory"},
    {"nothing", NULL, "No such file"},
    {X255, NULL, "No such file"},
    {X256, NULL, "longer than 255"},
};

static void expect_reading(const char *path, const char *text, const char *why, enum beneath_way way)
{
    struct project_files files = files_of(way);
    struct buf said = {0};
    char *given = expand(path), got[PATH_MAX] = "";
    int fd = project_files_open(&files, given, &said);
    if (text) {
        ck_assert_msg(fd >= 0, "%s: %s", path, buf_text(&said));
        ck_assert_int_gt(read(fd, got, sizeof got - 1), 0);
        ck_assert_str_eq(got, text);
        close(fd);
    } else {
        ck_assert_msg(fd == -1, "%s was opened", path);
        ck_assert_msg(strstr(buf_text(&said), why) != NULL, "%s: %s", path, buf_text(&said));
    }
    buf_free(&said);
    free(given);
}

START_TEST(only_files_of_the_project_are_read)
{
    expect_reading(readings[_i].path, readings[_i].text, readings[_i].why, BENEATH_BEST);
    expect_reading(readings[_i].path, readings[_i].text, readings[_i].why, BENEATH_PORTABLE);
}
END_TEST

static const struct {
    const char *path;
    const char *becomes; /* beneath top; NULL: refused */
    const char *why;
} placings[] = {
    {"new", "project/new", NULL},
    {"./a/new", "project/a/new", NULL},
    {"folder/new", "project/a/b/new", NULL},
    {"PROJECT/a/new", "project/a/new", NULL},
    {"ALLOWED/c/new", "allowed/c/new", NULL},
    {"file", NULL, "is there already"},
    {"a", NULL, "is there already"},
    {"in", NULL, "is there already"},
    {"dangling", NULL, "is there already"},
    {"danglingout", NULL, "is there already"},
    {"out", NULL, "is there already"},
    {"fifo", NULL, "is there already"},
    {"a/", NULL, "ends in a slash"},
    {"new/", NULL, "ends in a slash"},
    {"", NULL, "names no file"},
    {".", NULL, "names no file"},
    {".envrc", NULL, "hidden"},
    {".git/hooks/pre-commit", NULL, "hidden"},
    {".claude/settings.json", NULL, "hidden"},
    {"a/.b", NULL, "hidden"},
    {"git/hooks/pre-commit", NULL, "hidden"},
    {"hidden/new", NULL, "hidden"},
    {"PROJECT/.git/hooks/pre-commit", NULL, "hidden"},
    {"\xe2\x80\x8d.git/hooks/pre-commit", NULL, "cannot be seen"},
    {"GIT~1/hooks/pre-commit", NULL, "short name"},
    {"..", NULL, "\"..\""},
    {"../new", NULL, "\"..\""},
    {"a/../../new", NULL, "\"..\""},
    {"outfolder/new", NULL, "leads out"},
    {"root/tmp/new", NULL, "leads out"},
    {"TOP/new", NULL, "only files of the project"},
    {"/dev/shm/new", NULL, "only files of the project"},
    {"nowhere/new", NULL, "No such file"},
    {"file/new", NULL, "Not a directory"},
    {"fifo/new", NULL, "Not a directory"},
    {X256, NULL, "longer than 255"},
};

static void expect_placing(const char *path, const char *becomes, const char *why, enum beneath_way way)
{
    struct project_files files = files_of(way);
    struct buf said = {0};
    char *given = expand(path), name[NAME_MAX + 1];
    int folder = project_files_place(&files, given, name, &said);
    if (becomes) {
        ck_assert_msg(folder >= 0, "%s: %s", path, buf_text(&said));
        struct save_file *file = save_file_begin(folder, name);
        ck_assert_ptr_nonnull(file);
        enum save_file_way saving = way == BENEATH_BEST ? SAVE_FILE_BEST : SAVE_FILE_PORTABLE;
        ck_assert(save_file_write(file, "text", 4) && save_file_commit(file, saving));
        char *at = in_top(becomes);
        struct stat st;
        ck_assert_int_eq(lstat(at, &st), 0);
        ck_assert(S_ISREG(st.st_mode) && st.st_size == 4 && st.st_nlink == 1);
        ck_assert_int_eq(st.st_mode & 07777, 0644);
        ck_assert_int_eq(unlink(at), 0);
        free(at);
    } else {
        ck_assert_msg(folder == -1, "%s was placed", path);
        ck_assert_msg(strstr(buf_text(&said), why) != NULL, "%s: %s", path, buf_text(&said));
    }
    buf_free(&said);
    free(given);
}

START_TEST(only_new_files_of_the_project_are_made)
{
    umask(022);
    expect_placing(placings[_i].path, placings[_i].becomes, placings[_i].why, BENEATH_BEST);
    expect_placing(placings[_i].path, placings[_i].becomes, placings[_i].why, BENEATH_PORTABLE);
}
END_TEST

/* ---- links that come while a path is opened ---- */

START_TEST(no_link_is_followed_once_a_path_is_resolved)
{
    enum beneath_way way = _i == 0 ? BENEATH_BEST : BENEATH_PORTABLE;
    int root = open(project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static const char *const paths[] = {
        "in", "folder/deep", "out", "outfolder/secret", "root/etc/passwd", "absolute"};
    for (size_t i = 0; i < LENGTH_OF(paths); i++) {
        ck_assert_int_eq(beneath_open(root, paths[i], O_RDONLY, way), -1);
        ck_assert_msg(errno == ELOOP || errno == ENOTDIR, "%s: %s", paths[i], strerror(errno));
    }
    ck_assert_int_eq(beneath_open(root, "../secret", O_RDONLY, way), -1);
    ck_assert_int_eq(errno, EXDEV);
    int fd = beneath_open(root, "a/b/deep", O_RDONLY, way);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    close(fd);
    close(root);
}
END_TEST

static void make_chain(int length)
{
    char path[64], target[64];
    for (int i = 0; i < length; i++) {
        snprintf(path, sizeof path, "project/link%d", i);
        snprintf(target, sizeof target, "link%d", i + 1);
        make_link(path, i + 1 < length ? target : "file");
    }
}

START_TEST(links_are_followed_so_often_and_no_more)
{
    char resolved[PATH_MAX];
    make_chain(BENEATH_LINKS_MAX + 1);
    int root = open(project, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert(beneath_resolve(root, "link1", resolved));
    ck_assert_str_eq(resolved, "file");
    ck_assert(!beneath_resolve(root, "link0", resolved));
    ck_assert_int_eq(errno, ELOOP);
    close(root);
}
END_TEST

/* ---- what is no project ---- */

static void expect_no_project(const char *folder)
{
    struct project_files files = {.folder = folder};
    struct buf why = {0};
    char name[NAME_MAX + 1];
    ck_assert_int_eq(project_files_open(&files, "home/work/file", &why), -1);
    ck_assert_msg(strstr(buf_text(&why), "is no project's folder"), "%s: %s", folder, buf_text(&why));
    buf_reset(&why);
    ck_assert_int_eq(project_files_place(&files, "new", name, &why), -1);
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "is no project's folder"));
    buf_free(&why);
}

START_TEST(home_and_what_holds_it_are_no_project)
{
    char *home = in_top("home"), *work = in_top("home/work");
    struct project_files files = {.folder = work};
    struct buf why = {0};
    setenv("HOME", home, 1);
    expect_no_project("/");
    expect_no_project(home);
    expect_no_project(top);
    expect_no_project("/tmp");
    int fd = project_files_open(&files, "file", &why);
    ck_assert_msg(fd >= 0, "%s", buf_text(&why));
    close(fd);
    /* The environment cannot unmake it. */
    setenv("HOME", "/nonexistent", 1);
    expect_no_project("/");
    expect_no_project("/root");
    unsetenv("HOME");
    expect_no_project("/root");
    free(home);
    free(work);
}
END_TEST

START_TEST(the_person_may_allow_any_folder)
{
    char *home = in_top("home"), *work = in_top("home/work/file"), *folders[] = {home, NULL};
    struct project_files files = {.folder = "/", .allowed = folders};
    struct buf why = {0};
    setenv("HOME", home, 1);
    int fd = project_files_open(&files, work, &why);
    ck_assert_msg(fd >= 0, "%s", buf_text(&why));
    close(fd);
    ck_assert_int_eq(project_files_open(&files, "home/work/file", &why), -1);
    free(home);
    free(work);
    buf_free(&why);
}
END_TEST

/* ---- saving ---- */

static int count_files(const char *folder)
{
    char *command = xasprintf("ls -A '%s' | wc -l", folder);
    FILE *out = popen(command, "r");
    int count = -1;
    ck_assert_int_eq(fscanf(out, "%d", &count), 1);
    pclose(out);
    free(command);
    return count;
}

START_TEST(a_saved_file_appears_whole_or_not_at_all)
{
    char *at = in_top("allowed/c/new");
    int before = count_files(allowed);
    struct save_file *file = save_file_begin(open(allowed, O_RDONLY | O_DIRECTORY), "new");
    ck_assert_ptr_nonnull(file);
    ck_assert(save_file_write(file, "half", 4));
    ck_assert_int_eq(access(at, F_OK), -1);
    save_file_abort(file);
    ck_assert_int_eq(count_files(allowed), before);

    for (int i = 0; i < 2; i++) {
        file = save_file_begin(open(allowed, O_RDONLY | O_DIRECTORY), "c");
        ck_assert(save_file_write(file, "whole", 5));
        ck_assert(!save_file_commit(file, i == 0 ? SAVE_FILE_BEST : SAVE_FILE_PORTABLE));
        ck_assert_int_eq(errno, EEXIST);
        ck_assert_int_eq(count_files(allowed), before);
    }
    save_file_abort(NULL);
    free(at);
}
END_TEST

START_TEST(a_folder_without_permission_is_said)
{
    if (geteuid() == 0)
        return; /* root may write everywhere */
    ck_assert_int_eq(chmod(allowed, 0555), 0);
    ck_assert_ptr_null(save_file_begin(open(allowed, O_RDONLY | O_DIRECTORY), "new"));
    ck_assert_int_eq(errno, EACCES);
    ck_assert_int_eq(chmod(allowed, 0755), 0);
}
END_TEST

int main(void)
{
    TCase *tests;
    secret_init();
    Suite *suite = unit_suite("project_files", &tests);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, only_files_of_the_project_are_read, 0, (int)LENGTH_OF(readings));
    tcase_add_loop_test(tests, only_new_files_of_the_project_are_made, 0, (int)LENGTH_OF(placings));
    tcase_add_loop_test(tests, no_link_is_followed_once_a_path_is_resolved, 0, 2);
    tcase_add_test(tests, links_are_followed_so_often_and_no_more);
    tcase_add_test(tests, home_and_what_holds_it_are_no_project);
    tcase_add_test(tests, the_person_may_allow_any_folder);
    tcase_add_test(tests, a_saved_file_appears_whole_or_not_at_all);
    tcase_add_test(tests, a_folder_without_permission_is_said);
    return run_unit(suite);
}
