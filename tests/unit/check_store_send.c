/* Sending: recipients, repeats, the queue limits, the inbox gate; replying and unsending. */
#include "store_case.h"

#include "../../common/ident.h"
#include "unit.h"

/* ---- sending ---- */

START_TEST(a_message_arrives_as_it_was_sent)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "grüße \xF0\x9F\x98\x80", id);
    struct store_offer_result offer;
    must_offer(s, "b", LEASE, 20, &offer);
    ck_assert_uint_eq(offer.messages.count, 1);
    const struct store_message *m = &offer.messages.items[0];
    ck_assert_str_eq(m->id, id);
    ck_assert_str_eq(m->from, "a");
    ck_assert_str_eq(m->to, "b");
    ck_assert_str_eq(m->namespace_id, NS);
    ck_assert_str_eq(m->content, "grüße \xF0\x9F\x98\x80");
    ck_assert_uint_eq(m->content_len, strlen(m->content));
    ck_assert_str_eq(m->reply_to, "");
    ck_assert_str_eq(m->thread_id, "");
    ck_assert_ptr_null(m->thread);
    ck_assert_uint_eq(m->attempt, 1);
    ck_assert(m->is_leased);
    ck_assert_int_eq(m->status, MESSAGE_PENDING);
    ck_assert_int_ne(m->sent_ms, 0);
    ck_assert_int_ne(m->offered_ms, 0);
    ck_assert_int_eq(m->read_ms, 0);
    store_offer_result_free(&offer);
}
END_TEST

START_TEST(an_unknown_recipient_is_refused_with_the_names_that_exist)
{
    fixture_token(s, "elsewhere", "nobody", 0);
    struct store_send_result result;
    ck_assert_int_eq(send_as(s, "a", "nobody", "x", NULL, NULL, false, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_UNKNOWN_RECIPIENT);
    ck_assert_str_eq(result.refused_to, "nobody");
    ck_assert_uint_eq(result.sent_count, 0);
    ck_assert_uint_eq(result.names_count, 3);
    ck_assert_str_eq(result.names[0], "a");
    ck_assert_str_eq(result.names[2], "c");
    store_send_result_free(&result);
    ck_assert_int_eq(send_as(s, "a", RELAY_AGENT, "x", NULL, NULL, false, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_UNKNOWN_RECIPIENT);
    store_send_result_free(&result);
}
END_TEST

START_TEST(an_agent_exists_while_it_has_a_token)
{
    fixture_token(s, NS, "brief", clock_wall_ms() + 60 * 1000);
    must_send(s, "a", "brief", "x", NULL);
    clock_pass(60 * 1000);
    struct store_send_result result;
    ck_assert_int_eq(send_as(s, "a", "brief", "x", NULL, NULL, true, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_UNKNOWN_RECIPIENT);
    store_send_result_free(&result);
    int64_t ended = 0;
    ck_assert_int_eq(store_token_end(s, NULL, NS, "b", 0, &ended), STORE_DONE);
    ck_assert_int_eq(send_as(s, "a", "b", "x", NULL, NULL, true, &result), STORE_REFUSED);
    store_send_result_free(&result);
}
END_TEST

static enum store_status send_group(const char *id, const struct store_recipient *to, size_t count,
    const char *content, struct store_send_result *result)
{
    const struct store_caller caller = as("a");
    const struct store_send send = {.message_id = id,
        .recipients = to,
        .recipients_count = count,
        .content = content,
        .content_len = strlen(content)};
    return store_send(s, &caller, &send, result);
}

START_TEST(several_recipients_get_all_or_none)
{
    const struct store_recipient to[] = {{.agent = "b"}, {.agent = "c"}},
                                 wrong[] = {{.agent = "b"}, {.agent = "nobody"}};
    struct store_send_result result;
    ck_assert_int_eq(send_group(OTHER, wrong, 2, "x", &result), STORE_REFUSED);
    ck_assert_str_eq(result.refused_to, "nobody");
    store_send_result_free(&result);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 0);

    ck_assert_int_eq(send_group(OTHER, to, 2, "x", &result), STORE_DONE);
    ck_assert_uint_eq(result.sent_count, 2);
    for (size_t i = 0; i < 2; i++) {
        char expected[UUID_SIZE];
        uuid_v5(OTHER, to[i].agent, expected);
        ck_assert_str_eq(result.sent[i].to, to[i].agent);
        ck_assert_str_eq(result.sent[i].namespace_id, NS);
        ck_assert_str_eq(result.sent[i].id, expected);
        ck_assert_int_eq(count_of(s, to[i].agent, MESSAGE_PENDING), 1);
    }
    store_send_result_free(&result);

    ck_assert_int_eq(send_group(OTHER, to, 2, "x", &result), STORE_DONE);
    ck_assert(result.repeat);
    ck_assert_uint_eq(result.sent_count, 2);
    store_send_result_free(&result);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 1);
    /* The group's id is taken as a single message's id too, and so are its rows'. */
    ck_assert_int_eq(send_group(OTHER, to, 1, "x", &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_ID_TAKEN);
    store_send_result_free(&result);
    char row[UUID_SIZE];
    uuid_v5(LEASE, "c", row);
    ck_assert_int_eq(send_group(row, to, 1, "x", &result), STORE_DONE);
    store_send_result_free(&result);
    ck_assert_int_eq(send_group(LEASE, to, 2, "y", &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_ID_TAKEN);
    store_send_result_free(&result);
}
END_TEST

START_TEST(a_repeat_is_stored_once)
{
    struct store_send_result result;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(send_as(s, "a", "b", "x", OTHER, "slug", false, &result), STORE_DONE);
        ck_assert_int_eq(result.repeat, i > 0);
        ck_assert_str_eq(result.sent[0].id, OTHER);
        ck_assert_str_eq(result.sent[0].to, "b");
        store_send_result_free(&result);
    }
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 1);
    reopen();
    ck_assert_int_eq(send_as(s, "a", "b", "x", OTHER, "slug", false, &result), STORE_DONE);
    ck_assert(result.repeat);
    store_send_result_free(&result);
}
END_TEST

/* A send whose content is new each time, with or without being stored. */
static enum store_status send_on_basis(
    const char *from, const char *basis, bool only_ask, struct store_send_result *result)
{
    static int count;
    char content[32];
    const struct store_recipient to = {.agent = "b"};
    snprintf(content, sizeof content, "content %d", count++);
    const struct store_caller caller = as(from);
    const struct store_send send = {.message_id = OTHER,
        .recipients = &to,
        .recipients_count = 1,
        .content = content,
        .content_len = strlen(content),
        .basis = basis,
        .only_ask = only_ask};
    return store_send(s, &caller, &send, result);
}

START_TEST(a_repeat_is_known_by_its_basis)
{
    struct store_send_result result;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(send_on_basis("a", "the same", i % 2 == 0, &result), STORE_DONE);
        ck_assert_int_eq(result.repeat, i > 1);
        ck_assert_str_eq(result.sent[0].id, OTHER);
        store_send_result_free(&result);
        ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), i > 0);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(send_on_basis("a", "another", i == 0, &result), STORE_REFUSED);
        ck_assert_int_eq(result.refusal, REFUSAL_ID_TAKEN);
        store_send_result_free(&result);
    }
    /* A basis is no content. */
    ck_assert_int_eq(send_as(s, "a", "b", "the same", OTHER, NULL, false, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_ID_TAKEN);
    store_send_result_free(&result);
}
END_TEST

START_TEST(asking_is_refused_as_sending_would_be)
{
    struct store_send_result result;
    must_send(s, "c", "a", "unread", NULL);
    ck_assert_int_eq(send_on_basis("a", "x", true, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_INBOX_GATE);
    ck_assert_int_eq(result.unread_total, 1);
    store_send_result_free(&result);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 0);
}
END_TEST

START_TEST(another_send_under_the_same_id_is_refused_alike)
{
    const struct {
        const char *from, *to, *content, *thread;
    } others[] = {
        {"a", "b", "y", NULL}, {"a", "c", "x", NULL}, {"c", "b", "x", NULL}, {"a", "b", "x", "slug"}};
    struct store_send_result result;
    must_send(s, "a", "b", "before", NULL);
    ck_assert_int_eq(send_as(s, "a", "b", "x", OTHER, NULL, false, &result), STORE_DONE);
    store_send_result_free(&result);
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        ck_assert_int_eq(send_as(s, others[i].from, others[i].to, others[i].content, OTHER, others[i].thread,
                             true, &result),
            STORE_REFUSED);
        ck_assert_int_eq(result.refusal, REFUSAL_ID_TAKEN);
        ck_assert_uint_eq(result.sent_count, 0);
        ck_assert_ptr_null(result.refused_to);
        store_send_result_free(&result);
    }
    /* In another namespace the same names are others. */
    fixture_token(s, "elsewhere", "a", 0);
    fixture_token(s, "elsewhere", "b", 0);
    const struct store_recipient to = {.agent = "b"};
    const struct store_caller stranger = {.namespace_id = "elsewhere", .agent = "a"};
    const struct store_send send = {
        .message_id = OTHER, .recipients = &to, .recipients_count = 1, .content = "x", .content_len = 1};
    ck_assert_int_eq(store_send(s, &stranger, &send, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_ID_TAKEN);
    store_send_result_free(&result);
}
END_TEST

START_TEST(a_message_to_oneself_is_deferred)
{
    char id[UUID_SIZE];
    must_send(s, "a", "a", "remember", id);
    ck_assert_int_eq(status_of(s, "a", id), MESSAGE_DEFERRED);
    ck_assert_uint_eq(offered(s, "a", LEASE), 0);
    const struct store_caller caller = as("a");
    const struct store_offer offer = {
        .lease = LEASE, .max_messages = 20, .max_bytes = 1000, .with_context = true};
    struct store_offer_result result;
    ck_assert_int_eq(store_offer(s, &caller, &offer, &result), STORE_DONE);
    ck_assert_int_eq(result.deferred_total, 1);
    ck_assert_uint_eq(result.deferred.count, 1);
    ck_assert_str_eq(result.deferred.items[0].content, "remember");
    store_offer_result_free(&result);
}
END_TEST

START_TEST(a_queue_takes_a_thousand_messages)
{
    for (int i = 0; i < QUEUE_MAX_MESSAGES; i++)
        must_send(s, "a", "b", "x", NULL);
    struct store_send_result result;
    ck_assert_int_eq(send_as(s, "a", "b", "x", NULL, NULL, true, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_QUEUE_FULL);
    ck_assert_str_eq(result.refused_to, "b");
    store_send_result_free(&result);
    must_send(s, "a", "c", "another queue", NULL);

    struct store_offer_result offer;
    must_offer(s, "b", LEASE, 1, &offer);
    ck_assert_int_eq(send_as(s, "a", "b", "x", NULL, NULL, true, &result), STORE_REFUSED);
    store_send_result_free(&result);
    must_ack(s, "b", offer.messages.items[0].id);
    store_offer_result_free(&offer);
    must_send(s, "a", "b", "one more", NULL);
    ck_assert_int_eq(send_as(s, "a", "b", "x", NULL, NULL, true, &result), STORE_REFUSED);
    store_send_result_free(&result);
    /* A note to oneself is in no queue. */
    must_send(s, "b", "b", "note", NULL);
}
END_TEST

START_TEST(a_queue_takes_ten_megabytes)
{
    enum { PIECE = 100 * 1000 };
    char *piece = xmalloc(PIECE + 1);
    memset(piece, 'x', PIECE);
    piece[PIECE] = '\0';
    for (int i = 0; i < QUEUE_MAX_BYTES / PIECE - 1; i++)
        must_send(s, "a", "b", piece, NULL);
    struct store_send_result result;
    piece[PIECE - 1] = '\0';
    must_send(s, "a", "b", piece, NULL); /* one byte is left */
    ck_assert_int_eq(send_as(s, "a", "b", "xx", NULL, NULL, true, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_QUEUE_FULL);
    store_send_result_free(&result);
    must_send(s, "a", "b", "x", NULL);
    ck_assert_int_eq(send_as(s, "a", "b", "x", NULL, NULL, true, &result), STORE_REFUSED);
    store_send_result_free(&result);
    free(piece);
}
END_TEST

/* ---- the inbox gate ---- */

START_TEST(unread_messages_close_the_gate)
{
    ck_assert_int_eq(gated("b", NULL), REFUSAL_NONE);
    for (int i = 0; i < GATE_PREVIEW_MAX + 1; i++)
        must_send(s, "a", "b", i == 0 ? "first" : "later", NULL);
    struct store_send_result result;
    ck_assert_int_eq(send_as(s, "b", "c", "x", NULL, NULL, false, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_INBOX_GATE);
    ck_assert_int_eq(result.unread_total, GATE_PREVIEW_MAX + 1);
    ck_assert_uint_eq(result.unread.count, GATE_PREVIEW_MAX);
    ck_assert_str_eq(result.unread.items[0].content, "first");
    ck_assert_uint_eq(result.unread.items[0].attempt, 0);
    store_send_result_free(&result);
    /* It changed nothing: neither stored, nor offered. */
    ck_assert_int_eq(count_of(s, "c", MESSAGE_PENDING), 1);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), GATE_PREVIEW_MAX + 1);
    /* A note to oneself is a send too; what comes from an outbox is not held up. */
    ck_assert_int_eq(send_as(s, "b", "b", "x", NULL, NULL, false, &result), STORE_REFUSED);
    store_send_result_free(&result);
    must_send(s, "b", "c", "queued", NULL);
}
END_TEST

START_TEST(what_is_being_delivered_does_not_close_the_gate)
{
    must_send(s, "a", "b", "x", NULL);
    ck_assert_int_eq(gated("b", NULL), REFUSAL_INBOX_GATE);
    ck_assert_uint_eq(offered(s, "b", LEASE), 1);
    ck_assert_int_eq(gated("b", NULL), REFUSAL_NONE);
    clock_pass(LEASE_FIRST_MS + 1);
    ck_assert_int_eq(gated("b", NULL), REFUSAL_INBOX_GATE);
}
END_TEST

START_TEST(what_came_after_the_last_look_is_excused_for_a_while)
{
    ck_assert_uint_eq(offered(s, "b", LEASE), 0); /* finds nothing, and is a look all the same */
    must_send(s, "a", "b", "x", NULL);
    ck_assert_int_eq(gated("b", NULL), REFUSAL_NONE);
    clock_pass(GATE_GRACE_MS);
    ck_assert_int_eq(gated("b", NULL), REFUSAL_NONE); /* it is the arrival that counts, not how long ago */
    int64_t total = 0;
    must_send(s, "a", "b", "y", NULL);
    ck_assert_int_eq(gated("b", &total), REFUSAL_INBOX_GATE);
    ck_assert_int_eq(total, 1);
    ck_assert_uint_eq(offered(s, "b", LEASE), 2);
    ck_assert_int_eq(gated("b", NULL), REFUSAL_NONE);
}
END_TEST

START_TEST(what_a_look_left_behind_is_not_excused)
{
    must_send(s, "a", "b", "x", NULL);
    must_send(s, "a", "b", "y", NULL);
    struct store_offer_result offer;
    must_offer(s, "b", LEASE, 1, &offer);
    ck_assert_int_eq(offer.more, 1);
    store_offer_result_free(&offer);
    int64_t total = 0;
    ck_assert_int_eq(gated("b", &total), REFUSAL_INBOX_GATE);
    ck_assert_int_eq(total, 1);
    must_offer(s, "c", NULL, 1, &offer); /* a peek is no look */
    store_offer_result_free(&offer);
    must_send(s, "a", "c", "z", NULL);
    struct store_send_result result;
    ck_assert_int_eq(send_as(s, "c", "a", "x", NULL, NULL, false, &result), STORE_REFUSED);
    store_send_result_free(&result);
}
END_TEST

/* ---- threads ---- */

START_TEST(a_slug_names_one_thread_for_each_pair)
{
    struct store_messages first, second, other;
    send_in("a", "b", "auth", &first);
    ck_assert_str_eq(first.items[0].thread, "auth");
    ck_assert_str_eq(first.items[0].thread_id, first.items[0].id);
    send_in("b", "a", "auth", &second);
    ck_assert_str_eq(second.items[0].thread_id, first.items[0].id);
    send_in("a", "c", "auth", &other);
    ck_assert_str_eq(other.items[0].thread_id, other.items[0].id);
    store_messages_free(&first);
    store_messages_free(&second);
    store_messages_free(&other);
}
END_TEST

START_TEST(a_thread_is_resolved_and_reopened)
{
    struct store_messages root, seen;
    send_in("a", "b", "auth", &root);
    const char *id = root.items[0].id;
    struct store_reply_result reply;
    ck_assert_int_eq(reply_as(s, "b", id, "done", false, true, &reply), STORE_DONE);
    ck_assert_str_eq(reply.thread, "auth");
    ck_assert(reply.resolved);
    ck_assert(reply.was_sent);
    ck_assert_str_eq(reply.sent.to, "a");
    ck_assert(look_up(s, "a", reply.sent.id, &seen));
    ck_assert_str_eq(seen.items[0].thread_id, id);
    ck_assert_str_eq(seen.items[0].reply_to, id);
    ck_assert(seen.items[0].thread_resolved);
    store_messages_free(&seen);
    store_reply_result_free(&reply);

    send_in("a", "b", "auth", &seen);
    ck_assert(!seen.items[0].thread_resolved);
    ck_assert_str_eq(seen.items[0].thread_id, id);
    store_messages_free(&seen);
    /* Resolving sends nothing where there is no content, and a plain reply opens again. */
    ck_assert_int_eq(reply_as(s, "b", id, NULL, false, true, &reply), STORE_DONE);
    ck_assert(reply.resolved && !reply.was_sent);
    ck_assert_str_eq(reply.sent.to, "a");
    ck_assert_str_eq(reply.sent.id, "");
    store_reply_result_free(&reply);
    ck_assert_int_eq(reply_as(s, "b", id, "but", false, false, &reply), STORE_DONE);
    ck_assert(!reply.resolved);
    store_reply_result_free(&reply);
    store_messages_free(&root);
}
END_TEST

START_TEST(resolving_without_a_thread_resolves_nothing)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    struct store_reply_result reply;
    ck_assert_int_eq(reply_as(s, "b", id, "y", false, true, &reply), STORE_DONE);
    ck_assert(!reply.resolved);
    ck_assert_ptr_null(reply.thread);
    store_reply_result_free(&reply);
}
END_TEST

/* ---- replying ---- */

START_TEST(a_reply_is_an_ack)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    ck_assert_uint_eq(offered(s, "b", LEASE), 1);
    must_reply(s, "b", id, "y", false, false);
    struct store_messages found;
    ck_assert(look_up(s, "a", id, &found));
    ck_assert_int_eq(found.items[0].status, MESSAGE_REPLIED);
    ck_assert_int_ne(found.items[0].read_ms, 0);
    ck_assert_int_ne(found.items[0].replied_ms, 0);
    ck_assert(!found.items[0].is_leased);
    store_messages_free(&found);
    ck_assert_uint_eq(offered(s, "a", LEASE), 1);
}
END_TEST

START_TEST(a_deferred_message_stays_until_it_is_answered)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    must_reply(s, "b", id, NULL, true, false);
    ck_assert_int_eq(count_of(s, "a", MESSAGE_PENDING), 0);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_DEFERRED), 1);
    must_reply(s, "b", id, "soon", true, false);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_DEFERRED), 1);
    must_reply(s, "b", id, "done", false, false);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_DEFERRED), 0);
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_REPLIED);
    ck_assert_int_eq(count_of(s, "a", MESSAGE_PENDING), 2);
}
END_TEST

START_TEST(only_the_recipient_replies)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    struct store_reply_result reply;
    ck_assert_int_eq(reply_as(s, "a", id, "y", false, false, &reply), STORE_ABSENT);
    store_reply_result_free(&reply);
    ck_assert_int_eq(reply_as(s, "c", id, "y", false, false, &reply), STORE_ABSENT);
    store_reply_result_free(&reply);
    ck_assert_int_eq(reply_as(s, "b", OTHER, "y", false, false, &reply), STORE_ABSENT);
    store_reply_result_free(&reply);
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_PENDING);
}
END_TEST

START_TEST(a_repeated_reply_is_sent_once)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    const struct store_caller caller = as("b");
    struct store_reply reply = {.message_id = id, .reply_id = OTHER, .content = "y", .content_len = 1};
    struct store_reply_result result;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(store_reply(s, &caller, &reply, &result), STORE_DONE);
        ck_assert_int_eq(result.repeat, i > 0);
        ck_assert(result.was_sent);
        ck_assert_str_eq(result.sent.id, OTHER);
        store_reply_result_free(&result);
        must_reply(s, "b", id, NULL, true, false); /* what came between is not undone by the repeat */
    }
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_DEFERRED);
    ck_assert_int_eq(count_of(s, "a", MESSAGE_PENDING), 1);
    reply.content = "z";
    ck_assert_int_eq(store_reply(s, &caller, &reply, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_ID_TAKEN);
    store_reply_result_free(&result);
}
END_TEST

START_TEST(a_reply_that_cannot_be_delivered_changes_nothing)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    int64_t ended = 0;
    ck_assert_int_eq(store_token_end(s, NULL, NS, "a", 0, &ended), STORE_DONE);
    struct store_reply_result reply;
    ck_assert_int_eq(reply_as(s, "b", id, "y", false, false, &reply), STORE_REFUSED);
    ck_assert_int_eq(reply.refusal, REFUSAL_UNKNOWN_RECIPIENT);
    ck_assert(!reply.was_sent);
    store_reply_result_free(&reply);
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_PENDING);
    must_reply(s, "b", id, NULL, true, false); /* putting it off needs nobody */
}
END_TEST

START_TEST(a_reply_keeps_to_the_queue_limit)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    for (int i = 0; i < QUEUE_MAX_MESSAGES; i++)
        must_send(s, "c", "a", "x", NULL);
    struct store_reply_result reply;
    ck_assert_int_eq(reply_as(s, "b", id, "y", false, false, &reply), STORE_REFUSED);
    ck_assert_int_eq(reply.refusal, REFUSAL_QUEUE_FULL);
    store_reply_result_free(&reply);
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_PENDING);
}
END_TEST

/* ---- unsend ---- */

START_TEST(a_message_is_taken_back_while_it_was_never_offered)
{
    char id[UUID_SIZE];
    enum store_refusal refusal;
    must_send(s, "a", "b", "x", id);
    ck_assert_int_eq(unsend_as("b", id, &refusal), STORE_ABSENT);
    ck_assert_int_eq(unsend_as("c", id, &refusal), STORE_ABSENT);
    ck_assert_int_eq(unsend_as("a", OTHER, &refusal), STORE_ABSENT);
    ck_assert_uint_eq(offered(s, "b", LEASE), 1);
    ck_assert_int_eq(unsend_as("a", id, &refusal), STORE_REFUSED);
    ck_assert_int_eq(refusal, REFUSAL_ALREADY_OFFERED);
    ck_assert_int_eq(release(s, "b", LEASE), 1);
    ck_assert_int_eq(unsend_as("a", id, &refusal), STORE_DONE);
    ck_assert_int_eq(unsend_as("a", id, &refusal), STORE_DONE);
    ck_assert_uint_eq(offered(s, "b", LEASE), 0);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 0);

    struct store_messages found;
    ck_assert(!look_up(s, "b", id, &found));
    ck_assert(look_up(s, "a", id, &found));
    ck_assert_int_ne(found.items[0].unsent_ms, 0);
    store_messages_free(&found);
    struct store_reply_result reply;
    ck_assert_int_eq(reply_as(s, "b", id, "y", false, false, &reply), STORE_ABSENT);
    store_reply_result_free(&reply);
}
END_TEST

START_TEST(a_group_is_taken_back_whole_or_not)
{
    const struct store_recipient to[] = {{.agent = "b"}, {.agent = "c"}};
    struct store_send_result result;
    enum store_refusal refusal;
    ck_assert_int_eq(send_group(OTHER, to, 2, "x", &result), STORE_DONE);
    store_send_result_free(&result);
    ck_assert_uint_eq(offered(s, "c", LEASE), 1);
    ck_assert_int_eq(unsend_as("a", OTHER, &refusal), STORE_REFUSED);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 1);
    release(s, "c", LEASE);
    ck_assert_int_eq(unsend_as("a", OTHER, &refusal), STORE_DONE);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 0);
    ck_assert_int_eq(count_of(s, "c", MESSAGE_PENDING), 0);
    /* A late repeat finds the tombstones and revives nothing. */
    ck_assert_int_eq(send_group(OTHER, to, 2, "x", &result), STORE_DONE);
    ck_assert(result.repeat);
    store_send_result_free(&result);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 0);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_send", &tests);
    tcase_add_test(tests, a_message_arrives_as_it_was_sent);
    tcase_add_test(tests, an_unknown_recipient_is_refused_with_the_names_that_exist);
    tcase_add_test(tests, an_agent_exists_while_it_has_a_token);
    tcase_add_test(tests, several_recipients_get_all_or_none);
    tcase_add_test(tests, a_repeat_is_stored_once);
    tcase_add_test(tests, a_repeat_is_known_by_its_basis);
    tcase_add_test(tests, asking_is_refused_as_sending_would_be);
    tcase_add_test(tests, another_send_under_the_same_id_is_refused_alike);
    tcase_add_test(tests, a_message_to_oneself_is_deferred);
    tcase_add_test(tests, a_queue_takes_a_thousand_messages);
    tcase_add_test(tests, a_queue_takes_ten_megabytes);
    tcase_add_test(tests, unread_messages_close_the_gate);
    tcase_add_test(tests, what_is_being_delivered_does_not_close_the_gate);
    tcase_add_test(tests, what_came_after_the_last_look_is_excused_for_a_while);
    tcase_add_test(tests, what_a_look_left_behind_is_not_excused);
    tcase_add_test(tests, a_slug_names_one_thread_for_each_pair);
    tcase_add_test(tests, a_thread_is_resolved_and_reopened);
    tcase_add_test(tests, resolving_without_a_thread_resolves_nothing);
    tcase_add_test(tests, a_reply_is_an_ack);
    tcase_add_test(tests, a_deferred_message_stays_until_it_is_answered);
    tcase_add_test(tests, only_the_recipient_replies);
    tcase_add_test(tests, a_repeated_reply_is_sent_once);
    tcase_add_test(tests, a_reply_that_cannot_be_delivered_changes_nothing);
    tcase_add_test(tests, a_reply_keeps_to_the_queue_limit);
    tcase_add_test(tests, a_message_is_taken_back_while_it_was_never_offered);
    tcase_add_test(tests, a_group_is_taken_back_whole_or_not);
    return run_unit(suite);
}
