/* Tokens, bans, retention, statistics. */
#include "store_case.h"

#include "../../common/ident.h"
#include "../../relay/store/notice.h"
#include "unit.h"

/* ---- tokens and bans ---- */

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
    clock_pass(60 * 1000);
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
    clock_pass(2000);
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
    clock_pass(RETENTION - 1000);
    ck_assert_int_eq(clean(false).expired, 0);
    clock_pass(2000);
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
    clock_pass(RETENTION + 1);
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
    clock_pass(RETENTION + 1);
    ck_assert_int_eq(clean(false).expired, 1);
    /* A late repeat revives nothing. */
    ck_assert_int_eq(send_as(s, "a", "b", "x", OTHER, "slug", true, &result), STORE_DONE);
    ck_assert(result.repeat);
    store_send_result_free(&result);
    ck_assert_int_eq(count_of(s, "b", MESSAGE_PENDING), 0);
    struct store_reply_result reply;
    clock_pass(RETENTION - 1000);
    ck_assert_int_eq(reply_as(s, "b", OTHER, "late", false, false, &reply), STORE_DONE);
    memcpy(child, reply.sent.id, UUID_SIZE);
    store_reply_result_free(&reply);
    ck_assert_int_eq(clean(false).deleted, 0);
    clock_pass(2000);
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
    clock_pass(RETENTION + 1);
    const struct store_cleanup_result plan = clean(true), done = clean(false);
    ck_assert_int_eq(plan.notices, 2);
    ck_assert_int_eq(done.notices, 2);
    ck_assert_int_eq(done.expired, NOTICE_MAX_MESSAGES + 1);
    ck_assert_int_eq(count_of(s, "a", MESSAGE_DEFERRED), 2);
    /* Notices expire without notices. */
    clock_pass(RETENTION + 1);
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
    clock_pass(RETENTION + 1);
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
    clock_pass(MS_PER_HOUR + 1000);
    ck_assert_int_eq(clean(true).offline, 1);
    ck_assert_int_eq(clean(false).offline, 1);
    ck_assert_int_eq(clean(false).offline, 0);
    struct store_tokens tokens;
    ck_assert_int_eq(store_token_list(s, &tokens), STORE_DONE);
    ck_assert_uint_eq(tokens.count, 3);
    store_tokens_free(&tokens);
    clock_pass(RETENTION);
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

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("store_keep", &tests);
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
    return run_unit(suite);
}
