/* Supabase Storage: its errors, its signed URLs, and what comes of uploads that the relay does not see. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../relay/blob/blob_supabase.h"
#include "../rigs/server_rig.h"
#include "unit.h"
#include "url_visit.h"

enum { MAX_BYTES = 10000, QUOTA = 30000, OK = 200, REFUSED = 400 };

static struct server_rig storage;
static char folder[PATH_MAX];
static struct blob_store *store;

static struct blob_store *open_with(const char *key)
{
    struct buf why = {0};
    char *bucket = xasprintf("bucket-%d", getpid());
    const struct blob_options options = {.data_dir = folder,
        .max_bytes = MAX_BYTES,
        .quota_bytes = QUOTA,
        .download_url_ms = MS_PER_DAY,
        .is_serving = true};
    const struct storage_options storage_options = {
        .url = storage.url, .key = key, .bucket = bucket, .max_bytes = MAX_BYTES, .connections = 4};
    struct blob_store *opened = blob_open_supabase(&options, &storage_options, &why);
    ck_assert_msg(opened != NULL, "%s", buf_text(&why));
    buf_free(&why);
    free(bucket);
    return opened;
}

static void setup(void)
{
    secret_init();
    unit_folder(folder);
    store = open_with(STORAGE_RIG_KEY);
}

static void teardown(void)
{
    blob_close(store);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing is left of any upload */
}

static struct blob_grant grant_of(const char *filename)
{
    struct blob_grant grant = {.is_upload = true, .type = "text/plain"};
    blob_path_make("ns", "frontend", filename, &grant.path);
    return grant;
}

static char *sign(struct blob_grant *grant)
{
    struct buf url = {0};
    ck_assert_int_eq(blob_sign(store, grant, &url), BLOB_DONE);
    ck_assert_int_gt(grant->expires_ms, clock_wall_ms());
    ck_assert_ptr_null(strstr(buf_text(&url), STORAGE_RIG_KEY));
    return buf_take(&url);
}

static int upload(const char *url, const char *body, size_t len)
{
    return url_visit(url, "text/plain", body, len, NULL, NULL);
}

/* ---- tests ---- */

START_TEST(an_upload_by_url_is_a_file)
{
    struct blob_grant grant = grant_of("notes.txt");
    struct blob_info info, again;
    struct buf read = {0}, headers = {0};
    char hash[SHA256_HEX_SIZE], *url = sign(&grant);
    secret_sha256_hex("hello", 5, hash);
    ck_assert_int_eq(grant.max_bytes, MAX_BYTES);
    ck_assert_int_eq(blob_stat(store, &grant.path, &info), BLOB_ABSENT);
    ck_assert_int_eq(upload(url, "hello", 5), OK);
    ck_assert_int_eq(upload(url, "again", 5), REFUSED);
    ck_assert_int_eq(blob_stat(store, &grant.path, &info), BLOB_DONE);
    ck_assert_str_eq(info.sha256, hash);
    ck_assert_str_eq(info.type, "text/plain");
    ck_assert_int_eq(info.size, 5);
    ck_assert_int_eq(blob_stat(store, &grant.path, &again), BLOB_DONE); /* from memory */
    ck_assert_mem_eq(&info, &again, sizeof info);

    struct blob_grant wanted = {.path = grant.path};
    char *from = sign(&wanted);
    ck_assert_int_eq(url_visit(from, NULL, NULL, 0, &read, &headers), OK);
    ck_assert_str_eq(buf_text(&read), "hello");
    ck_assert_ptr_nonnull(strstr(buf_text(&headers), "attachment; filename=notes.txt"));
    char *token = strstr(from, "token=") + strlen("token=");
    *token = *token == 'A' ? 'B' : 'A';
    ck_assert_int_eq(url_visit(from, NULL, NULL, 0, NULL, NULL), REFUSED);

    /* Somebody else removed it: what is in memory does not count. */
    struct blob_store *other = open_with(STORAGE_RIG_KEY);
    ck_assert_int_eq(blob_remove(other, &grant.path), BLOB_DONE);
    ck_assert_int_eq(blob_stat(store, &grant.path, &again), BLOB_ABSENT);
    blob_close(other);
    buf_free(&headers);
    buf_free(&read);
    free(from);
    free(url);
}
END_TEST

START_TEST(no_url_for_what_is_there)
{
    struct blob_grant grant = grant_of("notes.txt");
    struct buf url = {0};
    ck_assert_int_eq(blob_put(store, &grant.path, "text/plain", "hello", 5, NULL), BLOB_DONE);
    ck_assert_int_eq(blob_sign(store, &grant, &url), BLOB_EXISTS);
    grant = grant_of("absent.txt");
    grant.is_upload = false;
    ck_assert_int_eq(blob_sign(store, &grant, &url), BLOB_ABSENT);
    ck_assert_uint_eq(url.len, 0);
}
END_TEST

START_TEST(limits_hold)
{
    struct blob_grant grant = grant_of("large.bin");
    struct buf text = {0};
    struct blob_info info;
    char *url = sign(&grant), *bytes = xcalloc(1, MAX_BYTES + 1);
    memset(bytes, 'x', MAX_BYTES + 1);
    ck_assert_int_eq(upload(url, bytes, MAX_BYTES + 1), REFUSED); /* the bucket was told */
    ck_assert_int_eq(upload(url, bytes, MAX_BYTES), OK);
    ck_assert_int_eq(blob_stat(store, &grant.path, &info), BLOB_DONE);
    for (int i = 1; i < QUOTA / MAX_BYTES; i++) {
        struct blob_grant next = grant_of("part.bin");
        ck_assert_int_eq(blob_put(store, &next.path, "text/plain", bytes, MAX_BYTES - 1000, NULL), BLOB_DONE);
    }
    grant = grant_of("rest.bin");
    /* Stored past the relay: seen when it is looked at again. */
    clock_pass(STORAGE_QUOTA_STALE_MS);
    ck_assert_int_eq(blob_sign(store, &grant, &text), BLOB_OVER_QUOTA);
    free(bytes);
    free(url);
    buf_free(&text);
}
END_TEST

START_TEST(what_is_old_goes_in_bulk)
{
    enum { FILES = STORAGE_BULK_MAX + 5 };
    struct blob_cleanup_result result;
    int64_t used;
    for (int i = 0; i < FILES; i++) {
        struct blob_path path;
        char *name = xasprintf("ns%d", i % 20);
        blob_path_make(name, i % 2 ? "frontend" : "backend", "a.txt", &path);
        ck_assert_int_eq(blob_put(store, &path, "text/plain", "x", 1, NULL), BLOB_DONE);
        free(name);
    }
    clock_pass(2 * MS_PER_DAY);
    ck_assert_int_eq(blob_cleanup(store, MS_PER_DAY, true, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed, FILES);
    ck_assert_int_eq(blob_cleanup(store, MS_PER_DAY, false, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed, FILES);
    ck_assert_int_eq(result.bytes, FILES);
    ck_assert_int_eq(blob_used(store, "ns1", &used), BLOB_DONE);
    ck_assert_int_eq(used, 0);
}
END_TEST

START_TEST(a_wrong_key_is_a_fault)
{
    struct blob_grant grant = grant_of("notes.txt");
    struct blob_store *other = open_with("sb_secret_wrong");
    struct buf url = {0};
    ck_assert_int_eq(blob_put(other, &grant.path, "text/plain", "x", 1, NULL), BLOB_FAULT);
    ck_assert_int_eq(blob_sign(other, &grant, &url), BLOB_FAULT);
    blob_close(other);
}
END_TEST

static const struct {
    const char *body;
    enum storage_status status;
} errors[] = {
    {"{\"statusCode\":\"404\",\"error\":\"Bucket not found\",\"message\":\"Bucket not found\"}",
        STORAGE_NO_BUCKET},
    {"{\"statusCode\":\"404\",\"code\":\"NoSuchBucket\",\"error\":\"x\",\"message\":\"x\"}",
        STORAGE_NO_BUCKET},
    {"{\"statusCode\":\"404\",\"error\":\"not_found\",\"message\":\"Object not found\"}", STORAGE_ABSENT},
    {"{\"statusCode\":404,\"error\":null,\"message\":null}", STORAGE_ABSENT},
    {"{\"statusCode\":\"400\",\"code\":\"NoSuchKey\"}", STORAGE_ABSENT},
    {"{\"statusCode\":\"409\",\"error\":\"Duplicate\",\"message\":\"The resource already exists\"}",
        STORAGE_EXISTS},
    {"{\"statusCode\":\"409\",\"code\":\"KeyAlreadyExists\"}", STORAGE_EXISTS},
    {"{\"statusCode\":\"413\",\"error\":\"Payload too large\",\"message\":\"\"}", STORAGE_TOO_LARGE},
    {"{\"statusCode\":\"400\",\"code\":\"EntityTooLarge\"}", STORAGE_TOO_LARGE},
    {"{\"statusCode\":\"403\",\"error\":\"Unauthorized\",\"code\":\"AccessDenied\"}", STORAGE_FAULT},
    {"{\"statusCode\":\"400\",\"error\":\"InvalidJWT\",\"message\":\"jwt expired\"}", STORAGE_FAULT},
    {"{}", STORAGE_FAULT},
    {"[]", STORAGE_FAULT},
    {"", STORAGE_FAULT},
    {"<html>502</html>", STORAGE_FAULT},
};

START_TEST(errors_are_told_by_their_body)
{
    ck_assert_msg(
        storage_error(errors[_i].body, strlen(errors[_i].body)) == errors[_i].status, "%s", errors[_i].body);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("blob_supabase", &tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_upload_by_url_is_a_file);
    tcase_add_test(tests, no_url_for_what_is_there);
    tcase_add_test(tests, limits_hold);
    tcase_add_test(tests, what_is_old_goes_in_bulk);
    tcase_add_test(tests, a_wrong_key_is_a_fault);
    tcase_add_loop_test(tests, errors_are_told_by_their_body, 0, (int)LENGTH_OF(errors));
    if (!server_rig_start(&storage, STORAGE_RIG))
        return EXIT_FAILURE;
    const int code = run_unit(suite);
    server_rig_stop(&storage);
    return code;
}
