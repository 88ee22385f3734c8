/* Attachments while the disk fails and the clock goes on: what was not stored whole is not there, and can be
 * stored after all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"
#include "../harness_store.h"
#include "../harness_faults.h"

enum { SOON_MS = 10 * 1000, HOUR_MS = 3600 * 1000, BODY_BYTES = 300 * 1000 };

static struct faults *faults;
static struct relay_process *relay;
static char *alice, *body;
static struct http_reply reply;

static void setup(void)
{
    faults = faults_new();
    relay = relay_start(NULL, faults_env(faults));
    alice = relay_token(relay, "alice@team");
    body = xmalloc(BODY_BYTES + 1);
    memset(body, 'x', BODY_BYTES);
    body[BODY_BYTES] = '\0';
}

static void teardown(void)
{
    faults_end(faults);
    http_reply_free(&reply);
    free(alice);
    free(body);
    harness_cleanup();
    faults_free(faults);
}

/* A field of a tool's structured result. The caller frees. */
static char *ask(const char *tool, const char *argument, const char *value, const char *field)
{
    char *params =
        xasprintf("{\"name\":\"%s\",\"arguments\":{\"%s\":\"%s\"},\"_meta\":{\"patchcord/structured\":true}}",
            tool, argument, value);
    struct json_object *answer = mcp_request(relay, alice, "tools/call", params, NULL), *result, *structured;
    ck_assert_int_eq(json_get_object(answer, "result", &result), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(result, "structuredContent", &structured), JSON_FIELD_FOUND);
    char *text = xstrdup(json_text_or(structured, field, ""));
    json_object_put(answer);
    free(params);
    return text;
}

static int call(const char *method, const char *url, const char *content)
{
    http_reply_free(&reply);
    http_call(method, url, (const char *const[]){"Content-Type: text/plain", NULL}, content, &reply);
    return reply.status;
}

static int files_below(const char *folder)
{
    char *command = xasprintf("find '%s/%s' -type f | wc -l", relay->data_dir, folder);
    struct program_result result;
    run_program((const char *const[]){"sh", "-c", command, NULL}, NULL, NULL, SOON_MS, &result);
    const int count = atoi(buf_text(&result.out));
    program_result_free(&result);
    free(command);
    return count;
}

static bool nothing_is_incoming(void *arg)
{
    (void)arg;
    return files_below("files.incoming") == 0;
}

static const struct {
    enum faulty_call call;
    int skip, error;
} failures[] = {
    {FAULT_CREATE, 0, ENOSPC}, /* the temporary file */
    {FAULT_WRITE, 0, ENOSPC},  /* its first block */
    {FAULT_WRITE, 2, EIO},     /* a later one */
    {FAULT_WRITE, 5, ENOSPC},  /* what stands behind the content */
    {FAULT_SYNC, 0, EIO},      /* the file */
    {FAULT_RENAME, 0, EIO},
    {FAULT_SYNC, 1, EIO}, /* the folders */
    {FAULT_SYNC, 3, EIO},
};

START_TEST(what_the_disk_refused_is_not_there)
{
    char *url = ask("upload_attachment", "filename", "note.txt", "upload_url");
    faults_fail(faults, failures[_i].call, failures[_i].skip, 1, failures[_i].error);
    ck_assert_int_eq(call("PUT", url, body), 503);
    ck_assert_str_eq(json_text_or(reply.json, "error", ""), "store_unavailable");
    ck_assert_int_gt(faults_hits(faults, failures[_i].call), 0);
    faults_end(faults);
    ck_assert(poll_until(nothing_is_incoming, NULL, SOON_MS));
    ck_assert_int_eq(files_below("files"), 0);

    ck_assert_int_eq(call("PUT", url, body), 201);
    char *download = ask("get_attachment", "path", json_text_or(reply.json, "path", ""), "url");
    ck_assert_int_eq(call("GET", download, NULL), 200);
    ck_assert_uint_eq(reply.body.len, BODY_BYTES);
    ck_assert_str_eq(buf_text(&reply.body), body);
    free(download);
    free(url);
}
END_TEST

/* The kernel may take less than it was given. */
START_TEST(half_a_write_is_gone_on_with)
{
    char *url = ask("upload_attachment", "filename", "note.txt", "upload_url");
    faults_fail(faults, FAULT_WRITE, 0, 50, 0);
    ck_assert_int_eq(call("PUT", url, body), 201);
    ck_assert_int_eq(faults_hits(faults, FAULT_WRITE), 50);
    char *download = ask("get_attachment", "path", json_text_or(reply.json, "path", ""), "url");
    ck_assert_int_eq(call("GET", download, NULL), 200);
    ck_assert_str_eq(buf_text(&reply.body), body);
    free(download);
    free(url);
}
END_TEST

START_TEST(urls_expire)
{
    char *url = ask("upload_attachment", "filename", "a.txt", "upload_url");
    char *late = ask("upload_attachment", "filename", "b.txt", "upload_url");
    ck_assert_int_eq(call("PUT", url, "hello"), 201);
    char *download = ask("get_attachment", "path", json_text_or(reply.json, "path", ""), "url");

    faults_set_clock(faults, 2 * HOUR_MS + 1000);
    ck_assert_int_eq(call("PUT", late, "hello"), 403);
    ck_assert_str_eq(json_text_or(reply.json, "error", ""), "expired");
    ck_assert_int_eq(call("GET", download, NULL), 200);
    faults_set_clock(faults, 22 * HOUR_MS);
    ck_assert_int_eq(call("GET", download, NULL), 403);
    ck_assert_str_eq(json_text_or(reply.json, "error", ""), "expired");
    ck_assert_int_eq(files_below("files"), 1);
    free(download);
    free(late);
    free(url);
}
END_TEST

int main(void)
{
    if (harness_skips_supabase("files are in its Storage"))
        return EXIT_SUCCESS;
    Suite *suite = suite_create("file_faults");
    TCase *tests = tcase_create("file_faults");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, what_the_disk_refused_is_not_there, 0, LENGTH_OF(failures));
    tcase_add_test(tests, half_a_write_is_gone_on_with);
    tcase_add_test(tests, urls_expire);
    return run_suite(suite);
}
