/* A bridge that is killed with an offer in its hands: its messages come again when the first lease ends, a
 * minute later. */
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

enum { ANSWER_MS = 20 * 1000, LEASE_MS = 60 * 1000, PROGRESS_MS = 30 * 1000 };

static bool has_output(void *arg)
{
    struct bridge_process *bridge = arg;
    struct pollfd fd = {.fd = bridge->out, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

/* The line that ends the call, after at least two of progress. */
static struct json_object *await_with_progress(struct bridge_process *bridge)
{
    int64_t last = 0, now;
    for (int reports = 0;; reports++) {
        struct json_object *line = bridge_read(bridge, PROGRESS_MS), *params;
        ck_assert_msg(line != NULL, "silent for too long after %d reports", reports);
        if (strcmp(json_text_or(line, "id", ""), "w") == 0) {
            ck_assert_int_ge(reports, 2);
            return line;
        }
        ck_assert_str_eq(json_text_or(line, "method", ""), "notifications/progress");
        ck_assert_int_eq(json_get_object(line, "params", &params), JSON_FIELD_FOUND);
        ck_assert_str_eq(json_text_or(params, "progressToken", ""), "p");
        ck_assert_int_eq(json_get_int(params, "progress", &now), JSON_FIELD_FOUND);
        ck_assert_int_gt(now, last);
        last = now;
        json_object_put(line);
    }
}

START_TEST(what_a_killed_bridge_held_comes_again)
{
    struct relay_process *relay = relay_start(NULL, NULL);
    char *token = relay_token(relay, "backend@shop"), *other = relay_token(relay, "frontend@shop"), *text;
    struct bridge_process *back = bridge_start(relay, token, NULL), *front = bridge_start(relay, other, NULL);
    bool failed;
    free(bridge_tool(front, "send_message", "{\"to\":\"backend\",\"content\":\"precious\"}", &failed));
    ck_assert(!failed);
    int64_t offered_at = now_us();
    bridge_call_begin(back, "inbox", "{}");
    ck_assert(poll_until(has_output, back, ANSWER_MS));
    bridge_kill(back);

    struct bridge_process *again = bridge_start(relay, token, NULL);
    text = bridge_tool(again, "inbox", "{}", NULL);
    ck_assert_msg(
        strstr(text, "0 pending") && strstr(text, "in delivery") && !strstr(text, "precious"), "%s", text);
    free(text);
    bridge_send_line(again, "{\"jsonrpc\":\"2.0\",\"id\":\"w\",\"method\":\"tools/"
                            "call\",\"params\":{\"name\":\"wait_for_message\","
                            "\"_meta\":{\"progressToken\":\"p\"}}}");
    struct json_object *answer = await_with_progress(again);
    text = xstrdup(mcp_result_text(answer, &failed));
    json_object_put(answer);
    ck_assert_msg(!failed && strstr(text, "> precious") && strstr(text, "attempt 2"), "%s", text);
    ck_assert_int_ge((now_us() - offered_at) / 1000, LEASE_MS - 1000);
    free(text);
    free(token);
    free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bridge_killed");
    TCase *tests = tcase_create("bridge_killed");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 180);
    tcase_add_checked_fixture(tests, NULL, harness_cleanup);
    tcase_add_test(tests, what_a_killed_bridge_held_comes_again);
    return run_suite(suite);
}
