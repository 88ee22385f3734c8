/* What a bridge finds out before it talks: options, identity, the host's program, the parent. */
#include <check.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../bridge/backoff.h"
#include "../../bridge/client_type.h"
#include "../../bridge/config.h"
#include "../../bridge/host_watch.h"
#include "../../common/alloc.h"
#include "unit.h"

/* ---- options ---- */

START_TEST(shared_options_are_taken_wherever_they_stand)
{
    char *argv[] = {"patchcord", "--as", "a@n", "send", "--client=codex", "b", "--insecure-http", "--json",
        "--", "--as", "x", NULL};
    int argc = 11;
    struct config_options options = {0};
    struct buf why = {0};
    ck_assert(config_take_options(&argc, argv, &options, &why));
    ck_assert_str_eq(options.as, "a@n");
    ck_assert_str_eq(options.client, "codex");
    ck_assert(options.insecure_http);
    static const char *const left[] = {"patchcord", "send", "b", "--json", "--", "--as", "x"};
    ck_assert_int_eq(argc, 7);
    for (int i = 0; i < argc; i++)
        ck_assert_str_eq(argv[i], left[i]);
    ck_assert_ptr_null(argv[argc]);
}
END_TEST

START_TEST(an_option_without_its_value_is_refused)
{
    static const char *const cases[] = {"--as", "--client", "--as=", "--client="};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *argv[] = {"patchcord", "mcp", (char *)cases[i], NULL};
        int argc = 3;
        struct config_options options = {0};
        struct buf why = {0};
        ck_assert(!config_take_options(&argc, argv, &options, &why));
        ck_assert_ptr_nonnull(strstr(buf_text(&why), "needs a value"));
        buf_free(&why);
    }
}
END_TEST

START_TEST(similar_options_are_left_alone)
{
    char *argv[] = {"patchcord", "--asx", "--client-x", "--insecure-http=1", NULL};
    int argc = 4;
    struct config_options options = {0};
    struct buf why = {0};
    ck_assert(config_take_options(&argc, argv, &options, &why));
    ck_assert_int_eq(argc, 4);
    ck_assert_ptr_null(options.as);
    ck_assert(!options.insecure_http);
}
END_TEST

START_TEST(folders_are_allowed_so_often)
{
    char *argv[2 * (CONFIG_ALLOWED_MAX + 1) + 2] = {"patchcord"};
    for (int extra = 0; extra < 2; extra++) {
        int argc = 1;
        for (int i = 0; i < CONFIG_ALLOWED_MAX + extra; i++) {
            argv[argc++] = "--allow-path";
            argv[argc++] = "/a";
        }
        argv[argc] = NULL;
        struct config_options options = {0};
        struct buf why = {0};
        ck_assert_int_eq(config_take_options(&argc, argv, &options, &why), extra == 0);
        ck_assert_str_eq(options.allowed[CONFIG_ALLOWED_MAX - 1], "/a");
        ck_assert_ptr_null(options.allowed[CONFIG_ALLOWED_MAX]);
        buf_free(&why);
    }
}
END_TEST

/* ---- configuration ---- */

static char home[PATH_MAX], here[PATH_MAX];

static void enter_home(void)
{
    unit_folder(home);
    ck_assert_int_eq(chdir(home), 0);
    ck_assert_ptr_nonnull(realpath(".", here));
    ck_assert_int_eq(setenv("HOME", here, 1), 0);
    ck_assert_int_eq(mkdir(".config", 0700) | mkdir(".config/patchcord", 0700) | mkdir("repo", 0700), 0);
    ck_assert_int_eq(mkdir("repo/.git", 0700) | mkdir("repo/src", 0700), 0);
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("PATCHCORD_URL");
    unsetenv("PATCHCORD_TOKEN");
    unsetenv("PATCHCORD_CA_FILE");
}

static void store_entry(const char *agent, const char *url, const char *folder)
{
    FILE *file = fopen(".config/patchcord/credentials.json", "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
        "{\"version\":1,\"entries\":[{\"agent\":\"%s\",\"url\":\"%s\",\"token\":\"pc_stored\",\"folder\":\"%"
        "s%s\"}]}",
        agent, url, here, folder);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(".config/patchcord/credentials.json", 0600), 0);
}

static void expect_config(
    const struct config_options *options, const char *url, const char *token, const char *agent)
{
    struct config config;
    struct buf why = {0};
    ck_assert_msg(config_load(options, &config, &why), "%s", buf_text(&why));
    ck_assert_str_eq(config.url, url);
    ck_assert_str_eq(config.token, token);
    if (agent)
        ck_assert_str_eq(config.agent, agent);
    else
        ck_assert_ptr_null(config.agent);
    config_free(&config);
    ck_assert_ptr_null(config.token);
}

static void expect_no_config(const struct config_options *options, const char *part)
{
    struct config config;
    struct buf why = {0};
    ck_assert(!config_load(options, &config, &why));
    ck_assert_msg(strstr(buf_text(&why), part) != NULL, "%s", buf_text(&why));
    ck_assert_ptr_null(strstr(buf_text(&why), "pc_"));
    ck_assert_ptr_null(config.token);
    ck_assert_ptr_null(config.url);
    buf_free(&why);
}

static const struct config_options none = {0};

static void expect_folders(
    const struct config_options *options, const char *folder, const char *const *allowed)
{
    struct config config;
    struct buf why = {0};
    ck_assert_msg(config_load(options, &config, &why), "%s", buf_text(&why));
    ck_assert_str_eq(config.folder, folder);
    for (size_t i = 0; allowed[i]; i++)
        ck_assert_str_eq(config.allowed[i], allowed[i]);
    config_free(&config);
    ck_assert_ptr_null(config.allowed);
    ck_assert_ptr_null(config.folder);
}

START_TEST(the_person_alone_allows_folders)
{
    char *work = xasprintf("%s/repo", here), *src = xasprintf("%s/repo/src", here);
    const struct config_options options = {.allowed = {"src"}}, missing = {.allowed = {"nowhere"}};
    store_entry("a@n", "https://relay.example.com",
        "/repo\",\"allow_paths\":[\"/data/x\",\"/data/y\"],\"client\":\"c");
    ck_assert_int_eq(chdir("repo"), 0);
    expect_folders(&none, work, (const char *[]){"/data/x", "/data/y", NULL});
    expect_folders(&options, work, (const char *[]){"/data/x", "/data/y", src, NULL});
    expect_no_config(&missing, "--allow-path nowhere: No such file");
    setenv("PATCHCORD_URL", "https://relay.example.com", 1);
    setenv("PATCHCORD_TOKEN", "pc_env", 1);
    setenv("PATCHCORD_ALLOW_PATH", "/", 1);
    setenv("PWD", "/", 1);
    struct config config;
    struct buf why = {0};
    ck_assert(config_load(&none, &config, &why));
    ck_assert_str_eq(config.folder, work);
    ck_assert_ptr_null(config.allowed);
    config_free(&config);
    ck_assert_int_eq(chdir(here), 0);
    free(work);
    free(src);
}
END_TEST

START_TEST(the_environment_names_relay_and_token)
{
    setenv("PATCHCORD_URL", "https://relay.example.com/", 1);
    setenv("PATCHCORD_TOKEN", "pc_env", 1);
    store_entry("stored@ns", "https://other.example.com", "");
    expect_config(&none, "https://relay.example.com", "pc_env", NULL);
    expect_no_config(&(struct config_options){.as = "stored@ns"}, "--as and PATCHCORD_TOKEN both");
    unsetenv("PATCHCORD_URL");
    expect_no_config(&none, "PATCHCORD_URL is not");
}
END_TEST

START_TEST(nothing_set_up_says_what_to_do)
{
    expect_no_config(&none, "run `patchcord agent --server URL --token -` in this folder");
    unsetenv("HOME");
    expect_no_config(&none, "HOME is not set");
}
END_TEST

START_TEST(a_folder_above_counts_up_to_the_git_root)
{
    store_entry("front@shop", "https://relay.example.com", "/repo");
    expect_no_config(&none, "no identity is stored");
    ck_assert_int_eq(chdir("repo/src"), 0);
    expect_config(&none, "https://relay.example.com", "pc_stored", "front@shop");
    ck_assert_int_eq(chdir(here), 0);
    store_entry("home@shop", "https://relay.example.com", "");
    ck_assert_int_eq(chdir("repo/src"), 0);
    expect_no_config(&none, "no identity is stored");
}
END_TEST

START_TEST(a_stored_token_goes_to_its_own_origin_only)
{
    store_entry("front@shop", "https://relay.example.com", "");
    setenv("PATCHCORD_URL", "https://evil.example.com", 1);
    expect_no_config(&none, "no identity is stored");
    expect_no_config(&(struct config_options){.as = "front@shop"}, "belongs to another relay");
    setenv("PATCHCORD_URL", "https://relay.example.com:8443", 1);
    expect_no_config(&none, "no identity is stored");
    setenv("PATCHCORD_URL", "http://relay.example.com", 1);
    expect_no_config(&none, "no identity is stored");
    setenv("PATCHCORD_URL", "https://relay.example.com/base", 1);
    expect_config(&none, "https://relay.example.com/base", "pc_stored", "front@shop");
}
END_TEST

START_TEST(plain_http_is_for_this_machine)
{
    setenv("PATCHCORD_TOKEN", "pc_env", 1);
    setenv("PATCHCORD_URL", "http://10.0.0.7:8000", 1);
    expect_no_config(&none, "unencrypted");
    expect_config(&(struct config_options){.insecure_http = true}, "http://10.0.0.7:8000", "pc_env", NULL);
    setenv("PATCHCORD_URL", "http://localhost.example.com", 1);
    expect_no_config(&none, "unencrypted");
    setenv("PATCHCORD_URL", "http://127.0.0.1:8000", 1);
    expect_config(&none, "http://127.0.0.1:8000", "pc_env", NULL);
    setenv("PATCHCORD_URL", "http://[::1]:8000", 1);
    expect_config(&none, "http://[::1]:8000", "pc_env", NULL);
}
END_TEST

/* ---- the client's program ---- */

START_TEST(clients_are_known_by_their_names)
{
    static const char *const names[][2] = {
        {"claude-code", "claude_code"},
        {"Claude Code", "claude_code"},
        {"codex-mcp-client", "codex"},
        {"gemini-cli-mcp-client", "gemini"},
        {"Visual Studio Code - Insiders", "vscode"},
        {"My Agent/2.0", "my_agent_2_0"},
        {"  --x--  ", "x"},
        {"caf\xc3\xa9", "caf"},
        {"a\r\nX-Evil: 1", "a_x_evil_1"},
        {"", ""},
        {"///", ""},
    };
    char type[CLIENT_TYPE_SIZE];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        client_type_of(names[i][0], type);
        ck_assert_str_eq(type, names[i][1]);
    }
    client_type_of(NULL, type);
    ck_assert_str_eq(type, "");
    char long_name[3 * CLIENT_TYPE_SIZE];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    client_type_of(long_name, type);
    ck_assert_uint_eq(strlen(type), CLIENT_TYPE_SIZE - 1);
}
END_TEST

/* ---- the parent ---- */

enum { GONE_WITHIN_MS = 10 * 1000 };

/* In a grandchild: watches its parent, which then ends; writes one byte when it noticed in time. */
static void watch_and_tell(enum host_watch_way way, int started, int noticed)
{
    struct host_watch watch;
    host_watch_start(&watch, way);
    if (host_watch_gone(&watch) || (way == HOST_WATCH_PORTABLE && watch.fd >= 0) ||
        write(started, "s", 1) != 1)
        _exit(1);
    struct pollfd fd = {.fd = watch.fd, .events = POLLIN};
    for (int left = GONE_WITHIN_MS; left > 0 && !host_watch_gone(&watch); left -= 10)
        poll(&fd, 1, 10);
    if (host_watch_gone(&watch) && write(noticed, "n", 1) == 1) {
        host_watch_end(&watch);
        _exit(0);
    }
    _exit(1);
}

static void parent_ends(enum host_watch_way way)
{
    int started[2], noticed[2];
    char byte;
    ck_assert_int_eq(pipe(started) | pipe(noticed), 0);
    pid_t parent = fork();
    if (parent == 0) {
        if (fork() == 0)
            watch_and_tell(way, started[1], noticed[1]);
        _exit(read(started[0], &byte, 1) == 1 ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(parent, &status, 0), parent);
    ck_assert_int_eq(status, 0);
    close(noticed[1]);
    ck_assert_int_eq(read(noticed[0], &byte, 1), 1);
}

START_TEST(the_parents_end_is_noticed)
{
    parent_ends(HOST_WATCH_BEST);
}
END_TEST

START_TEST(the_parents_end_is_noticed_portably)
{
    parent_ends(HOST_WATCH_PORTABLE);
}
END_TEST

START_TEST(only_the_portable_way_wakes_up)
{
    struct host_watch watch;
    host_watch_start(&watch, HOST_WATCH_PORTABLE);
    ck_assert_int_eq(watch.fd, -1);
    ck_assert_int_gt(watch.interval_ms, 0);
    host_watch_start(&watch, HOST_WATCH_BEST);
    ck_assert((watch.fd >= 0) == (watch.interval_ms < 0));
    host_watch_end(&watch);
}
END_TEST

/* ---- back-off ---- */

START_TEST(waits_double_up_to_the_longest)
{
    for (int i = 0; i < 100; i++) {
        int64_t first = backoff_ms(1, 100, 1000), third = backoff_ms(3, 100, 1000),
                far = backoff_ms(4000, 100, 1000);
        ck_assert(first >= 50 && first <= 100);
        ck_assert(third >= 200 && third <= 400);
        ck_assert(far >= 500 && far <= 1000);
    }
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("bridge_start", &tests);
    tcase_add_test(tests, shared_options_are_taken_wherever_they_stand);
    tcase_add_test(tests, an_option_without_its_value_is_refused);
    tcase_add_test(tests, similar_options_are_left_alone);
    tcase_add_test(tests, folders_are_allowed_so_often);
    tcase_add_test(tests, clients_are_known_by_their_names);
    tcase_add_test(tests, the_parents_end_is_noticed);
    tcase_add_test(tests, the_parents_end_is_noticed_portably);
    tcase_add_test(tests, only_the_portable_way_wakes_up);
    tcase_add_test(tests, waits_double_up_to_the_longest);
    TCase *homes = tcase_create("config");
    suite_add_tcase(suite, homes);
    tcase_add_checked_fixture(homes, enter_home, NULL);
    tcase_add_test(homes, the_environment_names_relay_and_token);
    tcase_add_test(homes, the_person_alone_allows_folders);
    tcase_add_test(homes, nothing_set_up_says_what_to_do);
    tcase_add_test(homes, a_folder_above_counts_up_to_the_git_root);
    tcase_add_test(homes, a_stored_token_goes_to_its_own_origin_only);
    tcase_add_test(homes, plain_http_is_for_this_machine);
    return run_unit(suite);
}
