/* The rules of store.h, each at its edges, on the SQLite store. */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../../common/ident.h"
#include "../../relay/store/notice.h"
#include "unit.h"

static char *folder;
static struct store *s;

static void setup(void)
{
    folder = fixture_folder();
    s = fixture_open(folder);
    fixture_agent(s, "a");
    fixture_agent(s, "b");
    fixture_agent(s, "c");
}

static void teardown(void)
{
    store_close(s);
    fixture_remove(folder);
}

static void reopen(void)
{
    store_close(s);
    s = fixture_open(folder);
}

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
    clock_shift_wall(60 * 1000);
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

static enum store_status send_group(const char *id, const char *const *to, size_t count, const char *content,
    struct store_send_result *result)
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
    const char *const to[] = {"b", "c"}, *const wrong[] = {"b", "nobody"};
    struct store_send_result result;
    ck_assert_int_eq(send_group(OTHER, wrong, 2, "x", &result), STORE_REFUSED);
    ck_assert_str_eq(result.refused_to, "nobody");
    store_send_result_free(&result);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 0);

    ck_assert_int_eq(send_group(OTHER, to, 2, "x", &result), STORE_DONE);
    ck_assert_uint_eq(result.sent_count, 2);
    for (size_t i = 0; i < 2; i++) {
        char expected[UUID_SIZE];
        uuid_v5(OTHER, to[i], expected);
        ck_assert_str_eq(result.sent[i].to, to[i]);
        ck_assert_str_eq(result.sent[i].id, expected);
        ck_assert_int_eq(count_of(s, to[i], MESSAGE_PENDING), 1);
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
    const char *to = "b";
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
    const char *to = "b";
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

static enum store_refusal gated(const char *from, int64_t *total)
{
    struct store_send_result result;
    const enum store_status status = send_as(s, from, "c", "x", NULL, NULL, false, &result);
    ck_assert_int_eq(status, result.refusal == REFUSAL_NONE ? STORE_DONE : STORE_REFUSED);
    const enum store_refusal refusal = result.refusal;
    if (total)
        *total = result.unread_total;
    store_send_result_free(&result);
    return refusal;
}

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
    clock_shift_wall(LEASE_FIRST_MS + 1);
    ck_assert_int_eq(gated("b", NULL), REFUSAL_INBOX_GATE);
}
END_TEST

START_TEST(what_came_after_the_last_look_is_excused_for_a_while)
{
    ck_assert_uint_eq(offered(s, "b", LEASE), 0); /* finds nothing, and is a look all the same */
    must_send(s, "a", "b", "x", NULL);
    ck_assert_int_eq(gated("b", NULL), REFUSAL_NONE);
    clock_shift_wall(GATE_GRACE_MS);
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

/* ---- leases ---- */

START_TEST(a_lease_doubles_with_each_attempt)
{
    must_send(s, "a", "b", "x", NULL);
    int64_t duration = LEASE_FIRST_MS;
    for (unsigned attempt = 1; attempt <= 9; attempt++) {
        struct store_offer_result offer;
        must_offer(s, "b", attempt % 2 ? LEASE : OTHER, 20, &offer);
        ck_assert_uint_eq(offer.messages.count, 1);
        ck_assert_uint_eq(offer.messages.items[0].attempt, attempt);
        store_offer_result_free(&offer);
        clock_shift_wall(duration - 500);
        must_offer(s, "b", "01900000-0000-7000-8000-00000000000c", 20, &offer);
        ck_assert_uint_eq(offer.messages.count, 0);
        ck_assert_int_eq(offer.in_delivery, 1);
        const int64_t left = offer.next_lease_end_ms - clock_wall_ms();
        ck_assert_int_gt(left, 0);
        ck_assert_int_le(left, 500);
        store_offer_result_free(&offer);
        clock_shift_wall(500);
        duration = 2 * duration < LEASE_MAX_MS ? 2 * duration : LEASE_MAX_MS;
    }
}
END_TEST

START_TEST(the_same_lease_gives_the_same_messages)
{
    char first[UUID_SIZE], second[UUID_SIZE];
    must_send(s, "a", "b", "x", first);
    must_send(s, "a", "b", "y", second);
    ck_assert_uint_eq(offered(s, "b", LEASE), 2);
    must_send(s, "a", "b", "z", NULL);
    clock_shift_wall(LEASE_FIRST_MS - 1000);
    must_ack(s, "b", first);
    struct store_offer_result offer;
    must_offer(s, "b", LEASE, 20, &offer);
    ck_assert_uint_eq(offer.messages.count, 1);
    ck_assert_str_eq(offer.messages.items[0].id, second);
    ck_assert_uint_eq(offer.messages.items[0].attempt, 1);
    ck_assert_int_eq(offer.more, 1);
    ck_assert_int_eq(offer.in_delivery, 0);
    store_offer_result_free(&offer);
    /* It was renewed: still held when the first time has run out. */
    clock_shift_wall(LEASE_FIRST_MS - 1000);
    must_offer(s, "b", OTHER, 20, &offer);
    ck_assert_uint_eq(offer.messages.count, 1);
    ck_assert_str_eq(offer.messages.items[0].content, "z");
    ck_assert_int_eq(offer.in_delivery, 1);
    store_offer_result_free(&offer);
}
END_TEST

START_TEST(a_lease_of_another_agent_is_its_own)
{
    must_send(s, "a", "b", "x", NULL);
    must_send(s, "a", "c", "y", NULL);
    ck_assert_uint_eq(offered(s, "b", LEASE), 1);
    ck_assert_uint_eq(offered(s, "c", LEASE), 1);
    ck_assert_int_eq(release(s, "b", LEASE), 1);
    ck_assert_uint_eq(offered(s, "c", OTHER), 0);
}
END_TEST

START_TEST(a_release_undoes_the_offer)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    ck_assert_uint_eq(offered(s, "b", LEASE), 1);
    ck_assert_int_eq(release(s, "b", OTHER), 0);
    ck_assert_int_eq(release(s, "b", LEASE), 1);
    ck_assert_int_eq(release(s, "b", LEASE), 0);
    struct store_messages found;
    ck_assert(look_up(s, "b", id, &found));
    ck_assert_uint_eq(found.items[0].attempt, 0);
    ck_assert_int_eq(found.items[0].offered_ms, 0);
    ck_assert(!found.items[0].is_leased);
    store_messages_free(&found);
    struct store_offer_result offer;
    must_offer(s, "b", OTHER, 20, &offer);
    ck_assert_uint_eq(offer.messages.items[0].attempt, 1);
    store_offer_result_free(&offer);
    /* An acknowledgement that comes late is honoured all the same. */
    ck_assert_int_eq(release(s, "b", OTHER), 1);
    must_ack(s, "b", id);
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_READ);
}
END_TEST

START_TEST(an_ack_names_what_arrived_and_the_rest_is_released)
{
    char ids[3][UUID_SIZE];
    for (size_t i = 0; i < 3; i++)
        must_send(s, "a", "b", "x", ids[i]);
    ck_assert_uint_eq(offered(s, "b", LEASE), 3);
    const char *acked[] = {ids[1]};
    int64_t released = 0;
    const struct store_caller caller = as("b");
    ck_assert_int_eq(store_ack(s, &caller, LEASE, acked, 1, true, &released), STORE_DONE);
    ck_assert_int_eq(released, 2);
    ck_assert_int_eq(status_of(s, "b", ids[1]), MESSAGE_READ);
    struct store_offer_result offer;
    must_offer(s, "b", OTHER, 20, &offer);
    ck_assert_uint_eq(offer.messages.count, 2);
    ck_assert_str_eq(offer.messages.items[0].id, ids[0]);
    store_offer_result_free(&offer);
}
END_TEST

START_TEST(an_ack_of_what_is_not_ones_own_does_nothing)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    must_ack(s, "a", id);
    must_ack(s, "c", id);
    const struct store_caller stranger = {.namespace_id = "elsewhere", .agent = "b"};
    const char *named = id;
    ck_assert_int_eq(store_ack(s, &stranger, NULL, &named, 1, false, NULL), STORE_DONE);
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_PENDING);
}
END_TEST

START_TEST(an_ack_never_turns_back_replied_or_deferred)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    must_reply(s, "b", id, "later", true, false);
    must_ack(s, "b", id);
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_DEFERRED);
    must_reply(s, "b", id, "done", false, false);
    must_ack(s, "b", id);
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_REPLIED);
}
END_TEST

START_TEST(acks_and_presence_ride_along_first)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "x", id);
    const char *acks[] = {id, "not an id", OTHER}, *to = "a";
    const struct store_presence presence = {.machine_name = "laptop", .client_type = "codex"};
    const struct store_caller caller = {
        .namespace_id = NS, .agent = "b", .acks = acks, .acks_count = 3, .presence = &presence};
    const struct store_send send = {
        .recipients = &to, .recipients_count = 1, .content = "y", .content_len = 1};
    struct store_send_result result;
    ck_assert_int_eq(store_send(s, &caller, &send, &result), STORE_DONE); /* the ack opened the gate */
    store_send_result_free(&result);
    ck_assert_int_eq(status_of(s, "b", id), MESSAGE_READ);

    const struct store_presence later = {.platform = "linux"};
    const struct store_caller again = {.namespace_id = NS, .agent = "b", .presence = &later};
    ck_assert_int_eq(store_touch(s, &again), STORE_DONE);
    const struct store_caller watcher = as("a");
    const struct store_offer offer = {
        .max_messages = 1, .max_bytes = 1, .with_context = true, .active_since_ms = 1};
    struct store_offer_result seen;
    ck_assert_int_eq(store_offer(s, &watcher, &offer, &seen), STORE_DONE);
    ck_assert_uint_eq(seen.agents.count, 1);
    ck_assert_str_eq(seen.agents.items[0].agent, "b");
    ck_assert_str_eq(seen.agents.items[0].machine_name, "laptop");
    ck_assert_str_eq(seen.agents.items[0].client_type, "codex");
    ck_assert_str_eq(seen.agents.items[0].platform, "linux");
    ck_assert_ptr_null(seen.agents.items[0].display_name);
    ck_assert_int_ne(seen.agents.items[0].last_seen_ms, 0);
    store_offer_result_free(&seen);
}
END_TEST

START_TEST(acks_of_a_refused_send_count)
{
    char first[UUID_SIZE];
    must_send(s, "a", "b", "x", first);
    must_send(s, "a", "b", "y", NULL);
    const char *ack = first, *to = "c";
    const struct store_caller caller = {.namespace_id = NS, .agent = "b", .acks = &ack, .acks_count = 1};
    const struct store_send send = {
        .recipients = &to, .recipients_count = 1, .content = "y", .content_len = 1};
    struct store_send_result result;
    ck_assert_int_eq(store_send(s, &caller, &send, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_INBOX_GATE);
    ck_assert_int_eq(result.unread_total, 1);
    store_send_result_free(&result);
    ck_assert_int_eq(status_of(s, "b", first), MESSAGE_READ);
}
END_TEST

/* ---- what an offer shows ---- */

START_TEST(an_offer_keeps_to_its_limits)
{
    for (int i = 0; i < 5; i++)
        must_send(s, "a", "b", "0123456789", NULL);
    const struct store_caller caller = as("b");
    const size_t each = 10 + OFFER_OVERHEAD_BYTES;
    const struct {
        size_t max_messages, max_bytes, expected;
    } cases[] = {{20, 1, 1}, {20, 2 * each - 1, 1}, {20, 2 * each, 2}, {3, 20 * each, 3}, {20, 20 * each, 5}};
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct store_offer offer = {.lease = i % 2 ? LEASE : NULL,
            .max_messages = cases[i].max_messages,
            .max_bytes = cases[i].max_bytes};
        struct store_offer_result result;
        ck_assert_int_eq(store_offer(s, &caller, &offer, &result), STORE_DONE);
        ck_assert_uint_eq(result.messages.count, cases[i].expected);
        ck_assert_int_eq(result.more, 5 - (int64_t)cases[i].expected);
        for (size_t k = 1; k < result.messages.count; k++)
            ck_assert_int_gt(result.messages.items[k].seq, result.messages.items[k - 1].seq);
        store_offer_result_free(&result);
        release(s, "b", LEASE);
    }
}
END_TEST

START_TEST(a_small_message_does_not_overtake_a_large_one)
{
    must_send(s, "a", "b", "1", NULL);
    char large[1001];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    must_send(s, "a", "b", large, NULL);
    must_send(s, "a", "b", "3", NULL);
    const struct store_caller caller = as("b");
    const struct store_offer offer = {.lease = LEASE, .max_messages = 20, .max_bytes = 500};
    struct store_offer_result result;
    ck_assert_int_eq(store_offer(s, &caller, &offer, &result), STORE_DONE);
    ck_assert_uint_eq(result.messages.count, 1);
    ck_assert_int_eq(result.more, 2);
    store_offer_result_free(&result);
}
END_TEST

START_TEST(a_peek_takes_nothing)
{
    must_send(s, "a", "b", "x", NULL);
    struct store_offer_result offer;
    for (int i = 0; i < 2; i++) {
        must_offer(s, "b", NULL, 20, &offer);
        ck_assert_uint_eq(offer.messages.count, 1);
        ck_assert_uint_eq(offer.messages.items[0].attempt, 0);
        ck_assert(!offer.messages.items[0].is_leased);
        store_offer_result_free(&offer);
    }
    ck_assert_uint_eq(offered(s, "b", LEASE), 1);
    must_offer(s, "b", NULL, 20, &offer);
    ck_assert_uint_eq(offer.messages.count, 0);
    ck_assert_int_eq(offer.in_delivery, 1);
    store_offer_result_free(&offer);
}
END_TEST

START_TEST(the_context_has_its_limits)
{
    for (int i = 0; i < 4; i++)
        must_send(s, "b", "b", "0123456789", NULL);
    const struct store_caller caller = as("b");
    const size_t each = 10 + OFFER_OVERHEAD_BYTES;
    const struct {
        size_t max_messages, max_bytes, expected;
    } cases[] = {
        {20, 1, 1}, {20, 3 * each, 3}, {20, 3 * each - 1, 2}, {2, 100 * each, 2}, {20, 100 * each, 4}};
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct store_offer offer = {
            .max_messages = cases[i].max_messages, .max_bytes = cases[i].max_bytes, .with_context = true};
        struct store_offer_result result;
        ck_assert_int_eq(store_offer(s, &caller, &offer, &result), STORE_DONE);
        ck_assert_uint_eq(result.deferred.count, cases[i].expected);
        ck_assert_int_eq(result.deferred_total, 4);
        store_offer_result_free(&result);
    }
}
END_TEST

static size_t agents_seen(bool all, int64_t since, char first[static NAME_SIZE])
{
    const struct store_caller caller = as("a");
    const struct store_offer offer = {
        .max_messages = 1, .max_bytes = 1, .with_context = true, .all_agents = all, .active_since_ms = since};
    struct store_offer_result result;
    ck_assert_int_eq(store_offer(s, &caller, &offer, &result), STORE_DONE);
    const size_t count = result.agents.count;
    snprintf(first, NAME_SIZE, "%s", count > 0 ? result.agents.items[0].agent : "");
    store_offer_result_free(&result);
    return count;
}

START_TEST(agents_are_listed_last_seen_first)
{
    const struct store_presence presence = {.machine_name = "m"};
    const struct store_caller b = {.namespace_id = NS, .agent = "b", .presence = &presence};
    const struct store_caller c = {.namespace_id = NS, .agent = "c", .presence = &presence};
    const struct store_caller gone = {.namespace_id = NS, .agent = "gone", .presence = &presence};
    char first[NAME_SIZE];
    ck_assert_uint_eq(agents_seen(false, 0, first), 0);
    ck_assert_uint_eq(agents_seen(true, 0, first), 2);
    ck_assert_int_eq(store_touch(s, &b), STORE_DONE);
    ck_assert_int_eq(store_touch(s, &gone), STORE_DONE);
    clock_shift_wall(5000);
    const int64_t later = clock_wall_ms();
    ck_assert_int_eq(store_touch(s, &c), STORE_DONE);
    ck_assert_uint_eq(agents_seen(false, 0, first), 2); /* without a token one is no agent */
    ck_assert_str_eq(first, "c");
    ck_assert_uint_eq(agents_seen(false, later, first), 1);
    ck_assert_uint_eq(agents_seen(true, later, first), 2);
}
END_TEST

/* ---- threads ---- */

static void send_in(const char *from, const char *to, const char *thread, struct store_messages *found)
{
    struct store_send_result result;
    ck_assert_int_eq(send_as(s, from, to, "x", NULL, thread, true, &result), STORE_DONE);
    ck_assert(look_up(s, from, result.sent[0].id, found));
    store_send_result_free(&result);
}

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

static enum store_status unsend_as(const char *agent, const char *id, enum store_refusal *refusal)
{
    const struct store_caller caller = as(agent);
    return store_unsend(s, &caller, id, refusal);
}

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
    const char *const to[] = {"b", "c"};
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

/* ---- recall, inbox, events ---- */

static size_t recalled(const char *agent, const struct store_recall *recall, char *last_content)
{
    const struct store_caller caller = as(agent);
    struct store_messages found;
    ck_assert_int_eq(store_recall(s, &caller, recall, &found), STORE_DONE);
    const size_t count = found.count;
    if (last_content)
        snprintf(last_content, 100, "%s", count > 0 ? found.items[count - 1].content : "");
    store_messages_free(&found);
    return count;
}

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

/* ---- tokens and bans ---- */

static void hash_of(const char *agent, char out[static SHA256_HEX_SIZE])
{
    char *name = xasprintf("%s:%s", NS, agent);
    secret_sha256_hex(name, strlen(name), out);
    free(name);
}

START_TEST(tokens_are_found_by_their_hash_while_active)
{
    char hash[SHA256_HEX_SIZE];
    hash_of("a", hash);
    struct store_tokens found;
    ck_assert_int_eq(store_token_find(s, hash, &found), STORE_DONE);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_str_eq(found.items[0].agent, "a");
    ck_assert_str_eq(found.items[0].namespace_id, NS);
    ck_assert_str_eq(found.items[0].label, "test");
    ck_assert_int_ne(found.items[0].created_ms, 0);
    store_tokens_free(&found);
    ck_assert_int_eq(store_token_list(s, &found), STORE_DONE);
    ck_assert_uint_eq(found.count, 3);
    ck_assert_int_ne(found.items[0].last_used_ms, 0);
    ck_assert_int_eq(found.items[1].last_used_ms, 0);
    struct store_token again = found.items[0];
    enum store_refusal refusal;
    ck_assert_int_eq(store_token_add(s, &again, &refusal), STORE_REFUSED);
    ck_assert_int_eq(refusal, REFUSAL_EXISTS);
    store_tokens_free(&found);

    int64_t ended = 0;
    ck_assert_int_eq(store_token_end(s, hash, NULL, NULL, 0, &ended), STORE_DONE);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(store_token_find(s, hash, &found), STORE_ABSENT);
    ck_assert_int_eq(store_token_end(s, hash, NULL, NULL, 0, &ended), STORE_ABSENT);
    ck_assert_int_eq(store_token_list(s, &found), STORE_DONE);
    ck_assert(!found.items[0].active);
    store_tokens_free(&found);
}
END_TEST

START_TEST(a_token_ends_by_an_unambiguous_prefix)
{
    struct store_token token = {.namespace_id = (char *)(uintptr_t)NS, .agent = (char *)(uintptr_t) "d"};
    enum store_refusal refusal;
    for (int i = 0; i < 2; i++) {
        memset(token.hash, '0', sizeof token.hash - 1);
        token.hash[20] = i == 0 ? 'a' : 'f';
        ck_assert_int_eq(store_token_add(s, &token, &refusal), STORE_DONE);
    }
    int64_t ended = 0;
    ck_assert_int_eq(store_token_end(s, "00000000000000000000", NULL, NULL, 0, &ended), STORE_REFUSED);
    ck_assert_int_eq(ended, 0);
    ck_assert_int_eq(store_token_end(s, "00000000000000000000f", NULL, NULL, 0, &ended), STORE_DONE);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(store_token_end(s, "00000000000000000000", NULL, NULL, 0, &ended), STORE_DONE);
    ck_assert_int_eq(store_token_end(s, "00000000000000000000", NULL, NULL, 0, &ended), STORE_ABSENT);
    ck_assert_int_eq(store_token_end(s, "zz", NULL, NULL, 0, &ended), STORE_ABSENT);
}
END_TEST

START_TEST(a_token_ends_after_a_grace)
{
    char hash[SHA256_HEX_SIZE];
    hash_of("a", hash);
    int64_t ended = 0;
    struct store_tokens found;
    const int64_t now = clock_wall_ms();
    ck_assert_int_eq(store_token_end(s, NULL, NS, "a", now + 60 * 1000, &ended), STORE_DONE);
    ck_assert_int_eq(ended, 1);
    ck_assert_int_eq(store_token_end(s, NULL, NS, "a", now + 90 * 1000, &ended), STORE_DONE);
    ck_assert_int_eq(store_token_find(s, hash, &found), STORE_DONE);
    ck_assert_int_eq(found.items[0].expires_ms, now + 60 * 1000); /* never put off */
    store_tokens_free(&found);
    clock_shift_wall(60 * 1000);
    ck_assert_int_eq(store_token_find(s, hash, &found), STORE_ABSENT);
}
END_TEST

START_TEST(bans_last_until_their_time)
{
    struct store_ban ban = {.until_ms = clock_wall_ms() + 1000}, *bans = NULL;
    size_t count = 0;
    hash_of("a", ban.token_hash);
    ck_assert_int_eq(store_ban_put(s, &ban), STORE_DONE);
    ban.until_ms += 1000;
    ck_assert_int_eq(store_ban_put(s, &ban), STORE_DONE);
    reopen();
    ck_assert_int_eq(store_ban_list(s, &bans, &count), STORE_DONE);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(bans[0].token_hash, ban.token_hash);
    ck_assert_int_eq(bans[0].until_ms, ban.until_ms);
    free(bans);
    clock_shift_wall(2000);
    ck_assert_int_eq(store_ban_list(s, &bans, &count), STORE_DONE);
    ck_assert_uint_eq(count, 0);
    free(bans);
}
END_TEST

/* ---- housekeeping ---- */

enum { RETENTION = 7 * MS_PER_DAY };

static struct store_cleanup_result clean(bool dry_run)
{
    struct store_cleanup_result result;
    ck_assert_int_eq(store_cleanup(s, RETENTION, MS_PER_HOUR, dry_run, &result), STORE_DONE);
    ck_assert_uint_le(result.notified.count, 1);
    if (result.notified.count == 1)
        ck_assert_str_eq(result.notified.items[0].agent, "a");
    store_agents_free(&result.notified);
    return result;
}

START_TEST(what_expires_unread_tells_its_sender)
{
    char unread[UUID_SIZE], deferred[UUID_SIZE], read[UUID_SIZE];
    char text[200];
    memset(text, 'x', sizeof text);
    text[3] = '\n';
    text[sizeof text - 1] = '\0';
    must_send(s, "a", "b", text, unread);
    must_send(s, "a", "b", "put off", deferred);
    must_send(s, "a", "b", "seen", read);
    must_reply(s, "b", deferred, NULL, true, false);
    must_ack(s, "b", read);
    clock_shift_wall(RETENTION - 1000);
    ck_assert_int_eq(clean(false).expired, 0);
    clock_shift_wall(2000);
    const struct store_cleanup_result plan = clean(true);
    ck_assert_int_eq(plan.expired, 3);
    ck_assert_int_eq(plan.notices, 1);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 1);
    const struct store_cleanup_result done = clean(false);
    ck_assert_int_eq(done.expired, 3);
    ck_assert_int_eq(done.notices, 1);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 0);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_DEFERRED), 0);

    const struct store_caller caller = as("a");
    const struct store_offer offer = {.max_messages = 20, .max_bytes = 10000, .with_context = true};
    struct store_offer_result result;
    ck_assert_int_eq(store_offer(s, &caller, &offer, &result), STORE_DONE);
    ck_assert_uint_eq(result.messages.count, 0);
    ck_assert_uint_eq(result.deferred.count, 1);
    const struct store_message *notice = &result.deferred.items[0];
    ck_assert_str_eq(notice->from, RELAY_AGENT);
    ck_assert_ptr_nonnull(strstr(notice->content, unread));
    ck_assert_ptr_nonnull(strstr(notice->content, "never read: xxx xxx"));
    ck_assert_ptr_nonnull(strstr(notice->content, "deferred, never answered: put off"));
    ck_assert_ptr_nonnull(strstr(notice->content, " b;"));
    ck_assert_ptr_nonnull(strstr(notice->content, "7 days"));
    ck_assert_ptr_null(strstr(notice->content, read));
    store_offer_result_free(&result);
    ck_assert_int_eq(gated("a", NULL), REFUSAL_NONE);
}
END_TEST

START_TEST(an_expired_message_leaves_no_text_and_can_be_answered)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "findme", id);
    clock_shift_wall(RETENTION + 1);
    clean(false);
    struct store_messages found;
    ck_assert(look_up(s, "b", id, &found));
    ck_assert_int_ne(found.items[0].expired_ms, 0);
    ck_assert_uint_eq(found.items[0].content_len, 0);
    store_messages_free(&found);
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10}, NULL), 0);
    ck_assert_uint_eq(recalled("b", &(struct store_recall){.limit = 10, .query = "findme"}, NULL), 0);
    must_reply(s, "b", id, "late", false, false);
    ck_assert_int_eq(count_of(s, "a", MESSAGE_PENDING), 1);
    enum store_refusal refusal;
    ck_assert_int_eq(unsend_as("a", id, &refusal), STORE_ABSENT);
}
END_TEST

START_TEST(tombstones_go_after_one_more_retention)
{
    struct store_send_result result;
    char unsent[UUID_SIZE], child[UUID_SIZE];
    enum store_refusal refusal;
    ck_assert_int_eq(send_as(s, "a", "b", "x", OTHER, "slug", true, &result), STORE_DONE);
    store_send_result_free(&result);
    must_send(s, "a", "b", "y", unsent);
    ck_assert_int_eq(unsend_as("a", unsent, &refusal), STORE_DONE);
    clock_shift_wall(RETENTION + 1);
    ck_assert_int_eq(clean(false).expired, 1);
    /* A late repeat revives nothing. */
    ck_assert_int_eq(send_as(s, "a", "b", "x", OTHER, "slug", true, &result), STORE_DONE);
    ck_assert(result.repeat);
    store_send_result_free(&result);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 0);
    struct store_reply_result reply;
    clock_shift_wall(RETENTION - 1000);
    ck_assert_int_eq(reply_as(s, "b", OTHER, "late", false, false, &reply), STORE_DONE);
    memcpy(child, reply.sent.id, UUID_SIZE);
    store_reply_result_free(&reply);
    ck_assert_int_eq(clean(false).deleted, 0);
    clock_shift_wall(2000);
    ck_assert_int_eq(clean(true).deleted, 2);
    ck_assert_int_eq(clean(false).deleted, 2);
    /* The reply lost what it replied to, and keeps its thread. */
    struct store_messages found;
    ck_assert(look_up(s, "b", child, &found));
    ck_assert_str_eq(found.items[0].reply_to, "");
    ck_assert_str_eq(found.items[0].thread, "slug");
    store_messages_free(&found);
    ck_assert_int_eq(send_as(s, "a", "b", "x", OTHER, "slug", true, &result), STORE_DONE);
    ck_assert(!result.repeat);
    store_send_result_free(&result);
}
END_TEST

START_TEST(a_notice_tells_of_a_few_messages_only)
{
    for (int i = 0; i < NOTICE_MAX_MESSAGES + 1; i++)
        must_send(s, "a", "b", "x", NULL);
    clock_shift_wall(RETENTION + 1);
    const struct store_cleanup_result plan = clean(true), done = clean(false);
    ck_assert_int_eq(plan.notices, 2);
    ck_assert_int_eq(done.notices, 2);
    ck_assert_int_eq(done.expired, NOTICE_MAX_MESSAGES + 1);
    ck_assert_int_eq(count_of(s, "a", MESSAGE_DEFERRED), 2);
    /* Notices expire without notices. */
    clock_shift_wall(RETENTION + 1);
    const struct store_cleanup_result second = clean(false);
    ck_assert_int_eq(second.expired, 2);
    ck_assert_int_eq(second.notices, 0);
}
END_TEST

START_TEST(who_is_gone_gets_no_notice)
{
    int64_t ended = 0;
    must_send(s, "a", "b", "x", NULL);
    ck_assert_int_eq(store_token_end(s, NULL, NS, "a", 0, &ended), STORE_DONE);
    clock_shift_wall(RETENTION + 1);
    const struct store_cleanup_result done = clean(false);
    ck_assert_int_eq(done.expired, 1);
    ck_assert_int_eq(done.notices, 0);
}
END_TEST

START_TEST(cleanup_ends_what_else_ran_out)
{
    const struct store_presence presence = {.machine_name = "m"};
    const struct store_caller caller = {.namespace_id = NS, .agent = "b", .presence = &presence};
    ck_assert_int_eq(store_touch(s, &caller), STORE_DONE);
    int64_t ended = 0;
    ck_assert_int_eq(store_token_end(s, NULL, NS, "c", 0, &ended), STORE_DONE);
    ck_assert_int_eq(clean(false).offline, 0);
    clock_shift_wall(MS_PER_HOUR + 1000);
    ck_assert_int_eq(clean(true).offline, 1);
    ck_assert_int_eq(clean(false).offline, 1);
    ck_assert_int_eq(clean(false).offline, 0);
    struct store_tokens tokens;
    ck_assert_int_eq(store_token_list(s, &tokens), STORE_DONE);
    ck_assert_uint_eq(tokens.count, 3);
    store_tokens_free(&tokens);
    clock_shift_wall(RETENTION);
    clean(false);
    ck_assert_int_eq(store_token_list(s, &tokens), STORE_DONE);
    ck_assert_uint_eq(tokens.count, 2);
    store_tokens_free(&tokens);
}
END_TEST

START_TEST(statistics_add_up)
{
    char ids[6][UUID_SIZE];
    for (size_t i = 0; i < 6; i++)
        must_send(s, "a", i == 5 ? "c" : "b", "x", ids[i]);
    enum store_refusal refusal;
    must_ack(s, "b", ids[0]);
    must_reply(s, "b", ids[1], NULL, true, false);
    must_reply(s, "b", ids[2], "y", false, false);
    ck_assert_int_eq(unsend_as("a", ids[5], &refusal), STORE_DONE);
    ck_assert_uint_eq(offered(s, "b", LEASE), 2);
    struct store_stats stats;
    ck_assert_int_eq(store_stats(s, &stats), STORE_DONE);
    ck_assert_int_eq(stats.by_status[MESSAGE_PENDING], 3);
    ck_assert_int_eq(stats.by_status[MESSAGE_READ], 1);
    ck_assert_int_eq(stats.by_status[MESSAGE_DEFERRED], 1);
    ck_assert_int_eq(stats.by_status[MESSAGE_REPLIED], 1);
    ck_assert_int_eq(stats.unsent, 1);
    ck_assert_int_eq(stats.leased, 2);
    ck_assert_int_eq(stats.expired, 0);
    ck_assert_int_ne(stats.oldest_pending_ms, 0);
    ck_assert_uint_eq(stats.agents.count, 3);
    ck_assert_int_eq(stats.agents.items[1].pending, 2);
    ck_assert_int_eq(stats.agents.items[1].deferred, 1);
    ck_assert_int_eq(stats.agents.items[2].pending, 0);
    ck_assert_int_eq(stats.agents.items[2].oldest_pending_ms, 0);
    store_stats_free(&stats);
}
END_TEST

/* ---- many at once, and the end of a process ---- */

static _Atomic int sends_seen;

static void count_sends(const char *operation, int64_t micros, enum store_status status)
{
    ck_assert_int_ge(micros, 0);
    if (strcmp(operation, "send") == 0 && status == STORE_DONE)
        sends_seen++;
}

enum { SENDERS = 16, SENDS_EACH = 50 };

static void *send_many(void *arg)
{
    for (int i = 0; i < SENDS_EACH; i++) {
        char content[32];
        snprintf(content, sizeof content, "%d %d", *(int *)arg, i);
        must_send(s, "a", "b", content, NULL);
    }
    return NULL;
}

START_TEST(senders_at_once_each_keep_their_order)
{
    pthread_t threads[SENDERS];
    int numbers[SENDERS], next[SENDERS] = {0};
    store_observe(s, count_sends);
    for (int i = 0; i < SENDERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, send_many, &numbers[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(sends_seen, SENDERS * SENDS_EACH);
    struct store_offer_result offer;
    must_offer(s, "b", LEASE, SENDERS * SENDS_EACH, &offer);
    ck_assert_uint_eq(offer.messages.count, SENDERS * SENDS_EACH);
    for (size_t i = 0; i < offer.messages.count; i++) {
        int sender = 0, number = 0;
        ck_assert_int_eq(sscanf(offer.messages.items[i].content, "%d %d", &sender, &number), 2);
        ck_assert_int_eq(number, next[sender]++);
    }
    store_offer_result_free(&offer);
}
END_TEST

static _Atomic int taken;

static void *take_many(void *arg)
{
    for (;;) {
        char lease[UUID_SIZE];
        uuid_v4(lease);
        struct store_offer_result offer;
        must_offer(s, "b", lease, 3, &offer);
        const size_t count = offer.messages.count;
        for (size_t i = 0; i < count; i++)
            must_ack(s, "b", offer.messages.items[i].id);
        store_offer_result_free(&offer);
        if (count == 0)
            return arg;
        taken += (int)count;
    }
}

START_TEST(two_sessions_never_get_the_same_message)
{
    for (int i = 0; i < 200; i++)
        must_send(s, "a", "b", "x", NULL);
    pthread_t threads[4];
    for (size_t i = 0; i < LENGTH_OF(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_many, NULL), 0);
    for (size_t i = 0; i < LENGTH_OF(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(taken, 200);
}
END_TEST

/* Sends without end, and tells of each that was acknowledged. */
static void send_until_killed(const char *path, int out)
{
    struct store *mine = fixture_open(path);
    fixture_agent(mine, "x");
    fixture_agent(mine, "y");
    for (int i = 0;; i++) {
        char id[UUID_SIZE];
        struct store_send_result result;
        uuid_v7(id);
        if (send_as(mine, "x", "y", "lasting", id, NULL, true, &result) != STORE_DONE)
            _exit(1);
        store_send_result_free(&result);
        if (write(out, id, UUID_LEN) != UUID_LEN)
            _exit(1);
    }
}

START_TEST(what_was_acknowledged_survives_a_kill)
{
    char *path = fixture_folder();
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0)
        send_until_killed(path, pipes[1]);
    close(pipes[1]);
    char ids[200][UUID_SIZE] = {0};
    size_t count = 0;
    FILE *in = fdopen(pipes[0], "r");
    for (; count < 100 && fread(ids[count], UUID_LEN, 1, in) == 1; count++)
        continue;
    kill(child, SIGKILL);
    for (; count < LENGTH_OF(ids) && fread(ids[count], UUID_LEN, 1, in) == 1; count++)
        continue;
    waitpid(child, NULL, 0);
    fclose(in);
    ck_assert_uint_ge(count, 100);
    struct store *mine = fixture_open(path);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(status_of(mine, "y", ids[i]), MESSAGE_PENDING);
    store_close(mine);
    fixture_remove(path);
}
END_TEST

START_TEST(a_full_disk_is_an_error_and_not_the_end)
{
    char id[UUID_SIZE], *large = xmalloc(50001);
    memset(large, 'x', 50000);
    large[50000] = '\0';
    must_send(s, "a", "b", "before", id);
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit tight = {.rlim_cur = 300 * 1000, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    struct store_send_result result;
    int stored = 0;
    enum store_status status = STORE_DONE;
    for (int i = 0; status == STORE_DONE && i < 100; i++) {
        status = send_as(s, "a", "b", large, NULL, NULL, true, &result);
        stored += status == STORE_DONE;
        store_send_result_free(&result);
    }
    ck_assert_int_eq(status, STORE_FAULT);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), stored + 1);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    must_send(s, "a", "b", large, NULL);
    reopen();
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), stored + 2);
    free(large);
}
END_TEST

/* ---- life ---- */

static void refused_open(const char *path, enum store_role role, const char *reason)
{
    struct buf why = {0};
    const struct store_options options = {.data_dir = path, .role = role};
    ck_assert_ptr_null(store_open_sqlite(&options, &why));
    ck_assert_msg(strstr(buf_text(&why), reason) != NULL, "%s", buf_text(&why));
    ck_assert_ptr_null(strchr(buf_text(&why), '\n'));
    buf_free(&why);
}

START_TEST(one_relay_serves_a_folder)
{
    char pid[32];
    snprintf(pid, sizeof pid, "(pid %ld)", (long)getpid());
    refused_open(folder, STORE_ROLE_RELAY, pid);
    refused_open(folder, STORE_ROLE_RELAY, folder);
    reopen(); /* the lock went with the store */
    must_send(s, "a", "b", "x", NULL);
}
END_TEST

static _Atomic int changes;

static void note_change(void *arg)
{
    ck_assert_ptr_eq(arg, &changes);
    changes++;
}

static void wait_for_changes(int wanted)
{
    for (int i = 0; i < 500 && changes < wanted; i++)
        usleep(10 * 1000);
    ck_assert_int_eq(changes, wanted);
}

START_TEST(a_command_beside_the_relay_takes_effect)
{
    store_close(s);
    struct buf why = {0};
    const struct store_options relay = {
        .data_dir = folder, .role = STORE_ROLE_RELAY, .changed = note_change, .changed_arg = &changes};
    const struct store_options admin = {.data_dir = folder, .role = STORE_ROLE_ADMIN};
    s = store_open_sqlite(&relay, &why);
    ck_assert_ptr_nonnull(s);
    must_send(s, "a", "b", "its own change", NULL);
    struct store *command = store_open_sqlite(&admin, &why);
    ck_assert_msg(command != NULL, "%s", buf_text(&why));
    int64_t ended = 0;
    ck_assert_int_eq(store_token_end(command, NULL, NS, "a", 0, &ended), STORE_DONE);
    wait_for_changes(1);
    char hash[SHA256_HEX_SIZE];
    hash_of("a", hash);
    struct store_tokens found;
    ck_assert_int_eq(store_token_find(s, hash, &found), STORE_ABSENT);
    must_send(s, "b", "c", "while both are open", NULL);
    ck_assert_int_eq(store_token_end(command, NULL, NS, "b", 0, &ended), STORE_DONE);
    wait_for_changes(2);
    store_close(command);
}
END_TEST

START_TEST(a_folder_is_private)
{
    char *deep = xasprintf("%s/not/there", folder), *file = xasprintf("%s/patchcord.db", deep);
    struct store *mine = fixture_open(deep);
    fixture_agent(mine, "x");
    struct stat info;
    ck_assert_int_eq(stat(deep, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0700);
    const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < LENGTH_OF(suffixes); i++) {
        char *name = xasprintf("%s%s", file, suffixes[i]);
        ck_assert_int_eq(stat(name, &info), 0);
        ck_assert_int_eq(info.st_mode & 0777, 0600);
        free(name);
    }
    store_close(mine);
    fixture_remove(deep);
    char *parent = xasprintf("%s/not", folder);
    fixture_remove(parent);
    free(file);
}
END_TEST

START_TEST(a_folder_that_cannot_be_used_is_refused)
{
    char *file = xasprintf("%s/file", folder), *below = xasprintf("%s/folder", file);
    const int fd = open(file, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    refused_open(below, STORE_ROLE_RELAY, "PATCHCORD_DATA_DIR");
    refused_open(file, STORE_ROLE_RELAY, "PATCHCORD_DATA_DIR");
    refused_open("/proc/1", STORE_ROLE_ADMIN, "/proc/1");
    free(file);
    free(below);
}
END_TEST

/* Writes over the start of the database, or a stretch of it. */
static void damage(long offset, const char *bytes, size_t len)
{
    char *file = xasprintf("%s/patchcord.db", folder);
    const int fd = open(file, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, bytes, len, offset), (ssize_t)len);
    close(fd);
    free(file);
}

START_TEST(a_file_of_something_else_is_refused)
{
    store_close(s);
    damage(68, "\0\0\0\x07", 4); /* the application id */
    refused_open(folder, STORE_ROLE_RELAY, "not one of Patchcord's");
    damage(0, "no database, but a text of some length", 38);
    refused_open(folder, STORE_ROLE_RELAY, "patchcord.db");
    fixture_remove(folder);
    folder = fixture_folder();
    s = fixture_open(folder);
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
    store_close(s);
    damage(60, "\0\0\x03\xE7", 4); /* the schema's number */
    refused_open(folder, STORE_ROLE_RELAY, "schema 999");
    refused_open(folder, STORE_ROLE_ADMIN, "schema 999");
    fixture_remove(folder);
    folder = fixture_folder();
    s = fixture_open(folder);
}
END_TEST

START_TEST(a_damaged_file_is_refused)
{
    for (int i = 0; i < 50; i++)
        must_send(s, "a", "b", "some text to fill a page or two", NULL);
    store_close(s);
    char noise[20000];
    memset(noise, 0x5A, sizeof noise);
    damage(8192, noise, sizeof noise);
    refused_open(folder, STORE_ROLE_RELAY, "restore a backup");
    fixture_remove(folder);
    folder = fixture_folder();
    s = fixture_open(folder);
}
END_TEST

START_TEST(migrations_are_applied_once)
{
    int applied = -1;
    struct buf why = {0};
    ck_assert(store_migrate(s, &applied, &why));
    ck_assert_int_eq(applied, 0);
    reopen();
    ck_assert_int_eq(count_of(s, "a", MESSAGE_PENDING), 0);
    ck_assert(store_ready(s));
}
END_TEST

START_TEST(a_backup_is_a_store)
{
    char id[UUID_SIZE], *copy = fixture_folder();
    struct buf why = {0};
    must_send(s, "a", "b", "kept", id);
    ck_assert_msg(store_backup(s, copy, &why), "%s", buf_text(&why));
    must_send(s, "a", "b", "later", NULL);
    ck_assert(!store_backup(s, copy, &why)); /* it writes over nothing */
    ck_assert_ptr_nonnull(strstr(buf_text(&why), copy));
    buf_free(&why);
    struct store *restored = fixture_open(copy);
    ck_assert_int_eq(status_of(restored, "b", id), MESSAGE_PENDING);
    ck_assert_int_eq(count_of(restored, "b", MESSAGE_PENDING), 1);
    store_close(restored);
    fixture_remove(copy);
    refused_open(folder, STORE_ROLE_RELAY, "served by another relay");
}
END_TEST

static void add_all(TCase *tests)
{
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
    tcase_add_test(tests, a_lease_doubles_with_each_attempt);
    tcase_add_test(tests, the_same_lease_gives_the_same_messages);
    tcase_add_test(tests, a_lease_of_another_agent_is_its_own);
    tcase_add_test(tests, a_release_undoes_the_offer);
    tcase_add_test(tests, an_ack_names_what_arrived_and_the_rest_is_released);
    tcase_add_test(tests, an_ack_of_what_is_not_ones_own_does_nothing);
    tcase_add_test(tests, an_ack_never_turns_back_replied_or_deferred);
    tcase_add_test(tests, acks_and_presence_ride_along_first);
    tcase_add_test(tests, acks_of_a_refused_send_count);
    tcase_add_test(tests, an_offer_keeps_to_its_limits);
    tcase_add_test(tests, a_small_message_does_not_overtake_a_large_one);
    tcase_add_test(tests, a_peek_takes_nothing);
    tcase_add_test(tests, the_context_has_its_limits);
    tcase_add_test(tests, agents_are_listed_last_seen_first);
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
    tcase_add_test(tests, recall_reads_both_sides_of_a_conversation);
    tcase_add_test(tests, recall_finds_by_words);
    tcase_add_test(tests, the_inbox_counts_by_status_up_to_the_limit);
    tcase_add_test(tests, events_resume_behind_a_seq);
    tcase_add_test(tests, nothing_crosses_a_namespace);
    tcase_add_test(tests, tokens_are_found_by_their_hash_while_active);
    tcase_add_test(tests, a_token_ends_by_an_unambiguous_prefix);
    tcase_add_test(tests, a_token_ends_after_a_grace);
    tcase_add_test(tests, bans_last_until_their_time);
    tcase_add_test(tests, what_expires_unread_tells_its_sender);
    tcase_add_test(tests, an_expired_message_leaves_no_text_and_can_be_answered);
    tcase_add_test(tests, tombstones_go_after_one_more_retention);
    tcase_add_test(tests, a_notice_tells_of_a_few_messages_only);
    tcase_add_test(tests, who_is_gone_gets_no_notice);
    tcase_add_test(tests, cleanup_ends_what_else_ran_out);
    tcase_add_test(tests, statistics_add_up);
    tcase_add_test(tests, senders_at_once_each_keep_their_order);
    tcase_add_test(tests, two_sessions_never_get_the_same_message);
    tcase_add_test(tests, a_full_disk_is_an_error_and_not_the_end);
    tcase_add_test(tests, one_relay_serves_a_folder);
    tcase_add_test(tests, a_command_beside_the_relay_takes_effect);
    tcase_add_test(tests, a_folder_is_private);
    tcase_add_test(tests, a_folder_that_cannot_be_used_is_refused);
    tcase_add_test(tests, a_file_of_something_else_is_refused);
    tcase_add_test(tests, a_newer_schema_is_refused);
    tcase_add_test(tests, a_damaged_file_is_refused);
    tcase_add_test(tests, migrations_are_applied_once);
    tcase_add_test(tests, a_backup_is_a_store);
}

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("store", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    add_all(tests);
    TCase *forking = tcase_create("kill"); /* forks, so no thread may run before */
    tcase_set_timeout(forking, 60);
    tcase_add_test(forking, what_was_acknowledged_survives_a_kill);
    suite_add_tcase(suite, forking);
    return run_unit(suite);
}
