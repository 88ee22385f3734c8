/* The metrics page: counts, buckets, and counting from several threads. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../relay/metrics.h"
#include "unit.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct metrics *m;
static struct buf page;

static void setup(void)
{
    m = metrics_new();
    page = (struct buf){0};
}

static void teardown(void)
{
    metrics_free(m);
    buf_free(&page);
}

static void write_page(const struct metrics_gauges *gauges)
{
    buf_reset(&page);
    metrics_write(m, gauges, &page);
}

static void assert_line(const char *line)
{
    char *wanted = xasprintf("\n%s\n", line);
    ck_assert_msg(strstr(buf_text(&page), wanted) != NULL, "no line '%s' in:\n%s", line, buf_text(&page));
    free(wanted);
}

START_TEST(requests)
{
    metrics_request(m, "inbox", 200, 100);
    metrics_request(m, "inbox", 200, 100);
    metrics_request(m, "inbox", 401, 100);
    metrics_request(m, "none", 404, 100);
    write_page(&(struct metrics_gauges){0});
    assert_line("# TYPE patchcord_http_requests_total counter");
    assert_line("patchcord_http_requests_total{route=\"inbox\",status=\"200\"} 2");
    assert_line("patchcord_http_requests_total{route=\"inbox\",status=\"401\"} 1");
    assert_line("patchcord_http_requests_total{route=\"none\",status=\"404\"} 1");
}
END_TEST

START_TEST(histograms)
{
    metrics_tool(m, "inbox", false, 500);     /* at an edge: in its bucket */
    metrics_tool(m, "inbox", false, 501);     /* behind it */
    metrics_tool(m, "inbox", false, 9000000); /* beyond the last */
    metrics_tool(m, "inbox", true, 100);
    metrics_store(m, "send", false, 3000);
    write_page(&(struct metrics_gauges){0});
    assert_line("# TYPE patchcord_tool_call_seconds histogram");
    assert_line("patchcord_tool_call_seconds_bucket{tool=\"inbox\",outcome=\"done\",le=\"0.0005\"} 1");
    assert_line("patchcord_tool_call_seconds_bucket{tool=\"inbox\",outcome=\"done\",le=\"0.001\"} 2");
    assert_line("patchcord_tool_call_seconds_bucket{tool=\"inbox\",outcome=\"done\",le=\"5\"} 2");
    assert_line("patchcord_tool_call_seconds_bucket{tool=\"inbox\",outcome=\"done\",le=\"+Inf\"} 3");
    assert_line("patchcord_tool_call_seconds_count{tool=\"inbox\",outcome=\"done\"} 3");
    assert_line("patchcord_tool_call_seconds_sum{tool=\"inbox\",outcome=\"done\"} 9.001001");
    assert_line("patchcord_tool_call_seconds_count{tool=\"inbox\",outcome=\"failed\"} 1");
    assert_line("patchcord_store_seconds_bucket{operation=\"send\",outcome=\"done\",le=\"0.005\"} 1");
}
END_TEST

START_TEST(gauges)
{
    write_page(&(struct metrics_gauges){.parked = 3, .bans = 2});
    assert_line("patchcord_parked_waits 3");
    assert_line("patchcord_bans 2");
    ck_assert_ptr_null(strstr(buf_text(&page), "patchcord_messages"));
    write_page(&(struct metrics_gauges){.has_messages = true,
        .messages_by_status = {1, 2, 3, 4},
        .messages_leased = 5,
        .clients = 6,
        .grants = 7});
    assert_line("patchcord_messages{status=\"pending\"} 1");
    assert_line("patchcord_messages{status=\"deferred\"} 4");
    assert_line("patchcord_messages_leased 5");
    assert_line("patchcord_oauth_clients 6");
    assert_line("patchcord_oauth_grants 7");
}
END_TEST

/* Two texts of the same label are one series. */
START_TEST(labels_are_compared_as_text)
{
    char one[] = "send", two[] = "send";
    metrics_store(m, one, false, 1);
    metrics_store(m, two, false, 1);
    write_page(&(struct metrics_gauges){0});
    assert_line("patchcord_store_seconds_count{operation=\"send\",outcome=\"done\"} 2");
}
END_TEST

/* A full family counts what it has, and nothing is written beyond it. */
START_TEST(bounded)
{
    static char labels[METRICS_SERIES_MAX + 8][16];
    for (size_t i = 0; i < METRICS_SERIES_MAX + 8; i++) {
        (void)snprintf(labels[i], sizeof labels[i], "l%zu", i);
        metrics_request(m, labels[i], 200, 1);
    }
    write_page(&(struct metrics_gauges){0});
    assert_line("patchcord_http_requests_total{route=\"l511\",status=\"200\"} 1");
    ck_assert_ptr_null(strstr(buf_text(&page), "\"l512\""));
}
END_TEST

static void *count(void *arg)
{
    static const char *const routes[] = {"a", "b", "c"};
    (void)arg;
    for (int i = 0; i < ROUNDS; i++)
        metrics_request(m, routes[i % 3], 200 + i % 2, 1);
    return NULL;
}

START_TEST(threads)
{
    pthread_t workers[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&workers[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(workers[i], NULL), 0);
    write_page(&(struct metrics_gauges){0});
    long total = 0;
    for (const char *line = buf_text(&page); (line = strstr(line, "_total{")); line++)
        total += strtol(strchr(line, '}') + 1, NULL, 10);
    ck_assert_int_eq(total, (long)THREADS * ROUNDS);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("metrics", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, requests);
    tcase_add_test(tests, histograms);
    tcase_add_test(tests, gauges);
    tcase_add_test(tests, labels_are_compared_as_text);
    tcase_add_test(tests, bounded);
    tcase_add_test(tests, threads);
    return run_unit(suite);
}
