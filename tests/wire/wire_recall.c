/* What was said before, found again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness_pair.h"

/* How many messages a recall shows. */
static size_t count_shown(const char *token, const char *args)
{
    char *text = tool_ok(relay, token, "recall", args);
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, "From ")); at++)
        count += at == text || at[-1] == '\n';
    free(text);
    return count;
}

START_TEST(limits)
{
    enum { SENT = 12 };

    for (int i = 0; i < SENT; i++) {
        char *content = xasprintf("number %d.", i);
        free(tool_send(relay, frontend, "backend", content));
        free(content);
    }
    ck_assert_uint_eq(count_shown(frontend, "{}"), 10);
    ck_assert_uint_eq(count_shown(frontend, "{\"limit\":100}"), SENT);
    ck_assert_uint_eq(count_shown(backend, "{\"limit\":1}"), 1);
    tool_says(relay, backend, "recall", "{\"limit\":1}", "> number 11.\n");
    tool_fails(relay, frontend, "recall", "{\"limit\":0}", "limit");
    tool_fails(relay, frontend, "recall", "{\"limit\":101}", "limit");
    /* Looking takes nothing. */
    tool_says(relay, backend, "inbox", "{}", "| 12 pending\n");
}
END_TEST

START_TEST(filters)
{
    free(tool_send(relay, frontend, "backend", "The migration of Z\xc3\x9cRICH failed"));
    free(tool_send(relay, frontend, "backend", "lunch?"));
    tool_says(relay, backend, "inbox", "{}", "> lunch?\n");
    tool_says(relay, backend, "send_message",
        "{\"to\":\"frontend\",\"content\":\"retry the migration\",\"thread\":\"db\"}", "Sent");

    ck_assert_uint_eq(count_shown(frontend, "{}"), 3);
    ck_assert_uint_eq(count_shown(frontend, "{\"query\":\"Migration\"}"), 2);
    ck_assert_uint_eq(count_shown(frontend, "{\"query\":\"migration failed\"}"), 1);
    ck_assert_uint_eq(count_shown(frontend, "{\"query\":\"z\xc3\xbcrich\"}"), 1);
    ck_assert_uint_eq(count_shown(frontend, "{\"query\":\"migration\",\"from_agent\":\"backend\"}"), 1);
    ck_assert_uint_eq(count_shown(frontend, "{\"from_agent\":\"frontend@myproject\"}"), 2);
    ck_assert_uint_eq(count_shown(frontend, "{\"thread\":\"db\"}"), 1);
    ck_assert_uint_eq(count_shown(frontend, "{\"query\":\"\",\"thread\":\"\",\"from_agent\":\"\"}"), 3);
    tool_says(relay, frontend, "recall", "{\"query\":\"dinner\"}", "No message fits.");
    /* A query is words, whatever it looks like. */
    tool_says(relay, frontend, "recall", "{\"query\":\"\\\" OR NEAR(* content:\"}", "No message fits.");
    tool_says(
        relay, frontend, "recall", "{\"query\":\"'; DROP TABLE agent_messages; --\"}", "No message fits.");
}
END_TEST

/* A long message is read part by part; the parts are the whole. */
START_TEST(reading_on)
{
    enum { CHARACTERS = 50000 };
    static const char *const units[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "bcdefgh"};
    struct buf content = {0}, read = {0};

    for (size_t i = 0; i < CHARACTERS / 11; i++)
        for (size_t unit = 0; unit < LENGTH_OF(units); unit++)
            buf_puts(&content, units[unit]);
    char *id = tool_send(relay, frontend, "backend", buf_text(&content));
    long offset = 0;
    for (int parts = 0; offset >= 0; parts++) {
        ck_assert_int_lt(parts, 50);
        char *args = xasprintf("{\"message_id\":\"%s\",\"offset\":%ld}", id, offset);
        char *text = tool_ok(relay, backend, "recall", args), *from = strstr(text, "\n> "),
             *end = strchr(from + 1, '\n');
        ck_assert_uint_le(strlen(text), 25000);
        buf_append(&read, from + 3, (size_t)(end - from - 3));
        const char *next = strstr(end, "offset=");
        offset = next ? strtol(next + 7, NULL, 10) : -1;
        free(text);
        free(args);
    }
    ck_assert_uint_eq(read.len, content.len);
    ck_assert(memcmp(read.data, content.data, read.len) == 0);

    char *args = xasprintf("{\"message_id\":\"%s\",\"offset\":49995}", id);
    tool_fails(relay, backend, "recall", args, "is past the end");
    free(args);
    tool_fails(relay, backend, "recall", "{\"offset\":5}", "give its message_id");
    tool_fails(relay, backend, "recall", "{\"message_id\":\"x\"}", "message_id is not a message's id");
    tool_fails(relay, backend, "recall", "{\"from_agent\":\"No Name!\"}", "Not an agent's name");
    buf_free(&content);
    buf_free(&read);
    free(id);
}
END_TEST

/* Sealed on the disk, and read as ever, but for a search. */
START_TEST(encrypted_at_rest)
{
    static const char *const keys[] = {
        "PATCHCORD_ENCRYPTION_KEY=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", NULL};
    static const char *const wrong[] = {"PATCHCORD_ENCRYPTION_KEY=too-short", NULL};
    free(tool_send(relay, frontend, "backend", "in clear"));
    ck_assert_int_eq(relay_stop(relay), 0);
    relay_restart(relay, keys);
    free(tool_send(relay, frontend, "backend", "the launch is on friday"));
    tool_says(relay, backend, "inbox", "{}", "> the launch is on friday");
    tool_says(relay, backend, "recall", "{\"query\":\"clear\"}", "> in clear");
    tool_says(relay, backend, "recall", "{\"query\":\"friday\"}", "cannot be searched");
    ck_assert_int_eq(relay_stop(relay), 0);

    struct program_result result;
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    run_program((const char *const[]){"patchcord-relay", "serve", NULL},
        (const char *const[]){wrong[0], data, NULL}, NULL, 10000, &result);
    ck_assert_int_eq(result.exit_code, 1);
    ck_assert_ptr_nonnull(
        strstr(buf_text(&result.err), "PATCHCORD_ENCRYPTION_KEY must have keys of 32 bytes in base64"));
    ck_assert_ptr_null(strstr(buf_text(&result.err), "too-short"));
    program_result_free(&result);
    free(data);
    relay_restart(relay, (const char *const[]){"PATCHCORD_RATE_LIMIT_PER_MINUTE=0", NULL});
    tool_says(relay, backend, "recall", "{}", "a key that the relay does not have");
}
END_TEST

START_TEST(what_became_of_it)
{
    char *id = tool_send(relay, frontend, "backend", "look"),
         *args = xasprintf("{\"message_id\":\"%s\"}", id);
    char *reply = xasprintf("{\"message_id\":\"%s\",\"content\":\"seen\"}", id);

    tool_says(relay, frontend, "recall", args, "From frontend to backend (just now) [");
    tool_says(relay, frontend, "recall", args, "], pending\n> look\n");
    tool_says(relay, backend, "reply", reply, "Sent to frontend [");
    tool_says(relay, frontend, "recall", args, "], replied just now\n");
    char *text = tool_ok(relay, frontend, "recall", "{}"),
         *wanted = xasprintf("From backend to frontend (just now) [");
    ck_assert_int_eq(strncmp(text, wanted, strlen(wanted)), 0);
    free(wanted);
    wanted = xasprintf(", reply to [%s]\n> seen\n", id);
    ck_assert_ptr_nonnull(strstr(text, wanted));
    free(wanted);
    free(text);

    char *params = xasprintf("{\"name\":\"recall\",\"arguments\":{\"message_id\":\"%s\"},\"_meta\":{"
                             "\"patchcord/structured\":true}}",
        id);
    struct json_object *answer = mcp_request(relay, frontend, "tools/call", params, NULL), *found = NULL;
    ck_assert(json_get_object(answer, "result", &found) == JSON_FIELD_FOUND);
    ck_assert(json_get_object(found, "structuredContent", &found) == JSON_FIELD_FOUND);
    ck_assert(json_get_array(found, "messages", &found) == JSON_FIELD_FOUND);
    found = json_object_array_get_idx(found, 0);
    ck_assert_str_eq(json_text_or(found, "message_id", ""), id);
    ck_assert_str_eq(json_text_or(found, "status", ""), "replied");
    ck_assert_str_ne(json_text_or(found, "replied_at", ""), "");
    ck_assert_str_eq(json_text_or(found, "unsent_at", "never"), "never");
    json_object_put(answer);
    free(params);
    free(reply);
    free(args);
    free(id);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recall");
    TCase *tests = tcase_create("recall");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, pair_setup, pair_teardown);
    tcase_add_test(tests, limits);
    tcase_add_test(tests, filters);
    tcase_add_test(tests, reading_on);
    tcase_add_test(tests, encrypted_at_rest);
    tcase_add_test(tests, what_became_of_it);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
