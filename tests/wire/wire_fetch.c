/* relay_url against a web of the test's own, in which every address leads to the test: what is to be fetched
 * is, and whatever the URL, DNS, a redirect or a server tries, nothing but public addresses is ever connected
 * to, and nothing is taken that is too long or too slow. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"
#include "../harness_store.h"
#include "../harness_process.h"
#include "../harness_web.h"

#define PUBLIC_V4 "93.184.216.34"
#define PUBLIC_V6 "2606:2800:220:1::1"

static const char *const public_addresses[] = {PUBLIC_V4, PUBLIC_V6, NULL};

/* ---- hostile targets ---- */

/* Where nothing may connect to. Each is tried as what a name stands for, with a valid certificate for it. */
static const char *const inner_addresses[] = {"127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1",
    "172.16.0.1", "172.31.255.254", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
    "192.0.0.192", "192.0.0.9", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.31.196.1",
    "192.52.193.1", "192.175.48.1", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::8.8.8.8", "100::1", "2001:0:a00:1::1", "2001:0:808:808::80ff:fffe", "2001:2::1",
    "2001:db8::1", "2001:20::1", "2002:a00:1::1", "2002:7f00:1::1", "2002:808:808::1",
    "2606:4700::5efe:a00:1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
    "ff02::1", "4000::1"};

/* The URL as written, and a part of what the refusal says. */
static const struct hostile {
    const char *url, *said;
} hostile[] = {
    /* hosts that are addresses, in every spelling */
    {"https://127.0.0.1/ok", "public address"},
    {"https://127.1/ok", "public address"},
    {"https://2130706433/ok", "public address"},
    {"https://0x7f000001/ok", "public address"},
    {"https://0x7f.0.0.1/ok", "public address"},
    {"https://0177.0.0.1/ok", "public address"},
    {"https://017700000001/ok", "public address"},
    {"https://0xA9FEA9FE/ok", "public address"},
    {"https://2852039166/ok", "public address"},
    {"https://0/ok", "public address"},
    {"https://10.1/ok", "public address"},
    {"https://[::1]/ok", "public address"},
    {"https://[::ffff:7f00:1]/ok", "public address"},
    {"https://[::ffff:169.254.169.254]/ok", "public address"},
    {"https://[64:ff9b::a00:1]/ok", "public address"},
    {"https://[2002:7f00:1::1]/ok", "public address"},
    {"https://[fe80::1%25lo]/ok", "zone"},
    {"https://localhost/ok", "public address"},
    {"https://app.localhost/ok", "public address"},
    {"https://127.0.0.1:8443/ok", "public address"},
    {"https://%31%32%37.0.0.1/ok", "public address"},
    {"https://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/ok", "public address"},
    {"https://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/ok", "public address"},
    /* names */
    {"https://unknown.test/ok", "public address"},
    {"https://hang.test/ok", "public address"},
    {"https://mixed.test/ok", "public address"},
    {"https://10.0.0.1.nip.test/ok", "public address"},
    /* other schemes, credentials, shapes */
    {"http://files.test/ok", "https://"},
    {"ftp://files.test/ok", "https://"},
    {"file:///etc/passwd", "https://"},
    {"gopher://127.0.0.1:25/_EHLO", "https://"},
    {"dict://127.0.0.1:11211/stat", "https://"},
    {"https:files.test/ok", "https://"},
    {"https:///files.test/ok", "host"},
    {"https://user:secret@files.test/ok", "user name"},
    {"https://files.test@10.0.0.1/ok", "user name"},
    {"https://files.test\\\\@10.0.0.1/ok", "backslashes"},
    {"https://files.test/ok\\r\\nX: y", "control characters"},
    {"https://files.test:0/ok", "port"},
    {"https://files.test:65536/ok", "port"},
    /* redirects */
    {"https://files.test/redirect/https://127.0.0.1/ok", "public address"},
    {"https://files.test/redirect/https://10.0.0.1/ok", "public address"},
    {"https://files.test/redirect/https://[::1]/ok", "public address"},
    {"https://files.test/redirect/https://metadata.test/ok", "public address"},
    {"https://files.test/redirect///0x7f.1/ok", "public address"},
    {"https://files.test/redirect/http://files.test/ok", "https://"},
    {"https://files.test/redirect/file:///etc/passwd", "https://"},
    {"https://files.test/redirect/https://user:secret@files.test/ok", "user name"},
    {"https://files.test/redirect/", "redirects to a URL that"},
    {"https://files.test/nowhere", "is missing"},
    {"https://files.test/chain/6", "more than 5 times"},
    {"https://files.test/loop", "more than 5 times"},
    {"https://rebind.test/redirect/https://rebind.test/ok", "public address"},
    /* what servers answer */
    {"https://files.test/missing", "status 404"},
    {"https://files.test/partial", "status 206"},
    {"https://files.test/teapot", "status 418"},
    {"https://files.test/announced", "announces more than 100000 bytes"},
    {"https://files.test/endless", "sends more than 100000 bytes"},
    {"https://files.test/chunks", "sends more than 100000 bytes"},
    {"https://files.test/bomb", "compressed"},
    {"https://files.test/transferbomb", "compressed"},
    {"https://files.test/secondbomb", "compressed"},
    {"https://files.test/headers", "too many headers"},
    {"https://files.test/header", "malformed"},
    {"https://files.test/continues", "too many headers"},
    {"https://files.test/short", "broke off"},
    {"https://files.test/garbage", "broke off"},
    {"https://files.test/nothing", "broke off"},
    {"https://files.test/type/application/x-msdownload",
        "does not take files of the type application/x-msdownload"},
    /* TLS */
    {"https://files.test:80/", "certificate"},
    {"https://wrong.example/ok", "certificate"},
    {"https://" PUBLIC_V4 "/ok", "certificate"},
    {"https://files.test:444/ok", "public address"},
};

/* ---- DNS ---- */

enum { NAMES_MAX = 16 };
static struct web_name names[LENGTH_OF(inner_addresses) + NAMES_MAX] = {
    {"files.test", PUBLIC_V4, NULL},
    {"six.test", PUBLIC_V6, NULL},
    {"both.test", PUBLIC_V4 " " PUBLIC_V6, NULL},
    {"wrong.example", PUBLIC_V4, NULL},
    {"metadata.test", "169.254.169.254", NULL},
    {"mixed.test", "10.0.0.1 127.0.0.1 ::1 fd00::1", NULL},
    {"rebind.test", PUBLIC_V4, "127.0.0.1"},
    {"10.0.0.1.nip.test", "10.0.0.1", NULL},
    {"hang.test", WEB_SILENT, NULL},
};
/* For all of the above but wrong.example, so that nothing but the address is wrong; not for the public
 * address itself. */
static const char *hosts[2 * LENGTH_OF(inner_addresses) + NAMES_MAX + 3] = {"localhost", "app.localhost"};

static void fill_tables(void)
{
    size_t name = 0, host = 0;
    while (names[name].name)
        name++;
    for (size_t i = 0; i < LENGTH_OF(inner_addresses); i++)
        names[name++] = (struct web_name){xasprintf("inner-%zu.test", i), inner_addresses[i], NULL};
    while (hosts[host])
        host++;
    for (size_t i = 0; i < name; i++) {
        if (strcmp(names[i].name, "wrong.example") != 0)
            hosts[host++] = names[i].name;
    }
    for (size_t i = 0; i < LENGTH_OF(inner_addresses); i++)
        hosts[host++] = inner_addresses[i];
}

/* ---- the server ---- */

static char *seen_request; /* of /ok, the last one */

static void answer(struct web_client *client, const char *status, const char *headers, const char *body)
{
    char *head = xasprintf(
        "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status, strlen(body), headers);
    if (web_puts(client, head))
        (void)web_puts(client, body);
    free(head);
}

static void redirect(struct web_client *client, const char *to)
{
    char *headers = xasprintf("Location: %s\r\nSet-Cookie: seen=1; Path=/\r\n", to);
    answer(client, "302 Found", headers, "moved");
    free(headers);
}

/* The same text again and again, each after pause_ms, until the client has had enough. */
static void repeat(struct web_client *client, const char *head, const char *text, int pause_ms)
{
    bool goes_on = web_puts(client, head);
    while (goes_on)
        goes_on = (pause_ms == 0 || !web_is_gone(client, pause_ms)) && web_puts(client, text);
}

static void serve_bytes(struct web_client *client, size_t count, bool in_chunks)
{
    char *body = xmalloc(count + 1);
    memset(body, 'x', count);
    body[count] = '\0';
    char *head = in_chunks ? xasprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", count)
                           : xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", count);
    (void)(web_puts(client, head) && web_puts(client, body) &&
           (!in_chunks || web_puts(client, "\r\n0\r\n\r\n")));
    free(head);
    free(body);
}

static void serve_ok(struct web_client *client)
{
    free(seen_request);
    seen_request = xstrdup(web_request(client));
    answer(client, "200 OK", "Content-Type: text/plain; charset=utf-8\r\n", "hello from the web");
}

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#define FILL_1K                                                                                              \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n0123456789abcdef0123456789abcdef01234" \
    "56789abcdef0123456789abcde\n"

/* Whole answers, and those that never end. */
static const struct page {
    const char *path, *head, *repeated;
    int pause_ms;
} pages[] = {
    {"/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", NULL, 0},
    {"/partial", "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\npart", NULL, 0},
    {"/teapot", "HTTP/1.1 418 Teapot\r\n\r\n", FILL_1K, 0},
    {"/empty", OK_HEAD "Content-Length: 0\r\n\r\n", NULL, 0},
    {"/nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", NULL, 0},
    {"/announced", OK_HEAD "Content-Length: 107374182400\r\n\r\n", FILL_1K, 0},
    {"/endless", OK_HEAD "\r\n", FILL_1K, 0},
    {"/chunks", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n", "10\r\n0123456789abcdef\r\n", 0},
    {"/bomb", OK_HEAD "Content-Encoding: gzip\r\n\r\n", "\x1f\x8b\x08", 0},
    {"/transferbomb", OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", "4\r\n\x1f\x8b\x08\x01\r\n", 0},
    {"/secondbomb", OK_HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
        "4\r\n\x1f\x8b\x08\x01\r\n", 0},
    {"/headers", OK_HEAD, "X-Fill: 0123456789abcdef0123456789abcdef\r\n", 0},
    {"/header", OK_HEAD "X-Fill: ", "0123456789abcdef0123456789abcdef0123456789abcdef", 0},
    {"/continues", "", "HTTP/1.1 100 Continue\r\n\r\n", 0},
    {"/short", OK_HEAD "Content-Length: 1000\r\n\r\nshort", NULL, 0},
    {"/garbage", "SSH-2.0-OpenSSH_9.2\r\n", NULL, 0},
    {"/nothing", "", NULL, 0},
    /* slow ones */
    {"/drip", OK_HEAD "\r\n", "x", 200},
    {"/headerdrip", OK_HEAD "X-Fill: ", "x", 200},
    {"/silent", "", "", 1000},
    {"/trickle", OK_HEAD "\r\n", FILL_1K FILL_1K FILL_1K FILL_1K, 200},
};

static bool serve_page(struct web_client *client, const char *path)
{
    for (size_t i = 0; i < LENGTH_OF(pages); i++) {
        const struct page *page = &pages[i];
        if (strcmp(page->path, path) != 0)
            continue;
        if (page->repeated)
            repeat(client, page->head, page->repeated, page->pause_ms);
        else
            (void)web_puts(client, page->head);
        return true;
    }
    return false;
}

static const char *behind(const char *path, const char *prefix)
{
    const size_t len = strlen(prefix);
    return strncmp(path, prefix, len) == 0 ? path + len : NULL;
}

static void serve(struct web_client *client, const char *path)
{
    const char *rest;
    if (strcmp(path, "/ok") == 0 || behind(path, "/a%20report.txt")) {
        serve_ok(client);
    } else if ((rest = behind(path, "/redirect/"))) {
        redirect(client, rest);
    } else if ((rest = behind(path, "/chain/"))) {
        char *next = *rest == '1' ? xstrdup("../ok") : xasprintf("/chain/%d", atoi(rest) - 1);
        redirect(client, next);
        free(next);
    } else if (strcmp(path, "/loop") == 0) {
        redirect(client, "/loop");
    } else if ((rest = behind(path, "/bytes/"))) {
        serve_bytes(client, (size_t)atoi(rest), strstr(rest, "chunked") != NULL);
    } else if ((rest = behind(path, "/type/"))) {
        char *type = xasprintf("Content-Type: %s\r\n", rest);
        answer(client, "200 OK", type, "MZ");
        free(type);
    } else if (!serve_page(client, path)) {
        answer(client, "404 Not Found", "", "no such page");
    }
}

/* ---- the rig ---- */

static struct relay_process *relay;
static char *alice, *bob;

static void start_with(const char *setting)
{
    char *ca = xasprintf("PATCHCORD_CA_FILE=%s", web_ca_file());
    /* None of these is to be heeded. */
    const char *const env[] = {ca, "https_proxy=http://10.0.0.9:80", "ALL_PROXY=socks5://10.0.0.9:80",
        "HTTPS_PROXY=http://10.0.0.9:80", setting ? setting : "PATCHCORD_ATTACHMENT_MAX_BYTES=100000", NULL};
    relay = relay_start(NULL, env);
    free(ca);
    alice = relay_token(relay, "alice@team");
    bob = relay_token(relay, "bob@team");
}

static void setup(void)
{
    fill_tables();
    web_start(names, hosts, serve);
    start_with(NULL);
}

static void teardown(void)
{
    const char *where;
    ck_assert_msg(web_connections_elsewhere(public_addresses, &where) == 0, "%s was connected to", where);
    ck_assert_msg(web_is_quiet(harness_patience(5000)), "the relay keeps a connection");
    free(alice);
    free(bob);
}

static char *args_for(const char *url, const char *to)
{
    return xasprintf("{\"url\": \"%s\", \"to\": \"%s\"}", url, to);
}

static void assert_refused(const char *url, const char *said)
{
    bool is_error = false;
    char *args = args_for(url, ""), *text = mcp_tool(relay, alice, "relay_url", args, &is_error);
    const char *where;
    ck_assert_msg(is_error, "%s was fetched: %s", url, text);
    ck_assert_msg(strstr(text, said) != NULL, "%s: no \"%s\" in: %s", url, said, text);
    ck_assert_msg(
        web_connections_elsewhere(public_addresses, &where) == 0, "%s led to a connection to %s", url, where);
    free(text);
    free(args);
}

/* The path in "Stored path". The caller frees. */
static char *stored_path(const char *text)
{
    const char *at = strstr(text, "Stored ");
    ck_assert_msg(at != NULL, "nothing was stored: %s", text);
    at += strlen("Stored ");
    return xmemdup_text(at, strcspn(at, "\n"));
}

static void assert_stored(const char *url, const char *wanted)
{
    char *args = args_for(url, ""), *text = tool_ok(relay, alice, "relay_url", args);
    char *path = stored_path(text);
    ck_assert_msg(strstr(text, wanted) != NULL, "no \"%s\" in: %s", wanted, text);
    char *get = xasprintf("{\"path\": \"%s\"}", path);
    free(tool_ok(relay, alice, "get_attachment", get));
    free(get);
    free(path);
    free(text);
    free(args);
}

/* ---- tests ---- */

START_TEST(a_file_is_fetched_stored_and_announced)
{
    tool_says(relay, alice, "relay_url",
        "{\"url\": \"https://files.test/a%20report.txt?key=secret#part\", \"to\": \"bob\"}", "Sent to bob [");
    char *text = tool_ok(relay, bob, "inbox", "{}");
    const char *wanted[] = {
        "> File a_report.txt (text/plain, 18 bytes) from https://files.test/a%20report.txt\n",
        "get_attachment(path=\"team/alice/",
        "SHA-256 "
        "d5f3f1ee0a0b6f1e"};
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof digest + 1];
    crypto_hash_sha256(digest, (const unsigned char *)"hello from the web", strlen("hello from the web"));
    wanted[2] = sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    for (size_t i = 0; i < LENGTH_OF(wanted); i++)
        ck_assert_msg(strstr(text, wanted[i]) != NULL, "no %s in: %s", wanted[i], text);
    ck_assert_ptr_null(strstr(text, "secret"));
    char *path = strstr(text, "path=\""),
         *get = path ? xasprintf("{\"path\": \"%.*s\"}", (int)strcspn(path + 6, "\""), path + 6) : NULL;
    ck_assert_ptr_nonnull(get);
    tool_says(relay, bob, "get_attachment", get, "hello from the web");
    free(get);
    free(text);
}
END_TEST

START_TEST(what_is_asked_says_no_more_than_needed)
{
    const char *const never[] = {"\nCookie:", "\nAuthorization:", "\nProxy", "\nReferer:"};
    assert_stored("https://files.test/redirect/https://both.test/ok", "18 bytes");
    for (size_t i = 0; i < LENGTH_OF(never); i++)
        ck_assert_msg(!strcasestr(seen_request, never[i]), "%s", seen_request);
    ck_assert_ptr_nonnull(strstr(seen_request, "\r\nAccept-Encoding: identity\r\n"));
    ck_assert_ptr_nonnull(strstr(seen_request, "\r\nHost: both.test\r\n"));
}
END_TEST

START_TEST(fine_ones)
{
    assert_stored("https://files.test/ok", "18 bytes, text/plain, SHA-256 ");
    assert_stored("https://six.test/ok", "18 bytes");
    assert_stored("HTTPS://FILES.TEST./ok#part", "18 bytes");
    assert_stored("https://files.test/chain/5", "18 bytes");
    assert_stored("https://files.test/empty", "0 bytes");
    assert_stored("https://files.test/type/image/png", "2 bytes, image/png");
    assert_stored("https://files.test/bytes/100000", "100000 bytes");
    assert_stored("https://files.test/bytes/100000.chunked", "100000 bytes");
    assert_refused("https://files.test/bytes/100001", "announces more than 100000 bytes");
    assert_refused("https://files.test/bytes/100001.chunked", "sends more than 100000 bytes");
    tool_says(relay, alice, "relay_url",
        "{\"url\": \"https://files.test/ok\", \"filename\": \"../../etc/pass wd.md\"}",
        "_pass_wd.md\n18 bytes, text/plain");
}
END_TEST

START_TEST(hostile_targets)
{
    for (size_t i = 0; i < LENGTH_OF(hostile); i++)
        assert_refused(hostile[i].url, hostile[i].said);
}
END_TEST

START_TEST(hostile_addresses)
{
    for (size_t i = 0; i < LENGTH_OF(inner_addresses); i++) {
        char *url = xasprintf("https://inner-%zu.test/ok", i);
        assert_refused(url, "public address");
        free(url);
        url = xasprintf(
            strchr(inner_addresses[i], ':') ? "https://[%s]/ok" : "https://%s/ok", inner_addresses[i]);
        assert_refused(url, "public address");
        free(url);
    }
    ck_assert_uint_eq(web_connections(), 0);
}
END_TEST

START_TEST(nothing_is_fetched_for_nobody)
{
    free(tool_ok(relay, bob, "send_message", "{\"to\": \"alice\", \"content\": \"read me first\"}"));
    tool_fails(
        relay, alice, "relay_url", "{\"url\": \"https://files.test/ok\", \"to\": \"bob\"}", "read me first");
    tool_fails(relay, bob, "relay_url", "{\"url\": \"https://files.test/ok\", \"to\": \"carol\"}", "alice");
    tool_fails(relay, bob, "relay_url", "{\"url\": \"https://files.test/ok\", \"to\": \"alice@other\"}",
        "Out of reach");
    tool_fails(relay, bob, "relay_url", "{\"url\": \"https://files.test/ok\", \"to\": \"patchcord\"}",
        "relay itself");
    tool_fails(relay, bob, "relay_url", "{\"url\": \"\"}", "url is empty");
    ck_assert_uint_eq(web_connections(), 0);
    /* Without a recipient there is no gate. */
    assert_stored("https://files.test/ok", "18 bytes");
}
END_TEST

static char *relay_with_id(const char *url)
{
    int status;
    bool is_error = true;
    char *params =
        xasprintf("{\"name\": \"relay_url\", \"arguments\": {\"url\": \"%s\", \"to\": \"bob\"}, "
                  "\"_meta\": {\"patchcord/message-id\": \"01900000-0000-7000-8000-00000000000a\"}}",
            url);
    struct json_object *reply = mcp_request(relay, alice, "tools/call", params, &status);
    char *text = xstrdup(mcp_result_text(reply, &is_error));
    json_object_put(reply);
    free(params);
    return text;
}

START_TEST(a_repeat_is_fetched_and_sent_once)
{
    for (int i = 0; i < 3; i++) {
        char *text = relay_with_id("https://files.test/ok");
        ck_assert_ptr_nonnull(strstr(text, "Sent to bob [01900000-0000-7000-8000-00000000000a]"));
        free(text);
    }
    ck_assert_uint_eq(web_connections(), 1);
    char *text = relay_with_id("https://files.test/chain/1");
    ck_assert_ptr_nonnull(strstr(text, "id was used for another message"));
    free(text);
    ck_assert_uint_eq(web_connections(), 1);
    tool_says(relay, bob, "inbox", "{}", "1 pending");
}
END_TEST

START_TEST(through_a_bridge)
{
    bool is_error = true;
    struct bridge_process *bridge = bridge_start(relay, alice, NULL);
    char *text =
        bridge_tool(bridge, "relay_url", "{\"url\": \"https://files.test/ok\", \"to\": \"bob\"}", &is_error);
    ck_assert_msg(!is_error && strstr(text, "Sent to bob ["), "%s", text);
    free(text);
    text = bridge_tool(bridge, "relay_url", "{\"url\": \"https://10.0.0.1/ok\"}", &is_error);
    ck_assert_msg(is_error && strstr(text, "public address"), "%s", text);
    free(text);
    ck_assert_int_eq(bridge_end(bridge), 0);
}
END_TEST

START_TEST(under_its_older_name)
{
    tool_says(relay, alice, "attachment", "{\"path_or_url\": \"https://files.test/ok\", \"relay\": true}",
        "18 bytes, text/plain");
    tool_fails(relay, alice, "attachment", "{\"path_or_url\": \"https://127.0.0.1/ok\", \"relay\": true}",
        "public address");
}
END_TEST

static int64_t number_in(struct json_object *holder, const char *key)
{
    int64_t number = -1;
    ck_assert_int_eq(json_get_int(holder, key, &number), JSON_FIELD_FOUND);
    return number;
}

START_TEST(results_for_programs)
{
    int status;
    struct json_object *result = NULL, *out = NULL;
    struct json_object *reply = mcp_request(relay, alice, "tools/call",
        "{\"name\": \"relay_url\", \"arguments\": {\"url\": \"https://files.test/ok\", \"to\": \"bob\"}, "
        "\"_meta\": {\"patchcord/structured\": true}}",
        &status);
    ck_assert_int_eq(json_get_object(reply, "result", &result), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(result, "structuredContent", &out), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(out, "status", ""), "sent");
    ck_assert_str_eq(json_text_or(out, "to", ""), "bob");
    ck_assert_str_eq(json_text_or(out, "mime_type", ""), "text/plain");
    ck_assert_uint_eq(strlen(json_text_or(out, "message_id", "")), 36);
    ck_assert_uint_eq(strlen(json_text_or(out, "sha256", "")), 64);
    ck_assert_int_eq(number_in(out, "size"), 18);
    json_object_put(reply);
}
END_TEST

/* Not trusted is what no authority vouches for that the operator named. */
START_TEST(authorities_are_the_systems_without_a_setting)
{
    static const char *const env[] = {NULL};
    struct relay_process *strict = relay_start(NULL, env);
    char *token = relay_token(strict, "alice@team");
    tool_fails(strict, token, "relay_url", "{\"url\": \"https://files.test/ok\"}", "certificate");
    free(token);
}
END_TEST

START_TEST(a_full_namespace_takes_nothing)
{
    free(alice);
    free(bob);
    start_with("PATCHCORD_ATTACHMENT_QUOTA_BYTES=50000");
    assert_refused("https://files.test/bytes/60000", "Not stored");
    assert_refused("https://files.test/bytes/60000.chunked", "Not stored");
    assert_stored("https://files.test/bytes/40000", "40000 bytes");
    assert_refused("https://files.test/bytes/40000", "Not stored");
}
END_TEST

/* ---- slow ones: all at once, since each takes its time ---- */

/* By when each has to end: the least speed and the connection have 10 s, all of it 30 s. */
enum { SOON_MS = 18 * 1000, LATE_MS = 40 * 1000 };
static const struct slow {
    const char *agent, *url;
    int limit_ms;
} slow[] = {
    {"s1@team", "https://files.test/drip", SOON_MS},
    {"s1@team", "https://files.test/headerdrip", SOON_MS},
    {"s2@team", "https://files.test/silent", SOON_MS},
    {"s3@team", "https://files.test:8443/", SOON_MS},
    {"s2@team", "https://files.test/trickle", LATE_MS},
};

static struct open_call *begin(const char *token, const char *url)
{
    char *params = xasprintf("{\"name\": \"relay_url\", \"arguments\": {\"url\": \"%s\"}}", url);
    struct open_call *call = call_begin(relay, token, "tools/call", params, NULL);
    free(params);
    return call;
}

START_TEST(slow_targets_are_bounded)
{
    struct open_call *calls[LENGTH_OF(slow)];
    const int64_t began_us = now_us();
    for (size_t i = 0; i < LENGTH_OF(slow); i++) {
        char *token = relay_token(relay, slow[i].agent);
        calls[i] = begin(token, slow[i].url);
        free(token);
    }
    for (size_t i = 0; i < LENGTH_OF(slow); i++) {
        const int64_t left_us = began_us + (int64_t)slow[i].limit_ms * 1000 - now_us();
        ck_assert_msg(call_hears(calls[i], "is too slow", harness_patience((int)(left_us / 1000))), "%s: %s",
            slow[i].url, call_heard(calls[i]));
        call_end(calls[i]);
    }
}
END_TEST

static bool two_came(void *arg)
{
    (void)arg;
    return web_connections() >= 2;
}

START_TEST(an_agent_has_two_fetches_at_once_and_none_outlives_the_relay)
{
    struct open_call *first = begin(alice, "https://files.test/trickle"),
                     *second = begin(alice, "https://files.test/trickle");
    ck_assert(poll_until(two_came, NULL, harness_patience(5000)));
    assert_refused("https://files.test/ok", "under way");
    const int64_t began_us = now_us();
    ck_assert_int_eq(relay_stop(relay), 0);
    ck_assert_int_lt(now_us() - began_us, (int64_t)harness_patience(5000) * 1000);
    ck_assert(call_hears(first, "ending", 1000));
    ck_assert(call_hears(second, "ending", 1000));
    call_end(first);
    call_end(second);
}
END_TEST

START_TEST(a_bad_authority_stops_the_start)
{
    const char *const argv[] = {"patchcord-relay", "serve", NULL};
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", temp_folder());
    const char *const env[] = {data, "PATCHCORD_PORT=0", "PATCHCORD_CA_FILE=/nonexistent.pem", NULL};
    struct program_result result;
    run_program(argv, env, NULL, 10000, &result);
    ck_assert_int_eq(result.exit_code, 1);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.err), "PATCHCORD_CA_FILE"));
    program_result_free(&result);
    free(data);
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const tests[] = {a_file_is_fetched_stored_and_announced,
        what_is_asked_says_no_more_than_needed, fine_ones, hostile_targets, hostile_addresses,
        nothing_is_fetched_for_nobody, a_repeat_is_fetched_and_sent_once, through_a_bridge,
        under_its_older_name, results_for_programs, authorities_are_the_systems_without_a_setting,
        a_full_namespace_takes_nothing, slow_targets_are_bounded,
        an_agent_has_two_fetches_at_once_and_none_outlives_the_relay, a_bad_authority_stops_the_start};
    Suite *suite = suite_create("fetch");
    TCase *tcase = harness_case(suite, "relay_url");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < LENGTH_OF(tests); i++)
        tcase_add_test(tcase, tests[i]);
    return suite;
}

int main(void)
{
    if (harness_skips_supabase("the project is not in the network of these tests"))
        return EXIT_SUCCESS;
    struct buf why = {0};
    if (web_enter(&why))
        return run_suite(make_suite());
    printf("SKIPPED: relay_url against hostile targets: %s\n", buf_text(&why));
    buf_free(&why);
    return EXIT_SUCCESS;
}
