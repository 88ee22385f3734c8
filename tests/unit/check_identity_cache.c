/* The cache of identities, the table below it, and places for streams. */
#include <bsd/string.h>
#include <stdio.h>
#include <string.h>

#include "../../relay/auth/concurrency.h"
#include "../../relay/auth/identity.h"
#include "../../relay/auth/identity_cache.h"
#include "unit.h"

static struct identity_cache cache;

static void setup(void)
{
    identity_cache_init(&cache);
}

static void teardown(void)
{
    identity_cache_free(&cache);
}

static enum identity_answer ask(const char *hash, int64_t now_ms)
{
    const struct identity *who = NULL;
    const enum identity_answer answer = identity_cache_get(&cache, hash, now_ms, &who);
    ck_assert((who != NULL) == (answer == IDENTITY_KNOWN));
    identity_release(who);
    return answer;
}

/* "agent" in "ns", and in "other" and "third". */
static const struct identity *somebody(const char *hash)
{
    char namespace_id[] = "ns", agent[] = "agent", other[] = "other", third[] = "third";
    char *also[] = {other, third};
    struct store_token token = {
        .namespace_id = namespace_id, .agent = agent, .also = also, .also_count = LENGTH_OF(also)};
    (void)strlcpy(token.hash, hash, sizeof token.hash);
    return identity_new(&token);
}

static void put_known(const char *hash, int64_t until_ms)
{
    const struct identity *who = somebody(hash);
    identity_cache_put(&cache, hash, who, until_ms, cache.generation);
    identity_release(who);
}

START_TEST(remembers_until)
{
    ck_assert_int_eq(ask("h", 0), IDENTITY_ASK);
    put_known("h", 100);
    ck_assert_int_eq(ask("h", 99), IDENTITY_KNOWN);
    ck_assert_int_eq(ask("h", 100), IDENTITY_ASK);
    identity_cache_put(&cache, "n", NULL, 100, cache.generation);
    ck_assert_int_eq(ask("n", 99), IDENTITY_NOBODY);
    ck_assert_int_eq(ask("n", 100), IDENTITY_ASK);
}
END_TEST

START_TEST(says_who)
{
    const struct identity *who;
    put_known("h", 100);
    ck_assert_int_eq(identity_cache_get(&cache, "h", 0, &who), IDENTITY_KNOWN);
    identity_cache_forget(&cache); /* the caller's reference lives on */
    ck_assert_str_eq(who->agent, "agent");
    ck_assert_str_eq(who->namespace_id, "ns");
    ck_assert_str_eq(who->address, "agent@ns");
    ck_assert_str_eq(who->credential_hash, "h");
    identity_release(who);
}
END_TEST

START_TEST(is_itself_in_several_namespaces)
{
    static const struct {
        const char *namespace_id, *name;
    } names[] = {{"ns", "b"}, {"other", "b@other"}, {"unknown", "b@unknown"}};
    const struct identity *who = somebody("h");
    const struct store_caller caller = identity_caller(who);
    ck_assert_str_eq(who->parking_keys, "agent@ns\nagent@other\nagent@third");
    ck_assert_str_eq(caller.namespace_id, "ns");
    ck_assert_str_eq(caller.agent, "agent");
    ck_assert_uint_eq(caller.also_count, 2);
    ck_assert_str_eq(caller.also[1], "third");
    ck_assert(identity_is_in(who, "ns") && identity_is_in(who, "other") && identity_is_in(who, "third"));
    ck_assert(!identity_is_in(who, "unknown") && !identity_is_in(who, ""));
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        char name[ADDRESS_SIZE];
        identity_name(who, names[i].namespace_id, "b", name);
        ck_assert_str_eq(name, names[i].name);
    }
    identity_release(who);
}
END_TEST

/* What the store said before a revocation must not come back after it. */
START_TEST(answers_older_than_a_change_are_dropped)
{
    const struct identity *who = somebody("h");
    const uint64_t before = cache.generation;
    identity_cache_forget(&cache);
    identity_cache_put(&cache, "h", who, 100, before);
    ck_assert_int_eq(ask("h", 0), IDENTITY_ASK);
    identity_release(who);
}
END_TEST

START_TEST(unknown_ones_push_nobody_out)
{
    char hash[16];
    put_known("h", 100);
    for (int i = 0; i < IDENTITY_UNKNOWN_MAX + 10; i++) {
        (void)snprintf(hash, sizeof hash, "u%d", i);
        identity_cache_put(&cache, hash, NULL, 100, cache.generation);
    }
    ck_assert_int_eq(ask("h", 0), IDENTITY_KNOWN);
    ck_assert_int_eq(ask("u0", 0), IDENTITY_ASK);
    ck_assert_int_eq(ask("u20", 0), IDENTITY_NOBODY);
    ck_assert_uint_eq(cache.unknown.count, IDENTITY_UNKNOWN_MAX);
}
END_TEST

START_TEST(bounded)
{
    char hash[16];
    for (int i = 0; i <= IDENTITY_CACHE_MAX; i++) {
        (void)snprintf(hash, sizeof hash, "k%d", i);
        put_known(hash, 100);
    }
    ck_assert_uint_eq(cache.known.count, IDENTITY_CACHE_MAX);
    ck_assert_int_eq(ask("k0", 0), IDENTITY_ASK);
    ck_assert_int_eq(ask("k1", 0), IDENTITY_KNOWN);
}
END_TEST

START_TEST(places)
{
    struct concurrency *c = concurrency_new();
    ck_assert(concurrency_enter(c, "a", 2));
    ck_assert(concurrency_enter(c, "a", 2));
    ck_assert(!concurrency_enter(c, "a", 2));
    ck_assert(concurrency_enter(c, "b", 2));
    concurrency_leave(c, "a");
    ck_assert(concurrency_enter(c, "a", 2));
    ck_assert(!concurrency_enter(c, "none", 0));
    concurrency_leave(c, "a");
    concurrency_leave(c, "a");
    concurrency_leave(c, "b");
    ck_assert(concurrency_enter(c, "a", 1));
    concurrency_free(c);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("identity_cache", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, remembers_until);
    tcase_add_test(tests, says_who);
    tcase_add_test(tests, is_itself_in_several_namespaces);
    tcase_add_test(tests, answers_older_than_a_change_are_dropped);
    tcase_add_test(tests, unknown_ones_push_nobody_out);
    tcase_add_test(tests, bounded);
    tcase_add_test(tests, places);
    return run_unit(suite);
}
