#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "unit.h"

/* A text that may hold NUL bytes. */
struct text {
    const char *bytes;
    size_t len;
};
#define TEXT(literal)                                                                                        \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

static const struct text good[] = {
    TEXT("{}"),
    TEXT("[]"),
    TEXT(" \t\r\n[1 , 2]\n"),
    TEXT("true"),
    TEXT("null"),
    TEXT("\"\""),
    TEXT("{\"\":1}"),
    TEXT("{\"a\":{\"a\":1},\"b\":{\"a\":2}}"),
    TEXT("[{\"a\":1},{\"a\":1}]"),
    TEXT("\"\\u00e9\\uD83D\\ude00\\/\\b\\f\\n\\r\\t\\\"\\\\\""),
    TEXT("\"\x7F\xF4\x8F\xBF\xBF\""),
    TEXT("0"),
    TEXT("-0"),
    TEXT("-0.0e-0"),
    TEXT("1E+2"),
    TEXT("1e-400"),
    TEXT("9223372036854775807"),
    TEXT("-9223372036854775808"),
    TEXT("18446744073709551615"),
    TEXT("1.7976931348623157e308"),
};

START_TEST(accepts)
{
    const struct text *text = &good[_i];
    size_t at = 0;
    ck_assert_msg(json_scan(text->bytes, text->len, &at) == JSON_FAULT_NONE, "%s at %zu", text->bytes, at);
    enum json_fault fault;
    struct json_object *value = json_parse(text->bytes, text->len, &fault);
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    struct buf written = {0};
    json_write(value, &written);
    ck_assert_int_eq(json_scan(buf_text(&written), written.len, NULL), JSON_FAULT_NONE);
    ck_assert_ptr_null(strchr(buf_text(&written), '\n'));
    buf_free(&written);
    json_object_put(value);
}
END_TEST

static const struct bad {
    struct text text;
    enum json_fault fault;
    size_t at;
} bad[] = {
    {TEXT(""), JSON_FAULT_EMPTY, 0},
    {TEXT(" \n"), JSON_FAULT_EMPTY, 2},
    {TEXT("["), JSON_FAULT_SYNTAX, 1},
    {TEXT("]"), JSON_FAULT_SYNTAX, 0},
    {TEXT("[}"), JSON_FAULT_SYNTAX, 1},
    {TEXT("{]"), JSON_FAULT_SYNTAX, 1},
    {TEXT("[1,]"), JSON_FAULT_SYNTAX, 3},
    {TEXT("[,1]"), JSON_FAULT_SYNTAX, 1},
    {TEXT("[1 2]"), JSON_FAULT_SYNTAX, 3},
    {TEXT("{\"a\":1,}"), JSON_FAULT_SYNTAX, 7},
    {TEXT("{\"a\" 1}"), JSON_FAULT_SYNTAX, 5},
    {TEXT("{\"a\":}"), JSON_FAULT_SYNTAX, 5},
    {TEXT("{a:1}"), JSON_FAULT_SYNTAX, 1},
    {TEXT("{1:1}"), JSON_FAULT_SYNTAX, 1},
    {TEXT("{} {}"), JSON_FAULT_SYNTAX, 3},
    {TEXT("1 2"), JSON_FAULT_SYNTAX, 2},
    {TEXT("'a'"), JSON_FAULT_SYNTAX, 0},
    {TEXT("NaN"), JSON_FAULT_SYNTAX, 0},
    {TEXT("Infinity"), JSON_FAULT_SYNTAX, 0},
    {TEXT("-Infinity"), JSON_FAULT_SYNTAX, 0},
    {TEXT("True"), JSON_FAULT_SYNTAX, 0},
    {TEXT("tru"), JSON_FAULT_SYNTAX, 0},
    {TEXT("truee"), JSON_FAULT_SYNTAX, 4},
    {TEXT("/* c */ 1"), JSON_FAULT_SYNTAX, 0},
    {TEXT("01"), JSON_FAULT_SYNTAX, 0},
    {TEXT("+1"), JSON_FAULT_SYNTAX, 0},
    {TEXT("-"), JSON_FAULT_SYNTAX, 0},
    {TEXT(".5"), JSON_FAULT_SYNTAX, 0},
    {TEXT("1."), JSON_FAULT_SYNTAX, 0},
    {TEXT("1e"), JSON_FAULT_SYNTAX, 0},
    {TEXT("1e+"), JSON_FAULT_SYNTAX, 0},
    {TEXT("0x10"), JSON_FAULT_SYNTAX, 1},
    {TEXT("\"abc"), JSON_FAULT_SYNTAX, 4},
    {TEXT("\"abc\\"), JSON_FAULT_SYNTAX, 4},
    {TEXT("\"\\x41\""), JSON_FAULT_SYNTAX, 1},
    {TEXT("\"\\u12\""), JSON_FAULT_SYNTAX, 1},
    {TEXT("\"\\u12G4\""), JSON_FAULT_SYNTAX, 1},
    {TEXT("\"\\u 123\""), JSON_FAULT_SYNTAX, 1},
    {TEXT("\xEF\xBB\xBF{}"), JSON_FAULT_SYNTAX, 0},
    {TEXT("\"\xC0\x80\""), JSON_FAULT_ENCODING, 1},
    {TEXT("\"\xED\xA0\x80\""), JSON_FAULT_ENCODING, 1},
    {TEXT("\"\xF4\x90\x80\x80\""), JSON_FAULT_ENCODING, 1},
    {TEXT("\"a\xFF\""), JSON_FAULT_ENCODING, 2},
    {TEXT("\"\xE2\x82\""), JSON_FAULT_ENCODING, 1},
    {TEXT("\"\\ud800\""), JSON_FAULT_ENCODING, 1},
    {TEXT("\"\\ud800x\""), JSON_FAULT_ENCODING, 1},
    {TEXT("\"\\ud800\\ud800\""), JSON_FAULT_ENCODING, 1},
    {TEXT("\"\\udc00\""), JSON_FAULT_ENCODING, 1},
    {TEXT("\"a\nb\""), JSON_FAULT_CONTROL, 2},
    {TEXT("\"\x1F\""), JSON_FAULT_CONTROL, 1},
    {TEXT("\"a\0b\""), JSON_FAULT_NUL, 2},
    {TEXT("{}\0"), JSON_FAULT_NUL, 2},
    {TEXT("\"\\u0000\""), JSON_FAULT_NUL, 1},
    {TEXT("{\"a\\u0000b\":1}"), JSON_FAULT_NUL, 3},
    {TEXT("{\"a\":1,\"a\":2}"), JSON_FAULT_DUPLICATE, 7},
    {TEXT("{\"a\":1,\"\\u0061\":2}"), JSON_FAULT_DUPLICATE, 7},
    {TEXT("{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}"), JSON_FAULT_DUPLICATE, 18},
    {TEXT("{\"\\n\":1,\"\\u000A\":2}"), JSON_FAULT_DUPLICATE, 8},
    {TEXT("{\"b\":1,\"a\":1,\"a\":2,\"b\":2,\"a\":3}"), JSON_FAULT_DUPLICATE, 13},
    {TEXT("[{\"x\":{\"y\":0,\"y\":0}}]"), JSON_FAULT_DUPLICATE, 13},
    {TEXT("18446744073709551616"), JSON_FAULT_NUMBER, 0},
    {TEXT("-9223372036854775809"), JSON_FAULT_NUMBER, 0},
    {TEXT("[1e400]"), JSON_FAULT_NUMBER, 1},
    {TEXT("-1.8e308"), JSON_FAULT_NUMBER, 0},
};

START_TEST(refuses)
{
    const struct bad *row = &bad[_i];
    /* A copy without a byte to spare shows a read beyond the end. */
    char *copy = xmalloc(row->text.len);
    memcpy(copy, row->text.bytes, row->text.len);
    size_t at = SIZE_MAX;
    enum json_fault fault = json_scan(copy, row->text.len, &at);
    ck_assert_msg(fault == row->fault, "%s %s", row->text.bytes, json_fault_text(fault));
    ck_assert_msg(at == row->at, "%s: at %zu", row->text.bytes, at);
    ck_assert_ptr_null(json_parse(copy, row->text.len, &fault));
    ck_assert_int_eq(fault, row->fault);
    free(copy);
}
END_TEST

static struct buf nested(char open, char close, size_t depth)
{
    struct buf text = {0};
    for (size_t i = 0; i < depth; i++) {
        buf_puts(&text, open == '{' ? "{\"k\":" : "[");
    }
    buf_putc(&text, '1');
    for (size_t i = 0; i < depth; i++) {
        buf_putc(&text, close);
    }
    return text;
}

START_TEST(depth_is_limited_at_its_edge)
{
    static const char *const pairs[] = {"[]", "{}"};
    for (size_t i = 0; i < LENGTH_OF(pairs); i++) {
        enum json_fault fault;
        struct buf deep = nested(pairs[i][0], pairs[i][1], JSON_MAX_DEPTH);
        struct json_object *value = json_parse(deep.data, deep.len, &fault);
        ck_assert_int_eq(fault, JSON_FAULT_NONE);
        ck_assert_ptr_nonnull(value);
        json_object_put(value);
        struct buf deeper = nested(pairs[i][0], pairs[i][1], JSON_MAX_DEPTH + 1);
        ck_assert_int_eq(json_scan(deeper.data, deeper.len, NULL), JSON_FAULT_DEPTH);
        buf_free(&deep);
        buf_free(&deeper);
    }
}
END_TEST

START_TEST(a_million_brackets_are_refused)
{
    struct buf text = nested('[', ']', 1000000);
    ck_assert_int_eq(json_scan(text.data, text.len, NULL), JSON_FAULT_DEPTH);
    buf_free(&text);
}
END_TEST

START_TEST(numbers_are_limited_at_their_edge)
{
    char digits[JSON_NUMBER_MAX_LEN + 2];
    memset(digits, '1', sizeof(digits));
    digits[1] = '.';
    enum json_fault fault;
    struct json_object *value = json_parse(digits, JSON_NUMBER_MAX_LEN, &fault);
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    json_object_put(value);
    ck_assert_int_eq(json_scan(digits, JSON_NUMBER_MAX_LEN + 1, NULL), JSON_FAULT_NUMBER);
}
END_TEST

START_TEST(size_is_limited_at_its_edge)
{
    char *text = xmalloc(JSON_MAX_BYTES);
    memset(text, ' ', JSON_MAX_BYTES);
    text[0] = '1';
    ck_assert_int_eq(json_scan(text, JSON_MAX_BYTES, NULL), JSON_FAULT_NONE);
    /* Refused before a byte is read. */
    ck_assert_int_eq(json_scan(text, (size_t)JSON_MAX_BYTES + 1, NULL), JSON_FAULT_SIZE);
    free(text);
}
END_TEST

static void append_keys(struct buf *text, size_t count)
{
    buf_putc(text, '{');
    for (size_t i = 0; i < count; i++) {
        buf_printf(text, "%s\"key%zu\":%zu", i > 0 ? "," : "", i, i);
    }
}

/* Were duplicates looked for pair by pair, this would take minutes, and the test's time limit would end it.
 */
START_TEST(many_keys_are_fast)
{
    enum { KEYS = 200000 };
    struct buf text = {0};
    append_keys(&text, KEYS);
    size_t open_len = text.len;
    buf_putc(&text, '}');
    ck_assert_int_eq(json_scan(text.data, text.len, NULL), JSON_FAULT_NONE);

    text.len = open_len;
    buf_puts(&text, ",\"key0\":1}");
    size_t at;
    ck_assert_int_eq(json_scan(text.data, text.len, &at), JSON_FAULT_DUPLICATE);
    ck_assert_uint_eq(at, open_len + 1);
    buf_free(&text);
}
END_TEST

START_TEST(each_fault_has_its_words)
{
    for (int fault = JSON_FAULT_NONE; fault <= JSON_FAULT_SIZE; fault++) {
        for (int other = JSON_FAULT_NONE; other < fault; other++) {
            ck_assert_str_ne(
                json_fault_text((enum json_fault)fault), json_fault_text((enum json_fault)other));
        }
    }
    char depth[8];
    snprintf(depth, sizeof(depth), " %d ", JSON_MAX_DEPTH);
    ck_assert_ptr_nonnull(strstr(json_fault_text(JSON_FAULT_DEPTH), depth));
}
END_TEST

static struct json_object *parsed(const char *text)
{
    enum json_fault fault;
    struct json_object *value = json_parse(text, strlen(text), &fault);
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    return value;
}

START_TEST(fields_are_strictly_typed)
{
    struct json_object *holder =
        parsed("{\"t\":\"text\",\"i\":-5,\"b\":true,\"o\":{},\"a\":[],\"n\":null,\"d\":1.0,"
               "\"big\":9223372036854775808,\"max\":9223372036854775807,\"s\":\"5\"}");
    const char *text = NULL;
    size_t len = 0;
    int64_t number = 0;
    bool flag = false;
    struct json_object *inner = NULL;

    ck_assert_int_eq(json_get_text(holder, "t", &text, &len), JSON_FIELD_FOUND);
    ck_assert_str_eq(text, "text");
    ck_assert_uint_eq(len, 4);
    ck_assert_int_eq(json_get_text(holder, "i", &text, &len), JSON_FIELD_WRONG);
    ck_assert_int_eq(json_get_text(holder, "n", &text, &len), JSON_FIELD_ABSENT);
    ck_assert_int_eq(json_get_text(holder, "missing", &text, &len), JSON_FIELD_ABSENT);

    ck_assert_int_eq(json_get_int(holder, "i", &number), JSON_FIELD_FOUND);
    ck_assert_int_eq(number, -5);
    ck_assert_int_eq(json_get_int(holder, "max", &number), JSON_FIELD_FOUND);
    ck_assert_int_eq(number, INT64_MAX);
    ck_assert_int_eq(json_get_int(holder, "big", &number), JSON_FIELD_WRONG);
    ck_assert_int_eq(json_get_int(holder, "d", &number), JSON_FIELD_WRONG);
    ck_assert_int_eq(json_get_int(holder, "s", &number), JSON_FIELD_WRONG);
    ck_assert_int_eq(json_get_int(holder, "b", &number), JSON_FIELD_WRONG);

    ck_assert_int_eq(json_get_bool(holder, "b", &flag), JSON_FIELD_FOUND);
    ck_assert(flag);
    ck_assert_int_eq(json_get_bool(holder, "i", &flag), JSON_FIELD_WRONG);
    ck_assert_int_eq(json_get_object(holder, "o", &inner), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(holder, "a", &inner), JSON_FIELD_WRONG);
    ck_assert_int_eq(json_get_array(holder, "a", &inner), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_array(holder, "o", &inner), JSON_FIELD_WRONG);

    ck_assert_str_eq(json_text_or(holder, "t", "other"), "text");
    ck_assert_str_eq(json_text_or(holder, "i", "other"), "other");
    json_object_put(holder);
}
END_TEST

START_TEST(what_is_no_object_has_no_fields)
{
    struct json_object *array = parsed("[1]");
    int64_t number;
    ck_assert_int_eq(json_get_int(array, "0", &number), JSON_FIELD_ABSENT);
    ck_assert_int_eq(json_get_int(NULL, "0", &number), JSON_FIELD_ABSENT);
    json_object_put(array);
}
END_TEST

START_TEST(what_is_built_is_written)
{
    struct json_object *array = json_new_array();
    json_append_text(array, "a/b");
    json_append_text(array, NULL);
    json_append_text_len(array, "xyz", 2);
    struct json_object *object = json_new_object();
    json_add(object, "array", array);
    json_add_text(object, "text", "line\nline \xF0\x9F\x98\x80");
    json_add_text(object, "none", NULL);
    json_add_text_len(object, "part", "abcdef", 3);
    json_add_int(object, "int", INT64_MIN);
    json_add_bool(object, "bool", false);
    json_add_time(object, "time", 1);
    json_add_time(object, "never", 0);
    struct buf text = {0};
    json_write(object, &text);
    ck_assert_str_eq(buf_text(&text),
        "{\"array\":[\"a/b\",null,\"xy\"],\"text\":\"line\\nline \xF0\x9F\x98\x80\",\"none\":null,"
        "\"part\":\"abc\",\"int\":-9223372036854775808,\"bool\":false,\"time\":\"1970-01-01T00:00:00.001+00:"
        "00\",\"never\":null}");
    buf_free(&text);
    json_object_put(object);
}
END_TEST

START_TEST(null_is_no_fault)
{
    enum json_fault fault = JSON_FAULT_SYNTAX;
    ck_assert_ptr_null(json_parse("null", 4, &fault));
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    struct buf text = {0};
    json_write(NULL, &text);
    ck_assert_str_eq(buf_text(&text), "null");
    buf_free(&text);
}
END_TEST

/* A tokener that kept something of a refused text would spoil the next one. */
START_TEST(each_parse_starts_afresh)
{
    for (int i = 0; i < 100; i++) {
        enum json_fault fault;
        ck_assert_ptr_null(json_parse("{\"a\":[1,2", 9, &fault));
        struct json_object *value = parsed(i % 2 ? "12" : "{\"a\":12}");
        ck_assert_int_eq(json_object_get_int(i % 2 ? value : json_object_object_get(value, "a")), 12);
        json_object_put(value);
    }
}
END_TEST

/* Each size around the step beyond which a text has a tokener of its own. */
START_TEST(large_texts_are_parsed)
{
    for (size_t len = 64 * 1024 - 4; len < 64 * 1024 + 4; len++) {
        struct buf text = {0};
        buf_putc(&text, '"');
        while (text.len < len - 1) {
            buf_putc(&text, 'x');
        }
        buf_puts(&text, "\" \n");
        struct json_object *value = parsed(buf_text(&text));
        ck_assert_int_eq(json_object_get_string_len(value), (int)len - 2);
        json_object_put(value);
        buf_free(&text);
    }
}
END_TEST

static void *parse_many(void *arg)
{
    const char *text = arg;
    size_t failures = 0;
    for (int i = 0; i < 1000; i++) {
        enum json_fault fault;
        struct json_object *value = json_parse(text, strlen(text), &fault);
        failures += fault != JSON_FAULT_NONE || json_object_object_length(value) != 1;
        json_object_put(value);
    }
    return failures ? arg : NULL;
}

START_TEST(threads_parse_side_by_side)
{
    static char one[] = "{\"a\":[1,2,3]}", two[] = "{\"b\":{\"c\":\"d\"}}";
    pthread_t threads[2];
    ck_assert_int_eq(pthread_create(&threads[0], NULL, parse_many, one), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, parse_many, two), 0);
    for (size_t i = 0; i < LENGTH_OF(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("json", &tests);
    tcase_set_timeout(tests, 20);
    tcase_add_loop_test(tests, accepts, 0, LENGTH_OF(good));
    tcase_add_loop_test(tests, refuses, 0, LENGTH_OF(bad));
    tcase_add_test(tests, depth_is_limited_at_its_edge);
    tcase_add_test(tests, a_million_brackets_are_refused);
    tcase_add_test(tests, numbers_are_limited_at_their_edge);
    tcase_add_test(tests, size_is_limited_at_its_edge);
    tcase_add_test(tests, many_keys_are_fast);
    tcase_add_test(tests, each_fault_has_its_words);
    tcase_add_test(tests, fields_are_strictly_typed);
    tcase_add_test(tests, what_is_no_object_has_no_fields);
    tcase_add_test(tests, what_is_built_is_written);
    tcase_add_test(tests, null_is_no_fault);
    tcase_add_test(tests, each_parse_starts_afresh);
    tcase_add_test(tests, large_texts_are_parsed);
    tcase_add_test(tests, threads_parse_side_by_side);
    return run_unit(suite);
}
