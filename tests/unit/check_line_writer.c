/* Answers on their way to the client: messages count as arrived only when they were read. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../bridge/host_watch.h"
#include "../../bridge/line_writer.h"
#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "unit.h"

enum { SOON_MS = 5000 };

static struct line_writer *writer;
static int ends[2]; /* to read from, to write to */
static struct buf fates;

static void note_fate(void *arg, struct relay_offer *offer, bool arrived)
{
    (void)arg;
    buf_printf(&fates, "%s %s;", offer->lease, arrived ? "arrived" : "lost");
}

static void open_pipe(void)
{
    ck_assert_int_eq(pipe(ends), 0);
    writer = line_writer_new(ends[1], note_fate, NULL);
}

static void open_socket(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    writer = line_writer_new(ends[1], note_fate, NULL);
}

static void close_all(void)
{
    line_writer_free(writer);
    close(ends[0]);
    close(ends[1]);
    buf_free(&fates);
}

static struct json_object *text_of(size_t len)
{
    char *text = xmalloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    struct json_object *message = json_object_new_string(text);
    free(text);
    return message;
}

static void add(int id, const char *lease, size_t len)
{
    struct json_object *message = text_of(len), *number = json_object_new_int(id);
    struct relay_offer offer = {.count = lease ? 1 : 0};
    if (lease) {
        strcpy(offer.lease, lease);
        offer.ids = xcalloc(1, sizeof *offer.ids);
    }
    line_writer_add_answer(writer, message, number, &offer);
    ck_assert_ptr_null(offer.ids);
    json_object_put(number);
    json_object_put(message);
}

static void cancel(int id)
{
    struct json_object *number = json_object_new_int(id);
    line_writer_cancel(writer, number);
    json_object_put(number);
}

static size_t read_some(size_t len)
{
    char *bytes = xmalloc(len);
    ssize_t got = read(ends[0], bytes, len);
    ck_assert_int_gt(got, 0);
    free(bytes);
    return (size_t)got;
}

/* Looks as the bridge's loop does, until the fates are as expected. */
static void expect_fates(const char *expected)
{
    int64_t deadline = clock_mono_ms() + SOON_MS;
    while (strcmp(buf_text(&fates), expected) != 0 && clock_mono_ms() < deadline) {
        poll(NULL, 0, line_writer_timeout_ms(writer) < 0 ? 1 : line_writer_timeout_ms(writer));
        line_writer_look(writer);
    }
    ck_assert_str_eq(buf_text(&fates), expected);
}

START_TEST(what_is_written_has_not_arrived)
{
    add(1, "a", 100);
    ck_assert_uint_eq(line_writer_pending(writer), 103);
    ck_assert(line_writer_flush(writer));
    ck_assert_uint_eq(line_writer_pending(writer), 0);
    ck_assert(line_writer_follows(writer));
    ck_assert_uint_gt(host_unread(ends[1]), 0);
    expect_fates("");
    ck_assert_uint_eq(read_some(1000), 103);
    expect_fates("a arrived;");
    ck_assert(!line_writer_follows(writer));
    ck_assert_int_eq(line_writer_timeout_ms(writer), -1);
}
END_TEST

START_TEST(answers_arrive_one_by_one)
{
    add(1, "a", 100);
    add(2, NULL, 10);
    add(3, "c", 100);
    ck_assert(line_writer_flush(writer));
    read_some(102); /* all but the newline */
    for (int i = 0; i < 5; i++)
        line_writer_look(writer);
    expect_fates("");
    read_some(1);
    expect_fates("a arrived;");
    read_some(1000);
    expect_fates("a arrived;c arrived;");
}
END_TEST

START_TEST(a_full_pipe_does_not_block)
{
    add(1, "a", 1000 * 1000);
    ck_assert(line_writer_flush(writer));
    size_t left = line_writer_pending(writer);
    ck_assert_uint_gt(left, 0);
    ck_assert(!line_writer_follows(writer));
    size_t got = 0;
    while (got < 1000 * 1000 + 3) {
        got += read_some(64 * 1024);
        ck_assert(line_writer_flush(writer));
    }
    ck_assert_uint_eq(line_writer_pending(writer), 0);
    expect_fates("a arrived;");
}
END_TEST

START_TEST(a_cancelled_answer_is_not_written)
{
    add(1, "a", 10);
    add(2, "b", 10);
    add(3, NULL, 10);
    cancel(2);
    expect_fates("b lost;");
    cancel(3);
    cancel(9);
    ck_assert(line_writer_flush(writer));
    ck_assert_uint_eq(read_some(1000), 13);
    expect_fates("b lost;a arrived;");
}
END_TEST

START_TEST(an_answer_cancelled_before_it_was_read_is_lost)
{
    add(1, "a", 10);
    ck_assert(line_writer_flush(writer));
    cancel(1);
    expect_fates("a lost;");
    ck_assert(!line_writer_follows(writer));
    read_some(1000);
    line_writer_look(writer);
    expect_fates("a lost;");
}
END_TEST

START_TEST(a_line_that_was_begun_is_ended)
{
    add(1, "a", 1000 * 1000);
    ck_assert(line_writer_flush(writer));
    cancel(1);
    expect_fates("a lost;");
    size_t got = 0;
    while (got < 1000 * 1000 + 3) {
        got += read_some(64 * 1024);
        ck_assert(line_writer_flush(writer));
    }
    ck_assert_uint_eq(got, 1000 * 1000 + 3);
    expect_fates("a lost;");
}
END_TEST

START_TEST(giving_up_loses_what_was_not_read)
{
    add(1, "a", 10);
    ck_assert(line_writer_flush(writer));
    add(2, "b", 10);
    line_writer_abandon(writer);
    expect_fates("a lost;b lost;");
    ck_assert_uint_eq(line_writer_pending(writer), 0);
}
END_TEST

START_TEST(a_closed_reader_is_noticed)
{
    signal(SIGPIPE, SIG_IGN);
    close(ends[0]);
    add(1, "a", 10);
    ck_assert(!line_writer_flush(writer));
    ends[0] = open("/dev/null", O_RDONLY);
}
END_TEST

START_TEST(what_goes_to_a_file_has_arrived)
{
    int file = open("/dev/null", O_WRONLY);
    struct line_writer *pipe_writer = writer;
    writer = line_writer_new(file, note_fate, NULL);
    add(1, "a", 10);
    ck_assert(line_writer_flush(writer));
    expect_fates("a arrived;");
    line_writer_free(writer);
    writer = pipe_writer;
    close(file);
}
END_TEST

START_TEST(looking_backs_off)
{
    add(1, "a", 10);
    ck_assert(line_writer_flush(writer));
    int longest = 0;
    for (int i = 0; i < 8; i++) {
        int wait = line_writer_timeout_ms(writer);
        longest = wait > longest ? wait : longest;
        poll(NULL, 0, wait);
        line_writer_look(writer);
    }
    ck_assert_int_ge(longest, 32);
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tests = tcase_create(name);
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, setup, close_all);
    tcase_add_test(tests, what_is_written_has_not_arrived);
    tcase_add_test(tests, a_full_pipe_does_not_block);
    tcase_add_test(tests, a_cancelled_answer_is_not_written);
    tcase_add_test(tests, an_answer_cancelled_before_it_was_read_is_lost);
    tcase_add_test(tests, a_line_that_was_begun_is_ended);
    tcase_add_test(tests, giving_up_loses_what_was_not_read);
    tcase_add_test(tests, a_closed_reader_is_noticed);
    tcase_add_test(tests, what_goes_to_a_file_has_arrived);
    tcase_add_test(tests, looking_backs_off);
    /* A socket only tells that all was read. */
    if (setup == open_pipe)
        tcase_add_test(tests, answers_arrive_one_by_one);
}

int main(void)
{
    Suite *suite = suite_create("line_writer");
    add_tests(suite, "pipe", open_pipe);
    add_tests(suite, "socket", open_socket);
    return run_unit(suite);
}
