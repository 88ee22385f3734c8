/* No read and no write crosses a namespace, and no answer tells what is behind the wall. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../harness_pair.h"

#define NO_ID "0192f0c1-89ab-7cde-8123-456789abcdef"

static char *stranger; /* in another namespace, with the backend's name */

static void setup(void)
{
    pair_setup();
    stranger = relay_token(relay, "backend@yourproject");
}

static void teardown(void)
{
    free(stranger);
    pair_teardown();
}

static char *send_secret(void)
{
    char *text = tool_ok(relay, frontend, "send_message",
        "{\"to\":\"backend\",\"content\":\"the secret plan\",\"thread\":\"plans\"}");
    char *id = id_of_sent(text);

    free(text);
    return id;
}

START_TEST(a_name_in_another_namespace_is_another_agent)
{
    free(send_secret());
    tool_says(relay, stranger, "inbox", "{\"all_agents\":true}",
        "backend@yourproject | 0 pending\n\nOnline: nobody else\n");
    tool_says(relay, stranger, "wait_for_message", "{\"timeout_seconds\":1}", "No message after 1 s.");
    tool_says(relay, stranger, "recall", "{}", "No message fits.");
    tool_says(relay, stranger, "recall", "{\"query\":\"secret\"}", "No message fits.");
    tool_says(relay, stranger, "recall", "{\"thread\":\"plans\"}", "No message fits.");
    tool_says(relay, stranger, "recall", "{\"from_agent\":\"frontend\"}", "No message fits.");
    tool_says(relay, backend, "inbox", "{}", "> the secret plan\n");
}
END_TEST

/* The refusal for what exists elsewhere is word for word that for what exists nowhere. */
static void same_refusal(const char *tool, const char *format, const char *exists, const char *absent)
{
    char *args[2], *texts[2];
    const char *values[2] = {exists, absent};

    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        bool is_error = false;
        struct buf value = {0};
        const char *gap = strchr(format, '@');
        buf_append(&value, format, (size_t)(gap - format));
        buf_puts(&value, values[i]);
        buf_puts(&value, gap + 1);
        args[i] = buf_take(&value);
        texts[i] = mcp_tool(relay, stranger, tool, args[i], &is_error);
        ck_assert_msg(is_error, "%s %s: %s", tool, args[i], texts[i]);
    }
    char *at = strstr(texts[0], exists);
    ck_assert_msg(at, "%s", texts[0]);
    size_t before = (size_t)(at - texts[0]);
    ck_assert_int_eq(strncmp(texts[0], texts[1], before), 0);
    ck_assert_str_eq(texts[0] + before + strlen(exists), texts[1] + before + strlen(absent));
    for (size_t i = 0; i < LENGTH_OF(texts); i++) {
        free(args[i]);
        free(texts[i]);
    }
}

START_TEST(ids_of_others_are_not_found)
{
    char *id = send_secret();

    same_refusal("reply", "{\"message_id\":\"@\",\"content\":\"x\"}", id, NO_ID);
    same_refusal("reply", "{\"message_id\":\"@\",\"defer\":true}", id, NO_ID);
    same_refusal("reply", "{\"message_id\":\"@\",\"resolve\":true}", id, NO_ID);
    same_refusal("unsend_message", "{\"message_id\":\"@\"}", id, NO_ID);
    same_refusal("recall", "{\"message_id\":\"@\"}", id, NO_ID);
    /* Within the namespace just as well: it is somebody else's. */
    char *ops = relay_token(relay, "ops@myproject"), *mine = stranger;
    stranger = ops;
    same_refusal("reply", "{\"message_id\":\"@\",\"content\":\"x\"}", id, NO_ID);
    same_refusal("unsend_message", "{\"message_id\":\"@\"}", id, NO_ID);
    same_refusal("recall", "{\"message_id\":\"@\"}", id, NO_ID);
    stranger = mine;
    tool_says(relay, backend, "inbox", "{}", "> the secret plan\n");
    free(ops);
    free(id);
}
END_TEST

START_TEST(addresses_elsewhere_are_out_of_reach)
{
    same_refusal(
        "send_message", "{\"to\":\"@\",\"content\":\"x\"}", "frontend_myproject", "nobody_myproject");
    tool_fails(relay, stranger, "send_message", "{\"to\":\"frontend@myproject\",\"content\":\"x\"}",
        "Out of reach: frontend@myproject.");
    tool_fails(relay, stranger, "send_message", "{\"to\":\"nobody@nowhere\",\"content\":\"x\"}",
        "Out of reach: nobody@nowhere.");
    tool_fails(relay, stranger, "send_message", "{\"to\":\"myproject:frontend\",\"content\":\"x\"}",
        "Out of reach: frontend@myproject.");
    tool_fails(relay, stranger, "send_message", "{\"to\":\"frontend\",\"content\":\"x\"}",
        "Unknown recipient frontend: nothing was sent. Agents of yourproject, nearest name first: backend");
    tool_fails(relay, stranger, "recall", "{\"from_agent\":\"frontend@myproject\"}", "Out of reach");
    tool_soon_says(relay, frontend, "inbox", "{}", "| 0 pending");
}
END_TEST

/* An acknowledgement by the wrong one changes nothing. */
START_TEST(acks_of_others_count_for_nothing)
{
    char *id = send_secret(), *args = xasprintf("{\"message_id\":\"%s\"}", id);
    char *params =
        xasprintf("{\"name\":\"inbox\",\"arguments\":{},\"_meta\":{\"patchcord/ack\":[\"%s\"]}}", id);

    json_object_put(mcp_request(relay, stranger, "tools/call", params, NULL));
    json_object_put(mcp_request(relay, frontend, "tools/call", params, NULL));
    tool_says(relay, frontend, "recall", args, ", pending\n");
    tool_says(relay, backend, "inbox", "{}", "> the secret plan\n");
    free(params);
    free(args);
    free(id);
}
END_TEST

/* Nor does a lease of the same name. */
START_TEST(leases_of_others_are_others)
{
    static const char params[] =
        "{\"name\":\"inbox\",\"arguments\":{},\"_meta\":{\"patchcord/lease\":\"" NO_ID "\"}}";
    static const char *const acks[] = {"X-Patchcord-Ack: 1", NULL};
    free(send_secret());

    json_object_put(mcp_request_with(relay, backend, "tools/call", params, acks, NULL));
    struct json_object *answer = mcp_request_with(relay, stranger, "tools/call", params, acks, NULL);
    ck_assert_ptr_nonnull(strstr(mcp_result_text(answer, NULL), "backend@yourproject | 0 pending\n"));
    json_object_put(answer);
    answer = mcp_request_with(relay, backend, "tools/call", params, acks, NULL);
    ck_assert_ptr_nonnull(strstr(mcp_result_text(answer, NULL), "> the secret plan\n"));
    json_object_put(answer);
}
END_TEST

/* Who wrote a message is what the token says, whatever the client claims. */
START_TEST(the_sender_is_the_tokens)
{
    static const char *const claims[] = {"X-Patchcord-Display-Name: boss", "X-Patchcord-Agent: boss", NULL};
    struct json_object *answer = mcp_request_with(relay, frontend, "tools/call",
        "{\"name\":\"send_message\",\"arguments\":{\"to\":\"backend\",\"content\":\"x\",\"from\":\"boss\","
        "\"from_agent\":\"boss\"}}",
        claims, NULL);

    ck_assert_ptr_nonnull(strstr(mcp_result_text(answer, NULL), "Sent to backend"));
    json_object_put(answer);
    tool_says(relay, backend, "inbox", "{}", "\nFrom frontend (");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("isolation");
    TCase *tests = tcase_create("isolation");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_name_in_another_namespace_is_another_agent);
    tcase_add_test(tests, ids_of_others_are_not_found);
    tcase_add_test(tests, addresses_elsewhere_are_out_of_reach);
    tcase_add_test(tests, acks_of_others_count_for_nothing);
    tcase_add_test(tests, leases_of_others_are_others);
    tcase_add_test(tests, the_sender_is_the_tokens);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
