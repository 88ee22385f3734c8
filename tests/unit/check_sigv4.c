/* Signatures against the examples that the protocol's own documentation publishes for S3. */
#include <check.h>
#include <string.h>

#include "../../common/secret.h"
#include "../../relay/blob/sigv4.h"
#include "unit.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define PUT_HASH   "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
#define HOST       "examplebucket.s3.amazonaws.com"
#define DATE       "20130524T000000Z"
#define SCOPE      "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"

static const int64_t at_ms = INT64_C(1369353600000); /* 2013-05-24 */
static const struct sigv4_key key = {
    .access_key = "AKIAIOSFODNN7EXAMPLE",
    .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    .region = "us-east-1",
    .service = "s3",
};

static const struct {
    const char *method, *path;
    struct sigv4_pair query[2], headers[5];
    size_t query_count, headers_count;
    const char *hash, *names, *signature;
} rows[] = {
    {"GET", "/test.txt", {{0}},
        {{"host", HOST}, {"range", "bytes=0-9"}, {"x-amz-content-sha256", EMPTY_HASH}, {"x-amz-date", DATE}},
        0, 4, EMPTY_HASH, "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT", "/test%24file.text", {{0}},
        {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"host", HOST}, {"x-amz-content-sha256", PUT_HASH},
            {"x-amz-date", DATE}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
        0, 5, PUT_HASH, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET", "/", {{"lifecycle", ""}},
        {{"host", HOST}, {"x-amz-content-sha256", EMPTY_HASH}, {"x-amz-date", DATE}}, 1, 3, EMPTY_HASH,
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET", "/", {{"prefix", "J"}, {"max-keys", "2"}},
        {{"host", HOST}, {"x-amz-content-sha256", EMPTY_HASH}, {"x-amz-date", DATE}}, 2, 3, EMPTY_HASH,
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

START_TEST(a_request_is_signed_as_published)
{
    const struct sigv4_request request = {.method = rows[_i].method,
        .path = rows[_i].path,
        .query = rows[_i].query,
        .query_count = rows[_i].query_count,
        .headers = rows[_i].headers,
        .headers_count = rows[_i].headers_count,
        .payload_hash = rows[_i].hash,
        .at_ms = at_ms};
    struct buf out = {0}, wanted = {0};
    sigv4_authorize(&key, &request, &out);
    buf_printf(&wanted, "AWS4-HMAC-SHA256 " SCOPE ",SignedHeaders=%s,Signature=%s", rows[_i].names,
        rows[_i].signature);
    ck_assert_str_eq(buf_text(&out), buf_text(&wanted));
    buf_free(&out);
    buf_free(&wanted);
}
END_TEST

START_TEST(a_url_is_presigned_as_published)
{
    static const struct sigv4_pair headers[] = {{"host", HOST}};
    const struct sigv4_request request = {
        .method = "GET", .path = "/test.txt", .headers = headers, .headers_count = 1, .at_ms = at_ms};
    struct buf out = {0};
    sigv4_presign(&key, &request, 86400, &out);
    ck_assert_str_eq(buf_text(&out),
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    buf_free(&out);
}
END_TEST

START_TEST(a_query_is_sorted_and_encoded)
{
    static const struct sigv4_pair query[] = {{"prefix", "a b/+~"}, {"X", "1"}, {"delimiter", "\xc3\xa4"}};
    struct buf out = {0};
    sigv4_query(query, LENGTH_OF(query), &out);
    ck_assert_str_eq(buf_text(&out), "X=1&delimiter=%C3%A4&prefix=a%20b%2F%2B~");
    buf_free(&out);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("sigv4", &tests);
    secret_init();
    tcase_add_loop_test(tests, a_request_is_signed_as_published, 0, (int)LENGTH_OF(rows));
    tcase_add_test(tests, a_url_is_presigned_as_published);
    tcase_add_test(tests, a_query_is_sorted_and_encoded);
    return run_unit(suite);
}
