/* What is decided about a request without a socket: framing, target, route; and the loop's deadlines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/json.h"
#include "../../relay/http/framing.h"
#include "../../relay/http/routing.h"
#include "../../relay/http/target.h"
#include "../../relay/http/timer.h"
#include "unit.h"

/* ---- framing ---- */

static int64_t frame(struct http_field first, struct http_field second)
{
    struct http_field fields[] = {first, second};
    int64_t len = -100;
    return framing_check(fields, second.name ? 2 : 1, &len) ? -99 : len;
}

#define FIELD(n, v) ((struct http_field){.name = (n), .value = (v)})
static const struct http_field none;

START_TEST(lengths)
{
    ck_assert_int_eq(frame(FIELD("Host", "x"), none), FRAMING_NONE);
    ck_assert_int_eq(frame(FIELD("content-LENGTH", "12"), none), 12);
    ck_assert_int_eq(frame(FIELD("Content-Length", "12"), FIELD("Content-Length", "12")), 12);
    ck_assert_int_eq(frame(FIELD("Content-Length", "0"), FIELD("Content-Length", "12")), -99);
    ck_assert_int_eq(frame(FIELD("Content-Length", "999999999999999999"), none), 999999999999999999);
    ck_assert_int_eq(frame(FIELD("Content-Length", "1000000000000000000"), none), -99);
    ck_assert_int_eq(frame(FIELD("Content-Length", ""), none), -99);
    ck_assert_int_eq(frame(FIELD("Content-Length", "1 "), none), -99);
    ck_assert_int_eq(frame(FIELD("Content-Length", "0x1"), none), -99);
    ck_assert_int_eq(frame(FIELD("Transfer-Encoding", "Chunked"), none), FRAMING_CHUNKED);
    ck_assert_int_eq(frame(FIELD("Transfer-Encoding", "identity"), none), -99);
    ck_assert_int_eq(
        frame(FIELD("Transfer-Encoding", "chunked"), FIELD("Transfer-Encoding", "chunked")), -99);
    ck_assert_int_eq(frame(FIELD("Transfer-Encoding", "chunked"), FIELD("Content-Length", "0")), -99);
}
END_TEST

START_TEST(names_and_values)
{
    ck_assert_int_eq(frame(FIELD("a!#$%&'*+-.^_`|~9", "x\ty \x80\xff"), none), 0);
    ck_assert_int_eq(frame(FIELD("", "x"), none), -99);
    ck_assert_int_eq(frame(FIELD("a b", "x"), none), -99);
    ck_assert_int_eq(frame(FIELD("a\t", "x"), none), -99);
    ck_assert_int_eq(frame(FIELD("a(", "x"), none), -99);
    ck_assert_int_eq(frame(FIELD("\xc3\xa4", "x"), none), -99);
    ck_assert_int_eq(frame(FIELD("a", "x\ry"), none), -99);
    ck_assert_int_eq(frame(FIELD("a", "x\x7f"), none), -99);
    ck_assert_int_eq(frame(FIELD("a", "x"), FIELD("a", "y")), 0);
    ck_assert_int_eq(frame(FIELD("Host", "x"), FIELD("host", "x")), -99);
}
END_TEST

/* ---- target ---- */

static const struct {
    const char *text, *path, *query; /* query: "name=value;" each; path NULL: refused */
} targets[] = {
    {"/", "/", ""},
    {"/a/b", "/a/b", ""},
    {"/a%20b+c", "/a b+c", ""},
    {"/a?", "/a", ""},
    {"/a?b", "/a", "b=;"},
    {"/a?b=c&d=e+f%26", "/a", "b=c;d=e f&;"},
    {"/a?&&b=c=d&", "/a", "b=c=d;"},
    {"/a?b=?", "/a", "b=?;"},
    {"http://host", "/", ""},
    {"HTTPS://host:1/x?y=z", "/x", "y=z;"},
    {"http://host?y=z", "/", "y=z;"},
    {"", NULL, NULL},
    {"*", NULL, NULL},
    {"host:80", NULL, NULL},
    {"ftp://host/", NULL, NULL},
    {"/%", NULL, NULL},
    {"/%0", NULL, NULL},
    {"/%00", NULL, NULL},
    {"/a?b=%zz", NULL, NULL},
    {"/a?b%00", NULL, NULL},
};

START_TEST(targets_are_read)
{
    struct target t;
    struct buf query = {0};
    ck_assert_msg(target_parse(targets[_i].text, &t) == (targets[_i].path != NULL), "%s", targets[_i].text);
    if (!targets[_i].path)
        return;
    for (size_t i = 0; i < t.query_count; i++)
        buf_printf(&query, "%s=%s;", t.query[i].name, t.query[i].value);
    ck_assert_str_eq(t.path, targets[_i].path);
    ck_assert_str_eq(buf_text(&query), targets[_i].query);
    buf_free(&query);
    target_free(&t);
}
END_TEST

START_TEST(parameters_have_a_limit)
{
    struct target t;
    struct buf text = {0};
    buf_puts(&text, "/?");
    for (int i = 0; i < TARGET_QUERY_MAX; i++)
        buf_printf(&text, "p%d=%d&", i, i);
    ck_assert(target_parse(buf_text(&text), &t));
    ck_assert_uint_eq(t.query_count, TARGET_QUERY_MAX);
    target_free(&t);
    buf_puts(&text, "one=more");
    ck_assert(!target_parse(buf_text(&text), &t));
    buf_free(&text);
}
END_TEST

/* ---- routes ---- */

static enum verdict handle(struct exchange *ex)
{
    (void)ex;
    return VERDICT_DONE;
}

static const struct route table[] = {
    {"GET", "/a", "a", 0, handle, NULL},
    {"POST", "/a", "a_post", 0, handle, NULL},
    {NULL, "/any", "any", 0, handle, NULL},
    {"HEAD", "/head", "head", 0, handle, NULL},
    {"GET", "/head", "head_get", 0, handle, NULL},
    {"GET", "/files/*", "files", 0, handle, NULL},
    {0},
};

static void expect_route(const char *method, const char *path, const char *name, const char *allowed)
{
    struct buf allow = {0};
    const struct route *r = route_find(table, method, path, &allow);
    ck_assert_str_eq(r ? r->name : "", name);
    ck_assert_str_eq(buf_text(&allow), allowed);
    buf_free(&allow);
}

START_TEST(routes_are_found)
{
    expect_route("GET", "/a", "a", "");
    expect_route("HEAD", "/a", "a", "");
    expect_route("POST", "/a", "a_post", "");
    expect_route("get", "/a", "", "GET, HEAD, POST");
    expect_route("PUT", "/a", "", "GET, HEAD, POST");
    expect_route("BREW", "/any", "any", "");
    expect_route("HEAD", "/head", "head", "");
    expect_route("GET", "/files/x/y", "files", "");
    expect_route("PUT", "/files/x", "", "GET, HEAD");
    expect_route("GET", "/files/", "", "");
    expect_route("GET", "/files", "", "");
    expect_route("GET", "/b", "", "");
}
END_TEST

/* ---- what handlers do with an exchange ---- */

START_TEST(exchange_basics)
{
    struct http_field headers[] = {FIELD("Accept", "a"), FIELD("accept", "b")};
    struct http_field query[] = {FIELD("Name", "1"), FIELD("name", "2")};
    struct exchange ex = {.headers = headers, .headers_count = 2, .query = query, .query_count = 2};
    ck_assert_str_eq(exchange_header(&ex, "ACCEPT"), "a");
    ck_assert_ptr_null(exchange_header(&ex, "Acc"));
    ck_assert_str_eq(exchange_query(&ex, "name"), "2");
    ck_assert_ptr_null(exchange_query(&ex, "NAME"));

    exchange_add_header(&ex, "X", "1\r\nY: 2");
    ck_assert_uint_eq(ex.answer_headers_count, 0);
    exchange_error(&ex, 429, "rate_limited", "wait \"a\" minute");
    ck_assert_int_eq(ex.status, 429);
    ck_assert_str_eq(
        buf_text(&ex.answer), "{\"error\":\"rate_limited\",\"message\":\"wait \\\"a\\\" minute\"}");
    exchange_error(&ex, 404, "not_found", NULL);
    ck_assert_str_eq(buf_text(&ex.answer), "{\"error\":\"not_found\"}");

    exchange_wait(&ex, "one", 1, 2, true);
    ck_assert_int_eq(exchange_wait(&ex, "two", 3, 4, false), VERDICT_WAIT);
    ck_assert_str_eq(ex.wait.keys, "two");
    ck_assert_uint_eq(ex.wait.ticket, 3);

    exchange_stream(&ex);
    exchange_stream(&ex);
    ck_assert_int_eq(ex.status, 200);
    ck_assert_uint_eq(ex.answer_headers_count, 2);
    for (size_t i = 0; i < ex.answer_headers_count; i++) {
        free(ex.answer_headers[i].name);
        free(ex.answer_headers[i].value);
    }
    free(ex.answer_headers);
    free(ex.wait.keys);
    buf_free(&ex.answer);
}
END_TEST

/* ---- timers ---- */

static struct timers timers;
static struct timer alarms[4];
static struct buf fired;

static void note_fired(void *owner)
{
    struct timer *t = owner;
    buf_printf(&fired, "%d", (int)(t - alarms));
    if (t == &alarms[3])
        timer_arm(&timers, t, 1); /* long past: not in this run */
    if (t == &alarms[1])
        timer_cancel(&timers, &alarms[2]);
}

START_TEST(deadlines_come_in_order)
{
    for (size_t i = 0; i < LENGTH_OF(alarms); i++)
        timer_init(&alarms[i], note_fired, &alarms[i]);
    ck_assert_int_eq(timers_next(&timers), -1);
    timer_arm(&timers, &alarms[0], 30);
    timer_arm(&timers, &alarms[1], 10);
    timer_arm(&timers, &alarms[2], 20);
    timer_arm(&timers, &alarms[3], 10);
    timer_arm(&timers, &alarms[3], 5);
    ck_assert_int_eq(timers_next(&timers), 5);
    timers_run(&timers, 4);
    ck_assert_str_eq(buf_text(&fired), "");
    timers_run(&timers, 25);
    ck_assert_str_eq(buf_text(&fired), "31");
    timers_run(&timers, 29);
    ck_assert_str_eq(buf_text(&fired), "313");
    timer_cancel(&timers, &alarms[3]);
    timers_run(&timers, 30);
    ck_assert_str_eq(buf_text(&fired), "3130");
    timer_cancel(&timers, &alarms[0]);
    ck_assert_int_eq(timers_next(&timers), -1);
    buf_free(&fired);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("request parts", &tests);
    tcase_add_test(tests, lengths);
    tcase_add_test(tests, names_and_values);
    tcase_add_loop_test(tests, targets_are_read, 0, (int)LENGTH_OF(targets));
    tcase_add_test(tests, parameters_have_a_limit);
    tcase_add_test(tests, routes_are_found);
    tcase_add_test(tests, exchange_basics);
    tcase_add_test(tests, deadlines_come_in_order);
    return run_unit(suite);
}
