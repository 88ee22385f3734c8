#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/env.h"
#include "unit.h"

/* ---- env files ---- */

static void collect(void *arg, const char *key, const char *value)
{
    buf_printf(arg, "%s=<%s>", key, value);
}

static const struct {
    const char *text, *pairs;
    int bad_line;
} files[] = {
    {"", "", 0},
    {"A=1", "A=<1>", 0},
    {"A=1\nB=2\n", "A=<1>B=<2>", 0},
    {"A=1\r\nB=2\r\n", "A=<1>B=<2>", 0},
    {"\xEF\xBB\xBF"
     "A=1\n",
        "A=<1>", 0},
    {"# comment\n\n  \t\n  # more\nA=1", "A=<1>", 0},
    {"export A=1\nexport  B=2", "A=<1>B=<2>", 0},
    {"A=\nB=  \n", "A=<>B=<>", 0},
    {"A= one two  # comment\nB=x#y\nC=#z", "A=<one two>B=<x#y>C=<>", 0},
    {"A=\"a \\\"b\\\" \\\\ \\n\\tc # d\" # e", "A=<a \"b\" \\ \n\tc # d>", 0},
    {"A='a \"b\" \\n # c'", "A=<a \"b\" \\n # c>", 0},
    {"A=\"\"", "A=<>", 0},
    {"A=b=c", "A=<b=c>", 0},
    {"_a1=x", "_a1=<x>", 0},
    {"A=1\nA=2", "A=<1>A=<2>", 0},
    {"A=$HOME`x`", "A=<$HOME`x`>", 0},

    {"A", "", 1},
    {"A=1\nB\nC=3", "A=<1>", 2},
    {"=1", "", 1},
    {"1A=1", "", 1},
    {"A B=1", "", 1},
    {"A =1", "", 1},
    {"A.B=1", "", 1},
    {"export", "", 1},
    {"A=\"open", "", 1},
    {"A=\"open\\\"", "", 1},
    {"A='open", "", 1},
    {"A=\"x\" y", "", 1},
    {"A=\"\\q\"", "", 1},
    {"A=\"\\", "", 1},
};

START_TEST(env_files_are_parsed)
{
    size_t len = strlen(files[_i].text);
    char *copy = xmalloc(len);
    memcpy(copy, files[_i].text, len);
    struct buf pairs = {0};
    ck_assert_msg(env_parse(copy, len, collect, &pairs) == files[_i].bad_line, "%s", files[_i].text);
    ck_assert_str_eq(buf_text(&pairs), files[_i].pairs);
    buf_free(&pairs);
    free(copy);
}
END_TEST

START_TEST(a_nul_is_a_bad_line)
{
    static const char text[] = "A=1\nB=a\0b\n";
    struct buf pairs = {0};
    ck_assert_int_eq(env_parse(text, sizeof(text) - 1, collect, &pairs), 2);
    ck_assert_str_eq(buf_text(&pairs), "A=<1>");
    buf_free(&pairs);
}
END_TEST

static char *temporary(const char *text, size_t len)
{
    char folder[PATH_MAX];
    unit_folder(folder);
    char *path = xasprintf("%s/file", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    close(fd);
    return path;
}

START_TEST(the_environment_wins_over_the_file)
{
    static const char text[] = "ENV_CHECK_A=file\nENV_CHECK_B=first\nENV_CHECK_B=second\n";
    char *path = temporary(text, sizeof(text) - 1);
    setenv("ENV_CHECK_A", "environment", 1);
    unsetenv("ENV_CHECK_B");
    struct buf why = {0};
    ck_assert(env_load_file(path, &why));
    ck_assert_str_eq(getenv("ENV_CHECK_A"), "environment");
    ck_assert_str_eq(getenv("ENV_CHECK_B"), "first");
    unlink(path);
    free(path);
}
END_TEST

START_TEST(a_bad_file_changes_nothing)
{
    static const char text[] = "ENV_CHECK_C=1\nnot a pair\n";
    char *path = temporary(text, sizeof(text) - 1);
    struct buf why = {0};
    ck_assert(!env_load_file(path, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), path));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), ":2: not KEY=VALUE"));
    ck_assert_ptr_null(getenv("ENV_CHECK_C"));
    unlink(path);
    buf_reset(&why);
    ck_assert(!env_load_file(path, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "No such file"));
    buf_free(&why);
    free(path);
}
END_TEST

START_TEST(env_files_are_limited_at_their_edge)
{
    char *text = xmalloc(ENV_FILE_MAX + 1);
    memset(text, '#', ENV_FILE_MAX + 1);
    struct buf why = {0};
    char *fits = temporary(text, ENV_FILE_MAX);
    ck_assert(env_load_file(fits, &why));
    char *larger = temporary(text, ENV_FILE_MAX + 1);
    ck_assert(!env_load_file(larger, &why));
    unlink(fits);
    unlink(larger);
    free(fits);
    free(larger);
    free(text);
    buf_free(&why);
}
END_TEST

/* ---- settings ---- */

struct sample {
    char *text, *secret, *url, *name, *path;
    int64_t integer;
    bool boolean;
    int choice;
};

static const char *const colours[] = {"red", "green", NULL};

static const struct setting table[] = {
    {.name = "CHECK_TEXT", .kind = SETTING_TEXT, .offset = offsetof(struct sample, text)},
    {.name = "CHECK_SECRET", .kind = SETTING_SECRET, .offset = offsetof(struct sample, secret)},
    {.name = "CHECK_INTEGER",
        .kind = SETTING_INTEGER,
        .offset = offsetof(struct sample, integer),
        .fallback = "7",
        .min = 0,
        .max = 10},
    {.name = "CHECK_BOOLEAN",
        .kind = SETTING_BOOLEAN,
        .offset = offsetof(struct sample, boolean),
        .fallback = "false"},
    {.name = "CHECK_URL", .kind = SETTING_URL, .offset = offsetof(struct sample, url)},
    {.name = "CHECK_NAME",
        .kind = SETTING_NAME,
        .offset = offsetof(struct sample, name),
        .fallback = "default"},
    {.name = "CHECK_PATH", .kind = SETTING_PATH, .offset = offsetof(struct sample, path), .fallback = "/mcp"},
    {.name = "CHECK_CHOICE",
        .kind = SETTING_CHOICE,
        .offset = offsetof(struct sample, choice),
        .fallback = "red",
        .choices = colours},
    {.name = "CHECK_IGNORED", .kind = SETTING_IGNORED},
    {.name = NULL},
};

static void forget_settings(void)
{
    for (const struct setting *row = table; row->name; row++) {
        unsetenv(row->name);
    }
}

START_TEST(defaults_are_filled_in)
{
    forget_settings();
    setenv("CHECK_INTEGER", "", 1);
    struct sample sample;
    memset(&sample, 0x5A, sizeof(sample));
    struct buf why = {0};
    ck_assert(env_read_settings(table, &sample, &why));
    ck_assert_ptr_null(sample.text);
    ck_assert_ptr_null(sample.secret);
    ck_assert_ptr_null(sample.url);
    ck_assert_str_eq(sample.name, "default");
    ck_assert_str_eq(sample.path, "/mcp");
    ck_assert_int_eq(sample.integer, 7);
    ck_assert(!sample.boolean);
    ck_assert_int_eq(sample.choice, 0);
    env_free_settings(table, &sample);
    ck_assert_ptr_null(sample.name);
}
END_TEST

static const struct {
    const char *name, *given;
    const char *text; /* what a string's field holds */
    int64_t number;   /* what another field holds */
} taken[] = {
    {"CHECK_TEXT", "räksmörgås 1", "räksmörgås 1", 0},
    {"CHECK_SECRET", "hunter2", "hunter2", 0},
    {"CHECK_INTEGER", "0", NULL, 0},
    {"CHECK_INTEGER", "10", NULL, 10},
    {"CHECK_BOOLEAN", "true", NULL, 1},
    {"CHECK_BOOLEAN", "YES", NULL, 1},
    {"CHECK_BOOLEAN", "on", NULL, 1},
    {"CHECK_BOOLEAN", "1", NULL, 1},
    {"CHECK_BOOLEAN", "Off", NULL, 0},
    {"CHECK_BOOLEAN", "0", NULL, 0},
    {"CHECK_URL", "https://Relay.Example.com//", "https://relay.example.com", 0},
    {"CHECK_URL", "http://h:8000/sub/path/", "http://h:8000/sub/path", 0},
    {"CHECK_URL", "https://h:443", "https://h", 0},
    {"CHECK_URL", "http://[0:0::1]:80/", "http://[::1]", 0},
    {"CHECK_NAME", "MyProject", "myproject", 0},
    {"CHECK_PATH", "/a/b-c_d.e", "/a/b-c_d.e", 0},
    {"CHECK_CHOICE", "green", NULL, 1},
    {"CHECK_IGNORED", "any\nthing", NULL, 0},
};

static int64_t number_field(const struct sample *sample, const char *name)
{
    if (strcmp(name, "CHECK_INTEGER") == 0) {
        return sample->integer;
    }
    return strcmp(name, "CHECK_BOOLEAN") == 0 ? sample->boolean : sample->choice;
}

static const char *text_field(const struct sample *sample, const char *name)
{
    for (const struct setting *row = table; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return *(char *const *)(const void *)((const char *)sample + row->offset);
        }
    }
    return NULL;
}

START_TEST(good_values_are_taken)
{
    forget_settings();
    setenv(taken[_i].name, taken[_i].given, 1);
    struct sample sample;
    struct buf why = {0};
    ck_assert_msg(env_read_settings(table, &sample, &why), "%s", buf_text(&why));
    if (taken[_i].text) {
        ck_assert_str_eq(text_field(&sample, taken[_i].name), taken[_i].text);
    } else {
        ck_assert_int_eq(number_field(&sample, taken[_i].name), taken[_i].number);
    }
    env_free_settings(table, &sample);
}
END_TEST

static const struct {
    const char *name, *given, *rule;
} refused[] = {
    {"CHECK_TEXT", "a\nb", "text without control characters, not \"a?b\""},
    {"CHECK_TEXT", "\xFF", "text without control characters, not \"?\""},
    {"CHECK_INTEGER", "-1", "a whole number from 0 to 10, not \"-1\""},
    {"CHECK_INTEGER", "11", "a whole number from 0 to 10, not \"11\""},
    {"CHECK_INTEGER", "5x", "a whole number from 0 to 10, not \"5x\""},
    {"CHECK_INTEGER", "1.5", "a whole number from 0 to 10, not \"1.5\""},
    {"CHECK_INTEGER", "99999999999999999999", "a whole number from 0 to 10, not \"99999999999999999999\""},
    {"CHECK_BOOLEAN", "maybe", "true or false, not \"maybe\""},
    {"CHECK_URL", "ftp://h", "an http:// or https:// URL"},
    {"CHECK_URL", "https://user:pw@h", "an http:// or https:// URL"},
    {"CHECK_URL", "https://h/?q", "an http:// or https:// URL"},
    {"CHECK_URL", "https://h/#f", "an http:// or https:// URL"},
    {"CHECK_NAME", "my project", "a name:"},
    {"CHECK_NAME", "-x", "a name:"},
    {"CHECK_PATH", "mcp", "a path"},
    {"CHECK_PATH", "/", "a path"},
    {"CHECK_PATH", "/mcp/", "a path"},
    {"CHECK_PATH", "/m?p", "a path"},
    {"CHECK_CHOICE", "blue", "one of red, green, not \"blue\""},
};

START_TEST(bad_values_are_told_their_rule)
{
    forget_settings();
    setenv("CHECK_SECRET", "hunter2", 1);
    setenv(refused[_i].name, refused[_i].given, 1);
    struct sample sample;
    struct buf why = {0};
    ck_assert(!env_read_settings(table, &sample, &why));
    ck_assert_msg(
        strncmp(buf_text(&why), refused[_i].name, strlen(refused[_i].name)) == 0, "%s", buf_text(&why));
    ck_assert_msg(strstr(buf_text(&why), refused[_i].rule) != NULL, "%s", buf_text(&why));
    ck_assert_ptr_null(strchr(buf_text(&why), '\n'));
    ck_assert_ptr_null(sample.secret);
    buf_free(&why);
}
END_TEST

START_TEST(a_bad_secret_is_not_shown)
{
    forget_settings();
    setenv("CHECK_SECRET", "hunter2\x01", 1);
    struct sample sample;
    struct buf why = {0};
    ck_assert(!env_read_settings(table, &sample, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "CHECK_SECRET"));
    ck_assert_ptr_null(strstr(buf_text(&why), "hunter2"));
    buf_free(&why);
}
END_TEST

START_TEST(a_long_bad_value_is_cut)
{
    forget_settings();
    char given[1001];
    memset(given, 'x', 1000);
    given[1000] = '\0';
    setenv("CHECK_INTEGER", given, 1);
    struct sample sample;
    struct buf why = {0};
    ck_assert(!env_read_settings(table, &sample, &why));
    ck_assert_uint_lt(why.len, 200);
    buf_free(&why);
}
END_TEST

static struct buf warned;

static void warn(const char *name)
{
    buf_printf(&warned, "%s;", name);
}

START_TEST(unknown_names_are_told)
{
    static const struct setting second[] = {{.name = "CHECK_OTHER", .kind = SETTING_TEXT}, {.name = NULL}};
    static const struct setting *const tables[] = {table, second, NULL};
    forget_settings();
    setenv("CHECK_TEXT", "known", 1);
    setenv("CHECK_OTHER", "known", 1);
    setenv("CHECK_TEXTS", "unknown", 1);
    setenv("XCHECK_TEXT", "of somebody else", 1);
    buf_reset(&warned);
    env_unknown("CHECK_", tables, warn);
    /* The variables of the test framework begin with CK_. */
    ck_assert_str_eq(buf_text(&warned), "CHECK_TEXTS;");
    buf_free(&warned);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("env", &tests);
    tcase_add_loop_test(tests, env_files_are_parsed, 0, LENGTH_OF(files));
    tcase_add_test(tests, a_nul_is_a_bad_line);
    tcase_add_test(tests, the_environment_wins_over_the_file);
    tcase_add_test(tests, a_bad_file_changes_nothing);
    tcase_add_test(tests, env_files_are_limited_at_their_edge);
    tcase_add_test(tests, defaults_are_filled_in);
    tcase_add_loop_test(tests, good_values_are_taken, 0, LENGTH_OF(taken));
    tcase_add_loop_test(tests, bad_values_are_told_their_rule, 0, LENGTH_OF(refused));
    tcase_add_test(tests, a_bad_secret_is_not_shown);
    tcase_add_test(tests, a_long_bad_value_is_cut);
    tcase_add_test(tests, unknown_names_are_told);
    return run_unit(suite);
}
