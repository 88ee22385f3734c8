/* Reading back: recall, search, the inbox by status, events; nothing crosses a namespace. */
#include "store_case.h"

#include "unit.h"

/* ---- recall, inbox, events ---- */

START_TEST(recall_reads_both_sides_of_a_conversation)
{
    char first[UUID_SIZE], last[100];
    must_send(s, "a", "b", "one", first);
    must_reply(s, "b", first, "two", false, false);
    must_send(s, "c", "b", "three", NULL);
    must_send(s, "b", "b", "four", NULL);
    struct store_messages thread;
    send_in("a", "c", "auth", &thread);

    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10}, last), 4);
    ck_assert_str_eq(last, "one");
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 2}, last), 2);
    ck_assert_str_eq(last, "three");
    ck_assert_uint_eq(recalled("a", &(struct store_recall){.limit = 10}, NULL), 3);
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10, .from_agent = "c"}, last), 1);
    ck_assert_str_eq(last, "three");
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10, .from_agent = "b"}, NULL), 2);
    ck_assert_uint_eq(recalled("c", &(struct store_recall){.limit = 10, .thread = "auth"}, NULL), 1);
    ck_assert_uint_eq(
        recalled("c", &(struct store_recall){.limit = 10, .thread = thread.items[0].thread_id}, NULL), 1);
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10, .thread = "auth"}, NULL), 0);
    ck_assert_uint_eq(recalled("c", &(struct store_recall){.limit = 1, .message_id = first}, NULL), 0);
    ck_assert_uint_eq(
        recalled("b", &(struct store_recall){.limit = 10, .after_seq = thread.items[0].seq - 3}, last), 2);
    ck_assert_str_eq(last, "four");
    store_messages_free(&thread);
}
END_TEST

START_TEST(recall_finds_by_words)
{
    must_send(s, "a", "b", "Die Größe der Tabelle: 42 Zeilen", NULL);
    must_send(s, "a", "b", "select * from users where id = 42;", NULL);
    must_send(s, "c", "a", "數據庫遷移完成", NULL);
    must_send(s, "c", "b", "users of c alone", NULL);
    const struct {
        const char *agent, *query;
        size_t expected;
    } cases[] = {
        {"a", "42", 2},
        {"b", "GRÖSSE", 0},
        {"b", "GRÖßE", 1},
        {"a", "42 users", 1},
        {"a", "users \"from\" -where*", 1},
        {"a", "遷移", 1},
        {"c", "數據庫", 1},
        {"b", "遷移", 0},
        {"a", "alone", 0},
        {"a", "user", 0},
        {"a", "*", 0},
        {"a", "", 0},
        {"a", "42 OR nothing", 0},
        {"a", "NOT", 0},
        {"a", "\" OR words:", 0},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct store_recall recall = {.limit = 10, .query = cases[i].query};
        ck_assert_msg(recalled(cases[i].agent, &recall, NULL) == cases[i].expected, "%s", cases[i].query);
    }
    char last[100];
    ck_assert_uint_eq(recalled("a", &(struct store_recall){.limit = 1, .query = "42"}, last), 1);
    ck_assert_str_eq(last, "select * from users where id = 42;");
    ck_assert_uint_eq(
        recalled("a", &(struct store_recall){.limit = 9, .query = "42", .from_agent = "c"}, NULL), 0);
}
END_TEST

START_TEST(the_inbox_counts_by_status_up_to_the_limit)
{
    char ids[3][UUID_SIZE];
    for (size_t i = 0; i < 3; i++)
        must_send(s, "a", "b", "x", ids[i]);
    must_ack(s, "b", ids[0]);
    must_reply(s, "b", ids[1], NULL, true, false);
    const struct store_caller caller = as("b");
    const enum message_status all[] = {MESSAGE_PENDING, MESSAGE_READ, MESSAGE_DEFERRED};
    for (size_t i = 0; i < LENGTH_OF(all); i++) {
        struct store_messages messages;
        int64_t count = 0;
        ck_assert_int_eq(store_inbox(s, &caller, all[i], 5, false, &messages, &count), STORE_DONE);
        ck_assert_int_eq(count, 1);
        ck_assert_uint_eq(messages.count, 1);
        ck_assert_int_eq(messages.items[0].status, all[i]);
        store_messages_free(&messages);
        ck_assert_int_eq(count_of(s, "b", all[i]), 1);
    }
    must_send(s, "a", "b", "newest", NULL);
    struct store_messages messages;
    int64_t count = 0;
    ck_assert_int_eq(store_inbox(s, &caller, MESSAGE_PENDING, 1, false, &messages, &count), STORE_DONE);
    ck_assert_int_eq(count, 1);
    ck_assert_str_eq(messages.items[0].content, "newest");
    store_messages_free(&messages);
    ck_assert_int_eq(store_inbox(s, &caller, MESSAGE_PENDING, 1, true, &messages, &count), STORE_DONE);
    ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(events_resume_behind_a_seq)
{
    const struct store_caller caller = as("b");
    struct store_messages found;
    int64_t newest = -1;
    ck_assert_int_eq(store_events(s, &caller, 0, 10, &found, &newest), STORE_DONE);
    ck_assert_uint_eq(found.count, 0);
    ck_assert_int_eq(newest, 0);
    for (int i = 0; i < 3; i++)
        must_send(s, "a", "b", "x", NULL);
    must_send(s, "a", "c", "x", NULL);
    ck_assert_int_eq(store_events(s, &caller, 0, 2, &found, &newest), STORE_DONE);
    ck_assert_uint_eq(found.count, 2);
    ck_assert_ptr_null(found.items[0].content);
    ck_assert_str_eq(found.items[0].from, "a");
    const int64_t second = found.items[1].seq;
    ck_assert_int_eq(newest, second + 1);
    store_messages_free(&found);
    ck_assert_int_eq(store_events(s, &caller, second, 10, &found, &newest), STORE_DONE);
    ck_assert_uint_eq(found.count, 1);
    store_messages_free(&found);
    ck_assert_int_eq(store_events(s, &caller, newest, 10, &found, &newest), STORE_DONE);
    ck_assert_uint_eq(found.count, 0);
    ck_assert_int_eq(newest, second + 1);
}
END_TEST

/* ---- namespaces ---- */

START_TEST(nothing_crosses_a_namespace)
{
    char id[UUID_SIZE];
    fixture_token(s, "elsewhere", "a", 0);
    fixture_token(s, "elsewhere", "b", 0);
    must_send(s, "a", "b", "secret", id);
    const struct store_caller stranger = {.namespace_id = "elsewhere", .agent = "b"};
    struct store_offer_result offered_there;
    const struct store_offer offer = {
        .lease = LEASE, .max_messages = 20, .max_bytes = 1000, .with_context = true, .all_agents = true};
    ck_assert_int_eq(store_offer(s, &stranger, &offer, &offered_there), STORE_DONE);
    ck_assert_uint_eq(offered_there.messages.count, 0);
    ck_assert_uint_eq(offered_there.agents.count, 1);
    store_offer_result_free(&offered_there);
    const struct store_recall recalls[] = {
        {.limit = 10}, {.limit = 10, .query = "secret"}, {.limit = 10, .message_id = id}};
    for (size_t i = 0; i < LENGTH_OF(recalls); i++) {
        struct store_messages found;
        ck_assert_int_eq(store_recall(s, &stranger, &recalls[i], &found), STORE_DONE);
        ck_assert_uint_eq(found.count, 0);
    }
    const struct store_reply reply = {.message_id = id, .content = "x", .content_len = 1};
    struct store_reply_result result;
    ck_assert_int_eq(store_reply(s, &stranger, &reply, &result), STORE_ABSENT);
    store_reply_result_free(&result);
    enum store_refusal refusal;
    const struct store_caller sender = {.namespace_id = "elsewhere", .agent = "a"};
    ck_assert_int_eq(store_unsend(s, &sender, id, &refusal), STORE_ABSENT);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_read", &tests);
    tcase_add_test(tests, recall_reads_both_sides_of_a_conversation);
    tcase_add_test(tests, recall_finds_by_words);
    tcase_add_test(tests, the_inbox_counts_by_status_up_to_the_limit);
    tcase_add_test(tests, events_resume_behind_a_seq);
    tcase_add_test(tests, nothing_crosses_a_namespace);
    return run_unit(suite);
}
