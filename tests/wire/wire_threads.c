/* Named threads between two agents: opened, joined, inherited, resolved, reopened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness_pair.h"

static char *ops; /* the third agent's token */

static void setup(void)
{
    pair_setup();
    ops = relay_token(relay, "ops@myproject");
}

static void teardown(void)
{
    free(ops);
    pair_teardown();
}

/* The id of the thread of the newest message that recall finds there; the caller frees. */
static char *thread_id(const char *token, const char *thread)
{
    char *params = xasprintf("{\"name\":\"recall\",\"arguments\":{\"thread\":\"%s\",\"limit\":1},\"_meta\":{"
                             "\"patchcord/structured\":true}}",
        thread);
    struct json_object *answer = mcp_request(relay, token, "tools/call", params, NULL), *found = NULL;

    ck_assert(json_get_object(answer, "result", &found) == JSON_FIELD_FOUND);
    ck_assert(json_get_object(found, "structuredContent", &found) == JSON_FIELD_FOUND);
    ck_assert(json_get_array(found, "messages", &found) == JSON_FIELD_FOUND);
    ck_assert_uint_eq(json_object_array_length(found), 1);
    char *id = xstrdup(json_text_or(json_object_array_get_idx(found, 0), "thread_id", ""));
    json_object_put(answer);
    free(params);
    return id;
}

static char *send_in(const char *token, const char *to, const char *thread, const char *content)
{
    char *args = xasprintf("{\"to\":\"%s\",\"thread\":\"%s\",\"content\":\"%s\"}", to, thread, content);
    char *text = tool_ok(relay, token, "send_message", args), *id = id_of_sent(text);

    free(text);
    free(args);
    return id;
}

START_TEST(both_sides_write_in_one_thread)
{
    free(send_in(frontend, "backend", "Auth-Migration", "start"));
    tool_says(relay, backend, "inbox", "{}", "] thread auth-migration\n> start\n");
    free(send_in(backend, "frontend", "auth-migration", "started"));
    tool_says(relay, frontend, "inbox", "{}", "] thread auth-migration\n> started\n");

    char *one = thread_id(frontend, "auth-migration"), *two = thread_id(backend, "auth-migration");
    ck_assert_str_eq(one, two);
    char *args = xasprintf("{\"thread\":\"%s\"}", one), *text = tool_ok(relay, backend, "recall", args);
    ck_assert_ptr_nonnull(strstr(text, "> started\n"));
    ck_assert_ptr_nonnull(strstr(text, "> start\n"));
    free(text);
    free(args);
    free(one);
    free(two);
}
END_TEST

START_TEST(a_reply_stays_in_the_thread)
{
    char *id = send_in(frontend, "backend", "deploy", "go?");
    char *args = xasprintf("{\"message_id\":\"%s\",\"content\":\"go\"}", id);

    tool_says(relay, backend, "reply", args, "Sent to frontend [");
    tool_says(relay, frontend, "inbox", "{}", "] thread deploy\n> go\n");
    free(args);
    free(id);
}
END_TEST

START_TEST(resolved_and_reopened)
{
    char *id = send_in(frontend, "backend", "deploy", "done?");
    char *args = xasprintf("{\"message_id\":\"%s\",\"content\":\"done\",\"resolve\":true}", id);

    tool_says(relay, backend, "inbox", "{}", "> done?\n");
    tool_says(relay, backend, "reply", args, "Resolved thread deploy");
    tool_says(relay, frontend, "inbox", "{}", "] thread deploy (resolved)\n> done\n");
    char *before = thread_id(frontend, "deploy");
    free(send_in(frontend, "backend", "deploy", "once more"));
    tool_says(relay, backend, "inbox", "{}", "] thread deploy\n> once more\n");
    char *after = thread_id(frontend, "deploy");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    free(args);
    free(id);
}
END_TEST

/* Closing needs no words, and says nothing to the other side. */
START_TEST(resolved_without_a_word)
{
    char *id = send_in(frontend, "backend", "deploy", "fyi");
    char *args = xasprintf("{\"message_id\":\"%s\",\"resolve\":true}", id);

    tool_says(relay, backend, "reply", args, "Resolved thread deploy");
    tool_soon_says(relay, backend, "inbox", "{}", "| 0 pending\n");
    tool_soon_says(relay, frontend, "inbox", "{}", "| 0 pending\n");
    free(args);
    free(id);
}
END_TEST

START_TEST(each_pair_has_its_own)
{
    free(send_in(frontend, "backend, ops", "standup", "morning"));
    tool_says(relay, backend, "inbox", "{}", "] thread standup\n> morning\n");
    tool_says(relay, ops, "inbox", "{}", "] thread standup\n> morning\n");
    char *one = thread_id(backend, "standup"), *two = thread_id(ops, "standup");
    ck_assert_str_ne(one, two);
    free(one);
    free(two);
}
END_TEST

START_TEST(bad_names)
{
    static const char *const names[] = {"two words", "-dash", "a/b", "\xc3\xbc",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 65 */};
    char *args = xasprintf("{\"to\":\"backend\",\"content\":\"x\",\"thread\":\"%s\"}", names[_i]);

    tool_fails(relay, frontend, "send_message", args, "thread must be a short name");
    tool_soon_says(relay, backend, "inbox", "{}", "| 0 pending\n");
    free(args);
}
END_TEST

START_TEST(the_longest_name)
{
    static const char name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; /* 64 */
    free(send_in(frontend, "backend", name, "x"));
    char *wanted = xasprintf("] thread %s\n> x\n", name);
    tool_says(relay, backend, "inbox", "{}", wanted);
    free(wanted);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("threads");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, both_sides_write_in_one_thread);
    tcase_add_test(tests, a_reply_stays_in_the_thread);
    tcase_add_test(tests, resolved_and_reopened);
    tcase_add_test(tests, resolved_without_a_word);
    tcase_add_test(tests, each_pair_has_its_own);
    tcase_add_loop_test(tests, bad_names, 0, 5);
    tcase_add_test(tests, the_longest_name);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
