/* An agent of several namespaces: what it is sent is one inbox in the store's order, what it sends lies where
 * its recipient is, and who is in one namespace alone sees nothing of the others. */
#include "store_case.h"

#include <bsd/string.h>

#include "../../common/ident.h"
#include "unit.h"

#define BESIDE "beside"
#define THIRD  "third"

/* "w" is in all three; "b" in two of them, "x" beside alone, and "t" in the third alone. */
static void add_agents(void)
{
    fixture_agent(s, "w");
    fixture_token(s, BESIDE, "w", 0);
    fixture_token(s, THIRD, "w", 0);
    fixture_token(s, BESIDE, "b", 0);
    fixture_token(s, BESIDE, "x", 0);
    fixture_token(s, THIRD, "t", 0);
    fixture_token(s, "foreign", "f", 0);
}

static const char *const beside[] = {BESIDE, THIRD};

static struct store_caller many(void)
{
    return (struct store_caller){.namespace_id = NS, .agent = "w", .also = beside, .also_count = 2};
}

static struct store_caller in(const char *namespace_id, const char *agent)
{
    return (struct store_caller){.namespace_id = namespace_id, .agent = agent};
}

static enum store_status send_from(const struct store_caller *caller, const struct store_recipient *to,
    size_t count, const char *content, const char *id, bool ungated, struct store_send_result *result)
{
    const struct store_send send = {.message_id = id,
        .recipients = to,
        .recipients_count = count,
        .content = content,
        .content_len = strlen(content),
        .ungated = ungated};
    return store_send(s, caller, &send, result);
}

/* A send by w that must work; its recipient's namespace has to be the one named. */
static void w_sends(
    const char *to, const char *to_namespace, const char *content, const char *lies_in, char *id)
{
    const struct store_caller caller = many();
    const struct store_recipient recipient = {.agent = to, .namespace_id = to_namespace};
    struct store_send_result result;
    ck_assert_int_eq(send_from(&caller, &recipient, 1, content, NULL, true, &result), STORE_DONE);
    ck_assert_uint_eq(result.sent_count, 1);
    ck_assert_str_eq(result.sent[0].namespace_id, lies_in);
    ck_assert_str_eq(result.sent[0].to, to);
    if (id)
        memcpy(id, result.sent[0].id, UUID_SIZE);
    store_send_result_free(&result);
}

static void sent_to_w(const char *namespace_id, const char *from, const char *content, char *id)
{
    const struct store_caller caller = in(namespace_id, from);
    const struct store_recipient recipient = {.agent = "w"};
    struct store_send_result result;
    ck_assert_int_eq(send_from(&caller, &recipient, 1, content, NULL, true, &result), STORE_DONE);
    if (id)
        memcpy(id, result.sent[0].id, UUID_SIZE);
    store_send_result_free(&result);
}

static void take(const struct store_caller *caller, const char *lease, size_t max, bool with_context,
    struct store_offer_result *result)
{
    const struct store_offer offer = {.lease = lease,
        .max_messages = max,
        .max_bytes = 1000 * 1000,
        .with_context = with_context,
        .all_agents = true};
    ck_assert_int_eq(store_offer(s, caller, &offer, result), STORE_DONE);
}

/* What a peek of that caller shows, a letter a message. */
static void waits_for(const struct store_caller *caller, const char *contents)
{
    struct store_offer_result result;
    char seen[32] = "";
    take(caller, NULL, 20, false, &result);
    for (size_t i = 0; i < result.messages.count; i++)
        (void)strlcat(seen, result.messages.items[i].content, sizeof seen);
    ck_assert_str_eq(seen, contents);
    store_offer_result_free(&result);
}

static int64_t pending_in(const char *namespace_id, const char *agent)
{
    const struct store_caller caller = in(namespace_id, agent);
    struct store_messages none;
    int64_t count = -1;
    ck_assert_int_eq(store_inbox(s, &caller, MESSAGE_PENDING, 1000, true, &none, &count), STORE_DONE);
    return count;
}

/* ---- whom a name means ---- */

START_TEST(a_bare_name_means_the_one_who_has_it)
{
    char id[UUID_SIZE];
    add_agents();
    w_sends("x", NULL, "1", BESIDE, id);
    w_sends("a", NULL, "2", NS, NULL);
    w_sends("t", THIRD, "3", THIRD, NULL);
    const struct store_caller x = in(BESIDE, "x");
    struct store_offer_result result;
    take(&x, LEASE, 20, false, &result);
    ck_assert_uint_eq(result.messages.count, 1);
    ck_assert_str_eq(result.messages.items[0].id, id);
    ck_assert_str_eq(result.messages.items[0].from, "w");
    ck_assert_str_eq(result.messages.items[0].namespace_id, BESIDE);
    store_offer_result_free(&result);
}
END_TEST

START_TEST(a_name_that_several_have_is_refused_with_the_choices)
{
    add_agents();
    const struct store_caller caller = many();
    const struct store_recipient to[] = {{.agent = "x"}, {.agent = "b"}};
    struct store_send_result result;
    ck_assert_int_eq(send_from(&caller, to, 2, "1", NULL, true, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_AMBIGUOUS);
    ck_assert_str_eq(result.refused_to, "b");
    ck_assert_uint_eq(result.sent_count, 0);
    ck_assert_uint_eq(result.names_count, 2);
    ck_assert_str_eq(result.names[0], "b@" NS);
    ck_assert_str_eq(result.names[1], "b@" BESIDE);
    store_send_result_free(&result);
    ck_assert_int_eq(pending_in(BESIDE, "x"), 0);

    w_sends("b", BESIDE, "1", BESIDE, NULL);
    w_sends("b", NS, "2", NS, NULL);
    ck_assert_int_eq(pending_in(BESIDE, "b"), 1);
    ck_assert_int_eq(pending_in(NS, "b"), 1);
}
END_TEST

START_TEST(the_callers_own_name_means_itself)
{
    char id[UUID_SIZE];
    add_agents();
    w_sends("w", NULL, "note", NS, id);
    const struct store_caller caller = many();
    struct store_messages deferred;
    int64_t count = 0;
    w_sends("w", BESIDE, "note", BESIDE, NULL);
    ck_assert_int_eq(store_inbox(s, &caller, MESSAGE_DEFERRED, 10, false, &deferred, &count), STORE_DONE);
    ck_assert_int_eq(count, 2);
    ck_assert_str_eq(deferred.items[1].id, id);
    store_messages_free(&deferred);
}
END_TEST

START_TEST(who_is_in_none_of_the_namespaces_is_unknown)
{
    static const struct {
        struct store_recipient to;
        const char *refused_to;
    } cases[] = {
        {{.agent = "f"}, "f"},
        {{.agent = "f", .namespace_id = "foreign"}, "f@foreign"},
        {{.agent = "x", .namespace_id = NS}, "x"},
        {{.agent = "t", .namespace_id = BESIDE}, "t@" BESIDE},
        {{.agent = RELAY_AGENT}, RELAY_AGENT},
    };
    static const char *const names[] = {
        "a@" NS, "b@" NS, "c@" NS, "w@" NS, "b@" BESIDE, "w@" BESIDE, "x@" BESIDE, "t@" THIRD, "w@" THIRD};
    add_agents();
    const struct store_caller caller = many();
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        struct store_send_result result;
        ck_assert_int_eq(send_from(&caller, &cases[i].to, 1, "1", NULL, true, &result), STORE_REFUSED);
        ck_assert_int_eq(result.refusal, REFUSAL_UNKNOWN_RECIPIENT);
        ck_assert_str_eq(result.refused_to, cases[i].refused_to);
        ck_assert_uint_eq(result.names_count, LENGTH_OF(names));
        for (size_t k = 0; k < LENGTH_OF(names); k++)
            ck_assert_str_eq(result.names[k], names[k]);
        store_send_result_free(&result);
    }
}
END_TEST

/* ---- several recipients, and repeats ---- */

START_TEST(a_group_may_lie_in_several_namespaces)
{
    static const struct store_recipient to[] = {{.agent = "b", .namespace_id = BESIDE},
        {.agent = "b", .namespace_id = NS}, {.agent = "x"}, {.agent = "x", .namespace_id = BESIDE}};
    add_agents();
    const struct store_caller caller = many();
    struct store_send_result result;
    ck_assert_int_eq(send_from(&caller, to, 4, "1", OTHER, true, &result), STORE_DONE);
    ck_assert_uint_eq(result.sent_count, 3); /* x was named twice */
    char first[UUID_SIZE];
    memcpy(first, result.sent[0].id, UUID_SIZE);
    ck_assert_str_ne(first, result.sent[1].id);
    store_send_result_free(&result);

    /* Who is there has changed since: the repeat still finds what was sent. */
    fixture_token(s, THIRD, "x", 0);
    ck_assert_int_eq(send_from(&caller, to, 4, "1", OTHER, true, &result), STORE_DONE);
    ck_assert(result.repeat);
    ck_assert_uint_eq(result.sent_count, 3);
    ck_assert_str_eq(result.sent[0].id, first);
    ck_assert_str_eq(result.sent[0].namespace_id, BESIDE);
    ck_assert_str_eq(result.sent[1].namespace_id, NS);
    ck_assert_str_eq(result.sent[2].namespace_id, BESIDE);
    store_send_result_free(&result);
    ck_assert_int_eq(pending_in(BESIDE, "x"), 1);
    ck_assert_int_eq(pending_in(THIRD, "x"), 0);

    /* Taken back whole, or not at all. */
    enum store_refusal refusal;
    const struct store_caller b = in(NS, "b");
    struct store_offer_result offer;
    take(&b, LEASE, 20, false, &offer);
    store_offer_result_free(&offer);
    ck_assert_int_eq(store_unsend(s, &caller, OTHER, &refusal), STORE_REFUSED);
    ck_assert_int_eq(pending_in(BESIDE, "b"), 1);
    ck_assert_int_eq(store_ack(s, &b, LEASE, NULL, 0, RELEASE_UNSHOWN, NULL), STORE_DONE);
    ck_assert_int_eq(store_unsend(s, &caller, OTHER, &refusal), STORE_DONE);
    ck_assert_int_eq(pending_in(BESIDE, "b") + pending_in(NS, "b") + pending_in(BESIDE, "x"), 0);
}
END_TEST

START_TEST(a_repeat_is_known_in_whatever_namespace_it_lies)
{
    add_agents();
    const struct store_caller caller = many();
    const struct store_recipient x = {.agent = "x"}, a = {.agent = "a"};
    struct store_send_result result;
    ck_assert_int_eq(send_from(&caller, &x, 1, "1", OTHER, true, &result), STORE_DONE);
    store_send_result_free(&result);
    ck_assert_int_eq(send_from(&caller, &x, 1, "1", OTHER, true, &result), STORE_DONE);
    ck_assert(result.repeat);
    ck_assert_str_eq(result.sent[0].namespace_id, BESIDE);
    store_send_result_free(&result);
    ck_assert_int_eq(send_from(&caller, &a, 1, "1", OTHER, true, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_ID_TAKEN);
    store_send_result_free(&result);
    /* The agent of that name which is in the other namespace alone is another. */
    const struct store_caller alone = in(THIRD, "w");
    const struct store_recipient t = {.agent = "t"};
    ck_assert_int_eq(send_from(&alone, &t, 1, "1", OTHER, true, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_ID_TAKEN);
    store_send_result_free(&result);
}
END_TEST

/* ---- delivery ---- */

START_TEST(what_arrives_is_one_queue_in_the_stores_order)
{
    add_agents();
    sent_to_w(BESIDE, "x", "1", NULL);
    sent_to_w(NS, "a", "2", NULL);
    sent_to_w(THIRD, "t", "3", NULL);
    sent_to_w(BESIDE, "b", "4", NULL);
    sent_to_w(NS, "b", "5", NULL);
    const struct store_caller caller = many(), alone = in(BESIDE, "w");
    waits_for(&caller, "12345");
    waits_for(&alone, "14");

    struct store_offer_result result;
    take(&caller, LEASE, 3, false, &result);
    ck_assert_uint_eq(result.messages.count, 3);
    ck_assert_int_eq(result.more, 2);
    ck_assert_str_eq(result.messages.items[0].from, "x");
    ck_assert_str_eq(result.messages.items[2].namespace_id, THIRD);
    store_offer_result_free(&result);
    /* The same lease gives the same; another gets the rest, and sees what is under way. */
    take(&caller, LEASE, 20, false, &result);
    ck_assert_uint_eq(result.messages.count, 3);
    store_offer_result_free(&result);
    take(&caller, OTHER, 20, false, &result);
    ck_assert_uint_eq(result.messages.count, 2);
    ck_assert_int_eq(result.in_delivery, 3);
    ck_assert_int_ne(result.next_lease_end_ms, 0);
    store_offer_result_free(&result);

    int64_t released = 0;
    ck_assert_int_eq(store_ack(s, &caller, LEASE, NULL, 0, RELEASE_UNSHOWN, &released), STORE_DONE);
    ck_assert_int_eq(released, 3);
    waits_for(&caller, "123");
}
END_TEST

START_TEST(acks_reach_every_namespace_of_the_caller_and_no_other)
{
    char here[UUID_SIZE], there[UUID_SIZE], riding[UUID_SIZE];
    add_agents();
    sent_to_w(NS, "a", "1", here);
    sent_to_w(THIRD, "t", "2", there);
    sent_to_w(BESIDE, "x", "3", riding);
    const char *ids[] = {here, there, riding};
    const struct store_caller alone = in(NS, "w");
    ck_assert_int_eq(store_ack(s, &alone, NULL, ids, 3, RELEASE_NONE, NULL), STORE_DONE);
    struct store_caller caller = many();
    waits_for(&caller, "23");
    ck_assert_int_eq(store_ack(s, &caller, NULL, ids, 2, RELEASE_NONE, NULL), STORE_DONE);
    caller.acks = ids;
    caller.acks_count = 3;
    ck_assert_int_eq(store_touch(s, &caller), STORE_DONE);
    ck_assert_int_eq(pending_in(THIRD, "w") + pending_in(BESIDE, "w") + pending_in(NS, "w"), 0);
}
END_TEST

START_TEST(a_reply_lies_where_its_question_does)
{
    char question[UUID_SIZE], foreign[UUID_SIZE];
    add_agents();
    sent_to_w(BESIDE, "b", "?", question); /* there is a b in the caller's own namespace too */
    const struct store_caller caller = many(), alone = in(NS, "w");
    const struct store_reply reply = {.message_id = question, .content = "!", .content_len = 1};
    struct store_reply_result result;
    ck_assert_int_eq(store_reply(s, &alone, &reply, &result), STORE_ABSENT);
    store_reply_result_free(&result);
    ck_assert_int_eq(store_reply(s, &caller, &reply, &result), STORE_DONE);
    ck_assert_str_eq(result.sent.to, "b");
    ck_assert_str_eq(result.sent.namespace_id, BESIDE);
    store_reply_result_free(&result);
    ck_assert_int_eq(pending_in(BESIDE, "b"), 1);
    ck_assert_int_eq(pending_in(NS, "b"), 0);
    ck_assert_int_eq(pending_in(BESIDE, "w"), 0);

    const struct store_caller f = in("foreign", "f");
    const struct store_recipient self = {.agent = "f"};
    struct store_send_result sent;
    ck_assert_int_eq(send_from(&f, &self, 1, "1", NULL, true, &sent), STORE_DONE);
    memcpy(foreign, sent.sent[0].id, UUID_SIZE);
    store_send_result_free(&sent);
    const struct store_reply other = {.message_id = foreign, .content = "!", .content_len = 1};
    ck_assert_int_eq(store_reply(s, &caller, &other, &result), STORE_ABSENT);
    store_reply_result_free(&result);
}
END_TEST

START_TEST(the_gate_counts_every_namespace)
{
    add_agents();
    for (int i = 0; i < 4; i++) {
        sent_to_w(THIRD, "t", "t", NULL);
        sent_to_w(BESIDE, "x", "x", NULL);
    }
    const struct store_caller caller = many();
    const struct store_recipient to = {.agent = "a"};
    struct store_send_result result;
    ck_assert_int_eq(send_from(&caller, &to, 1, "1", NULL, false, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_INBOX_GATE);
    ck_assert_int_eq(result.unread_total, 8);
    ck_assert_uint_eq(result.unread.count, GATE_PREVIEW_MAX);
    for (size_t i = 0; i < GATE_PREVIEW_MAX; i++)
        ck_assert_str_eq(result.unread.items[i].from, i % 2 == 0 ? "t" : "x");
    store_send_result_free(&result);
    /* Under a lease they hold up nothing, and what came after the look has its grace. */
    struct store_offer_result offer;
    take(&caller, LEASE, 20, false, &offer);
    store_offer_result_free(&offer);
    sent_to_w(THIRD, "t", "t", NULL);
    ck_assert_int_eq(send_from(&caller, &to, 1, "1", NULL, false, &result), STORE_DONE);
    store_send_result_free(&result);
}
END_TEST

/* ---- reading ---- */

static void recalls(
    const struct store_caller *caller, const struct store_recall *recall, const char *contents)
{
    struct store_messages found;
    char seen[32] = "";
    ck_assert_int_eq(store_recall(s, caller, recall, &found), STORE_DONE);
    for (size_t i = 0; i < found.count; i++)
        (void)strlcat(seen, found.items[i].content, sizeof seen);
    ck_assert_str_eq(seen, contents);
    store_messages_free(&found);
}

START_TEST(recall_finds_what_was_said_in_each)
{
    char there[UUID_SIZE];
    add_agents();
    sent_to_w(NS, "b", "1", NULL);
    sent_to_w(BESIDE, "b", "2", there);
    w_sends("t", NULL, "3", THIRD, NULL);
    w_sends("a", NULL, "4", NS, NULL);
    const struct store_caller caller = many(), alone = in(NS, "w");
    recalls(&caller, &(struct store_recall){.limit = 10}, "4321");
    recalls(&caller, &(struct store_recall){.limit = 3}, "432");
    recalls(&caller, &(struct store_recall){.limit = 3, .after_seq = 1}, "234");
    recalls(&caller, &(struct store_recall){.limit = 10, .from_agent = "b"}, "21");
    recalls(&caller, &(struct store_recall){.limit = 10, .from_agent = "b", .namespace_id = BESIDE}, "2");
    recalls(&caller, &(struct store_recall){.limit = 10, .query = "3"}, "3");
    recalls(&caller, &(struct store_recall){.limit = 1, .message_id = there}, "2");
    recalls(&alone, &(struct store_recall){.limit = 10}, "41");
    recalls(&alone, &(struct store_recall){.limit = 10, .query = "3"}, "");
    recalls(&alone, &(struct store_recall){.limit = 1, .message_id = there}, "");
    recalls(&alone, &(struct store_recall){.limit = 10, .namespace_id = BESIDE}, "");
}
END_TEST

START_TEST(the_inbox_and_the_events_are_of_all)
{
    add_agents();
    sent_to_w(BESIDE, "x", "1", NULL);
    sent_to_w(NS, "a", "2", NULL);
    sent_to_w(THIRD, "t", "3", NULL);
    const struct store_caller caller = many(), alone = in(NS, "w");
    struct store_messages found;
    int64_t count = 0, newest = 0;
    ck_assert_int_eq(store_inbox(s, &caller, MESSAGE_PENDING, 2, false, &found, &count), STORE_DONE);
    ck_assert_int_eq(count, 2);
    ck_assert_str_eq(found.items[0].content, "3");
    ck_assert_str_eq(found.items[1].content, "2");
    store_messages_free(&found);
    ck_assert_int_eq(store_inbox(s, &caller, MESSAGE_PENDING, 10, true, &found, &count), STORE_DONE);
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(store_inbox(s, &caller, MESSAGE_PENDING, 2, true, &found, &count), STORE_DONE);
    ck_assert_int_eq(count, 2);

    ck_assert_int_eq(store_events(s, &caller, 0, 2, &found, &newest), STORE_DONE);
    ck_assert_uint_eq(found.count, 2);
    ck_assert_str_eq(found.items[0].from, "x");
    ck_assert_str_eq(found.items[1].from, "a");
    ck_assert_int_eq(newest, found.items[1].seq + 1);
    store_messages_free(&found);
    ck_assert_int_eq(store_events(s, &alone, 0, 10, &found, &newest), STORE_DONE);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_int_eq(newest, found.items[0].seq);
    store_messages_free(&found);
}
END_TEST

START_TEST(an_inbox_shows_who_is_around_in_each)
{
    static const struct {
        const char *agent, *namespace_id;
    } around[] = {{"x", BESIDE}, {"a", NS}, {"b", BESIDE}, {"b", NS}, {"c", NS}, {"t", THIRD}};
    add_agents();
    const struct store_presence presence = {.machine_name = "laptop"};
    struct store_caller x = in(BESIDE, "x"), caller = many();
    x.presence = caller.presence = &presence;
    ck_assert_int_eq(store_touch(s, &x), STORE_DONE);
    ck_assert_int_eq(store_touch(s, &caller), STORE_DONE);
    w_sends("w", THIRD, "later", THIRD, NULL);
    w_sends("w", NULL, "soon", NS, NULL);
    struct store_offer_result result;
    caller.presence = NULL;
    take(&caller, LEASE, 1, true, &result);
    ck_assert_int_eq(result.deferred_total, 2);
    ck_assert_uint_eq(result.deferred.count, 1);
    ck_assert_str_eq(result.deferred.items[0].content, "later");
    ck_assert_uint_eq(result.agents.count, LENGTH_OF(around)); /* x was seen, the others never */
    for (size_t i = 0; i < LENGTH_OF(around); i++) {
        ck_assert_str_eq(result.agents.items[i].agent, around[i].agent);
        ck_assert_str_eq(result.agents.items[i].namespace_id, around[i].namespace_id);
    }
    store_offer_result_free(&result);

    const struct store_caller t = in(THIRD, "t");
    take(&t, LEASE, 1, true, &result);
    ck_assert_uint_eq(result.agents.count, 1);
    ck_assert_str_eq(result.agents.items[0].agent, "w");
    ck_assert_str_eq(result.agents.items[0].machine_name, "laptop");
    store_offer_result_free(&result);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_namespaces", &tests);
    tcase_add_test(tests, a_bare_name_means_the_one_who_has_it);
    tcase_add_test(tests, a_name_that_several_have_is_refused_with_the_choices);
    tcase_add_test(tests, the_callers_own_name_means_itself);
    tcase_add_test(tests, who_is_in_none_of_the_namespaces_is_unknown);
    tcase_add_test(tests, a_group_may_lie_in_several_namespaces);
    tcase_add_test(tests, a_repeat_is_known_in_whatever_namespace_it_lies);
    tcase_add_test(tests, what_arrives_is_one_queue_in_the_stores_order);
    tcase_add_test(tests, acks_reach_every_namespace_of_the_caller_and_no_other);
    tcase_add_test(tests, a_reply_lies_where_its_question_does);
    tcase_add_test(tests, the_gate_counts_every_namespace);
    tcase_add_test(tests, recall_finds_what_was_said_in_each);
    tcase_add_test(tests, the_inbox_and_the_events_are_of_all);
    tcase_add_test(tests, an_inbox_shows_who_is_around_in_each);
    return run_unit(suite);
}
