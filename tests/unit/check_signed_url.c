/* Where the bridge follows a signed URL. */
#include <check.h>
#include <string.h>

#include "../../bridge/signed_url.h"
#include "unit.h"

static const struct {
    const char *relay, *given;
    const char *taken; /* NULL: refused */
} rows[] = {
    /* the relay's own origin */
    {"https://relay.example.com", "https://relay.example.com/files/a/b/1_c?expires=1&signature=x%2F",
        "https://relay.example.com/files/a/b/1_c?expires=1&signature=x%2F"},
    {"http://10.0.0.1:8000", "http://10.0.0.1:8000/files/a?b=c", "http://10.0.0.1:8000/files/a?b=c"},
    {"https://relay.example.com/prefix", "https://RELAY.example.com:443/prefix/files/a",
        "https://RELAY.example.com:443/prefix/files/a"},
    /* another server, encrypted */
    {"https://relay.example.com", "https://bucket.example.net/a?X-Amz-Signature=1",
        "https://bucket.example.net/a?X-Amz-Signature=1"},
    {"http://127.0.0.1:8000", "https://bucket.example.net/a", "https://bucket.example.net/a"},
    /* a relay of this machine under another of its names, or behind a forwarded port */
    {"http://127.0.0.1:9000", "http://localhost:8000/files/a?b=c", "http://127.0.0.1:9000/files/a?b=c"},
    {"https://localhost", "http://localhost:8000/files/a", "https://localhost/files/a"},
    {"http://[::1]:8000", "http://127.0.0.1:8000?b", "http://[::1]:8000?b"},
    /* and nothing else */
    {"https://relay.example.com", "http://relay.example.com/files/a", NULL},
    {"https://relay.example.com", "http://localhost:8000/files/a", NULL},
    {"http://10.0.0.1:8000", "http://localhost:8000/files/a", NULL},
    {"http://10.0.0.1:8000", "http://10.0.0.1:8001/files/a", NULL},
    {"http://127.0.0.1:8000", "http://10.0.0.1/files/a", NULL},
    {"http://127.0.0.1:8000", "http://169.254.169.254/latest", NULL},
    {"https://relay.example.com", "file:///etc/passwd", NULL},
    {"https://relay.example.com", "ftp://relay.example.com/a", NULL},
    {"https://relay.example.com", "gopher://relay.example.com/a", NULL},
    {"https://relay.example.com", "https://user:secret@bucket.example.net/a", NULL},
    {"https://relay.example.com", "https://relay.example.com@evil.example.net/a", NULL},
    {"https://relay.example.com", "https://relay.example.com\\@evil.example.net/a", NULL},
    {"https://relay.example.com", "https://relay.example.com/a#fragment", NULL},
    {"https://relay.example.com", "https://relay.example.com/a b", NULL},
    {"https://relay.example.com", "https://relay.example.com/a\r\nX: y", NULL},
    {"https://relay.example.com", "https://relay.example.com/\xc3\xa4", NULL},
    {"https://relay.example.com", "/files/a", NULL},
    {"https://relay.example.com", "//evil.example.net/a", NULL},
    {"https://relay.example.com", "", NULL},
    {"https://relay.example.com", "https://", NULL},
    {"https://relay.example.com", "-o/etc/passwd", NULL},
};

START_TEST(a_url_is_followed_where_it_belongs)
{
    struct buf out = {0}, why = {0};
    bool taken = signed_url_take(rows[_i].relay, rows[_i].given, false, &out, &why);
    ck_assert_msg(taken == (rows[_i].taken != NULL), "%s from %s", rows[_i].given, rows[_i].relay);
    ck_assert_str_eq(buf_text(&out), taken ? rows[_i].taken : "");
    ck_assert_int_eq(why.len == 0, taken);
    /* What signs it is no business of whoever reads the reason. */
    ck_assert_ptr_null(strstr(buf_text(&why), "secret"));
    buf_free(&out);
    buf_free(&why);
}
END_TEST

/* Another server's address is not to be exchanged for the relay's; what is refused stays so. */
START_TEST(another_server_of_this_machine_is_followed)
{
    static const struct {
        const char *relay, *given;
        bool taken;
    } others[] = {
        {"http://127.0.0.1:9000", "http://localhost:8000/bucket/a?b=c", true},
        {"https://relay.example.com", "https://bucket.example.net/a", true},
        {"https://relay.example.com", "http://localhost:8000/bucket/a", false},
        {"http://127.0.0.1:9000", "http://10.0.0.1/bucket/a", false},
        {"http://127.0.0.1:9000", "http://169.254.169.254/latest", false},
        {"http://10.0.0.1:9000", "http://10.0.0.1:9001/bucket/a", false},
    };
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        struct buf out = {0}, why = {0};
        ck_assert_int_eq(
            signed_url_take(others[i].relay, others[i].given, true, &out, &why), others[i].taken);
        ck_assert_str_eq(buf_text(&out), others[i].taken ? others[i].given : "");
        buf_free(&out);
        buf_free(&why);
    }
}
END_TEST

START_TEST(a_very_long_url_is_refused)
{
    struct buf given = {0}, out = {0}, why = {0};
    buf_puts(&given, "https://relay.example.com/");
    while (given.len < 8192)
        buf_putc(&given, 'a');
    ck_assert(signed_url_take("https://relay.example.com", buf_text(&given), false, &out, &why));
    buf_putc(&given, 'a');
    ck_assert(!signed_url_take("https://relay.example.com", buf_text(&given), false, &out, &why));
    buf_free(&given);
    buf_free(&out);
    buf_free(&why);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("signed_url", &tests);
    tcase_add_loop_test(tests, a_url_is_followed_where_it_belongs, 0, (int)LENGTH_OF(rows));
    tcase_add_test(tests, another_server_of_this_machine_is_followed);
    tcase_add_test(tests, a_very_long_url_is_refused);
    return run_unit(suite);
}
