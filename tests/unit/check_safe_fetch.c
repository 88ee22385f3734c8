/* Which URLs are fetched, and that nothing on this machine is connected to, however it is spelled. What needs
 * a network with public addresses is in tests/wire/wire_fetch.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/compiler.h"
#include "../../relay/fetch/fetch_url.h"
#include "../../relay/fetch/safe_fetch.h"
#include "unit.h"

/* ---- URLs ---- */

static const char *const good_urls[] = {
    "https://example.org",
    "HTTPS://EXAMPLE.ORG/",
    "https://example.org:8443/a/b?c=d&e=%20#part",
    "https://xn--bcher-kva.example/",
    "https://b\xc3\xbc"
    "cher.example/\xc3\xa4",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]:443/x",
    "https://example.org./",
    "https://example.org/@b:c",
};

static const char *const bad_urls[] = {
    "",
    "example.org",
    "//example.org/",
    "http://example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "dict://example.org/",
    "data:text/plain,x",
    "https:example.org",
    "https:/example.org",
    "https://",
    "https:///example.org",
    "https:\\\\example.org",
    "https://example.org\\@10.0.0.1/",
    "https://user@example.org/",
    "https://user:secret@example.org/",
    "https://:secret@example.org/",
    "https://@example.org/",
    "https://user;auth=ntlm@example.org/",
    "https://example.org:0/",
    "https://example.org:65536/",
    "https://example.org:-1/",
    "https://example.org:https/",
    "https://exa mple.org/",
    " https://example.org/",
    "https://example.org/\r\nHost: other",
    "https://example.org/\t",
    "https://example.org/\x7f",
    "https://[::1",
    "https://[::1%25lo]/",
    "https://[fe80::1%25eth0]/",
    "https://[gg::1]/",
    "https://exam%00ple.org/",
    "https://exam%2fple.org/",
    "https://#example.org",
    "https://?example.org",
};

START_TEST(urls)
{
    const char *problem;
    for (size_t i = 0; i < LENGTH_OF(good_urls); i++) {
        CURLU *url = fetch_url_parse(good_urls[i], &problem);
        ck_assert_msg(url != NULL, "%s was refused: %s", good_urls[i], problem);
        curl_url_cleanup(url);
    }
    for (size_t i = 0; i < LENGTH_OF(bad_urls); i++) {
        CURLU *url = fetch_url_parse(bad_urls[i], &problem);
        ck_assert_msg(url == NULL, "%s was taken", bad_urls[i]);
        ck_assert_ptr_nonnull(problem);
    }
}
END_TEST

START_TEST(longest_url)
{
    const char *problem;
    char text[FETCH_URL_MAX + 2];
    memset(text, 'a', sizeof text);
    memcpy(text, "https://example.org/", strlen("https://example.org/"));
    text[FETCH_URL_MAX] = '\0';
    CURLU *url = fetch_url_parse(text, &problem);
    ck_assert_ptr_nonnull(url);
    curl_url_cleanup(url);
    text[FETCH_URL_MAX] = 'a';
    text[FETCH_URL_MAX + 1] = '\0';
    ck_assert_ptr_null(fetch_url_parse(text, &problem));
}
END_TEST

static const struct redirect {
    const char *location, *to; /* NULL: refused */
} redirects[] = {
    {"/c", "https://example.org/c"},
    {"c", "https://example.org/a/c"},
    {"../c?d#e", "https://example.org/c?d"},
    {"?q", "https://example.org/a/b?q"},
    {"//other.example/x", "https://other.example/x"},
    {"https://other.example:444/a b", "https://other.example:444/a%20b"},
    {"HTTPS://other.example", "https://other.example/"},
    {"http://example.org/", NULL},
    {"file:///etc/passwd", NULL},
    {"ftp://example.org/", NULL},
    {"javascript:alert(1)", NULL},
    {"https://user:secret@other.example/", NULL},
    {"//user@other.example/", NULL},
    {"https://other.example:0/", NULL},
    {"https://other.example\\@10.0.0.1/", NULL},
    {"https://[fe80::1%25eth0]/", NULL},
    {"https://exam\001ple.org/", NULL},
};

START_TEST(followed)
{
    for (size_t i = 0; i < LENGTH_OF(redirects); i++) {
        const char *problem;
        CURLU *url = fetch_url_parse("https://example.org/a/b", &problem);
        ck_assert_ptr_nonnull(url);
        const bool taken = fetch_url_follow(url, redirects[i].location, &problem);
        char *text = fetch_url_text(url);
        ck_assert_msg(
            taken == (redirects[i].to != NULL), "%s: %s", redirects[i].location, taken ? text : problem);
        if (taken)
            ck_assert_str_eq(text, redirects[i].to);
        curl_free(text);
        curl_url_cleanup(url);
    }
}
END_TEST

START_TEST(hosts)
{
    const char *problem;
    CURLU *url = fetch_url_parse("https://[2606:4700::1111]:443/x", &problem);
    char *host = fetch_url_host(url);
    ck_assert_str_eq(host, "2606:4700::1111");
    curl_free(host);
    curl_url_cleanup(url);
}
END_TEST

/* ---- fetching ---- */

static struct safe_fetcher *fetcher;
static int listeners[2] = {-1, -1};
static int port;

static int listen_on(int family, const struct sockaddr *address, socklen_t len)
{
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, address, len) != 0 || listen(fd, 8) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static void setup(void)
{
    struct buf why = {0};
    fetcher = safe_fetcher_new(NULL, &why);
    ck_assert_ptr_nonnull(fetcher);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t len = sizeof v4;
    listeners[0] = listen_on(AF_INET, (struct sockaddr *)&v4, sizeof v4);
    ck_assert_int_ge(listeners[0], 0);
    ck_assert_int_eq(getsockname(listeners[0], (struct sockaddr *)&v4, &len), 0);
    port = ntohs(v4.sin_port);
    /* A machine without IPv6 has nothing to connect to there. */
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback, .sin6_port = htons((uint16_t)port)};
    listeners[1] = listen_on(AF_INET6, (struct sockaddr *)&v6, sizeof v6);
}

static void teardown(void)
{
    safe_fetcher_free(fetcher);
    for (size_t i = 0; i < LENGTH_OF(listeners); i++) {
        if (listeners[i] >= 0)
            close(listeners[i]);
    }
}

static bool must_not_begin(void *arg, const struct safe_fetch_head *head)
{
    (void)arg;
    ck_abort_msg("%s was fetched", head->url);
    return false;
}

static bool must_not_take(void *arg, const void *bytes, size_t len)
{
    (void)arg;
    (void)bytes;
    (void)len;
    ck_abort_msg("something was fetched");
    return false;
}

static enum safe_fetch_status fetch(const char *url, struct buf *why)
{
    const struct safe_fetch request = {
        .url = url, .max_bytes = 1000, .timeout_ms = 10000, .begin = must_not_begin, .take = must_not_take};
    return safe_fetch(fetcher, &request, why);
}

/* The same places, as people who look for holes write them. */
static const char *const inner_hosts[] = {
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::]",
    "localhost",
    "LOCALHOST",
    "app.localhost",
};

START_TEST(nothing_inside)
{
    for (size_t i = 0; i < LENGTH_OF(inner_hosts); i++) {
        struct buf why = {0};
        char *url = xasprintf("https://%s:%d/", inner_hosts[i], port);
        const enum safe_fetch_status status = fetch(url, &why);
        /* A name may not exist here, and "127.0.0.1." is one. */
        ck_assert_msg(status == SAFE_FETCH_NOT_PUBLIC || status == SAFE_FETCH_UNREACHABLE, "%s: %d, %s", url,
            status, buf_text(&why));
        ck_assert_ptr_nonnull(strstr(buf_text(&why), "cannot be reached at a public address"));
        buf_free(&why);
        free(url);
        for (size_t j = 0; j < LENGTH_OF(listeners); j++) {
            const int got = listeners[j] < 0 ? -1 : accept(listeners[j], NULL, NULL);
            ck_assert_msg(got < 0, "%s was connected to", inner_hosts[i]);
        }
    }
}
END_TEST

START_TEST(bad_url)
{
    struct buf why = {0};
    ck_assert_int_eq(fetch("http://127.0.0.1/", &why), SAFE_FETCH_BAD_URL);
    ck_assert_str_eq(buf_text(&why), "the URL must begin with https://");
    buf_free(&why);
}
END_TEST

START_TEST(stopped)
{
    struct buf why = {0};
    safe_fetcher_stop(fetcher);
    ck_assert_int_eq(fetch("https://8.8.8.8/", &why), SAFE_FETCH_STOPPED);
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "ending"));
    buf_free(&why);
}
END_TEST

static void assert_no_fetcher(const char *file, const char *wanted)
{
    struct buf why = {0};
    ck_assert_ptr_null(safe_fetcher_new(file, &why));
    ck_assert_msg(strstr(buf_text(&why), wanted) != NULL, "%s", buf_text(&why));
    buf_free(&why);
}

START_TEST(authorities)
{
    char folder[PATH_MAX];
    unit_folder(folder);
    char *path = xasprintf("%s/authorities", folder);
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    assert_no_fetcher("/nonexistent/ca.pem", "cannot read");
    assert_no_fetcher("/", "cannot read");
    assert_no_fetcher(path, "holds no PEM certificate");
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    ck_assert_int_eq(write(fd, pem, sizeof pem - 1), (ssize_t)(sizeof pem - 1));
    struct buf why = {0};
    struct safe_fetcher *with = safe_fetcher_new(path, &why);
    ck_assert_ptr_nonnull(with);
    safe_fetcher_free(with);
    ck_assert_int_eq(ftruncate(fd, 4 * 1024 * 1024 + 1), 0);
    assert_no_fetcher(path, "too large");
    close(fd);
    free(path);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("safe_fetch", &tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, urls);
    tcase_add_test(tests, longest_url);
    tcase_add_test(tests, followed);
    tcase_add_test(tests, hosts);
    tcase_add_test(tests, nothing_inside);
    tcase_add_test(tests, bad_url);
    tcase_add_test(tests, stopped);
    tcase_add_test(tests, authorities);
    return run_unit(suite);
}
