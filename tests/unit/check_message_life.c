/* The life of a message: the table itself, and the store against it, every event on every state. */
#include "store_case.h"

#include "../../common/ident.h"
#include "../../relay/store/message_life.h"
#include "unit.h"

/* In the order of the enums; the header has the same table. */
static const char *const states[LIFE_STATES] = {
    "pending", "leased", "offered", "read", "deferred", "replied", "unsent", "expired"};
static const char *const events[LIFE_EVENTS] = {
    "offer", "renew", "lapse", "release", "lose", "ack", "reply", "defer", "unsend", "expire"};
static const char *const table[LIFE_STATES][LIFE_EVENTS] = {
    {"leased", ".", ".", ".", ".", "read", "replied", "deferred", "unsent", "expired"},
    {".", "leased", "offered", "back", "offered", "read", "replied", "deferred", "refused", "expired"},
    {"leased", "leased", ".", "back", "offered", "read", "replied", "deferred", "refused", "expired"},
    {".", ".", ".", ".", ".", ".", "replied", "deferred", "refused", "expired"},
    {".", ".", ".", ".", ".", ".", "replied", "deferred", "refused", "expired"},
    {".", ".", ".", ".", ".", ".", "replied", "deferred", "refused", "expired"},
    {".", ".", ".", ".", ".", ".", "absent", "absent", ".", "."},
    {".", ".", ".", ".", ".", ".", ".", "refused", "absent", "."},
};

/* ---- the table ---- */

static void expect(enum life_state state, enum life_event event, unsigned offers)
{
    const char *outcome = table[state][event];
    struct message_life life = {.state = state, .offers = offers};
    const enum life_verdict verdict = message_life_apply(&life, event);
    const bool is_back = strcmp(outcome, "back") == 0;
    if (strcmp(outcome, ".") == 0 || strcmp(outcome, "refused") == 0 || strcmp(outcome, "absent") == 0) {
        ck_assert_int_eq(verdict, outcome[0] == '.'   ? LIFE_STAYS
                                  : outcome[0] == 'r' ? LIFE_REFUSED
                                                      : LIFE_ABSENT);
        ck_assert_int_eq(life.state, state);
        ck_assert_uint_eq(life.offers, offers);
        return;
    }
    ck_assert_msg(verdict == LIFE_MOVES, "%s, %s: %d", states[state], events[event], verdict);
    if (is_back)
        outcome = offers > 1 ? "offered" : "pending";
    ck_assert_str_eq(states[life.state], outcome);
    ck_assert_uint_eq(life.offers, offers + (event == LIFE_OFFER) - is_back);
}

START_TEST(each_event_has_one_outcome_in_each_state)
{
    for (enum life_state state = 0; state < LIFE_STATES; state++) {
        for (enum life_event event = 0; event < LIFE_EVENTS; event++) {
            for (unsigned offers = state != LIFE_PENDING; offers < (state == LIFE_PENDING ? 1 : 4); offers++)
                expect(state, event, offers);
        }
    }
}
END_TEST

START_TEST(a_stored_message_is_in_one_state)
{
    static const struct {
        enum message_status status;
        bool is_leased;
        unsigned attempts;
        bool is_unsent, is_expired;
        enum life_state state;
    } cases[] = {
        {MESSAGE_PENDING, false, 0, false, false, LIFE_PENDING},
        {MESSAGE_PENDING, true, 1, false, false, LIFE_LEASED},
        {MESSAGE_PENDING, false, 1, false, false, LIFE_OFFERED},
        {MESSAGE_READ, false, 1, false, false, LIFE_READ},
        {MESSAGE_DEFERRED, false, 0, false, false, LIFE_DEFERRED},
        {MESSAGE_REPLIED, false, 2, false, false, LIFE_REPLIED},
        {MESSAGE_PENDING, false, 0, true, false, LIFE_UNSENT},
        {MESSAGE_READ, false, 1, false, true, LIFE_EXPIRED},
        {MESSAGE_PENDING, true, 1, false, true, LIFE_EXPIRED},
    };
    for (size_t i = 0; i < LENGTH_OF(cases); i++) {
        const struct message_life life = message_life_stored(
            cases[i].status, cases[i].is_leased, cases[i].attempts, cases[i].is_unsent, cases[i].is_expired);
        ck_assert_int_eq(life.state, cases[i].state);
        ck_assert_uint_eq(life.offers, cases[i].attempts);
        if (life.state < LIFE_UNSENT)
            ck_assert_int_eq(message_life_status(life), cases[i].status);
    }
    ck_assert_int_eq(message_life_begin(false, false).state, LIFE_PENDING);
    ck_assert_int_eq(message_life_begin(true, false).state, LIFE_DEFERRED);
    ck_assert_int_eq(message_life_begin(false, true).state, LIFE_DEFERRED);
}
END_TEST

/* ---- the store ---- */

/* One message from a to b, with the lease that it was last offered under. */
static char id[UUID_SIZE], lease[UUID_SIZE];

static struct message_life look(int64_t *sent_ms)
{
    struct store_messages found;
    ck_assert(look_up(s, "a", id, &found)); /* the sender sees it whatever became of it */
    const struct message_life life = message_life_of(&found.items[0]);
    *sent_ms = found.items[0].sent_ms;
    store_messages_free(&found);
    return life;
}

static struct message_life stored_life(void)
{
    int64_t sent_ms;
    return look(&sent_ms);
}

static enum store_status take(bool same_lease)
{
    const struct store_caller caller = as("b");
    if (!same_lease)
        uuid_v4(lease);
    const struct store_offer offer = {.lease = lease, .max_messages = 1000, .max_bytes = 1000 * 1000};
    struct store_offer_result result;
    const enum store_status status = store_offer(s, &caller, &offer, &result);
    store_offer_result_free(&result);
    return status;
}

static enum store_status end_lease(enum store_release how)
{
    const struct store_caller caller = as("b");
    return store_ack(s, &caller, lease, NULL, 0, how, NULL);
}

static enum store_status do_ack(void)
{
    const struct store_caller caller = as("b");
    const char *ids[] = {id};
    return store_ack(s, &caller, NULL, ids, 1, RELEASE_NONE, NULL);
}

static enum store_status do_reply(bool defer, enum store_refusal *refusal)
{
    struct store_reply_result result;
    const enum store_status status = reply_as(s, "b", id, "answer", defer, false, &result);
    *refusal = result.refusal;
    store_reply_result_free(&result);
    return status;
}

/* *told: whether its sender has a notice of it. The retention is the message's age, and no more: so what is a
 * tombstone already stays. */
static enum store_status do_expire(bool *told)
{
    struct store_cleanup_result result;
    int64_t sent_ms;
    clock_pass(10 * 1000); /* longer than a cleanup takes, shorter than a lease */
    (void)look(&sent_ms);
    const enum store_status status = store_cleanup(s, clock_wall_ms() - sent_ms, MS_PER_HOUR, false, &result);
    store_cleanup_result_free(&result);
    const struct store_caller caller = as("a");
    const struct store_recall recall = {.limit = 100, .from_agent = RELAY_AGENT};
    struct store_messages notices;
    ck_assert_int_eq(store_recall(s, &caller, &recall, &notices), STORE_DONE);
    *told = false;
    for (size_t i = 0; i < notices.count; i++)
        *told |= strstr(notices.items[i].content, id) != NULL;
    store_messages_free(&notices);
    return status;
}

static enum store_status happen(enum life_event event, enum store_refusal *refusal)
{
    bool told = false;
    *refusal = REFUSAL_NONE;
    switch (event) {
    case LIFE_OFFER:
    case LIFE_RENEW:
        return take(event == LIFE_RENEW);
    case LIFE_LAPSE:
        clock_pass(LEASE_MAX_MS + 1);
        return STORE_DONE;
    case LIFE_RELEASE:
        return end_lease(RELEASE_UNSHOWN);
    case LIFE_LOSE:
        return end_lease(RELEASE_LOST);
    case LIFE_ACK:
        return do_ack();
    case LIFE_REPLY:
    case LIFE_DEFER:
        return do_reply(event == LIFE_DEFER, refusal);
    case LIFE_UNSEND:
        return unsend_as("a", id, refusal);
    default:
        return do_expire(&told);
    }
}

/* Brings a new message into a state, by way of as many offers as that many attempts need. */
static void bring(enum life_state state, unsigned attempts)
{
    static const enum life_event ways[LIFE_STATES][2] = {
        [LIFE_PENDING] = {LIFE_LAPSE, LIFE_LAPSE},
        [LIFE_LEASED] = {LIFE_OFFER, LIFE_RENEW},
        [LIFE_OFFERED] = {LIFE_OFFER, LIFE_LAPSE},
        [LIFE_READ] = {LIFE_OFFER, LIFE_ACK},
        [LIFE_DEFERRED] = {LIFE_OFFER, LIFE_DEFER},
        [LIFE_REPLIED] = {LIFE_OFFER, LIFE_REPLY},
        [LIFE_UNSENT] = {LIFE_LAPSE, LIFE_UNSEND},
        [LIFE_EXPIRED] = {LIFE_OFFER, LIFE_EXPIRE},
    };
    enum store_refusal refusal;
    must_send(s, "a", "b", "x", id);
    uuid_v4(lease);
    for (unsigned i = 1; i < attempts; i++) {
        ck_assert_int_eq(happen(LIFE_OFFER, &refusal), STORE_DONE);
        ck_assert_int_eq(happen(LIFE_LAPSE, &refusal), STORE_DONE);
    }
    for (size_t i = 0; i < LENGTH_OF(ways[state]); i++)
        ck_assert_int_eq(happen(ways[state][i], &refusal), STORE_DONE);
    ck_assert_str_eq(states[stored_life().state], states[state]);
}

static void check_event(enum life_state state, enum life_event event, unsigned attempts)
{
    static const enum store_status statuses[] = {[LIFE_MOVES] = STORE_DONE,
        [LIFE_STAYS] = STORE_DONE,
        [LIFE_REFUSED] = STORE_REFUSED,
        [LIFE_ABSENT] = STORE_ABSENT};
    if (state == LIFE_PENDING && event == LIFE_RENEW)
        return; /* it names no lease: that is an offer */
    bring(state, attempts);
    struct message_life expected = stored_life();
    const enum life_verdict verdict = message_life_apply(&expected, event);
    enum store_refusal refusal;
    const enum store_status status = happen(event, &refusal);
    ck_assert_msg(status == statuses[verdict], "%s, %s: %d", states[state], events[event], status);
    ck_assert_int_eq(refusal != REFUSAL_NONE, verdict == LIFE_REFUSED);
    if (event == LIFE_DEFER && verdict == LIFE_REFUSED)
        ck_assert_int_eq(refusal, REFUSAL_EXPIRED);
    const struct message_life after = stored_life();
    ck_assert_msg(after.state == expected.state, "%s, %s: %s instead of %s", states[state], events[event],
        states[after.state], states[expected.state]);
    ck_assert_uint_eq(after.offers, expected.offers);
}

START_TEST(the_store_does_what_the_table_says)
{
    const enum life_state state = (enum life_state)_i;
    for (enum life_event event = 0; event < LIFE_EVENTS; event++) {
        check_event(state, event, 1);
        if (state == LIFE_LEASED || state == LIFE_OFFERED)
            check_event(state, event, 3);
    }
}
END_TEST

START_TEST(a_sender_is_told_as_the_table_says)
{
    const enum life_state state = (enum life_state)_i;
    bring(state, 1);
    const struct message_life life = stored_life();
    bool told = false;
    ck_assert_int_eq(do_expire(&told), STORE_DONE);
    const bool was_told_before = state == LIFE_EXPIRED; /* on the way into that state */
    ck_assert_int_eq(told, message_life_is_told(life) || was_told_before);
}
END_TEST

/* A lease that was lost is forgotten: what is released under its name later is another's. */
START_TEST(a_lost_lease_is_not_named_any_more)
{
    bring(LIFE_LEASED, 1);
    ck_assert_int_eq(end_lease(RELEASE_LOST), STORE_DONE);
    ck_assert_int_eq(end_lease(RELEASE_UNSHOWN), STORE_DONE);
    ck_assert_uint_eq(stored_life().offers, 1);
    ck_assert_int_eq(take(true), STORE_DONE); /* an offer like any other */
    ck_assert_uint_eq(stored_life().offers, 2);
}
END_TEST

START_TEST(an_expired_message_cannot_be_put_off)
{
    bring(LIFE_EXPIRED, 1);
    const int64_t before = count_of(s, "a", MESSAGE_PENDING);
    struct store_reply_result result;
    ck_assert_int_eq(reply_as(s, "b", id, NULL, true, false, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_EXPIRED);
    store_reply_result_free(&result);
    ck_assert_int_eq(reply_as(s, "b", id, "later", true, true, &result), STORE_REFUSED);
    ck_assert_int_eq(result.refusal, REFUSAL_EXPIRED);
    store_reply_result_free(&result);
    ck_assert_int_eq(count_of(s, "a", MESSAGE_PENDING), before);
    must_reply(s, "b", id, "now", false, false);
    ck_assert_int_eq(count_of(s, "a", MESSAGE_PENDING), before + 1);
}
END_TEST

/* The reply went out before the original expired: its late repeat finds it. */
START_TEST(a_reply_that_put_off_is_a_repeat_after_the_expiry)
{
    bool told = false;
    bring(LIFE_READ, 1);
    const struct store_caller caller = as("b");
    const struct store_reply reply = {
        .message_id = id, .reply_id = OTHER, .content = "later", .content_len = 5, .defer = true};
    struct store_reply_result result;
    ck_assert_int_eq(store_reply(s, &caller, &reply, &result), STORE_DONE);
    store_reply_result_free(&result);
    ck_assert_int_eq(do_expire(&told), STORE_DONE);
    ck_assert_int_eq(store_reply(s, &caller, &reply, &result), STORE_DONE);
    ck_assert(result.repeat);
    store_reply_result_free(&result);
    ck_assert_int_eq(stored_life().state, LIFE_EXPIRED);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("message_life", &tests);
    tcase_add_test(tests, each_event_has_one_outcome_in_each_state);
    tcase_add_test(tests, a_stored_message_is_in_one_state);
    tcase_add_loop_test(tests, the_store_does_what_the_table_says, 0, LIFE_STATES);
    tcase_add_loop_test(tests, a_sender_is_told_as_the_table_says, 0, LIFE_STATES);
    tcase_add_test(tests, a_lost_lease_is_not_named_any_more);
    tcase_add_test(tests, an_expired_message_cannot_be_put_off);
    tcase_add_test(tests, a_reply_that_put_off_is_a_repeat_after_the_expiry);
    return run_unit(suite);
}
