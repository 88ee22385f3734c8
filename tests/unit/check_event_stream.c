/* Server-sent events from bytes, however they are cut. */
#include <string.h>

#include "../../bridge/event_stream.h"
#include "unit.h"

static void note(void *arg, const char *name, const struct buf *data)
{
    buf_printf(arg, "%s=%s;", name, buf_text(data));
}

/* Fed whole and byte by byte, a stream gives the same events. */
static void heard(const char *text, const char *expected, const char *last_id)
{
    for (size_t step = 1; step <= strlen(text); step += strlen(text) > 1 ? strlen(text) - 1 : 1) {
        struct event_stream stream = {0};
        struct buf events = {0};
        for (size_t at = 0; at < strlen(text); at += step) {
            size_t left = strlen(text) - at;
            event_stream_feed(&stream, text + at, left < step ? left : step, note, &events);
        }
        ck_assert_str_eq(buf_text(&events), expected);
        ck_assert_str_eq(stream.last_id, last_id);
        buf_free(&events);
        event_stream_free(&stream);
    }
}

START_TEST(fields_make_events)
{
    heard("event: message\nid: 17\ndata: {\"a\":1}\n\n", "message={\"a\":1};", "17");
    heard("data: one\ndata: two\n\n", "message=one\ntwo;", "");
    heard("event:ping\ndata:\n\n", "ping=;", "");
    heard("data\n\n", "message=;", "");
    heard("id: 3\n\n", "", "3");
    heard("id: 3\n\nid: 4\ndata: x\n", "", "3");
    heard("id: 3\n\nid:\ndata: x\n\n", "message=x;", "");
    heard("id: 3\n\ndata: x\n\n", "message=x;", "3");
    heard("event: lost\n\ndata: x\n\n", "message=x;", "");
    heard("data:  two blanks\n\n", "message= two blanks;", "");
    heard("retry: 10\nunknown: x\ndata: y\n\n", "message=y;", "");
}
END_TEST

START_TEST(comments_and_line_ends)
{
    heard(": keep-alive\n\n", "", "");
    heard(":\ndata: a\r\n\r\ndata: b\r\rdata: c\n\n", "message=a;message=b;message=c;", "");
    heard("data: unfinished\n", "", "");
}
END_TEST

START_TEST(long_input_is_cut_and_not_kept)
{
    struct event_stream stream = {0};
    struct buf events = {0}, line = {0};
    buf_puts(&line, "id: ");
    for (size_t i = 0; i < EVENT_STREAM_NAME_SIZE; i++)
        buf_putc(&line, '7');
    buf_puts(&line, "\ndata: ");
    for (size_t i = 0; i < EVENT_STREAM_LINE_MAX; i++)
        buf_putc(&line, 'x');
    buf_puts(&line, "\n\n");
    event_stream_feed(&stream, line.data, line.len, note, &events);
    ck_assert_str_eq(stream.last_id, "");
    ck_assert_uint_eq(events.len, strlen("message=;") + EVENT_STREAM_LINE_MAX - strlen("data: "));

    buf_reset(&events);
    buf_reset(&line);
    buf_puts(&line, "data: ");
    for (size_t i = 0; i < 1000; i++)
        buf_putc(&line, 'y');
    buf_putc(&line, '\n');
    for (size_t put = 0; put < EVENT_STREAM_DATA_MAX + 2 * line.len; put += line.len)
        event_stream_feed(&stream, line.data, line.len, note, &events);
    event_stream_feed(&stream, "\n", 1, note, &events);
    ck_assert_uint_eq(events.len, strlen("message=;") + EVENT_STREAM_DATA_MAX);
    buf_free(&events);
    buf_free(&line);
    event_stream_free(&stream);
}
END_TEST

START_TEST(a_restart_keeps_the_id_alone)
{
    struct event_stream stream = {0};
    struct buf events = {0};
    static const char first[] = "id: 5\ndata: a\n\nevent: x\ndata: cut o", second[] = "data: b\n\n";
    event_stream_feed(&stream, first, sizeof first - 1, note, &events);
    event_stream_restart(&stream);
    event_stream_feed(&stream, second, sizeof second - 1, note, &events);
    ck_assert_str_eq(buf_text(&events), "message=a;message=b;");
    ck_assert_str_eq(stream.last_id, "5");
    buf_free(&events);
    event_stream_free(&stream);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("event_stream", &tests);
    tcase_add_test(tests, fields_make_events);
    tcase_add_test(tests, comments_and_line_ends);
    tcase_add_test(tests, long_input_is_cut_and_not_kept);
    tcase_add_test(tests, a_restart_keeps_the_id_alone);
    return run_unit(suite);
}
