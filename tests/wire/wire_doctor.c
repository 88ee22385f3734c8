/* `patchcord doctor` and `patchcord test` against real relays: a set-up that is fine, and each way to spoil it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../harness.h"

enum { RUN_MS = 60 * 1000 };

#define SET_UP "agent --server %s --token -"

static struct relay_process *relay;
static const char *home, *project;
static char *token, *credentials, *build_path;
static struct program_result result;

static void run_in_project(const char *words, const char *input, const char *more_env)
{
    char *at_home = xasprintf("HOME=%s", home), *path = xasprintf("PATH=%s:/usr/bin:/bin", build_path);
    char *line = xasprintf("cd \"$0\" && exec \"$1\"/patchcord %s", words);
    const char *const argv[] = {"sh", "-c", line, project, build_path, NULL};
    const char *const env[] = {at_home, path, "XDG_CONFIG_HOME", "XDG_STATE_HOME", more_env, NULL};
    program_result_free(&result);
    run_program(argv, env, input, RUN_MS, &result);
    free(line);
    free(path);
    free(at_home);
}

static void setup(void)
{
    const char *build = getenv("PATCHCORD_BUILD");
    build_path = realpath(build ? build : "build", NULL);
    ck_assert_ptr_nonnull(build_path);
    relay = relay_start(NULL, NULL);
    token = relay_token(relay, "front@shop");
    home = temp_folder();
    project = temp_folder();
    credentials = xasprintf("%s/.config/patchcord/credentials.json", home);
    char *words = xasprintf(SET_UP, relay->url);
    run_in_project(words, token, NULL);
    ck_assert_msg(result.exit_code == 0, "%s", buf_text(&result.err));
    free(words);
}

static void teardown(void)
{
    program_result_free(&result);
    free(token);
    free(credentials);
    free(build_path);
    token = credentials = build_path = NULL;
}

static void says(const char *text)
{
    ck_assert_msg(strstr(buf_text(&result.out), text) != NULL, "\"%s\" is not in:\n%s%s", text,
        buf_text(&result.out), buf_text(&result.err));
}

static void doctor(const char *options, const char *more_env, int exit_code)
{
    char *words = xasprintf("doctor %s", options);
    run_in_project(words, NULL, more_env);
    free(words);
    ck_assert_msg(result.exit_code == exit_code, "exit code %d:\n%s%s", result.exit_code,
        buf_text(&result.out), buf_text(&result.err));
    ck_assert_ptr_null(strstr(buf_text(&result.out), token));
}

static void write_file(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", project, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    free(path);
}

static mode_t mode_of(const char *path)
{
    struct stat seen;
    ck_assert_int_eq(stat(path, &seen), 0);
    return seen.st_mode & 07777;
}

START_TEST(a_good_set_up_is_fine)
{
    doctor("", NULL, 0);
    says("front@shop, chosen by the folder");
    says("the relay knows it as front@shop");
    says("the clocks agree");
    says("nothing waits");
    says("Claude Code: ");
    ck_assert_ptr_null(strstr(buf_text(&result.out), "warning"));
    doctor("--json", NULL, 0);
    struct json_object *whole = json_tokener_parse(buf_text(&result.out)), *ok;
    ck_assert(json_object_object_get_ex(whole, "ok", &ok) && json_object_get_boolean(ok));
    json_object_put(whole);
}
END_TEST

START_TEST(an_open_credentials_file_is_closed_by_fix)
{
    ck_assert_int_eq(chmod(credentials, 0644), 0);
    doctor("", NULL, 1);
    says("is open to others (mode 644)");
    ck_assert_uint_eq(mode_of(credentials), 0644);
    doctor("--fix", NULL, 0);
    says("fixed");
    ck_assert_uint_eq(mode_of(credentials), 0600);
    doctor("", NULL, 0);
}
END_TEST

START_TEST(fix_follows_no_link)
{
    char *other = xasprintf("%s/other", home);
    ck_assert_int_eq(rename(credentials, other), 0);
    ck_assert_int_eq(chmod(other, 0644), 0);
    ck_assert_int_eq(symlink(other, credentials), 0);
    doctor("--fix", NULL, 1);
    ck_assert_uint_eq(mode_of(other), 0644);
    free(other);
}
END_TEST

START_TEST(a_relay_that_is_down_is_said)
{
    ck_assert_int_eq(relay_stop(relay), 0);
    doctor("", NULL, 1);
    says("cannot be reached");
    run_in_project("test", NULL, NULL);
    ck_assert_int_eq(result.exit_code, 1);
    run_in_project("send front later", NULL, NULL);
    ck_assert_int_eq(result.exit_code, 0);
    doctor("", NULL, 1);
    says("messages that wait for the relay: 1");
}
END_TEST

START_TEST(a_token_that_is_refused_is_said)
{
    const char *const argv[] = {
        "sh", "-c", "sed -i 's/\"pc_[^\"]*\"/\"pc_wrong\"/' \"$0\"", credentials, NULL};
    struct program_result done;
    run_program(argv, NULL, NULL, RUN_MS, &done);
    ck_assert_int_eq(done.exit_code, 0);
    program_result_free(&done);
    doctor("", NULL, 1);
    says("the relay does not accept the token");
    run_in_project("test", NULL, NULL);
    ck_assert_int_eq(result.exit_code, 4);
}
END_TEST

START_TEST(no_identity_is_said)
{
    ck_assert_int_eq(unlink(credentials), 0);
    doctor("", NULL, 1);
    says("Patchcord is not set up here");
    run_in_project("test", NULL, NULL);
    ck_assert_int_eq(result.exit_code, 1);
}
END_TEST

START_TEST(a_token_in_a_projects_file_is_said)
{
    char *text =
        xasprintf("{\"mcpServers\": {\"patchcord\": {\"type\": \"http\", \"url\": \"%s/mcp\", \"headers\": "
                  "{\"Authorization\": \"Bearer %s\"}}}}",
            relay->url, token);
    write_file(".mcp.json", text);
    doctor("", NULL, 1);
    says("a token is written into ");
    says("patchcord agent --client claude_code");
    free(text);
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_said)
{
    write_file(".mcp.json", "{\"mcpServers\": ");
    doctor("", NULL, 1);
    says(".mcp.json");
    says("mend the file");
}
END_TEST

START_TEST(two_entries_of_a_client_are_said)
{
    char *folder = xasprintf("%s/.cursor", home), *path = xasprintf("%s/mcp.json", folder);
    char *words = xasprintf(SET_UP " --client cursor", relay->url);
    run_in_project(words, token, NULL);
    free(words);
    ck_assert_msg(result.exit_code == 0, "%s", buf_text(&result.err));
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    const char *const argv[] = {"sh", "-c", "cp \"$0\"/.cursor/mcp.json \"$1\"", project, path, NULL};
    struct program_result copied;
    run_program(argv, NULL, NULL, RUN_MS, &copied);
    ck_assert_int_eq(copied.exit_code, 0);
    program_result_free(&copied);
    doctor("--client claude_code", NULL, 1);
    says("both have Patchcord");
    free(path);
    free(folder);
}
END_TEST

START_TEST(the_environments_token_hides_the_stored_one)
{
    char *url = xasprintf("PATCHCORD_URL=%s PATCHCORD_TOKEN=%s", relay->url, token);
    char *line = xasprintf("cd \"$0\" && export %s && exec \"$1\"/patchcord doctor", url);
    char *at_home = xasprintf("HOME=%s", home);
    const char *const argv[] = {"sh", "-c", line, project, build_path, NULL};
    program_result_free(&result);
    run_program(argv, (const char *const[]){at_home, "XDG_CONFIG_HOME", "XDG_STATE_HOME", NULL}, NULL, RUN_MS,
        &result);
    ck_assert_int_eq(result.exit_code, 1);
    says("PATCHCORD_TOKEN hides front@shop");
    says("patchcord is not in PATH");
    free(at_home);
    free(line);
    free(url);
}
END_TEST

START_TEST(a_message_goes_around_and_leaves_nothing)
{
    run_in_project("test", NULL, NULL);
    ck_assert_msg(result.exit_code == 0, "%s%s", buf_text(&result.out), buf_text(&result.err));
    says("it came back");
    says(" ms\n");
    run_in_project("inbox --json", NULL, NULL);
    says("\"pending\":[]");
    says("\"deferred\":[]");
}
END_TEST

/* Until a send of ours is refused for what is unread. */
static void await_gate(void)
{
    const int64_t deadline = clock_mono_ms() + RUN_MS;
    do {
        ck_assert_int_lt(clock_mono_ms(), deadline);
        run_in_project("send back early", NULL, NULL);
    } while (result.exit_code == 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "unread"));
}

START_TEST(what_is_unread_does_not_hinder_a_test_and_stays)
{
    char *other = relay_token(relay, "back@shop"), *bearer = xasprintf("PATCHCORD_TOKEN=%s", other);
    char *url = xasprintf("PATCHCORD_URL=%s", relay->url);
    struct program_result sent;
    run_program((const char *const[]){"patchcord", "send", "front", "unread", NULL},
        (const char *const[]){url, bearer, NULL}, NULL, RUN_MS, &sent);
    ck_assert_msg(sent.exit_code == 0, "%s", buf_text(&sent.err));
    program_result_free(&sent);
    free(url);
    free(bearer);
    free(other);
    await_gate();
    run_in_project("test", NULL, NULL);
    ck_assert_msg(result.exit_code == 0, "%s%s", buf_text(&result.out), buf_text(&result.err));
    says("it was closed");
    run_in_project("inbox --json", NULL, NULL);
    says("\"content\":\"unread\"");
    says("\"attempt\":0");
    says("\"deferred\":[]");
}
END_TEST

START_TEST(wrong_usage_is_said)
{
    run_in_project("doctor --cure", NULL, NULL);
    ck_assert_int_eq(result.exit_code, 2);
    run_in_project("doctor well", NULL, NULL);
    ck_assert_int_eq(result.exit_code, 2);
    run_in_project("test it", NULL, NULL);
    ck_assert_int_eq(result.exit_code, 2);
    run_in_project("test --help", NULL, NULL);
    ck_assert_int_eq(result.exit_code, 0);
    says("EXIT STATUS");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor");
    TCase *set_up = harness_case(suite, "set-up");
    tcase_add_checked_fixture(set_up, setup, teardown);
    tcase_add_test(set_up, a_good_set_up_is_fine);
    tcase_add_test(set_up, an_open_credentials_file_is_closed_by_fix);
    tcase_add_test(set_up, fix_follows_no_link);
    tcase_add_test(set_up, a_relay_that_is_down_is_said);
    tcase_add_test(set_up, a_token_that_is_refused_is_said);
    tcase_add_test(set_up, no_identity_is_said);
    tcase_add_test(set_up, a_token_in_a_projects_file_is_said);
    tcase_add_test(set_up, a_file_that_cannot_be_read_is_said);
    tcase_add_test(set_up, two_entries_of_a_client_are_said);
    tcase_add_test(set_up, the_environments_token_hides_the_stored_one);
    tcase_add_test(set_up, a_message_goes_around_and_leaves_nothing);
    tcase_add_test(set_up, what_is_unread_does_not_hinder_a_test_and_stays);
    tcase_add_test(set_up, wrong_usage_is_said);
    return run_suite(suite);
}
