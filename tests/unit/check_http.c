/* What the server makes of requests, good and bad, over real sockets. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "http_rig.h"
#include "unit.h"

enum { MEGABYTE = 1024 * 1024, ECHO_MAX = 1000 };

static void setup(void)
{
    rig_start(NULL, NULL);
}

static void teardown(void)
{
    rig_stop();
}

static int once(const char *text)
{
    return rig_once(text, strlen(text), NULL);
}

/* One request on an open connection; its status. */
static int ask(int fd, const char *text)
{
    rig_send(fd, text);
    return rig_answer(fd, NULL, NULL);
}

START_TEST(answers_and_keeps_the_connection)
{
    int fd = rig_connect();
    struct buf head = {0}, body = {0};

    for (int i = 0; i < 3; i++) {
        rig_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        ck_assert_int_eq(rig_answer(fd, &head, &body), 200);
    }
    ck_assert_str_eq(buf_text(&body), "hellohellohello");
    ck_assert_ptr_nonnull(strstr(buf_text(&head), "X-Patchcord-Version: test\r\n"));
    ck_assert_ptr_nonnull(strstr(buf_text(&head), "Server: patchcord/test\r\n"));
    ck_assert_ptr_nonnull(strstr(buf_text(&head), "X-Request-Id: "));
    ck_assert_ptr_nonnull(strstr(buf_text(&head), "Content-Type: text/plain\r\n"));
    ck_assert_int_eq(atomic_load(&rig.answered), 3);
    buf_free(&head);
    buf_free(&body);
    close(fd);
}
END_TEST

START_TEST(bodies_come_whole_up_to_the_limit)
{
    int fd = rig_connect();
    struct buf head = {0}, body = {0}, request = {0};

    buf_printf(
        &request, "POST /echo?name=a%%20b+c HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", ECHO_MAX);
    for (int i = 0; i < ECHO_MAX; i++)
        buf_putc(&request, 'e');
    rig_send(fd, request.data);
    ck_assert_int_eq(rig_answer(fd, &head, &body), 200);
    ck_assert_uint_eq(body.len, ECHO_MAX);
    ck_assert_ptr_nonnull(strstr(buf_text(&head), "X-Name: a b c\r\n"));

    buf_reset(&body);
    rig_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    ck_assert_int_eq(rig_answer(fd, NULL, &body), 200);
    ck_assert_str_eq(buf_text(&body), "abcde");

    ck_assert_int_eq(ask(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), 200);
    close(fd);

    ck_assert_int_eq(once("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"), 413);
    buf_free(&head);
    buf_free(&body);
    buf_free(&request);
}
END_TEST

/* An announced length is refused unread; a client that sends all the same, without reading, still gets the
 * answer. */
START_TEST(hundred_megabytes_are_refused)
{
    ck_assert_int_eq(once("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n"), 413);
    ck_assert_int_eq(
        once("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"), 413);

    struct buf request = {0};
    buf_puts(&request, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n");
    memset(buf_reserve(&request, 3 * MEGABYTE), 'x', 3 * MEGABYTE);
    request.len += 3 * MEGABYTE;
    ck_assert_int_eq(rig_once(request.data, request.len, NULL), 413);

    buf_reset(&request);
    buf_puts(&request, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6400000\r\n");
    memset(buf_reserve(&request, 3 * MEGABYTE), 'x', 3 * MEGABYTE);
    request.len += 3 * MEGABYTE;
    struct buf answer = {0};
    ck_assert_int_eq(rig_once(request.data, request.len, &answer), 413);
    ck_assert_ptr_nonnull(strstr(buf_text(&answer), "\"error\":\"payload_too_large\""));
    ck_assert_ptr_nonnull(strstr(buf_text(&answer), "X-Request-Id: "));
    buf_free(&answer);
    buf_free(&request);
    ck_assert_int_eq(once("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
}
END_TEST

START_TEST(expect_continue)
{
    int fd = rig_connect();
    struct buf got = {0}, body = {0};

    rig_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    ck_assert(rig_read_until(fd, "100 Continue\r\n\r\n", &got));
    rig_send(fd, "ok");
    ck_assert_int_eq(rig_answer(fd, NULL, &body), 200);
    ck_assert_str_eq(buf_text(&body), "ok");
    close(fd);
    buf_free(&got);
    buf_free(&body);
    ck_assert_int_eq(
        once("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\nExpect: 100-continue\r\n\r\n"), 413);
}
END_TEST

/* A header block of the size that serves, and ones beyond all measure. */
START_TEST(long_headers)
{
    struct buf request = {0}, answer = {0};
    buf_puts(&request, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ");
    for (int i = 0; i < 5000; i++)
        buf_putc(&request, 'h');
    buf_puts(&request, "\r\n\r\n");
    ck_assert_int_eq(rig_once(request.data, request.len, NULL), 200);

    buf_reset(&request);
    buf_puts(&request, "GET /hello HTTP/1.1\r\nHost: x\r\nX: ");
    for (int i = 0; i < MEGABYTE; i++)
        buf_putc(&request, 'h');
    ck_assert_int_eq(rig_once(request.data, request.len, NULL), 431);

    buf_reset(&request);
    buf_puts(&request, "GET /hello HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 50000; i++)
        buf_printf(&request, "X-%d: %d\r\n", i, i);
    ck_assert_int_eq(rig_once(request.data, request.len, NULL), 431);

    buf_reset(&request);
    buf_puts(&request, "GET /");
    for (int i = 0; i < MEGABYTE; i++)
        buf_putc(&request, 'u');
    ck_assert_int_eq(rig_once(request.data, request.len, &answer), 414);
    ck_assert_int_eq(once("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
    buf_free(&request);
    buf_free(&answer);
}
END_TEST

static const struct {
    const char *what, *request;
    int status;
} bad[] = {
    {"lengths that differ",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 400},
    {"lengths that differ, the first zero",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 3\r\n\r\nabc", 400},
    {"a list of lengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 3\r\n\r\nabc", 400},
    {"a signed length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\nab", 400},
    {"a negative length", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\nab", 400},
    {"length and chunks",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400},
    {"chunks and length",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        400},
    {"another coding", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        400},
    {"two codings",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
        "identity\r\n\r\n0\r\n\r\n",
        400},
    {"a space in a name", "GET /hello HTTP/1.1\r\nHost: x\r\nX Y: 1\r\n\r\n", 400},
    {"a space behind a name", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc", 400},
    {"no name", "GET /hello HTTP/1.1\r\nHost: x\r\n: 1\r\n\r\n", 400},
    {"no name, and what follows is no request",
        "GET /hello HTTP/1.1\r\nHost: x\r\n: 1\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"a folded line", "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nZ: 1\r\n\r\n", 400},
    {"bare line feeds", "GET /hello HTTP/1.1\nHost: x\nX: 1\n\n", 400},
    {"no colon", "GET /hello HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n", 400},
    {"a control character in a value", "GET /hello HTTP/1.1\r\nHost: x\r\nX: a\x01z\r\n\r\n", 400},
    {"no Host", "GET /hello HTTP/1.1\r\n\r\n", 400},
    {"two Hosts", "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
    {"chunks in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"a coding with a blank behind it",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 400},
    {"a malformed escape", "GET /hel%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"an encoded NUL", "GET /hello%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"an encoded NUL in the query", "GET /hello?a=%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"a target that is none", "GET hello HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"a chunk size that is none",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", 400},
};

START_TEST(bad_requests)
{
    int status = once(bad[_i].request);
    ck_assert_msg(status == bad[_i].status, "%s: %d", bad[_i].what, status);
    ck_assert_int_eq(once("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
}
END_TEST

/* Zero bytes, which no C string in a table can hold. */
START_TEST(zero_bytes)
{
    static const char in_name[] = "GET /hello HTTP/1.1\r\nHost: x\r\nX\0Y: 1\r\n\r\n";
    static const char in_value[] = "GET /hello HTTP/1.1\r\nHost: x\r\nX: 1\0Y\r\nZ: 1\r\n\r\n";
    static const char in_last_value[] = "GET /hello HTTP/1.1\r\nHost: x\r\nX: 1\0Y\r\n\r\n";
    ck_assert_int_eq(rig_once(in_name, sizeof in_name - 1, NULL), 400);
    ck_assert_int_eq(rig_once(in_value, sizeof in_value - 1, NULL), 400);
    ck_assert_int_eq(rig_once(in_last_value, sizeof in_last_value - 1, NULL), 400);
}
END_TEST

/* White space around values, empty ones, and empty lines before the request are as they should be. */
START_TEST(odd_but_good_headers)
{
    ck_assert_int_eq(
        once("\r\n\r\nGET /hello?a&b=&=c&& HTTP/1.1\r\nHost:x\r\nCookie: a=b; c=d\r\nX:  1 \r\nE:\r\n"
             "Connection: close\r\nT:\t2\t \r\n\r\n"),
        200);
}
END_TEST

START_TEST(routes)
{
    struct buf answer = {0};
    int fd = rig_connect();
    ck_assert_int_eq(ask(fd, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
    ck_assert_int_eq(ask(fd, "GET /hello/ HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
    ck_assert_int_eq(ask(fd, "GET /files/ HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
    ck_assert_int_eq(ask(fd, "GET /files/a/b HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    ck_assert_int_eq(ask(fd, "GET http://x/hello HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    ck_assert_int_eq(ask(fd, "GET /%68ello HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    ck_assert_int_eq(ask(fd, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"), 500);
    close(fd);
    static const char wrong_method[] = "DELETE /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ck_assert_int_eq(rig_once(wrong_method, strlen(wrong_method), &answer), 405);
    ck_assert_ptr_nonnull(strstr(buf_text(&answer), "Allow: POST, PUT\r\n"));
    ck_assert_ptr_nonnull(strstr(buf_text(&answer), "{\"error\":\"method_not_allowed\""));
    buf_free(&answer);
}
END_TEST

START_TEST(head_has_no_body)
{
    struct buf answer = {0};
    static const char head[] = "HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ck_assert_int_eq(rig_once(head, strlen(head), &answer), 200);
    ck_assert_ptr_nonnull(strstr(buf_text(&answer), "Content-Length: 5\r\n"));
    ck_assert_str_eq(strstr(buf_text(&answer), "\r\n\r\n"), "\r\n\r\n");

    buf_reset(&answer);
    static const char stream[] = "HEAD /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ck_assert_int_eq(rig_once(stream, strlen(stream), &answer), 200);
    ck_assert_ptr_nonnull(strstr(buf_text(&answer), "Content-Type: text/event-stream\r\n"));
    buf_free(&answer);
}
END_TEST

START_TEST(old_http)
{
    struct buf answer = {0};
    static const char old[] = "GET /hello HTTP/1.0\r\n\r\n";
    ck_assert_int_eq(rig_once(old, strlen(old), &answer), 200);
    ck_assert_ptr_nonnull(strstr(buf_text(&answer), "\r\n\r\nhello"));
    buf_free(&answer);
}
END_TEST

/* Sends text, then a byte every now and then until the server closes; how long that took, or -1 after 5 s. */
static int64_t drip(int fd, const char *text)
{
    int64_t began = clock_mono_ms();
    struct timeval pace = {.tv_usec = 200 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pace, sizeof pace);
    rig_send(fd, text);
    while (clock_mono_ms() - began < 5000) {
        char byte;
        if (send(fd, "G", 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) == 0)
            return clock_mono_ms() - began;
    }
    return -1;
}

/* A byte every now and then keeps no connection alive: not in its first request's header, nor a later one's.
 */
START_TEST(dripping_header_is_cut_off)
{
    int fd = rig_connect();
    int64_t took = drip(fd, "G");
    ck_assert_int_ge(took, RIG_HEADER_MS - 100);
    ck_assert_int_le(took, 2 * RIG_HEADER_MS);
    close(fd);

    fd = rig_connect();
    ck_assert_int_eq(ask(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    took = drip(fd, "GET /hello HTTP/1.1\r\nX: ");
    ck_assert_int_ge(took, RIG_HEADER_MS - 100);
    ck_assert_int_le(took, 2 * RIG_HEADER_MS);
    close(fd);
}
END_TEST

/* Nor in a body; what comes at 16 KB a second and more is waited for. */
START_TEST(dripping_body_is_cut_off)
{
    int fd = rig_connect();
    int64_t took = drip(fd, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    ck_assert_int_ge(took, RIG_BODY_MS - 100);
    ck_assert_int_le(took, 2 * RIG_BODY_MS);
    close(fd);

    fd = rig_connect();
    struct buf part = {0};
    memset(buf_reserve(&part, 20000), 'p', 20000);
    part.len += 20000;
    buf_putc(&part, '\0');
    rig_send(fd, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 80000\r\n\r\n");
    for (int i = 0; i < 4; i++) {
        rig_send(fd, part.data);
        poll(NULL, 0, 600);
    }
    ck_assert_int_eq(rig_answer(fd, NULL, NULL), 200);
    close(fd);
    buf_free(&part);
}
END_TEST

/* Those beyond the limit wait, and are served when others go: also where those waiting have gone, too, so
 * that the limit is reached and left once more in one turn of the loop. */
START_TEST(full_is_not_for_ever)
{
    enum { CLIENTS = 3 * RIG_CONNECTIONS };
    int fds[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++)
        fds[i] = rig_connect();
    ck_assert_int_eq(ask(fds[0], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    for (size_t i = 0; i < CLIENTS; i++)
        close(fds[i]);
    ck_assert_int_eq(once("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
}
END_TEST

/* What the client leaves behind is not kept until a time-out, also where its end comes together with bytes.
 */
START_TEST(who_hangs_up_leaves_nothing)
{
    static const char *const begun[] = {
        "G", "GET /hello HTTP/1.1\r\nHost", "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"};
    for (size_t i = 0; i < LENGTH_OF(begun); i++) {
        int fd = rig_connect(), on = 1;
        char byte;
        ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
        int64_t began = clock_mono_ms();
        rig_send(fd, begun[i]);
        shutdown(fd, SHUT_WR);
        ck_assert_int_le(recv(fd, &byte, 1, 0), 0);
        ck_assert_int_le(clock_mono_ms() - began, (RIG_IDLE_S - 1) * 1000);
        close(fd);
    }
}
END_TEST

/* The header's deadline is no limit for a connection that has nothing to ask; the idle time-out is. */
START_TEST(idle_connections)
{
    int fd = rig_connect(), silent = rig_connect();
    char byte;
    ck_assert_int_eq(ask(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    poll(NULL, 0, 2 * RIG_HEADER_MS);
    ck_assert_int_eq(ask(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    int64_t began = clock_mono_ms();
    ck_assert_int_eq(recv(silent, &byte, 1, 0), 0);
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
    ck_assert_int_ge(clock_mono_ms() - began, (RIG_IDLE_S - 1) * 1000);
    ck_assert_int_le(clock_mono_ms() - began, (RIG_IDLE_S + 2) * 1000);
    close(fd);
    close(silent);
}
END_TEST

#define KNOWN "X-Known: 1\r\n"

/* A body of that size from 127.0.0.<host>, but for its last byte. */
static int hold(unsigned host, const char *header, const char *bytes, size_t len)
{
    int fd = rig_connect_from(host);
    char *head = xasprintf("PUT /echo HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n", header, len);
    rig_send(fd, head);
    for (size_t sent = 0; sent < len - 1;) {
        ssize_t now = send(fd, bytes + sent, len - 1 - sent, MSG_NOSIGNAL);
        ck_assert_int_gt(now, 0);
        sent += (size_t)now;
    }
    free(head);
    return fd;
}

static int ask_from(unsigned host, const char *text)
{
    int fd = rig_connect_from(host), status = ask(fd, text);
    close(fd);
    return status;
}

static void let_go(int fd)
{
    rig_send(fd, "f");
    ck_assert_int_eq(rig_answer(fd, NULL, NULL), 200);
    close(fd);
}

/* The holders' last bytes may still be on their way. */
static void expect_busy(const char *request, struct buf *answer)
{
    int64_t until = clock_mono_ms() + 5000;
    int status;
    do {
        buf_reset(answer);
        status = rig_once(request, strlen(request), answer);
    } while (status != 503 && clock_mono_ms() < until);
    ck_assert_int_eq(status, 503);
    ck_assert_ptr_nonnull(strstr(buf_text(answer), "Retry-After: "));
}

/* All bodies that are being received share one limit. Strangers have half of it, and each address of theirs a
 * part of that; who is known has what is left. */
START_TEST(bodies_have_a_limit_together)
{
    enum { FULL = RIG_BODIES_BYTES / HTTP_BODIES_SHARE, FIRST_HOST = 2 };
    enum { HOLDERS = HTTP_BODIES_SHARE / HTTP_BODIES_STRANGERS, KNOWN_HOLDERS = HTTP_BODIES_SHARE - HOLDERS };
    int fds[HOLDERS], known_fds[KNOWN_HOLDERS];
    char *bytes = xmalloc(FULL);
    memset(bytes, 'f', FULL);
    for (unsigned i = 0; i < HOLDERS; i++)
        fds[i] = hold(FIRST_HOST + i, "", bytes, FULL);
    struct buf answer = {0};
    static const char sized[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n";
    static const char sized_known[] =
        "POST /echo HTTP/1.1\r\nHost: x\r\n" KNOWN "Content-Length: 900\r\n\r\n";
    static const char sized_whole[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok";
    static const char chunked[] = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect_busy(sized, &answer);
    buf_reset(&answer);
    buf_puts(&answer, chunked);
    buf_printf(&answer, "100\r\n%0256d\r\n", 0);
    ck_assert_int_eq(rig_once(answer.data, answer.len, NULL), 503);
    for (size_t i = 0; i < KNOWN_HOLDERS; i++)
        known_fds[i] = hold(FIRST_HOST, KNOWN, bytes, FULL);
    expect_busy(sized_known, &answer);
    for (size_t i = 0; i < KNOWN_HOLDERS; i++)
        let_go(known_fds[i]);

    for (int i = 0; i < HOLDERS; i++) {
        /* The last one has its part only. */
        if (i == HOLDERS - 1) {
            ck_assert_int_eq(ask_from(FIRST_HOST, sized_whole), 200);
            ck_assert_int_eq(ask_from(FIRST_HOST + HOLDERS - 1, sized_whole), 503);
        }
        let_go(fds[i]);
    }
    ck_assert_int_eq(
        once("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"), 200);
    free(bytes);
    buf_free(&answer);
}
END_TEST

/* Connections over the limit wait until there is room. */
START_TEST(connections_have_a_limit)
{
    int fds[RIG_CONNECTIONS];
    for (int i = 0; i < RIG_CONNECTIONS; i++) {
        fds[i] = rig_connect();
        ck_assert_int_eq(ask(fds[i], "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    }
    int one_more = rig_connect();
    struct pollfd silence = {.fd = one_more, .events = POLLIN};
    rig_send(one_more, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(poll(&silence, 1, 100), 0);
    close(fds[0]);
    ck_assert_int_eq(rig_answer(one_more, NULL, NULL), 200);
    for (int i = 1; i < RIG_CONNECTIONS; i++)
        close(fds[i]);
    close(one_more);
}
END_TEST

START_TEST(many_clients_at_once)
{
    enum { CLIENTS = 200, ROUNDS = 20 };
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = rig_connect();
    for (int round = 0; round < ROUNDS; round++) {
        char request[128];
        for (int i = 0; i < CLIENTS; i++) {
            snprintf(request, sizeof request,
                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n%08d", round * CLIENTS + i);
            rig_send(fds[i], request);
        }
        for (int i = 0; i < CLIENTS; i++) {
            struct buf body = {0};
            snprintf(request, sizeof request, "%08d", round * CLIENTS + i);
            ck_assert_int_eq(rig_answer(fds[i], NULL, &body), 200);
            ck_assert_str_eq(buf_text(&body), request);
            buf_free(&body);
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
}
END_TEST

START_TEST(pipelined_requests)
{
    int fd = rig_connect();
    rig_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /big?bytes=3 HTTP/1.1\r\nHost: x\r\n\r\n"
                 "GET /none HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(rig_answer(fd, NULL, NULL), 200);
    ck_assert_int_eq(rig_answer(fd, NULL, NULL), 200);
    ck_assert_int_eq(rig_answer(fd, NULL, NULL), 404);
    close(fd);
}
END_TEST

START_TEST(handlers_own_headers_hold_no_line_ends)
{
    struct buf head = {0};
    int fd = rig_connect();
    rig_send(fd, "PUT /echo?name=a%0d%0aX-Evil:1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    ck_assert_int_eq(rig_answer(fd, &head, NULL), 200);
    ck_assert_ptr_null(strstr(buf_text(&head), "X-Evil"));
    buf_free(&head);
    close(fd);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("http", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 40);
    tcase_add_test(tests, answers_and_keeps_the_connection);
    tcase_add_test(tests, bodies_come_whole_up_to_the_limit);
    tcase_add_test(tests, hundred_megabytes_are_refused);
    tcase_add_test(tests, expect_continue);
    tcase_add_test(tests, long_headers);
    tcase_add_loop_test(tests, bad_requests, 0, (int)LENGTH_OF(bad));
    tcase_add_test(tests, zero_bytes);
    tcase_add_test(tests, odd_but_good_headers);
    tcase_add_test(tests, routes);
    tcase_add_test(tests, head_has_no_body);
    tcase_add_test(tests, old_http);
    tcase_add_test(tests, dripping_header_is_cut_off);
    tcase_add_test(tests, dripping_body_is_cut_off);
    tcase_add_test(tests, full_is_not_for_ever);
    tcase_add_test(tests, who_hangs_up_leaves_nothing);
    tcase_add_test(tests, idle_connections);
    tcase_add_test(tests, bodies_have_a_limit_together);
    tcase_add_test(tests, connections_have_a_limit);
    tcase_add_test(tests, many_clients_at_once);
    tcase_add_test(tests, pipelined_requests);
    tcase_add_test(tests, handlers_own_headers_hold_no_line_ends);
    return run_unit(suite);
}
