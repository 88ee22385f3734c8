/* A bridge that is killed with an offer in its hands: its messages come again when the first lease ends, a
 * minute later. */
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "../harness.h"

enum { ANSWER_MS = 20 * 1000, LEASE_MS = 60 * 1000, PATIENCE_MS = 100 * 1000 };

static bool has_output(void *arg)
{
    struct bridge_process *bridge = arg;
    struct pollfd fd = {.fd = bridge->out, .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
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
    int64_t wait = bridge_call_begin(again, "wait_for_message", "{}");
    text = bridge_call_end(again, wait, PATIENCE_MS, &failed);
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
