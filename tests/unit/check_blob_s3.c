/* Presigned URLs at a server that checks them, and what comes of uploads that the relay does not see. */
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../relay/blob/blob_s3.h"
#include "../rigs/server_rig.h"
#include "unit.h"
#include "url_visit.h"

enum { MAX_BYTES = 10000, QUOTA = 30000, FORBIDDEN = 403, OK = 200 };

static struct server_rig s3;
static char folder[PATH_MAX];
static struct blob_store *store;
static struct s3_client *client; /* of the same bucket */

static void setup(void)
{
    struct buf why = {0};
    char *bucket = xasprintf("bucket-%d", getpid());
    secret_init();
    unit_folder(folder);
    const struct blob_options options = {.data_dir = folder,
        .max_bytes = MAX_BYTES,
        .quota_bytes = QUOTA,
        .download_url_ms = MS_PER_DAY,
        .is_serving = true};
    const struct s3_options bucket_options = {.endpoint = s3.url,
        .region = "us-east-1",
        .bucket = bucket,
        .access_key = S3_RIG_ACCESS_KEY,
        .secret_key = S3_RIG_SECRET_KEY,
        .path_style = true,
        .connections = 4};
    store = blob_open_s3(&options, &bucket_options, &why);
    client = s3_client_new(&bucket_options, &why);
    ck_assert_msg(store && client, "%s", buf_text(&why));
    buf_free(&why);
    free(bucket);
}

static void teardown(void)
{
    s3_client_free(client);
    blob_close(store);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing is left of any upload */
}

/* ---- somebody with a URL ---- */

static int upload(const char *url, const char *type, const char *body)
{
    return url_visit(url, type, body, strlen(body), NULL, NULL);
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
    grant->expires_ms = 0;
    ck_assert_int_eq(blob_sign(store, grant, &url), BLOB_DONE);
    ck_assert_int_gt(grant->expires_ms, clock_wall_ms());
    return buf_take(&url);
}

/* The URL with one character of what follows name another. The caller frees. */
static char *tampered(const char *url, const char *name)
{
    char *other = xstrdup(url), *at = strstr(other, name);
    ck_assert_ptr_nonnull(at);
    at += strlen(name);
    *at = *at == '1' ? '2' : '1';
    return other;
}

static void refuse(const char *url, const char *type, const char *body)
{
    ck_assert_msg(url_visit(url, type, body, body ? strlen(body) : 0, NULL, NULL) == FORBIDDEN, "%s", url);
}

static void refuse_tampered(const char *url, const char *name, const char *type, const char *body)
{
    char *other = tampered(url, name);
    refuse(other, type, body);
    free(other);
}

/* ---- tests ---- */

START_TEST(an_upload_needs_its_own_url)
{
    struct blob_grant grant = grant_of("notes.txt"), unused = grant_of("late.txt");
    struct blob_info info;
    char *url = sign(&grant);
    ck_assert_int_eq(grant.max_bytes, MAX_BYTES);
    refuse_tampered(url, "X-Amz-Signature=", "text/plain", "hello");
    refuse_tampered(url, "X-Amz-Expires=", "text/plain", "hello");
    refuse_tampered(url, "/frontend/", "text/plain", "hello"); /* another path */
    refuse(url, "text/html", "hello");                         /* another type */
    refuse(url, "text/plain", NULL);                           /* another method */
    ck_assert_int_eq(blob_stat(store, &grant.path, &info), BLOB_ABSENT);

    clock_shift_wall(-BLOB_UPLOAD_URL_MS - MS_PER_MINUTE);
    char *expired = sign(&unused);
    clock_shift_wall(BLOB_UPLOAD_URL_MS + MS_PER_MINUTE);
    refuse(expired, "text/plain", "hello");
    ck_assert_int_eq(blob_stat(store, &unused.path, &info), BLOB_ABSENT);

    ck_assert_int_eq(upload(url, "text/plain", "hello"), OK);
    ck_assert_int_eq(blob_stat(store, &grant.path, &info), BLOB_DONE);
    free(expired);
    free(url);
}
END_TEST

START_TEST(a_download_needs_its_own_url)
{
    struct blob_grant grant = grant_of("notes.txt"), other = grant_of("late.txt");
    struct buf body = {0}, headers = {0};
    ck_assert_int_eq(blob_put(store, &grant.path, "text/html", "hello", 5, NULL), BLOB_DONE);
    ck_assert_int_eq(blob_put(store, &other.path, "text/plain", "other", 5, NULL), BLOB_DONE);
    grant.is_upload = false;
    char *url = sign(&grant);
    ck_assert_int_eq(url_visit(url, NULL, NULL, 0, &body, &headers), OK);
    ck_assert_str_eq(buf_text(&body), "hello");
    /* A browser saves it, whatever it says to be. */
    ck_assert_ptr_nonnull(strstr(buf_text(&headers), "attachment; filename=\"notes.txt\""));
    refuse_tampered(url, "X-Amz-Signature=", NULL, NULL);
    refuse_tampered(url, "X-Amz-Date=", NULL, NULL);
    refuse_tampered(url, "filename%3D%22", NULL, NULL);
    refuse(url, "text/html", "overwritten");
    char *bare = xmemdup_text(url, strcspn(url, "?"));
    ck_assert_int_ne(url_visit(bare, NULL, NULL, 0, NULL, NULL), OK);

    clock_shift_wall(-MS_PER_DAY - MS_PER_MINUTE);
    char *expired = sign(&grant);
    clock_shift_wall(MS_PER_DAY + MS_PER_MINUTE);
    refuse(expired, NULL, NULL);
    free(expired);
    free(bare);
    free(url);
    buf_free(&body);
    buf_free(&headers);
}
END_TEST

START_TEST(an_upload_is_published_when_first_asked_for)
{
    static const char text[] = "hello";
    struct blob_grant grant = grant_of("notes.txt");
    struct blob_info info, again;
    struct buf read = {0};
    char hash[SHA256_HEX_SIZE], *url = sign(&grant);
    secret_sha256_hex(text, strlen(text), hash);
    ck_assert_int_eq(upload(url, "text/plain", "first"), OK);
    ck_assert_int_eq(upload(url, "text/plain", text), OK);
    ck_assert_int_eq(blob_read(store, &grant.path, 1, 3, &read), BLOB_DONE);
    ck_assert_str_eq(buf_text(&read), "ell");
    ck_assert_int_eq(blob_stat(store, &grant.path, &info), BLOB_DONE);
    ck_assert_str_eq(info.sha256, hash);
    ck_assert_str_eq(info.type, "text/plain");
    ck_assert_int_eq(info.size, (int64_t)strlen(text));
    ck_assert_int_ne(info.stored_ms, 0);

    /* From then on the URL changes nothing. */
    ck_assert_int_eq(upload(url, "text/plain", "changed"), OK);
    ck_assert_int_eq(blob_stat(store, &grant.path, &again), BLOB_DONE);
    ck_assert_mem_eq(&info, &again, sizeof info);
    buf_reset(&read);
    ck_assert_int_eq(blob_read(store, &grant.path, 0, 100, &read), BLOB_DONE);
    ck_assert_str_eq(buf_text(&read), text);
    ck_assert_int_eq(blob_remove(store, &grant.path), BLOB_DONE);
    buf_free(&read);
    free(url);
}
END_TEST

static int64_t used(void)
{
    int64_t bytes = -1;
    ck_assert_int_eq(blob_used(store, "ns", &bytes), BLOB_DONE);
    return bytes;
}

static bool count_one(void *arg, const char *key, int64_t size)
{
    (void)key, (void)size;
    ++*(int *)arg;
    return true;
}

static int objects(void)
{
    int count = 0;
    ck_assert_int_eq(s3_list(client, "", count_one, &count), S3_DONE);
    return count;
}

START_TEST(what_is_too_large_is_not_handed_out)
{
    struct blob_grant grant = grant_of("large.bin"), other = grant_of("larger.bin");
    struct blob_info info;
    struct blob_cleanup_result result;
    char *url = sign(&grant), *second = sign(&other), *bytes = xcalloc(1, MAX_BYTES + 1);
    memset(bytes, 'x', MAX_BYTES + 1);
    ck_assert_int_eq(url_visit(url, "text/plain", bytes, MAX_BYTES, NULL, NULL), OK);
    ck_assert_int_eq(blob_stat(store, &grant.path, &info), BLOB_DONE);
    ck_assert_int_eq(url_visit(second, "text/plain", bytes, MAX_BYTES + 1, NULL, NULL), OK);
    ck_assert_int_eq(blob_stat(store, &other.path, &info), BLOB_TOO_LARGE);
    ck_assert_int_eq(blob_stat(store, &other.path, &info), BLOB_ABSENT); /* it was removed */
    /* Nobody has to ask for it. */
    ck_assert_int_eq(url_visit(second, "text/plain", bytes, MAX_BYTES + 1, NULL, NULL), OK);
    ck_assert_int_eq(objects(), 2);
    ck_assert_int_eq(blob_cleanup(store, MS_PER_DAY, false, &result), BLOB_DONE);
    ck_assert_int_eq(result.abandoned, 1);
    ck_assert_int_eq(result.removed, 0);
    ck_assert_int_eq(objects(), 1);
    free(bytes);
    free(second);
    free(url);
}
END_TEST

START_TEST(urls_are_held_against_the_quota)
{
    enum { URLS = QUOTA / MAX_BYTES };
    struct blob_grant grants[URLS + 1], one_more = grant_of("more.bin");
    char *urls[URLS + 1], *bytes = xcalloc(1, MAX_BYTES);
    struct blob_info info;
    struct buf url = {0};
    memset(bytes, 'x', MAX_BYTES);
    for (int i = 0; i <= URLS; i++) {
        grants[i] = grant_of("part.bin");
        urls[i] = sign(&grants[i]);
    }
    /* One more than fits: who comes last to be looked at has no room. */
    for (int i = 0; i <= URLS; i++)
        ck_assert_int_eq(url_visit(urls[i], "text/plain", bytes, MAX_BYTES, NULL, NULL), OK);
    ck_assert_int_eq(blob_stat(store, &grants[0].path, &info), BLOB_OVER_QUOTA);
    ck_assert_int_eq(blob_stat(store, &grants[0].path, &info), BLOB_ABSENT);
    for (int i = 1; i <= URLS; i++)
        ck_assert_int_eq(blob_stat(store, &grants[i].path, &info), BLOB_DONE);
    ck_assert_int_eq(used(), QUOTA);
    ck_assert_int_eq(blob_sign(store, &one_more, &url), BLOB_OVER_QUOTA);
    ck_assert_int_eq(blob_remove(store, &grants[1].path), BLOB_DONE);
    ck_assert_int_eq(blob_put(store, &one_more.path, "text/plain", bytes, 5000, NULL), BLOB_DONE);
    /* The next one is told what is left. */
    one_more = grant_of("rest.bin");
    ck_assert_int_eq(blob_sign(store, &one_more, &url), BLOB_DONE);
    ck_assert_int_eq(one_more.max_bytes, 5000);
    for (int i = 0; i <= URLS; i++)
        free(urls[i]);
    free(bytes);
    buf_free(&url);
}
END_TEST

START_TEST(what_nobody_asked_for_goes_with_age)
{
    struct blob_grant grant = grant_of("old.txt");
    struct blob_cleanup_result result;
    char *url = sign(&grant);
    ck_assert_int_eq(upload(url, "text/plain", "hello"), OK);
    ck_assert_int_eq(blob_cleanup(store, MS_PER_DAY, false, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed + result.abandoned, 0);
    clock_pass(2 * MS_PER_DAY);
    ck_assert_int_eq(blob_cleanup(store, MS_PER_DAY, true, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed, 1);
    ck_assert_int_eq(objects(), 1);
    ck_assert_int_eq(blob_cleanup(store, MS_PER_DAY, false, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed, 1);
    ck_assert_int_eq(objects(), 0);
    free(url);
}
END_TEST

START_TEST(what_others_keep_there_stays)
{
    static const char hash[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct blob_cleanup_result result;
    struct s3_object object = {.type = "text/plain"};
    struct blob_grant grant = grant_of("mine.txt");
    char *url = sign(&grant); /* makes the bucket */
    const int fd = open("/dev/null", O_RDONLY);
    memcpy(object.sha256, hash, sizeof hash);
    ck_assert_int_eq(s3_put(client, "backups/2020.tar", fd, &object), S3_DONE);
    ck_assert_int_eq(s3_put(client, "backups/2020.tar", fd, &object), S3_CHANGED);
    clock_shift_wall(30 * (int64_t)MS_PER_DAY);
    ck_assert_int_eq(blob_cleanup(store, MS_PER_DAY, false, &result), BLOB_DONE);
    ck_assert_int_eq(result.removed + result.abandoned, 0);
    ck_assert_int_eq(objects(), 1);
    close(fd);
    free(url);
}
END_TEST

START_TEST(a_server_that_is_away_is_a_fault_in_bounded_time)
{
    struct blob_info info;
    struct buf why = {0}, url = {0};
    struct blob_grant grant = grant_of("notes.txt");
    const struct blob_options options = {
        .data_dir = folder, .max_bytes = MAX_BYTES, .quota_bytes = QUOTA, .is_serving = true};
    const struct s3_options nowhere = {.endpoint = "http://127.0.0.1:1",
        .region = "us-east-1",
        .bucket = "bucket",
        .access_key = "key",
        .secret_key = "secret",
        .path_style = true,
        .connections = 1};
    struct blob_store *lost = blob_open_s3(&options, &nowhere, &why);
    const int64_t began_ms = clock_mono_ms();
    ck_assert_ptr_nonnull(lost);
    ck_assert_int_eq(blob_stat(lost, &grant.path, &info), BLOB_FAULT);
    ck_assert_int_eq(blob_put(lost, &grant.path, "text/plain", "x", 1, NULL), BLOB_FAULT);
    ck_assert_int_eq(blob_sign(lost, &grant, &url), BLOB_FAULT);
    ck_assert_int_lt(clock_mono_ms() - began_ms, 10 * MS_PER_SECOND);
    blob_close(lost);
    buf_free(&why);
    buf_free(&url);
}
END_TEST

static void *stop_soon(void *arg)
{
    blob_stop(arg);
    return NULL;
}

/* It takes connections, and never says a word. */
START_TEST(a_silent_server_does_not_keep_the_process)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(silent, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(silent, 5), 0);
    ck_assert_int_eq(getsockname(silent, (struct sockaddr *)&address, &size), 0);
    char *url = xasprintf("http://127.0.0.1:%d", ntohs(address.sin_port));
    struct blob_grant grant = grant_of("notes.txt");
    struct blob_info info;
    struct buf why = {0};
    pthread_t stopper;
    const struct blob_options options = {
        .data_dir = folder, .max_bytes = MAX_BYTES, .quota_bytes = QUOTA, .is_serving = true};
    const struct s3_options there = {.endpoint = url,
        .region = "us-east-1",
        .bucket = "bucket",
        .access_key = "key",
        .secret_key = "secret",
        .path_style = true,
        .connections = 1};
    struct blob_store *waiting = blob_open_s3(&options, &there, &why);
    ck_assert_ptr_nonnull(waiting);
    const int64_t began_ms = clock_mono_ms();
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_soon, waiting), 0);
    ck_assert_int_eq(blob_stat(waiting, &grant.path, &info), BLOB_FAULT);
    ck_assert_int_lt(clock_mono_ms() - began_ms, 8 * MS_PER_SECOND);
    pthread_join(stopper, NULL);
    blob_close(waiting);
    close(silent);
    free(url);
    buf_free(&why);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("blob_s3", &tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_upload_needs_its_own_url);
    tcase_add_test(tests, a_download_needs_its_own_url);
    tcase_add_test(tests, an_upload_is_published_when_first_asked_for);
    tcase_add_test(tests, what_is_too_large_is_not_handed_out);
    tcase_add_test(tests, urls_are_held_against_the_quota);
    tcase_add_test(tests, what_nobody_asked_for_goes_with_age);
    tcase_add_test(tests, what_others_keep_there_stays);
    tcase_add_test(tests, a_server_that_is_away_is_a_fault_in_bounded_time);
    tcase_add_test(tests, a_silent_server_does_not_keep_the_process);
    if (!server_rig_start(&s3, S3_RIG))
        return EXIT_FAILURE;
    const int code = run_unit(suite);
    server_rig_stop(&s3);
    return code;
}
