/* Attachments in an S3-compatible server: a real one, which checks signatures. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../harness.h"
#include "../rigs/server_rig.h"

static struct server_rig s3;
static struct relay_process *relay;
static char *front_token, *back_token;
static const char *front_folder, *back_folder;
static struct bridge_process *front, *back;

/* A bucket of the test's own; more: one more setting, or NULL. */
static struct relay_process *start_relay(const char *more)
{
    char *endpoint = xasprintf("PATCHCORD_S3_ENDPOINT=%s", s3.url);
    char *bucket = xasprintf("PATCHCORD_S3_BUCKET=bucket-%d", getpid());
    const char *const env[] = {endpoint, bucket, "PATCHCORD_S3_ACCESS_KEY=" S3_RIG_ACCESS_KEY,
        "PATCHCORD_S3_SECRET_KEY=" S3_RIG_SECRET_KEY, more, NULL};
    struct relay_process *started = relay_start(NULL, env);
    free(endpoint);
    free(bucket);
    return started;
}

static struct bridge_process *bridge_in(const char *folder, const char *token)
{
    char *before = realpath(".", NULL);
    ck_assert_int_eq(chdir(folder), 0);
    struct bridge_process *bridge = bridge_start(relay, token, NULL);
    ck_assert_int_eq(chdir(before), 0);
    free(before);
    return bridge;
}

/* The build folder's name has to hold wherever we are. */
static void fix_build(void)
{
    const char *build = getenv("PATCHCORD_BUILD");
    char *absolute = realpath(build ? build : "build", NULL);
    ck_assert_ptr_nonnull(absolute);
    setenv("PATCHCORD_BUILD", absolute, 1);
    free(absolute);
}

static void two_projects(void)
{
    fix_build();
    relay = start_relay(NULL);
    front_token = relay_token(relay, "frontend@shop");
    back_token = relay_token(relay, "backend@shop");
    front_folder = temp_folder();
    back_folder = temp_folder();
    front = bridge_in(front_folder, front_token);
    back = bridge_in(back_folder, back_token);
}

static void forget_tokens(void)
{
    free(front_token);
    free(back_token);
}

static void write_file(const char *name, const void *bytes, size_t len)
{
    char *path = xasprintf("%s/%s", front_folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
}

static void expect_file(const char *name, const void *bytes, size_t len)
{
    char *path = xasprintf("%s/%s", back_folder, name), *got = xmalloc(len + 1);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fread(got, 1, len + 1, file), len);
    ck_assert_mem_eq(got, bytes, len);
    fclose(file);
    free(got);
    free(path);
}

static char *call(struct bridge_process *bridge, const char *tool, const char *args)
{
    bool failed;
    char *text = bridge_tool(bridge, tool, args, &failed);
    ck_assert_msg(!failed, "%s %s: %s", tool, args, text);
    return text;
}

static char *upload(const char *local_path)
{
    char *args = xasprintf("{\"local_path\":\"%s\"}", local_path);
    char *text = call(front, "upload_attachment", args), *path = strstr(text, " as ");
    ck_assert_msg(path != NULL, "%s", text);
    path = xmemdup_text(path + 4, strcspn(path + 4, "\n"));
    free(args);
    free(text);
    return path;
}

static void download(const char *path, const char *save_to)
{
    char *args = xasprintf("{\"path\":\"%s\",\"save_to\":\"%s\"}", path, save_to);
    char *text = call(back, "get_attachment", args);
    ck_assert_msg(strncmp(text, "Saved as ", 9) == 0, "%s", text);
    free(args);
    free(text);
}

START_TEST(a_file_goes_from_project_to_project)
{
    enum { BYTES = 3 * 1000 * 1000 };
    char *bytes = xmalloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 31 + i / 256);
    write_file("build.bin", bytes, BYTES);
    char *path = upload("build.bin");
    download(path, "got.bin");
    expect_file("got.bin", bytes, BYTES);
    free(path);
    write_file("empty.txt", "", 0);
    path = upload("empty.txt");
    download(path, "empty.txt");
    expect_file("empty.txt", "", 0);
    free(path);
    free(bytes);
}
END_TEST

START_TEST(small_files_go_through_the_relay)
{
    char *text = tool_ok(
        relay, front_token, "upload_attachment", "{\"filename\":\"a.txt\",\"file_data\":\"aGVsbG8=\"}");
    ck_assert_msg(strncmp(text, "Stored shop/frontend/", 21) == 0, "%s", text);
    char *path = xmemdup_text(text + 7, strcspn(text + 7, "\n"));
    char *args = xasprintf("{\"path\":\"%s\"}", path);
    tool_says(relay, back_token, "get_attachment", args, "> hello");
    char *other = relay_token(relay, "stranger@elsewhere");
    tool_fails(relay, other, "get_attachment", args, "Not found");
    free(other);
    free(args);
    free(path);
    free(text);
}
END_TEST

/* What is written by curl's own hand, as upload_attachment says. */
START_TEST(the_command_that_is_given_works)
{
    struct program_result result;
    char *text = tool_ok(relay, front_token, "upload_attachment", "{\"filename\":\"notes.txt\"}");
    char *line = strstr(text, "curl -fsS -T "), *path = strstr(text, "Path: ");
    ck_assert_msg(line && path, "%s", text);
    path = xmemdup_text(path + 6, strcspn(path + 6, "\n"));
    write_file("notes.txt", "from curl\n", 10);
    char *command = xasprintf("cd %s && %.*s", front_folder, (int)strcspn(line, "\n"), line);
    run_program((const char *const[]){"/bin/sh", "-c", command, NULL}, NULL, NULL, 20000, &result);
    ck_assert_msg(result.exit_code == 0, "%s: %s", command, buf_text(&result.err));
    program_result_free(&result);
    char *args = xasprintf("{\"path\":\"%s\"}", path);
    tool_says(relay, back_token, "get_attachment", args, "> from curl");
    free(args);
    free(command);
    free(path);
    free(text);
}
END_TEST

START_TEST(the_quota_counts_what_lies_there)
{
    struct relay_process *small = start_relay("PATCHCORD_ATTACHMENT_QUOTA_BYTES=8192");
    char *token = relay_token(small, "frontend@tiny");
    static const char one[] = "{\"filename\":\"a.txt\",\"file_data\":\"aGVsbG8=\"}";
    free(tool_ok(small, token, "upload_attachment", one));
    free(tool_ok(small, token, "upload_attachment", one));
    tool_fails(small, token, "upload_attachment", one, "fill its 8192");
    tool_fails(small, token, "upload_attachment", "{\"filename\":\"a.txt\"}", "fill its 8192");
    free(token);
}
END_TEST

START_TEST(secrets_are_not_told)
{
    free(tool_ok(
        relay, front_token, "upload_attachment", "{\"filename\":\"a.txt\",\"file_data\":\"aGVsbG8=\"}"));
    ck_assert(!relay_log_has(relay, S3_RIG_SECRET_KEY));
    ck_assert(relay_log_has(relay, "attachments=s3"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("s3");
    TCase *tests = tcase_create("s3");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, two_projects, forget_tokens);
    tcase_add_test(tests, a_file_goes_from_project_to_project);
    tcase_add_test(tests, small_files_go_through_the_relay);
    tcase_add_test(tests, the_command_that_is_given_works);
    tcase_add_test(tests, the_quota_counts_what_lies_there);
    tcase_add_test(tests, secrets_are_not_told);
    if (!server_rig_start(&s3, S3_RIG))
        return EXIT_FAILURE;
    const int code = run_suite(suite);
    server_rig_stop(&s3);
    return code;
}
