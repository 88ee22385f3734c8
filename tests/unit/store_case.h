/* store_case.h: the store that each test of a suite gets. */
#ifndef TESTS_STORE_CASE_H
#define TESTS_STORE_CASE_H

#include "store_fixture.h"

static char *folder;
static struct store *s;

static inline void setup(void)
{
    folder = fixture_folder();
    s = fixture_open(folder);
    fixture_agent(s, "a");
    fixture_agent(s, "b");
    fixture_agent(s, "c");
}

static inline void teardown(void)
{
    store_close(s);
    fixture_remove(folder);
}

static inline void reopen(void)
{
    store_close(s);
    s = fixture_open(folder);
}

/* A suite whose tests each have a store of their own, with the agents a, b and c. */
static inline Suite *store_suite(const char *name, TCase **tests)
{
    Suite *suite = suite_create(name);
    *tests = tcase_create(name);
    tcase_add_checked_fixture(*tests, setup, teardown);
    tcase_set_timeout(*tests, 60);
    suite_add_tcase(suite, *tests);
    return suite;
}

/* What a gated send to c is refused for; *total (may be NULL): how much is unread. */
static inline enum store_refusal gated(const char *from, int64_t *total)
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

/* A send in a thread that must work, as its sender sees it then. */
static inline void send_in(const char *from, const char *to, const char *thread, struct store_messages *found)
{
    struct store_send_result result;
    ck_assert_int_eq(send_as(s, from, to, "x", NULL, thread, true, &result), STORE_DONE);
    ck_assert(look_up(s, from, result.sent[0].id, found));
    store_send_result_free(&result);
}

static inline enum store_status unsend_as(const char *agent, const char *id, enum store_refusal *refusal)
{
    const struct store_caller caller = as(agent);
    return store_unsend(s, &caller, id, refusal);
}

/* How many messages a recall finds, and the text of the last (up to 100 bytes; may be NULL). */
static inline size_t recalled(const char *agent, const struct store_recall *recall, char *last_content)
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

/* Under which the fixture's token of that agent is stored. */
static inline void hash_of(const char *agent, char out[static SHA256_HEX_SIZE])
{
    char *name = xasprintf("%s:%s", NS, agent);
    secret_sha256_hex(name, strlen(name), out);
    free(name);
}

#endif
