/* The client's bytes into lines, and the id of a line that cannot be kept or parsed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../bridge/lines.h"
#include "../../common/alloc.h"
#include "unit.h"

static void expect_line(struct lines *lines, const char *text)
{
    struct line line;
    ck_assert_int_eq(lines_next(lines, &line), LINE_WHOLE);
    ck_assert_uint_eq(line.len, strlen(text));
    ck_assert_mem_eq(line.text, text, line.len);
}

static void expect_none(struct lines *lines)
{
    struct line line;
    ck_assert_int_eq(lines_next(lines, &line), LINE_NONE);
}

START_TEST(lines_come_whole_however_they_are_cut)
{
    static const char text[] = "one\n\ntwo\r\nthree\nrest";
    for (size_t step = 1; step <= sizeof text; step++) {
        struct lines lines = {0};
        struct line line;
        struct buf seen = {0};
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            size_t left = sizeof text - 1 - at;
            lines_feed(&lines, text + at, left < step ? left : step);
            while (lines_next(&lines, &line) == LINE_WHOLE)
                buf_printf(&seen, "<%.*s>", (int)line.len, line.text);
        }
        ck_assert_int_eq(lines_last(&lines, &line), LINE_WHOLE);
        buf_printf(&seen, "(%.*s)", (int)line.len, line.text);
        ck_assert_str_eq(buf_text(&seen), "<one><><two\r><three>(rest)");
        ck_assert_int_eq(lines_last(&lines, &line), LINE_NONE);
        buf_free(&seen);
        lines_free(&lines);
    }
}
END_TEST

static void feed_filler(struct lines *lines, size_t len)
{
    char *filler = xmalloc(len);
    memset(filler, 'x', len);
    lines_feed(lines, filler, len);
    free(filler);
}

START_TEST(the_longest_line_is_kept)
{
    struct lines lines = {0};
    struct line line;
    feed_filler(&lines, LINE_MAX_BYTES);
    expect_none(&lines);
    lines_feed(&lines, "\nnext\n", 6);
    ck_assert_int_eq(lines_next(&lines, &line), LINE_WHOLE);
    ck_assert_uint_eq(line.len, LINE_MAX_BYTES);
    expect_line(&lines, "next");
    expect_none(&lines);
    /* An idle bridge does not keep the memory. */
    ck_assert_uint_lt(lines.bytes.cap, LINE_MAX_BYTES);
    lines_free(&lines);
}
END_TEST

/* head, filler and tail make a line of LINE_MAX_BYTES + 1. */
static void too_long(const char *head, const char *tail, const char *id, size_t pieces)
{
    struct lines lines = {0};
    struct line line;
    size_t filler = LINE_MAX_BYTES + 1 - strlen(head) - strlen(tail);
    lines_feed(&lines, head, strlen(head));
    for (size_t i = 0; i < pieces; i++) {
        feed_filler(&lines, filler / pieces + (i == 0 ? filler % pieces : 0));
        expect_none(&lines);
    }
    lines_feed(&lines, tail, strlen(tail));
    lines_feed(&lines, "\n{}\n", 4);
    ck_assert_int_eq(lines_next(&lines, &line), LINE_TOO_LONG);
    if (id)
        ck_assert_str_eq(json_object_to_json_string_ext(line.id, JSON_C_TO_STRING_PLAIN), id);
    else
        ck_assert_ptr_null(line.id);
    json_object_put(line.id);
    expect_line(&lines, "{}");
    lines_free(&lines);
}

START_TEST(a_longer_line_is_skipped_and_its_id_found)
{
    too_long("{\"id\":7,\"params\":\"", "\"}", "7", 1);
    too_long("{\"params\":{\"id\":1,\"data\":\"", "\"},\"jsonrpc\":\"2.0\",\"id\":\"abc\"}", "\"abc\"", 3);
    too_long("{\"params\":\"", "\"}", NULL, 2);
    too_long("[", "]", NULL, 2);
}
END_TEST

START_TEST(a_long_line_that_never_ends_is_reported_at_the_end)
{
    struct lines lines = {0};
    struct line line;
    lines_feed(&lines, "{\"id\":5,\"x\":\"", 13);
    feed_filler(&lines, LINE_MAX_BYTES);
    expect_none(&lines);
    ck_assert_int_eq(lines_last(&lines, &line), LINE_TOO_LONG);
    ck_assert_int_eq(json_object_get_int(line.id), 5);
    json_object_put(line.id);
    ck_assert_int_eq(lines_last(&lines, &line), LINE_NONE);
    lines_free(&lines);
}
END_TEST

static const struct {
    const char *text, *id;
} id_cases[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":", "12"},
    {"{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"x\"\xff}", "12"},
    {" { \"id\" : -3 , broken", "-3"},
    {"{\"id\":\"a\\\"b\"", "\"a\\\"b\""},
    {"{\"a\":{\"id\":1},\"b\":[{\"id\":2}],\"id\":3,", "3"},
    {"{\"a\":\"\\\"id\\\":1\",\"id\":\"z\"}", "\"z\""},
    {"{\"a\":\"id\",\"b\":1,\"id\":4}", "4"},
    {"{\"id\":9", NULL},           /* the number may go on */
    {"{\"id\":1,\"id\":2}", NULL}, /* which one? */
    {"{\"id\":null}", NULL},
    {"{\"id\":1.5}", NULL},
    {"{\"id\":[1]}", NULL},
    {"{\"id\":{\"id\":1}}", NULL},
    {"{\"idx\":1}", NULL},
    {"{\"id\"}", NULL},
    {"\"id\":1", NULL},
    {"[{\"id\":1}]", NULL},
    {"garbage", NULL},
    {"", NULL},
};

START_TEST(ids_are_found_in_broken_lines)
{
    for (size_t i = 0; i < sizeof id_cases / sizeof id_cases[0]; i++) {
        struct id_scan scan = {0};
        for (const char *at = id_cases[i].text; *at; at++)
            id_scan_feed(&scan, at, 1);
        struct json_object *id = id_scan_result(&scan);
        const char *text = id ? json_object_to_json_string_ext(id, JSON_C_TO_STRING_PLAIN) : "none";
        ck_assert_msg(strcmp(text, id_cases[i].id ? id_cases[i].id : "none") == 0, "%s gave %s",
            id_cases[i].text, text);
        json_object_put(id);
    }
}
END_TEST

static struct json_object *id_of_length(size_t len)
{
    struct id_scan scan = {0};
    struct buf text = {0};
    buf_puts(&text, "{\"id\":\"");
    for (size_t i = 0; i < len; i++)
        buf_putc(&text, 'i');
    buf_puts(&text, "\"");
    id_scan_feed(&scan, text.data, text.len);
    buf_free(&text);
    return id_scan_result(&scan);
}

START_TEST(a_very_long_id_is_no_id)
{
    struct json_object *longest = id_of_length(ID_SCAN_TEXT_MAX - 2); /* with its quotes */
    ck_assert_ptr_nonnull(longest);
    ck_assert_int_eq(json_object_get_string_len(longest), ID_SCAN_TEXT_MAX - 2);
    json_object_put(longest);
    ck_assert_ptr_null(id_of_length(ID_SCAN_TEXT_MAX - 1));
    ck_assert_ptr_null(id_of_length(ID_SCAN_TEXT_MAX * 3));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("lines", &tests);
    tcase_add_test(tests, lines_come_whole_however_they_are_cut);
    tcase_add_test(tests, the_longest_line_is_kept);
    tcase_add_test(tests, a_longer_line_is_skipped_and_its_id_found);
    tcase_add_test(tests, a_long_line_that_never_ends_is_reported_at_the_end);
    tcase_add_test(tests, ids_are_found_in_broken_lines);
    tcase_add_test(tests, a_very_long_id_is_no_id);
    return run_unit(suite);
}
