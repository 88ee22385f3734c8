/* Offering: leases, acknowledgements, what an inbox shows. */
#include "store_case.h"

#include "../../common/ident.h"
#include "unit.h"

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
        clock_pass(duration - 500);
        must_offer(s, "b", "01900000-0000-7000-8000-00000000000c", 20, &offer);
        ck_assert_uint_eq(offer.messages.count, 0);
        ck_assert_int_eq(offer.in_delivery, 1);
        const int64_t left = offer.next_lease_end_ms - clock_wall_ms();
        ck_assert_int_gt(left, 0);
        ck_assert_int_le(left, 500);
        store_offer_result_free(&offer);
        clock_pass(500);
        duration = 2 * duration < LEASE_MAX_MS ? 2 * duration : LEASE_MAX_MS;
    }
}
END_TEST

/* The clock is set forward or back: the lease lasts as long as it would have. */
START_TEST(a_lease_keeps_its_length_when_the_clock_jumps)
{
    const int64_t jump = _i ? -MS_PER_HOUR : MS_PER_HOUR;
    must_send(s, "a", "b", "x", NULL);
    ck_assert_uint_eq(offered(s, "b", LEASE), 1);
    clock_shift_wall(jump);
    must_send(s, "b", "a", "y", NULL); /* the writer sees it no later than with the next operation */
    ck_assert_uint_eq(offered(s, "b", OTHER), 0);
    clock_pass(LEASE_FIRST_MS + 1);
    ck_assert_uint_eq(offered(s, "b", OTHER), 1);
    clock_shift_wall(-jump);
}
END_TEST

START_TEST(the_same_lease_gives_the_same_messages)
{
    char first[UUID_SIZE], second[UUID_SIZE];
    must_send(s, "a", "b", "x", first);
    must_send(s, "a", "b", "y", second);
    ck_assert_uint_eq(offered(s, "b", LEASE), 2);
    must_send(s, "a", "b", "z", NULL);
    clock_pass(LEASE_FIRST_MS - 1000);
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
    clock_pass(LEASE_FIRST_MS - 1000);
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

/* What was lost on its way may have been seen: that offer counts, and nobody takes it back. */
START_TEST(a_lost_answer_counts_as_an_offer)
{
    char id[UUID_SIZE];
    const struct store_caller caller = as("b"), sender = as("a");
    must_send(s, "a", "b", "x", id);
    ck_assert_uint_eq(offered(s, "b", LEASE), 1);
    int64_t released = 0;
    ck_assert_int_eq(store_ack(s, &caller, LEASE, NULL, 0, RELEASE_LOST, &released), STORE_DONE);
    ck_assert_int_eq(released, 1);
    enum store_refusal refusal = REFUSAL_NONE;
    ck_assert_int_eq(store_unsend(s, &sender, id, &refusal), STORE_REFUSED);
    ck_assert_int_eq(refusal, REFUSAL_ALREADY_OFFERED);
    struct store_offer_result offer;
    must_offer(s, "b", OTHER, 20, &offer);
    ck_assert_uint_eq(offer.messages.count, 1);
    ck_assert_uint_eq(offer.messages.items[0].attempt, 2);
    store_offer_result_free(&offer);
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
    ck_assert_int_eq(store_ack(s, &caller, LEASE, acked, 1, RELEASE_UNSHOWN, &released), STORE_DONE);
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
    ck_assert_int_eq(store_ack(s, &stranger, NULL, &named, 1, RELEASE_NONE, NULL), STORE_DONE);
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
    const char *acks[] = {id, "not an id", OTHER};
    const struct store_recipient to = {.agent = "a"};
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
    const char *ack = first;
    const struct store_recipient to = {.agent = "c"};
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
    clock_pass(5000);
    const int64_t later = clock_wall_ms();
    ck_assert_int_eq(store_touch(s, &c), STORE_DONE);
    ck_assert_uint_eq(agents_seen(false, 0, first), 2); /* without a token one is no agent */
    ck_assert_str_eq(first, "c");
    ck_assert_uint_eq(agents_seen(false, later, first), 1);
    ck_assert_uint_eq(agents_seen(true, later, first), 2);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_offer", &tests);
    tcase_add_test(tests, a_lease_doubles_with_each_attempt);
    tcase_add_test(tests, the_same_lease_gives_the_same_messages);
    tcase_add_loop_test(tests, a_lease_keeps_its_length_when_the_clock_jumps, 0, 2);
    tcase_add_test(tests, a_lease_of_another_agent_is_its_own);
    tcase_add_test(tests, a_release_undoes_the_offer);
    tcase_add_test(tests, a_lost_answer_counts_as_an_offer);
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
    return run_unit(suite);
}
