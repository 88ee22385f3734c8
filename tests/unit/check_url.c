#include <string.h>

#include "../../common/url.h"
#include "unit.h"

static const struct {
    const char *text;
    const char *host;
    int port;
    const char *path, *origin;
} good[] = {
    {"http://localhost", "localhost", 80, "/", "http://localhost"},
    {"https://example.com", "example.com", 443, "/", "https://example.com"},
    {"HTTPS://EXAMPLE.com/", "example.com", 443, "/", "https://example.com"},
    {"https://example.com:443/a", "example.com", 443, "/a", "https://example.com"},
    {"http://example.com:443/a/", "example.com", 443, "/a", "http://example.com:443"},
    {"http://h:1", "h", 1, "/", "http://h:1"},
    {"http://h:65535//", "h", 65535, "/", "http://h:65535"},
    {"http://127.0.0.1:8000/mcp/bearer", "127.0.0.1", 8000, "/mcp/bearer", "http://127.0.0.1:8000"},
    {"http://[::1]:8000/x", "::1", 8000, "/x", "http://[::1]:8000"},
    {"http://[0:0:0:0:0:0:0:1]", "::1", 80, "/", "http://[::1]"},
    {"https://h/a%20b;c=d,e@f:g/~_.-!$&'()*+", "h", 443, "/a%20b;c=d,e@f:g/~_.-!$&'()*+", "https://h"},
};

START_TEST(urls_are_taken_apart)
{
    struct url url;
    ck_assert_msg(url_parse(good[_i].text, &url), "%s", good[_i].text);
    ck_assert_str_eq(url.host, good[_i].host);
    ck_assert_int_eq(url.port, good[_i].port);
    ck_assert_str_eq(url.path, good[_i].path);
    char *origin = url_origin(&url);
    ck_assert_str_eq(origin, good[_i].origin);
    free(origin);
    url_free(&url);
    ck_assert_ptr_null(url.host);
}
END_TEST

static const char *const bad[] = {
    "",
    "example.com",
    "//example.com",
    "ftp://example.com",
    "httpx://example.com",
    "http:/example.com",
    "http://",
    "http:///path",
    "http://user@h",
    "http://user:pw@h/",
    "http://h?q",
    "http://h/?q",
    "http://h#f",
    "http://h/#f",
    "http://h:",
    "http://h:0",
    "http://h:65536",
    "http://h:999999",
    "http://h:+1",
    "http://h:8x",
    "http://h h/",
    "http://h/a b",
    "http://h/a\nb",
    "http://h/%",
    "http://h/%2",
    "http://h/%zz",
    "http://h/\xC3\xA9",
    "http://h\xC3\xA9",
    "http://h%41/",
    "http://.h",
    "http://-h",
    "http://h\\@evil",
    "http://[::1",
    "http://[::1]x",
    "http://[::g]",
    "http://[127.0.0.1]",
    "http://[fe80::1%25eth0]",
    " http://h",
};

START_TEST(other_texts_are_refused)
{
    struct url url;
    ck_assert_msg(!url_parse(bad[_i], &url), "%s", bad[_i]);
    ck_assert_ptr_null(url.host);
}
END_TEST

START_TEST(hosts_are_limited_at_their_edge)
{
    enum { PREFIX_LEN = 7, HOST_MAX = 253 };
    char text[PREFIX_LEN + HOST_MAX + 2] = "http://";
    memset(text + PREFIX_LEN, 'a', HOST_MAX);
    struct url url;
    ck_assert(url_parse(text, &url));
    url_free(&url);
    text[PREFIX_LEN + HOST_MAX] = 'a';
    ck_assert(!url_parse(text, &url));
}
END_TEST

START_TEST(loopback_is_told)
{
    static const char *const here[] = {
        "localhost", "LocalHost", "a.localhost", "127.0.0.1", "127.255.255.254", "::1"};
    static const char *const elsewhere[] = {"", "localhosts", "xlocalhost", ".localhost.com",
        "127.0.0.1.example.com", "128.0.0.1", "0.0.0.0", "10.0.0.1", "::", "::2", "example.com", "127.1",
        "localhost.example.com"};
    for (size_t i = 0; i < LENGTH_OF(here); i++) {
        ck_assert_msg(url_host_is_loopback(here[i]), "%s", here[i]);
    }
    for (size_t i = 0; i < LENGTH_OF(elsewhere); i++) {
        ck_assert_msg(!url_host_is_loopback(elsewhere[i]), "%s", elsewhere[i]);
    }
}
END_TEST

START_TEST(every_byte_survives_encoding)
{
    char bytes[255];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(i + 1);
    }
    struct buf encoded = {0}, decoded = {0};
    url_encode(&encoded, bytes, sizeof(bytes));
    ck_assert_uint_eq(
        strspn(buf_text(&encoded), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%"),
        encoded.len);
    ck_assert(url_decode(&decoded, encoded.data, encoded.len, true));
    ck_assert_uint_eq(decoded.len, sizeof(bytes));
    ck_assert_mem_eq(decoded.data, bytes, sizeof(bytes));
    buf_free(&encoded);
    buf_free(&decoded);
}
END_TEST

START_TEST(escapes_are_decoded)
{
    static const struct {
        const char *text;
        bool plus;
        const char *decoded; /* NULL: refused */
    } rows[] = {
        {"a+b", true, "a b"},
        {"a+b", false, "a+b"},
        {"%41%2b%2B", true, "A++"},
        {"", true, ""},
        {"%", true, NULL},
        {"%4", true, NULL},
        {"a%4g", true, NULL},
        {"%-1", true, NULL},
        {"a%00b", true, NULL},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct buf decoded = {0};
        bool ok = url_decode(&decoded, rows[i].text, strlen(rows[i].text), rows[i].plus);
        ck_assert_msg(ok == (rows[i].decoded != NULL), "%s", rows[i].text);
        if (ok) {
            ck_assert_str_eq(buf_text(&decoded), rows[i].decoded);
        }
        buf_free(&decoded);
    }
    struct buf decoded = {0};
    ck_assert(!url_decode(&decoded, "a\0b", 3, false));
    buf_free(&decoded);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("url", &tests);
    tcase_add_loop_test(tests, urls_are_taken_apart, 0, LENGTH_OF(good));
    tcase_add_loop_test(tests, other_texts_are_refused, 0, LENGTH_OF(bad));
    tcase_add_test(tests, hosts_are_limited_at_their_edge);
    tcase_add_test(tests, loopback_is_told);
    tcase_add_test(tests, every_byte_survives_encoding);
    tcase_add_test(tests, escapes_are_decoded);
    return run_unit(suite);
}
