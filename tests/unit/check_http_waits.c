/* Exchanges that wait, clients that go, streams, and the end of the server. */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "http_rig.h"
#include "unit.h"

enum { SOON_MS = 3000, AT_ONCE_MS = 100 };

static void setup(void)
{
    rig_start(NULL, NULL);
}

static void teardown(void)
{
    rig_stop();
}

static int park(const char *query)
{
    char request[128];
    size_t before = parking_count(http_server_parking(rig.server));
    int fd = rig_connect();
    snprintf(request, sizeof request, "GET /wait?%s HTTP/1.1\r\nHost: x\r\n\r\n", query);
    rig_send(fd, request);
    ck_assert(rig_parked(before + 1, SOON_MS));
    return fd;
}

/* Reads the next answer's text. */
static void expect_text(int fd, const char *text)
{
    struct buf body = {0};
    ck_assert_int_eq(rig_answer(fd, NULL, &body), 200);
    ck_assert_str_eq(buf_text(&body), text);
    buf_free(&body);
}

static bool is_silent(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 0;
}

static void notify(const char *key)
{
    parking_notify(http_server_parking(rig.server), key);
}

START_TEST(a_notification_ends_the_wait)
{
    int fd = park("key=a");
    ck_assert(parking_is_waiting(http_server_parking(rig.server), "a"));
    notify("b");
    notify("a");
    expect_text(fd, "news");
    ck_assert(rig_reaches(&rig.delivered, 1, SOON_MS));
    ck_assert_int_eq(atomic_load(&rig.lost), 0);
    ck_assert_int_eq(atomic_load(&rig.runs), 2);
    close(fd);
}
END_TEST

START_TEST(a_deadline_ends_the_wait)
{
    int fd = rig_connect();
    int64_t began = clock_mono_ms();
    rig_send(fd, "GET /wait?key=a&ms=50 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_text(fd, "deadline");
    ck_assert_int_ge(clock_mono_ms() - began, 49);
    rig_send(fd, "GET /wait?key=a&ms=-5 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_text(fd, "deadline");
    close(fd);
}
END_TEST

/* One notification: the oldest of the exclusive, and everybody else. */
START_TEST(exclusive_waits_are_woken_one_at_a_time)
{
    int first = park("key=a"), second = park("key=a"), shared = park("key=a&shared=1");
    notify("a");
    expect_text(first, "news");
    expect_text(shared, "news");
    ck_assert(is_silent(second));
    notify("a");
    expect_text(second, "news");
    close(first);
    close(second);
    close(shared);
}
END_TEST

/* The body of a request that waits was read and given back: others have its room. */
START_TEST(who_waits_takes_no_room_for_bodies)
{
    enum { WAITS = 3, LARGE = RIG_BODIES_BYTES / HTTP_BODIES_SHARE };
    int fds[WAITS];
    char *bytes = xcalloc(1, LARGE);
    char *head = xasprintf("POST /wait?key=k HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", LARGE);
    for (size_t i = 0; i < WAITS; i++) {
        fds[i] = rig_connect();
        rig_send(fds[i], head);
        for (size_t sent = 0; sent < LARGE;) {
            ssize_t now = send(fds[i], bytes + sent, LARGE - sent, MSG_NOSIGNAL);
            ck_assert_int_gt(now, 0);
            sent += (size_t)now;
        }
        ck_assert(rig_parked(i + 1, SOON_MS));
    }
    for (size_t i = 0; i < WAITS; i++)
        close(fds[i]);
    free(head);
    free(bytes);
}
END_TEST

START_TEST(everybody_is_woken)
{
    int a = park("key=a"), b = park("key=b"), c = park("key=a");
    parking_notify_all(http_server_parking(rig.server));
    expect_text(a, "news");
    expect_text(b, "news");
    expect_text(c, "news");
    close(a);
    close(b);
    close(c);
}
END_TEST

static void expect_lost_at_once(void)
{
    int64_t began = clock_mono_ms();
    ck_assert(rig_reaches(&rig.lost, 1, SOON_MS));
    ck_assert_int_le(clock_mono_ms() - began, AT_ONCE_MS);
    ck_assert_int_eq(atomic_load(&rig.delivered), 0);
    ck_assert(rig_parked(0, SOON_MS));
}

START_TEST(a_client_that_goes_is_noticed)
{
    close(park("key=a"));
    expect_lost_at_once();
}
END_TEST

START_TEST(a_client_that_closes_its_side_is_gone)
{
    int fd = park("key=a");
    shutdown(fd, SHUT_WR);
    expect_lost_at_once();
    char byte;
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
    close(fd);
}
END_TEST

START_TEST(a_connection_that_is_reset_is_gone)
{
    int fd = park("key=a");
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    expect_lost_at_once();
}
END_TEST

/* A worker is at it when the client goes: its result is waited for, then lost. */
START_TEST(a_client_that_goes_during_the_work)
{
    int fd = rig_connect();
    rig_send(fd, "GET /slow?ms=200 HTTP/1.1\r\nHost: x\r\n\r\n");
    poll(NULL, 0, 20);
    close(fd);
    ck_assert(rig_reaches(&rig.lost, 1, SOON_MS));
    ck_assert_int_eq(atomic_load(&rig.delivered), 0);
}
END_TEST

/* The answer still comes, but nobody can know that it was read. */
START_TEST(a_half_closed_client_gets_its_answer)
{
    int fd = rig_connect();
    rig_send(fd, "GET /slow?ms=50 HTTP/1.1\r\nHost: x\r\n\r\n");
    shutdown(fd, SHUT_WR);
    expect_text(fd, "slow");
    ck_assert(rig_reaches(&rig.lost, 1, SOON_MS));
    close(fd);
}
END_TEST

/* Large answers need many writes; the last one counts. */
START_TEST(an_answer_that_is_read_is_delivered)
{
    enum { ANSWER_BYTES = 3000000 };
    int fd = rig_connect();
    for (int i = 1; i <= 3; i++) {
        struct buf body = {0};
        rig_send(fd, "GET /big?bytes=3000000 HTTP/1.1\r\nHost: x\r\n\r\n");
        ck_assert_int_eq(rig_answer(fd, NULL, &body), 200);
        ck_assert_uint_eq(body.len, ANSWER_BYTES);
        ck_assert(rig_reaches(&rig.delivered, i, SOON_MS));
        buf_free(&body);
    }
    ck_assert_int_eq(atomic_load(&rig.lost), 0);
    close(fd);
}
END_TEST

/* The library has sent everything, but it lies in this side's kernel: the client never reads. */
START_TEST(an_answer_that_is_not_read_is_lost)
{
    int fd = rig_connect();
    int64_t began = clock_mono_ms();
    rig_send(fd, "GET /big?bytes=3000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert(rig_reaches(&rig.answered, 1, SOON_MS));

    close(fd);
    ck_assert(rig_reaches(&rig.lost, 1, SOON_MS));

    struct sockaddr_in address;
    socklen_t len = sizeof address;
    int tiny = 2048;
    int stuck = rig_connect();
    ck_assert_int_eq(getpeername(stuck, (struct sockaddr *)&address, &len), 0);
    close(stuck);
    stuck = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(stuck, SOL_SOCKET, SO_RCVBUF, &tiny, sizeof tiny);
    ck_assert_int_eq(connect(stuck, (struct sockaddr *)&address, sizeof address), 0);
    began = clock_mono_ms();
    rig_send(stuck, "GET /big?bytes=20000 HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert(rig_reaches(&rig.lost, 2, RIG_DRAIN_MS + SOON_MS));
    ck_assert_int_ge(clock_mono_ms() - began, RIG_DRAIN_MS - 1);
    ck_assert_int_eq(atomic_load(&rig.delivered), 0);
    close(stuck);
}
END_TEST

/* What an answer settles is done before the same connection's next request looks. */
START_TEST(the_next_request_finds_the_last_one_settled)
{
    int fd = rig_connect();
    for (int i = 1; i <= 3; i++) {
        char expected[16];
        rig_send(fd, "GET /settle?ms=50 HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_text(fd, "ok");
        rig_send(fd, "GET /count HTTP/1.1\r\nHost: x\r\n\r\n");
        snprintf(expected, sizeof expected, "%d", i);
        expect_text(fd, expected);
    }
    close(fd);
}
END_TEST

/* ---- streams ---- */

static int stream(const char *query, struct buf *got)
{
    char request[128];
    int fd = rig_connect();
    snprintf(request, sizeof request, "GET /stream?%s HTTP/1.1\r\nHost: x\r\n\r\n", query);
    rig_send(fd, request);
    ck_assert(rig_read_until(fd, "data: event 0\n\n", got));
    return fd;
}

START_TEST(a_stream_flows_and_ends)
{
    struct buf got = {0};
    int fd = stream("events=3", &got);
    ck_assert_ptr_nonnull(strstr(got.data, "Content-Type: text/event-stream\r\n"));
    ck_assert_ptr_nonnull(strstr(got.data, "X-Accel-Buffering: no\r\n"));
    ck_assert(rig_parked(1, SOON_MS));
    ck_assert(!parking_is_waiting(http_server_parking(rig.server), "stream"));
    notify("stream");
    ck_assert(rig_read_until(fd, "data: event 1\n\n", &got));
    ck_assert(rig_parked(1, SOON_MS));
    notify("stream");
    ck_assert(rig_read_until(fd, "data: event 2\n\n\r\n0\r\n\r\n", &got));
    ck_assert(rig_reaches(&rig.delivered, 1, SOON_MS));
    rig_send(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_text(fd, "hello");
    buf_free(&got);
    close(fd);
}
END_TEST

START_TEST(a_reader_that_leaves_a_stream)
{
    struct buf got = {0};
    int fd = stream("events=9", &got);
    ck_assert(rig_parked(1, SOON_MS));
    close(fd);
    expect_lost_at_once();
    buf_free(&got);
}
END_TEST

/* Nobody reads: the queue is bounded, then the stream is cut off. */
START_TEST(a_stream_that_is_not_read_is_cut_off)
{
    struct buf got = {0};
    int fd = stream("bytes=300000", &got);
    int64_t until = clock_mono_ms() + 2 * SOON_MS;
    while (atomic_load(&rig.lost) == 0 && clock_mono_ms() < until) {
        notify("stream");
        poll(NULL, 0, 1);
    }
    ck_assert_int_eq(atomic_load(&rig.lost), 1);
    buf_free(&got);
    close(fd);
}
END_TEST

/* An ended stream whose last part is not taken counts as any other answer. */
START_TEST(the_end_of_a_stream_is_confirmed_too)
{
    struct buf got = {0};
    int fd = stream("events=2&confirm=1&bytes=200000", &got);
    ck_assert(rig_parked(1, SOON_MS));
    notify("stream");
    ck_assert(rig_read_until(fd, "\r\n0\r\n\r\n", &got));
    ck_assert(rig_reaches(&rig.delivered, 1, SOON_MS));
    close(fd);

    fd = rig_connect();
    int64_t began = clock_mono_ms();
    rig_send(fd, "GET /stream?events=1&confirm=1&bytes=1000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert(rig_reaches(&rig.lost, 1, RIG_DRAIN_MS + SOON_MS));
    ck_assert_int_ge(clock_mono_ms() - began, RIG_DRAIN_MS - 1);
    close(fd);
    buf_free(&got);
}
END_TEST

START_TEST(a_silent_stream_stays_alive)
{
    struct buf got = {0};
    int64_t began = clock_mono_ms();
    int fd = stream("events=9", &got);

    ck_assert(rig_read_until(fd, "\r\n: keep-alive\n\n", &got));
    ck_assert_int_ge(clock_mono_ms() - began, RIG_KEEPALIVE_MS - 1);
    notify("stream");
    ck_assert(rig_read_until(fd, "data: event 1\n\n", &got));
    buf_free(&got);
    close(fd);
}
END_TEST

/* ---- the end ---- */

START_TEST(the_end_wakes_everybody)
{
    struct buf head = {0}, body = {0}, got = {0};
    int waiting = park("key=a"), idle = rig_connect(), stubborn = rig_connect(), slow = rig_connect();
    int streaming = stream("events=9", &got);
    rig_send(idle, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_text(idle, "hello");
    rig_send(stubborn, "GET /stubborn HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert(rig_parked(3, SOON_MS));
    rig_send(slow, "GET /slow?ms=300 HTTP/1.1\r\nHost: x\r\n\r\n");
    poll(NULL, 0, 50);

    ck_assert_int_lt(rig_stop(), 1500);
    ck_assert_int_eq(rig_answer(waiting, &head, &body), 200);
    ck_assert_str_eq(buf_text(&body), "shutdown");
    ck_assert_ptr_nonnull(strstr(buf_text(&head), "Connection: close\r\n"));
    ck_assert_int_eq(rig_answer(stubborn, NULL, NULL), 503);
    expect_text(slow, "slow");
    ck_assert(rig_read_until(streaming, "\r\n0\r\n\r\n", &got));
    ck_assert_int_eq(atomic_load(&rig.delivered), 4);
    ck_assert_int_eq(atomic_load(&rig.lost), 0);
    char byte;
    ck_assert_int_eq(recv(idle, &byte, 1, 0), 0);
    close(waiting);
    close(stubborn);
    close(slow);
    close(streaming);
    close(idle);
    buf_free(&head);
    buf_free(&body);
    buf_free(&got);
}
END_TEST

/* A client that does not read, and a handler that takes its time, hold the end no longer than the grace; both
 * are settled. */
START_TEST(the_end_comes_within_the_grace)
{
    int fd = rig_connect(), slow = rig_connect();
    rig_send(fd, "GET /big?bytes=30000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_send(slow, "GET /slow?ms=3000 HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert(rig_reaches(&rig.answered, 1, SOON_MS));
    ck_assert_int_lt(rig_stop(), rig.grace_ms + AT_ONCE_MS);
    ck_assert_int_eq(atomic_load(&rig.lost), 2);
    ck_assert_int_eq(atomic_load(&rig.delivered), 0);
    close(fd);
    close(slow);
}
END_TEST

START_TEST(a_request_that_never_comes_whole_does_not_hold_the_end)
{
    int fd = rig_connect();
    rig_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    poll(NULL, 0, 50);
    ck_assert_int_lt(rig_stop(), 1500);
    close(fd);
}
END_TEST

START_TEST(sigterm_ends_it)
{
    int fd = park("key=a");
    kill(getpid(), SIGTERM);
    expect_text(fd, "shutdown");
    rig_stop();
    close(fd);
}
END_TEST

/* Notifications and waits race: no wait may sleep through its news. */
static atomic_bool racing;

static void *notify_often(void *arg)
{
    (void)arg;
    while (atomic_load(&racing))
        notify("race");
    return NULL;
}

START_TEST(notifications_and_tickets_race)
{
    enum { WAITERS = 20, ROUNDS = 100 };
    pthread_t thread;
    int fds[WAITERS];
    atomic_store(&racing, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, notify_often, NULL), 0);
    for (int i = 0; i < WAITERS; i++)
        fds[i] = rig_connect();
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WAITERS; i++)
            rig_send(fds[i], "GET /wait?key=race&shared=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        for (int i = 0; i < WAITERS; i++)
            expect_text(fds[i], "news");
    }
    atomic_store(&racing, false);
    pthread_join(thread, NULL);
    for (int i = 0; i < WAITERS; i++)
        close(fds[i]);
}
END_TEST

static void setup_short(void)
{
    rig.grace_ms = 1000;
    setup();
}

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("http waits", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 40);
    tcase_add_test(tests, a_notification_ends_the_wait);
    tcase_add_test(tests, a_deadline_ends_the_wait);
    tcase_add_test(tests, exclusive_waits_are_woken_one_at_a_time);
    tcase_add_test(tests, who_waits_takes_no_room_for_bodies);
    tcase_add_test(tests, everybody_is_woken);
    tcase_add_test(tests, a_client_that_goes_is_noticed);
    tcase_add_test(tests, a_client_that_closes_its_side_is_gone);
    tcase_add_test(tests, a_connection_that_is_reset_is_gone);
    tcase_add_test(tests, a_client_that_goes_during_the_work);
    tcase_add_test(tests, a_half_closed_client_gets_its_answer);
    tcase_add_test(tests, an_answer_that_is_read_is_delivered);
    tcase_add_test(tests, an_answer_that_is_not_read_is_lost);
    tcase_add_test(tests, the_next_request_finds_the_last_one_settled);
    tcase_add_test(tests, a_stream_flows_and_ends);
    tcase_add_test(tests, a_reader_that_leaves_a_stream);
    tcase_add_test(tests, a_stream_that_is_not_read_is_cut_off);
    tcase_add_test(tests, the_end_of_a_stream_is_confirmed_too);
    tcase_add_test(tests, a_silent_stream_stays_alive);
    tcase_add_test(tests, notifications_and_tickets_race);

    TCase *ends = tcase_create("http end");
    tcase_add_checked_fixture(ends, setup, NULL);
    tcase_set_timeout(ends, 40);
    suite_add_tcase(suite, ends);
    tcase_add_test(ends, the_end_wakes_everybody);
    tcase_add_test(ends, a_request_that_never_comes_whole_does_not_hold_the_end);
    tcase_add_test(ends, sigterm_ends_it);

    TCase *grace = tcase_create("http grace");
    tcase_add_checked_fixture(grace, setup_short, NULL);
    tcase_set_timeout(grace, 40);
    suite_add_tcase(suite, grace);
    tcase_add_test(grace, the_end_comes_within_the_grace);
    return run_unit(suite);
}
