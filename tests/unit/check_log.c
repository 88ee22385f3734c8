#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "../../common/compiler.h"
#include "../../common/json.h"
#include "../../common/log.h"
#include "../../common/utf8.h"
#include "unit.h"

/* stderr is a pipe between these two. */
static int real_stderr, pipe_out;

static void catch_stderr(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pipe_out = ends[0];
}

static struct buf caught(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    struct buf text = {0};
    ssize_t got;
    while ((got = read(pipe_out, buf_reserve(&text, 65536), 65536)) > 0) {
        buf_commit(&text, (size_t)got);
    }
    close(pipe_out);
    return text;
}

static void expect_tail(struct buf *text, const char *tail)
{
    const char *behind_time = strchr(buf_text(text), ' ');
    ck_assert_ptr_nonnull(behind_time);
    ck_assert_str_eq(behind_time + 1, tail);
    buf_free(text);
}

START_TEST(plain_values_stay_bare)
{
    catch_stderr();
    log_info("listening", LOG_STR("url", "http://127.0.0.1:8000"), LOG_INT("pid", -7));
    struct buf text = caught();
    ck_assert_int_eq(strncmp(buf_text(&text), "time=20", 7), 0);
    expect_tail(&text, "level=info event=listening url=http://127.0.0.1:8000 pid=-7\n");
}
END_TEST

static const struct {
    const char *value, *logged;
} values[] = {
    {"", "\"\""},
    {NULL, "\"\""},
    {"two words", "\"two words\""},
    {"a=b", "\"a=b\""},
    {"\"", "\"\\\"\""},
    {"\\", "\"\\\\\""},
    {"a\nlevel=error", "\"a\\u000alevel=error\""},
    {"\x1b[31m\r\t\x7f", "\"\\u001b[31m\\u000d\\u0009\\u007f\""},
    {"\xC2\x9B", "\"\\u009b\""},
    {"r\xC3\xA4ksm\xC3\xB6rg\xC3\xA5s", "\"r\xC3\xA4ksm\xC3\xB6rg\xC3\xA5s\""},
    {"\xFFx\xE2\x82", "\"\\ufffdx\\ufffd\\ufffd\""},
};

START_TEST(no_value_forges_a_line)
{
    catch_stderr();
    log_warn("e", LOG_STR("v", values[_i].value));
    struct buf text = caught();
    struct buf tail = {0};
    buf_printf(&tail, "level=warn event=e v=%s\n", values[_i].logged);
    expect_tail(&text, buf_text(&tail));
    buf_free(&tail);
}
END_TEST

START_TEST(json_lines_are_json)
{
    log_configure(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    catch_stderr();
    log_error("e", LOG_STR("v", values[_i].value), LOG_INT("n", 5));
    struct buf text = caught();
    ck_assert_ptr_eq(strchr(buf_text(&text), '\n'), buf_text(&text) + text.len - 1);
    enum json_fault fault;
    struct json_object *line = json_parse(buf_text(&text), text.len, &fault);
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    int64_t number = 0;
    ck_assert_str_eq(json_text_or(line, "level", ""), "error");
    ck_assert_str_eq(json_text_or(line, "event", ""), "e");
    ck_assert_int_eq(json_get_int(line, "n", &number), JSON_FIELD_FOUND);
    ck_assert_int_eq(number, 5);
    const char *given = values[_i].value ? values[_i].value : "";
    if (utf8_valid(given, strlen(given))) {
        ck_assert_str_eq(json_text_or(line, "v", "absent"), given);
    }
    json_object_put(line);
    buf_free(&text);
}
END_TEST

START_TEST(long_values_are_cut_at_their_edge)
{
    char value[LOG_VALUE_MAX + 3];
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    memcpy(value + LOG_VALUE_MAX - 1, "\xE2\x82\xAC", 3); /* the limit falls within it */
    catch_stderr();
    log_info("e", LOG_STR("v", value));
    struct buf text = caught();
    const char *logged = strstr(buf_text(&text), " v=") + 3;
    ck_assert_uint_eq(strlen(logged), LOG_VALUE_MAX - 1 + 1);
    ck_assert_uint_eq(strspn(logged, "x"), LOG_VALUE_MAX - 1);
    buf_free(&text);

    value[LOG_VALUE_MAX - 1] = 'x';
    value[LOG_VALUE_MAX] = '\0';
    catch_stderr();
    log_info("e", LOG_STR("v", value));
    text = caught();
    ck_assert_uint_eq(strspn(strstr(buf_text(&text), " v=") + 3, "x"), LOG_VALUE_MAX);
    buf_free(&text);
}
END_TEST

START_TEST(what_is_below_the_threshold_is_dropped)
{
    catch_stderr();
    log_debug("hidden");
    log_configure(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR);
    log_warn("hidden");
    log_error("shown");
    struct buf text = caught();
    expect_tail(&text, "level=error event=shown\n");
}
END_TEST

enum { LINES = 100 };

static void *log_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < LINES; i++) {
        log_info("many", LOG_STR("text", "the same in each line"));
    }
    return NULL;
}

START_TEST(lines_of_threads_stay_whole)
{
    catch_stderr();
    fcntl(pipe_out, F_SETPIPE_SZ, 1 << 20);
    pthread_t threads[4];
    for (size_t i = 0; i < LENGTH_OF(threads); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_many, NULL), 0);
    }
    for (size_t i = 0; i < LENGTH_OF(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    struct buf text = caught();
    size_t count = 0;
    for (char *save, *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        ck_assert_str_eq(strchr(line, ' '), " level=info event=many text=\"the same in each line\"");
        count++;
    }
    ck_assert_uint_eq(count, LENGTH_OF(threads) * LINES);
    buf_free(&text);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("log", &tests);
    tcase_add_test(tests, plain_values_stay_bare);
    tcase_add_loop_test(tests, no_value_forges_a_line, 0, LENGTH_OF(values));
    tcase_add_loop_test(tests, json_lines_are_json, 0, LENGTH_OF(values));
    tcase_add_test(tests, long_values_are_cut_at_their_edge);
    tcase_add_test(tests, what_is_below_the_threshold_is_dropped);
    tcase_add_test(tests, lines_of_threads_stay_whole);
    return run_unit(suite);
}
