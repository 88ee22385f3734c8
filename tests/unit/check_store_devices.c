/* Codes that the operator hands out, and what they become: invitations and devices. */
#include "store_oauth_fixture.h"

#include "unit.h"

enum { INTERVAL_MS = 5 * 1000, DEVICE_MS = 10 * 60 * 1000 };

/* ---- the operator's codes ---- */

/* The invitation of that text, as a bearer token of that text. */
static enum store_status redeem_invite(const char *invite, const char *token)
{
    struct store_token row = {.label = (char *)(uintptr_t) "invited: laptop"};
    struct store_subject subject;
    memcpy(row.hash, hashed(token).hex, sizeof row.hash);
    const enum store_status status = store_invite_redeem(s, hashed(invite).hex, &row, &subject);
    if (status == STORE_DONE)
        assert_subject(&subject, "");
    else
        ck_assert_ptr_null(subject.agent);
    store_subject_free(&subject);
    return status;
}

static bool is_known(const char *token)
{
    struct store_tokens found;
    const enum store_status status = find_token(token, &found);
    ck_assert_int_eq(status, found.count == 1 ? STORE_DONE : STORE_ABSENT);
    store_tokens_free(&found);
    return status == STORE_DONE;
}

START_TEST(an_invitation_becomes_a_bearer_token)
{
    ck_assert_int_eq(add_code(CODE_INVITE, "invite", "", DEVICE_MS), STORE_DONE);
    ck_assert(!exists("shop", "webapp"));
    ck_assert_int_eq(redeem_invite("other", "token"), STORE_ABSENT);
    ck_assert_int_eq(redeem_invite("invite", "token"), STORE_DONE);
    ck_assert(exists("shop", "webapp"));
    struct store_tokens found;
    ck_assert_int_eq(find_token("token", &found), STORE_DONE);
    ck_assert_str_eq(found.items[0].namespace_id, "shop");
    ck_assert_str_eq(found.items[0].agent, "webapp");
    ck_assert_str_eq(found.items[0].label, "invited: laptop");
    ck_assert_str_eq(found.items[0].grant_id, "");
    ck_assert_ptr_null(found.items[0].audience);
    ck_assert_int_gt(found.items[0].created_ms, 0);
    ck_assert_int_eq(found.items[0].expires_ms, 0);
    store_tokens_free(&found);
    ck_assert_int_eq(redeem_invite("invite", "token 2"), STORE_ABSENT);
    ck_assert(!is_known("token 2"));
    reopen();
    ck_assert_int_eq(redeem_invite("invite", "token 2"), STORE_ABSENT);
    ck_assert(is_known("token"));
}
END_TEST

START_TEST(codes_of_one_kind_are_not_those_of_another)
{
    ck_assert_int_eq(add_code(CODE_INVITE, "invite", "", DEVICE_MS), STORE_DONE);
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", DEVICE_MS), STORE_DONE);
    ck_assert_int_eq(add_code(CODE_CONNECT, "invite", "", DEVICE_MS), STORE_REFUSED);
    ck_assert_int_eq(add_code(CODE_INVITE, "connect", "", DEVICE_MS), STORE_REFUSED);
    ck_assert_int_eq(authorize("invite", "code"), STORE_ABSENT);
    ck_assert_int_eq(redeem_invite("connect", "token"), STORE_ABSENT);
    ck_assert_int_eq(authorize("connect", "code"), STORE_DONE); /* neither was used up by that */
    ck_assert_int_eq(redeem_invite("invite", "token"), STORE_DONE);
}
END_TEST

/* Both or none: a token that is there already uses nothing up. */
START_TEST(an_invitation_is_not_used_up_in_vain)
{
    ck_assert_int_eq(add_code(CODE_INVITE, "invite", "", DEVICE_MS), STORE_DONE);
    ck_assert_int_eq(add_code(CODE_INVITE, "invite 2", "", DEVICE_MS), STORE_DONE);
    ck_assert_int_eq(redeem_invite("invite", "token"), STORE_DONE);
    ck_assert_int_eq(redeem_invite("invite 2", "token"), STORE_FAULT);
    ck_assert_int_eq(redeem_invite("invite 2", "token 2"), STORE_DONE);
}
END_TEST

START_TEST(an_invitation_runs_out)
{
    ck_assert_int_eq(add_code(CODE_INVITE, "invite", "", 60 * 1000), STORE_DONE);
    ck_assert_int_eq(add_code(CODE_INVITE, "late", "", 60 * 1000), STORE_DONE);
    clock_pass(50 * 1000);
    ck_assert_int_eq(redeem_invite("invite", "token"), STORE_DONE);
    clock_pass(10 * 1000);
    ck_assert_int_eq(redeem_invite("late", "token 2"), STORE_ABSENT);
    ck_assert(!is_known("token 2"));
}
END_TEST

/* ---- devices ---- */

static enum store_status add_device(const char *device, const char *user, int64_t max)
{
    struct store_device row = {.machine = (char *)(uintptr_t) "laptop",
        .address = (char *)(uintptr_t) "192.0.2.1",
        .expires_ms = clock_wall_ms() + DEVICE_MS};
    enum store_refusal refusal;
    memcpy(row.device_hash, hashed(device).hex, sizeof row.device_hash);
    memcpy(row.user_hash, hashed(user).hex, sizeof row.user_hash);
    const enum store_status status = store_device_add(s, &row, max, &refusal);
    if (status == STORE_REFUSED)
        ck_assert(refusal == REFUSAL_TOO_MANY || refusal == REFUSAL_EXISTS);
    return status;
}

static bool is_waiting(const char *user)
{
    struct store_device found;
    const enum store_status status = store_device_find(s, hashed(user).hex, &found);
    ck_assert(status == STORE_DONE || status == STORE_ABSENT);
    store_device_free(&found);
    return status == STORE_DONE;
}

/* connect NULL: a person says no. */
static enum store_status decide(const char *user, const char *connect, enum store_refusal *refusal)
{
    struct store_subject subject;
    struct hash hash = hashed(connect ? connect : "");
    const enum store_status status =
        store_device_decide(s, hashed(user).hex, connect ? hash.hex : NULL, &subject, refusal);
    if (connect && status == STORE_DONE)
        assert_subject(&subject, "");
    else
        ck_assert_ptr_null(subject.agent);
    store_subject_free(&subject);
    return status;
}

/* The refusal; NONE: it got the bearer token of that text, or, with *absent, there is no such device. */
static enum store_refusal ask(const char *device, const char *token, bool *absent)
{
    struct store_token row = {.label = (char *)(uintptr_t) "login: laptop"};
    struct store_subject subject;
    enum store_refusal refusal;
    memcpy(row.hash, hashed(token).hex, sizeof row.hash);
    const enum store_status status =
        store_device_redeem(s, hashed(device).hex, &row, INTERVAL_MS, &subject, &refusal);
    ck_assert_int_ne(status, STORE_FAULT);
    ck_assert_int_eq(status == STORE_REFUSED, refusal != REFUSAL_NONE);
    if (status == STORE_DONE)
        assert_subject(&subject, "");
    else
        ck_assert_ptr_null(subject.agent);
    store_subject_free(&subject);
    *absent = status == STORE_ABSENT;
    return refusal;
}

static void assert_ask(const char *device, enum store_refusal wanted)
{
    bool absent;
    ck_assert_int_eq(ask(device, "never", &absent), wanted);
    ck_assert(!absent);
    ck_assert(!is_known("never"));
}

static void assert_absent(const char *device)
{
    bool absent;
    ck_assert_int_eq(ask(device, "never", &absent), REFUSAL_NONE);
    ck_assert(absent);
    ck_assert(!is_known("never"));
}

START_TEST(a_device_is_let_in_once)
{
    enum store_refusal refusal;
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", DEVICE_MS), STORE_DONE);
    ck_assert_int_eq(add_device("device", "user", 10), STORE_DONE);
    struct store_device found;
    ck_assert_int_eq(store_device_find(s, hashed("user").hex, &found), STORE_DONE);
    const struct hash device = hashed("device"), user = hashed("user");
    ck_assert_str_eq(found.device_hash, device.hex);
    ck_assert_str_eq(found.user_hash, user.hex);
    ck_assert_str_eq(found.machine, "laptop");
    ck_assert_str_eq(found.address, "192.0.2.1");
    ck_assert_int_le(found.expires_ms - found.created_ms, DEVICE_MS);
    ck_assert_int_gt(found.expires_ms - found.created_ms, DEVICE_MS / 2);
    store_device_free(&found);
    ck_assert(!is_waiting("other"));

    ck_assert_int_eq(decide("user", "wrong", &refusal), STORE_ABSENT);
    ck_assert_int_eq(refusal, REFUSAL_USED);
    ck_assert_int_eq(decide("other", "connect", &refusal), STORE_ABSENT);
    ck_assert_int_eq(refusal, REFUSAL_NONE);
    ck_assert(is_waiting("user"));
    assert_ask("device", REFUSAL_PENDING);
    ck_assert_int_eq(decide("user", "connect", &refusal), STORE_DONE);
    ck_assert(!is_waiting("user"));
    ck_assert_int_eq(decide("user", "connect", &refusal), STORE_ABSENT);
    ck_assert_int_eq(refusal, REFUSAL_NONE);
    ck_assert_int_eq(authorize("connect", "code"), STORE_ABSENT); /* used up */

    reopen();
    ck_assert(!exists("shop", "webapp"));
    bool absent;
    ck_assert_int_eq(ask("device", "token", &absent), REFUSAL_NONE);
    ck_assert(!absent);
    ck_assert(is_known("token"));
    ck_assert(exists("shop", "webapp"));
    assert_absent("device");
    assert_absent("other");
}
END_TEST

START_TEST(a_device_may_be_refused)
{
    enum store_refusal refusal;
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", DEVICE_MS), STORE_DONE);
    ck_assert_int_eq(add_device("device", "user", 10), STORE_DONE);
    ck_assert_int_eq(decide("user", NULL, &refusal), STORE_DONE);
    ck_assert_int_eq(decide("user", NULL, &refusal), STORE_ABSENT);
    ck_assert_int_eq(decide("user", "connect", &refusal), STORE_ABSENT);
    ck_assert_int_eq(refusal, REFUSAL_NONE);
    assert_ask("device", REFUSAL_DENIED);
    assert_ask("device", REFUSAL_DENIED);
    ck_assert_int_eq(authorize("connect", "code"), STORE_DONE); /* that was not used up */
    clock_pass(DEVICE_MS);
    assert_absent("device");
}
END_TEST

START_TEST(a_device_that_asks_too_often_is_told_so)
{
    ck_assert_int_eq(add_device("device", "user", 10), STORE_DONE);
    assert_ask("device", REFUSAL_PENDING); /* the first time, at once */
    assert_ask("device", REFUSAL_SLOW_DOWN);
    clock_pass(INTERVAL_MS - 1000);
    assert_ask("device", REFUSAL_SLOW_DOWN); /* and that was the last time now */
    clock_pass(INTERVAL_MS - 1000);
    assert_ask("device", REFUSAL_SLOW_DOWN);
    clock_pass(INTERVAL_MS);
    assert_ask("device", REFUSAL_PENDING);
    /* What was decided meanwhile is answered at once. */
    enum store_refusal refusal;
    bool absent;
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", DEVICE_MS), STORE_DONE);
    ck_assert_int_eq(decide("user", "connect", &refusal), STORE_DONE);
    ck_assert_int_eq(ask("device", "token", &absent), REFUSAL_NONE);
    ck_assert(!absent);
}
END_TEST

START_TEST(only_so_many_devices_may_wait)
{
    enum store_refusal refusal;
    ck_assert_int_eq(add_device("device 1", "user 1", 2), STORE_DONE);
    ck_assert_int_eq(add_device("device 1b", "user 1", 2), STORE_REFUSED); /* that user code is taken */
    assert_absent("device 1b");
    ck_assert_int_eq(add_device("device 2", "user 2", 2), STORE_DONE);
    ck_assert_int_eq(add_device("device 3", "user 3", 2), STORE_REFUSED);
    ck_assert_int_eq(decide("user 1", NULL, &refusal), STORE_DONE);
    ck_assert_int_eq(add_device("device 3", "user 3", 2), STORE_DONE); /* who was decided waits no more */
    ck_assert_int_eq(add_device("device 4", "user 4", 2), STORE_REFUSED);
    clock_pass(DEVICE_MS);
    ck_assert_int_eq(add_device("device 4", "user 4", 2), STORE_DONE); /* nor those that ran out */
}
END_TEST

START_TEST(a_device_runs_out)
{
    enum store_refusal refusal;
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect", "", 2 * DEVICE_MS), STORE_DONE);
    ck_assert_int_eq(add_code(CODE_CONNECT, "connect 2", "", 2 * DEVICE_MS), STORE_DONE);
    ck_assert_int_eq(add_device("device", "user", 10), STORE_DONE);
    ck_assert_int_eq(add_device("device 2", "user 2", 10), STORE_DONE);
    ck_assert_int_eq(decide("user", "connect", &refusal), STORE_DONE);
    clock_pass(DEVICE_MS);
    assert_absent("device"); /* approved, and fetched too late */
    assert_absent("device 2");
    ck_assert(!is_waiting("user 2"));
    ck_assert_int_eq(decide("user 2", "connect 2", &refusal), STORE_ABSENT);
    ck_assert_int_eq(refusal, REFUSAL_NONE);
    ck_assert_int_eq(authorize("connect 2", "code"), STORE_DONE);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_devices", &tests);
    tcase_add_test(tests, an_invitation_becomes_a_bearer_token);
    tcase_add_test(tests, codes_of_one_kind_are_not_those_of_another);
    tcase_add_test(tests, an_invitation_is_not_used_up_in_vain);
    tcase_add_test(tests, an_invitation_runs_out);
    tcase_add_test(tests, a_device_is_let_in_once);
    tcase_add_test(tests, a_device_may_be_refused);
    tcase_add_test(tests, a_device_that_asks_too_often_is_told_so);
    tcase_add_test(tests, only_so_many_devices_may_wait);
    tcase_add_test(tests, a_device_runs_out);
    return run_unit(suite);
}
