/* Bodies that go to a worker block by block, and files as answers. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "http_rig.h"
#include "unit.h"

enum { SOON_MS = 10 * 1000, BLOCK = 64 * 1024 };

static void setup(void)
{
    rig_start(NULL, NULL);
}

static void teardown(void)
{
    (void)rig_stop();
}

static char *filled(size_t len)
{
    char *bytes = xmalloc(len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    return bytes;
}

/* A PUT of such a body: with its length, or in chunks of that size. */
static void write_put(struct buf *out, const char *query, const char *bytes, size_t len, size_t chunk)
{
    buf_printf(out, "PUT /sink%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", query);
    if (chunk == 0) {
        buf_printf(out, "Content-Length: %zu\r\n\r\n", len);
        buf_append(out, bytes, len);
        return;
    }
    buf_puts(out, "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0; at < len; at += chunk) {
        const size_t now = len - at < chunk ? len - at : chunk;
        buf_printf(out, "%zx\r\n", now);
        buf_append(out, bytes + at, now);
        buf_puts(out, "\r\n");
    }
    buf_puts(out, "0\r\n\r\n");
}

START_TEST(every_byte_of_a_body_arrives_once_and_in_order)
{
    static const size_t sizes[] = {
        0, 1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 77, 3000000};
    static const size_t chunks[] = {0, 100, 8191, 100000, 5000000};
    for (size_t i = 0; i < LENGTH_OF(sizes); i++) {
        char *bytes = filled(sizes[i]);
        char *wanted = xasprintf("\r\n\r\n%zu %" PRIu64, sizes[i], rig_fingerprint(0, bytes, sizes[i]));
        for (size_t j = 0; j < LENGTH_OF(chunks); j++) {
            struct buf request = {0}, answer = {0};
            write_put(&request, "", bytes, sizes[i], chunks[j]);
            ck_assert_int_eq(rig_once(request.data, request.len, &answer), 200);
            ck_assert_msg(strstr(buf_text(&answer), wanted) != NULL, "%zu bytes, chunks of %zu: %s", sizes[i],
                chunks[j], buf_text(&answer));
            buf_free(&request);
            buf_free(&answer);
        }
        free(wanted);
        free(bytes);
    }
    ck_assert(rig_reaches(&rig.delivered, LENGTH_OF(sizes) * LENGTH_OF(chunks), SOON_MS));
    ck_assert_int_eq(rig.lost, 0);
}
END_TEST

START_TEST(a_connection_is_kept_behind_a_streamed_body)
{
    int fd = rig_connect();
    for (int i = 0; i < 3; i++) {
        char *bytes = filled(2 * BLOCK);
        struct buf request = {0}, body = {0};
        buf_printf(&request, "PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 2 * BLOCK);
        buf_append(&request, bytes, 2 * BLOCK);
        for (size_t done = 0; done < request.len;) {
            const ssize_t sent = send(fd, request.data + done, request.len - done, MSG_NOSIGNAL);
            ck_assert_int_gt(sent, 0);
            done += (size_t)sent;
        }
        ck_assert_int_eq(rig_answer(fd, NULL, &body), 200);
        ck_assert_int_eq(strncmp(buf_text(&body), "131072 ", 7), 0);
        buf_free(&request);
        buf_free(&body);
        free(bytes);
    }
    close(fd);
}
END_TEST

START_TEST(what_is_not_wanted_is_not_read)
{
    char *bytes = filled(3000000);
    struct buf request = {0}, answer = {0};
    write_put(&request, "?refused=1", bytes, 3000000, 0);
    ck_assert_int_eq(rig_once(request.data, request.len, &answer), 403);
    ck_assert_int_eq(rig.runs, 0);
    buf_reset(&request);
    buf_reset(&answer);
    int fd = rig_connect();
    rig_send(fd,
        "PUT /sink?refused=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n");
    ck_assert_int_eq(rig_answer(fd, &answer, NULL), 403);
    ck_assert_ptr_null(strstr(buf_text(&answer), "100 Continue"));
    close(fd);
    ck_assert_int_eq(rig.lost + rig.delivered, 0);
    free(bytes);
    buf_free(&request);
    buf_free(&answer);
}
END_TEST

START_TEST(a_body_that_is_refused_on_the_way_is_answered)
{
    static const size_t chunks[] = {0, 8191};
    char *bytes = filled(3000000);
    for (size_t i = 0; i < LENGTH_OF(chunks); i++) {
        struct buf request = {0}, answer = {0};
        write_put(&request, "?enough=200000", bytes, 3000000, chunks[i]);
        ck_assert_int_eq(rig_once(request.data, request.len, &answer), 507);
        ck_assert_ptr_nonnull(strstr(buf_text(&answer), "HTTP/1.1 507 Insufficient Storage\r\n"));
        ck_assert_ptr_nonnull(
            strstr(buf_text(&answer), "{\"error\":\"full\",\"message\":\"That is enough.\"}"));
        ck_assert(rig_reaches(&rig.lost, (int)i + 1, SOON_MS));
        ck_assert_int_le(rig.runs, 5 * ((int)i + 1));
        buf_free(&request);
        buf_free(&answer);
    }
    ck_assert_int_eq(rig.delivered, 0);
    free(bytes);
}
END_TEST

/* Nothing more comes, and the client stays: the connection does not. */
START_TEST(a_refused_client_that_stays_is_closed)
{
    char *bytes = filled(2 * BLOCK);
    struct buf request = {0}, answer = {0};
    buf_puts(&request, "PUT /sink?enough=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n");
    buf_append(&request, bytes, 2 * BLOCK);
    const int64_t began = clock_mono_ms();
    ck_assert_int_eq(rig_once(request.data, request.len, &answer), 507);
    ck_assert_int_lt(clock_mono_ms() - began, SOON_MS);
    free(bytes);
    buf_free(&request);
    buf_free(&answer);
}
END_TEST

/* Before the first block, between two, and while a worker has one. */
START_TEST(a_client_that_leaves_is_settled_as_lost)
{
    static const size_t sent[] = {0, 10, BLOCK, BLOCK + 5000, 3 * BLOCK};
    for (size_t i = 0; i < LENGTH_OF(sent); i++) {
        int fd = rig_connect();
        char *bytes = filled(sent[i]);
        rig_send(fd, "PUT /sink?ms=50 HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n");
        ck_assert_int_eq(send(fd, bytes, sent[i], MSG_NOSIGNAL), (ssize_t)sent[i]);
        if (i % 2 == 1) /* the others leave at once */
            ck_assert(!rig_reaches(&rig.lost, (int)i + 1, 30));
        close(fd);
        ck_assert(rig_reaches(&rig.lost, (int)i + 1, SOON_MS));
        free(bytes);
    }
    ck_assert_int_eq(rig.delivered, 0);
}
END_TEST

/* The answer before is being settled while a streamed body behind it ends with its connection. */
START_TEST(two_of_one_connection_settle_at_a_time)
{
    int fd = rig_connect();
    struct buf got = {0};
    rig_send(fd, "GET /settle?ms=500 HTTP/1.1\r\nHost: x\r\n\r\n"
                 "PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\nabc");
    ck_assert(rig_read_until(fd, "ok", &got));
    close(fd);
    ck_assert(rig_reaches(&rig.lost, 1, SOON_MS));
    ck_assert(rig_reaches(&rig.delivered, 1, SOON_MS));
    static const char after[] = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ck_assert_int_eq(rig_once(after, sizeof after - 1, NULL), 200);
    buf_free(&got);
}
END_TEST

START_TEST(a_body_that_stops_coming_is_ended)
{
    int fd = rig_connect();
    struct buf got = {0};
    char *bytes = filled(BLOCK);
    const int64_t began = clock_mono_ms();
    rig_send(fd, "PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n");
    ck_assert_int_eq(send(fd, bytes, BLOCK, MSG_NOSIGNAL), BLOCK);
    ck_assert(!rig_read_until(fd, NULL, &got));
    const int64_t took = clock_mono_ms() - began;
    ck_assert_int_ge(took, RIG_BODY_MS);
    ck_assert_int_lt(took, RIG_BODY_MS + BLOCK / 16 + 5000); /* a second more for each 16 KB */
    ck_assert(rig_reaches(&rig.lost, 1, SOON_MS));
    close(fd);
    free(bytes);
    buf_free(&got);
}
END_TEST

START_TEST(the_end_of_the_server_settles_bodies_under_way)
{
    int fd = rig_connect();
    char *bytes = filled(3 * BLOCK);
    rig_send(fd, "PUT /sink?ms=20 HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n");
    ck_assert_int_eq(send(fd, bytes, 3 * BLOCK, MSG_NOSIGNAL), 3 * BLOCK);
    ck_assert(rig_reaches(&rig.runs, 1, SOON_MS));
    (void)rig_stop();
    ck_assert_int_eq(rig.lost, 1);
    close(fd);
    free(bytes);
    rig_start(NULL, NULL);
}
END_TEST

START_TEST(many_bodies_at_a_time)
{
    enum { CLIENTS = 20, BYTES = 300000 };
    int fds[CLIENTS];
    char *bytes = filled(BYTES);
    char *wanted = xasprintf("%d %" PRIu64, BYTES, rig_fingerprint(0, bytes, BYTES));
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = rig_connect();
        rig_send(fds[i], "PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
    }
    for (size_t at = 0; at < BYTES; at += 10000) {
        for (int i = 0; i < CLIENTS; i++)
            ck_assert_int_eq(send(fds[i], bytes + at, 10000, MSG_NOSIGNAL), 10000);
    }
    for (int i = 0; i < CLIENTS; i++) {
        struct buf body = {0};
        ck_assert_int_eq(rig_answer(fds[i], NULL, &body), 200);
        ck_assert_str_eq(buf_text(&body), wanted);
        buf_free(&body);
        close(fds[i]);
    }
    free(wanted);
    free(bytes);
}
END_TEST

START_TEST(a_file_is_sent_from_where_it_begins)
{
    enum { AT = 10000, LEN = 200000 };
    char *bytes = xmalloc(LEN);
    const int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(pread(exe, bytes, LEN, AT), LEN);
    close(exe);
    int fd = rig_connect();
    struct buf body = {0}, head = {0};
    rig_send(fd, "GET /file?at=10000&len=200000 HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(rig_answer(fd, NULL, &body), 200);
    ck_assert_uint_eq(body.len, LEN);
    ck_assert_mem_eq(body.data, bytes, LEN);
    rig_send(fd, "HEAD /file?at=10000&len=200000 HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert(rig_read_until(fd, "\r\n\r\n", &head));
    ck_assert_ptr_nonnull(strstr(buf_text(&head), "Content-Length: 200000\r\n"));
    buf_reset(&body);
    rig_send(fd, "GET /file?at=5&len=0 HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert_int_eq(rig_answer(fd, NULL, &body), 200);
    ck_assert_uint_eq(body.len, 0);
    close(fd);
    ck_assert(rig_reaches(&rig.delivered, 3, SOON_MS));
    free(bytes);
    buf_free(&body);
    buf_free(&head);
}
END_TEST

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1000; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Whether the client reads it or not. */
START_TEST(a_file_is_closed_behind_its_answer)
{
    const int before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        int fd = rig_connect();
        rig_send(fd, "GET /file?len=100000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        struct buf got = {0};
        if (i % 2 == 0)
            ck_assert(!rig_read_until(fd, NULL, &got));
        close(fd);
        buf_free(&got);
    }
    ck_assert(rig_reaches(&rig.answered, 20, SOON_MS));
    const int64_t until = clock_mono_ms() + SOON_MS;
    while (open_descriptors() > before && clock_mono_ms() < until)
        usleep(1000);
    ck_assert_int_le(open_descriptors(), before);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("http_sink", &tests);
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_byte_of_a_body_arrives_once_and_in_order);
    tcase_add_test(tests, a_connection_is_kept_behind_a_streamed_body);
    tcase_add_test(tests, what_is_not_wanted_is_not_read);
    tcase_add_test(tests, a_body_that_is_refused_on_the_way_is_answered);
    tcase_add_test(tests, a_refused_client_that_stays_is_closed);
    tcase_add_test(tests, a_client_that_leaves_is_settled_as_lost);
    tcase_add_test(tests, two_of_one_connection_settle_at_a_time);
    tcase_add_test(tests, a_body_that_stops_coming_is_ended);
    tcase_add_test(tests, the_end_of_the_server_settles_bodies_under_way);
    tcase_add_test(tests, many_bodies_at_a_time);
    tcase_add_test(tests, a_file_is_sent_from_where_it_begins);
    tcase_add_test(tests, a_file_is_closed_behind_its_answer);
    return run_unit(suite);
}
