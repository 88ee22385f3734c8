#include <stdio.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/url.h"
#include "../../relay/blob/file_trailer.h"
#include "../../relay/blob/file_url.h"
#include "unit.h"

enum { QUERY_MAX = 8, NOW_S = 1800000000 };
static const int64_t now_ms = (int64_t)NOW_S * 1000;

static const uint8_t key[FILE_URL_KEY_BYTES] = "0123456789abcdef0123456789abcde";
static const uint8_t other_key[FILE_URL_KEY_BYTES] = "0123456789abcdef0123456789abcdf";

/* A URL taken apart as the HTTP server does it. */
struct request {
    char path[BLOB_PATH_SIZE + 100];
    char names[QUERY_MAX][32], values[QUERY_MAX][200];
    size_t count;
};

static const char *parameter(const void *request, const char *name)
{
    const struct request *r = request;
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->names[i], name) == 0)
            return r->values[i];
    }
    return NULL;
}

static struct request take_apart(const char *url)
{
    struct request r = {0};
    const char *path = strstr(url, "/files/") + strlen("/files/"), *query = strchr(path, '?');
    snprintf(r.path, sizeof r.path, "%.*s", (int)(query - path), path);
    while (query && r.count < QUERY_MAX) {
        const char *name = query + 1, *equals = strchr(name, '=');
        const size_t len = strcspn(equals + 1, "&");
        struct buf value = {0};
        ck_assert(url_decode(&value, equals + 1, len, true));
        snprintf(r.names[r.count], sizeof r.names[0], "%.*s", (int)(equals - name), name);
        snprintf(r.values[r.count++], sizeof r.values[0], "%s", buf_text(&value));
        buf_free(&value);
        query = equals[1 + len] == '&' ? equals + 1 + len : NULL;
    }
    return r;
}

static struct blob_grant upload_grant(void)
{
    struct blob_grant grant = {.is_upload = true, .expires_ms = now_ms + 1000, .max_bytes = 1000};
    const char *problem;
    ck_assert(blob_path_parse("ns/frontend/1700000000000_a.txt", &grant.path, &problem));
    strcpy(grant.type, "image/svg+xml");
    return grant;
}

static struct request signed_request(const struct blob_grant *grant)
{
    struct buf url = {0};
    file_url_write(key, "https://relay.test/base", grant, &url);
    ck_assert_int_eq(strncmp(buf_text(&url), "https://relay.test/base/files/ns/", 33), 0);
    ck_assert_ptr_null(strpbrk(buf_text(&url), " '\"<>\\"));
    const struct request r = take_apart(buf_text(&url));
    buf_free(&url);
    return r;
}

static enum blob_url check(const struct request *r, bool is_upload, int64_t at_ms)
{
    struct blob_grant read;
    return file_url_check(key, is_upload, r->path, parameter, r, at_ms, &read);
}

START_TEST(what_was_granted_is_read)
{
    struct blob_grant grant = upload_grant(), read;
    struct request r = signed_request(&grant);
    ck_assert_int_eq(file_url_check(key, true, r.path, parameter, &r, now_ms, &read), BLOB_URL_VALID);
    ck_assert_mem_eq(&grant, &read, sizeof read);

    struct blob_grant download = {.path = grant.path, .expires_ms = grant.expires_ms};
    r = signed_request(&download);
    ck_assert_int_eq(file_url_check(key, false, r.path, parameter, &r, now_ms, &read), BLOB_URL_VALID);
    ck_assert_mem_eq(&download, &read, sizeof read);
}
END_TEST

START_TEST(a_url_is_good_until_its_time)
{
    const struct blob_grant grant = upload_grant();
    const struct request r = signed_request(&grant);
    ck_assert_int_eq(check(&r, true, grant.expires_ms - 1), BLOB_URL_VALID);
    ck_assert_int_eq(check(&r, true, grant.expires_ms), BLOB_URL_EXPIRED);
    ck_assert_int_eq(check(&r, true, grant.expires_ms + BLOB_UPLOAD_URL_MS), BLOB_URL_EXPIRED);
}
END_TEST

START_TEST(a_url_is_good_for_its_method)
{
    struct blob_grant grant = upload_grant();
    struct request r = signed_request(&grant);
    ck_assert_int_eq(check(&r, false, now_ms), BLOB_URL_OTHER_METHOD);
    grant.is_upload = false;
    r = signed_request(&grant);
    ck_assert_int_eq(check(&r, true, now_ms), BLOB_URL_OTHER_METHOD);
}
END_TEST

static const struct {
    const char *name, *value;
    enum blob_url found;
} changes[] = {
    {"expires", "1800000002", BLOB_URL_FORGED},
    {"expires", "18000000010", BLOB_URL_FORGED},
    {"expires", "", BLOB_URL_MALFORMED},
    {"expires", "0", BLOB_URL_MALFORMED},
    {"expires", "-1", BLOB_URL_MALFORMED},
    {"expires", "+1800000001", BLOB_URL_MALFORMED},
    {"expires", " 1800000001", BLOB_URL_MALFORMED},
    {"expires", "0x6b49d201", BLOB_URL_MALFORMED},
    {"expires", "99999999999999999999", BLOB_URL_MALFORMED},
    {"expires", "9223372036854775807", BLOB_URL_MALFORMED},
    {"max", "1001", BLOB_URL_FORGED},
    {"max", "999", BLOB_URL_FORGED},
    {"max", "0", BLOB_URL_MALFORMED},
    {"max", "-5", BLOB_URL_MALFORMED},
    {"max", "1e9", BLOB_URL_MALFORMED},
    {"max", "9223372036854775807", BLOB_URL_FORGED},
    {"type", "text/html", BLOB_URL_FORGED},
    {"type", "image/SVG+xml", BLOB_URL_MALFORMED},
    {"type", "image/svg+xml; a=b", BLOB_URL_MALFORMED},
    {"type", "image/svg xml", BLOB_URL_MALFORMED},
    {"type", "", BLOB_URL_MALFORMED},
    {"signature", "", BLOB_URL_FORGED},
    {"signature", "00", BLOB_URL_FORGED},
    {"signature", "zz", BLOB_URL_FORGED},
    {"signature", "0000000000000000000000000000000000000000000000000000000000000000", BLOB_URL_FORGED},
    {"signature", "000000000000000000000000000000000000000000000000000000000000000000", BLOB_URL_FORGED},
};

START_TEST(a_changed_parameter_is_noticed)
{
    const struct blob_grant grant = upload_grant();
    struct request r = signed_request(&grant);
    for (size_t i = 0; i < r.count; i++) {
        if (strcmp(r.names[i], changes[_i].name) == 0)
            strcpy(r.values[i], changes[_i].value);
    }
    ck_assert_int_eq(check(&r, true, now_ms), changes[_i].found);
}
END_TEST

START_TEST(a_parameter_that_is_missing_is_noticed)
{
    const struct blob_grant grant = upload_grant();
    const struct request whole = signed_request(&grant);
    ck_assert_uint_eq(whole.count, 4);
    for (size_t i = 0; i < whole.count; i++) {
        struct request r = whole;
        strcpy(r.names[i], "gone");
        const enum blob_url found = check(&r, true, now_ms);
        /* Without a type it reads as a download's, whose signature is another. */
        ck_assert_int_eq(found, strcmp(whole.names[i], "type") == 0 ? BLOB_URL_FORGED : BLOB_URL_MALFORMED);
    }
}
END_TEST

START_TEST(a_changed_path_is_noticed)
{
    static const struct {
        const char *path;
        enum blob_url found;
    } paths[] = {
        {"ns/frontend/1700000000000_b.txt", BLOB_URL_FORGED},
        {"ns/frontend/1700000000001_a.txt", BLOB_URL_FORGED},
        {"other/frontend/1700000000000_a.txt", BLOB_URL_FORGED},
        {"ns/backend/1700000000000_a.txt", BLOB_URL_FORGED},
        {"ns/frontend/../frontend/1700000000000_a.txt", BLOB_URL_MALFORMED},
        {" ns/frontend/1700000000000_a.txt", BLOB_URL_MALFORMED},
        {"/ns/frontend/1700000000000_a.txt", BLOB_URL_MALFORMED},
        {"", BLOB_URL_MALFORMED},
    };
    const struct blob_grant grant = upload_grant();
    struct request r = signed_request(&grant);
    for (size_t i = 0; i < LENGTH_OF(paths); i++) {
        strcpy(r.path, paths[i].path);
        ck_assert_int_eq(check(&r, true, now_ms), paths[i].found);
    }
}
END_TEST

START_TEST(another_key_signs_nothing_here)
{
    const struct blob_grant grant = upload_grant();
    const struct request r = signed_request(&grant);
    struct blob_grant read;
    ck_assert_int_eq(file_url_check(other_key, true, r.path, parameter, &r, now_ms, &read), BLOB_URL_FORGED);
    ck_assert_str_eq(read.path.text, "");
}
END_TEST

START_TEST(every_bit_of_the_signature_counts)
{
    const struct blob_grant grant = upload_grant();
    struct request r = signed_request(&grant);
    char *signature = r.values[r.count - 1];
    ck_assert_str_eq(r.names[r.count - 1], "signature");
    for (size_t i = 0; i < strlen(signature); i++) {
        const char digit = signature[i];
        signature[i] = digit == 'f' ? '0' : digit == '9' ? 'a' : (char)(digit + 1);
        ck_assert_int_eq(check(&r, true, now_ms), BLOB_URL_FORGED);
        signature[i] = digit;
    }
    ck_assert_int_eq(check(&r, true, now_ms), BLOB_URL_VALID);
}
END_TEST

/* ---- what stands behind a file ---- */

static struct blob_info some_info(void)
{
    struct blob_info info = {.size = 1234, .stored_ms = now_ms};
    strcpy(info.type, "text/plain");
    memset(info.sha256, 'a', SHA256_HEX_SIZE - 1);
    return info;
}

START_TEST(a_trailer_is_read_as_it_was_written)
{
    struct blob_info info = some_info(), read = {0};
    char bytes[FILE_TRAILER_BYTES];
    memset(info.type, 'x', MEDIA_TYPE_MAX);
    memcpy(info.type, "text/", 5);
    info.size = INT64_MAX - FILE_TRAILER_BYTES;
    info.stored_ms = INT64_MAX;
    file_trailer_write(&info, bytes);
    ck_assert(file_trailer_read(bytes, INT64_MAX, &read));
    ck_assert_mem_eq(&info, &read, sizeof info);
}
END_TEST

START_TEST(a_trailer_belongs_to_a_file_of_its_size)
{
    const struct blob_info info = some_info();
    struct blob_info read;
    char bytes[FILE_TRAILER_BYTES];
    file_trailer_write(&info, bytes);
    ck_assert(file_trailer_read(bytes, 1234 + FILE_TRAILER_BYTES, &read));
    ck_assert(!file_trailer_read(bytes, 1233 + FILE_TRAILER_BYTES, &read));
    ck_assert(!file_trailer_read(bytes, FILE_TRAILER_BYTES, &read));
}
END_TEST

START_TEST(a_damaged_trailer_is_none)
{
    static const char *const texts[] = {
        "",
        "{}",
        "null",
        "[]",
        "{\"patchcord_file\":2,\"size\":0,\"sha256\":\"%s\",\"type\":\"a/b\",\"stored_ms\":1}",
        "{\"patchcord_file\":1,\"size\":-1,\"sha256\":\"%s\",\"type\":\"a/b\",\"stored_ms\":1}",
        "{\"patchcord_file\":1,\"size\":\"0\",\"sha256\":\"%s\",\"type\":\"a/b\",\"stored_ms\":1}",
        "{\"patchcord_file\":1,\"size\":0,\"sha256\":\"A%s\",\"type\":\"a/b\",\"stored_ms\":1}",
        "{\"patchcord_file\":1,\"size\":0,\"sha256\":\"\",\"type\":\"a/b\",\"stored_ms\":1}",
        "{\"patchcord_file\":1,\"size\":0,\"sha256\":\"%s\",\"type\":\"\",\"stored_ms\":1}",
        "{\"patchcord_file\":1,\"size\":0,\"sha256\":\"%s\",\"type\":\"a/b\"}",
        "{\"patchcord_file\":1,\"size\":0,\"sha256\":\"%s\",\"type\":\"a/b\",\"stored_ms\":1",
    };
    char bytes[FILE_TRAILER_BYTES];
    struct blob_info read = some_info();
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        const char *mark = strstr(texts[i], "%s");
        memset(bytes, ' ', sizeof bytes);
        bytes[0] = bytes[sizeof bytes - 1] = '\n';
        char text[FILE_TRAILER_BYTES] = "";
        if (mark)
            snprintf(text, sizeof text, "%.*s%s%s", (int)(mark - texts[i]), texts[i], some_info().sha256,
                mark + 2);
        else
            snprintf(text, sizeof text, "%s", texts[i]);
        memcpy(bytes + 1, text, strlen(text));
        ck_assert(!file_trailer_read(bytes, FILE_TRAILER_BYTES, &read));
    }
    file_trailer_write(&read, bytes);
    bytes[FILE_TRAILER_BYTES - 1] = ' ';
    ck_assert(!file_trailer_read(bytes, 1234 + FILE_TRAILER_BYTES, &read));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("file_url", &tests);
    secret_init();
    tcase_add_test(tests, what_was_granted_is_read);
    tcase_add_test(tests, a_url_is_good_until_its_time);
    tcase_add_test(tests, a_url_is_good_for_its_method);
    tcase_add_loop_test(tests, a_changed_parameter_is_noticed, 0, LENGTH_OF(changes));
    tcase_add_test(tests, a_parameter_that_is_missing_is_noticed);
    tcase_add_test(tests, a_changed_path_is_noticed);
    tcase_add_test(tests, another_key_signs_nothing_here);
    tcase_add_test(tests, every_bit_of_the_signature_counts);
    tcase_add_test(tests, a_trailer_is_read_as_it_was_written);
    tcase_add_test(tests, a_trailer_belongs_to_a_file_of_its_size);
    tcase_add_test(tests, a_damaged_trailer_is_none);
    return run_unit(suite);
}
