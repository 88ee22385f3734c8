/* No call on PostgreSQL reads all that is stored: what each one reads is counted, beside a hundred thousand messages that it
 * has nothing to do with, before and after the server has counted them itself. Skipped without a server. */
#include <libpq-fe.h>

#include "store_case.h"
#include "unit.h"

enum { STORED = 100 * 1000, READ_MAX = 5 * 1000 };

static const char fill[] =
    "insert into agent_messages (namespace_id, from_agent, to_agent, content, status, attempts, created_at)"
    " select 'tests', case when i % 2 = 0 then 'a' else 'c' end, 'b', 'message number ' || i, 'read', 1, "
    "now()"
    " from generate_series(1, 100000) i;"
    "insert into message_words (seq, namespace_id, from_agent, to_agent, words) select seq, namespace_id, "
    "from_agent,"
    " to_agent, array_to_tsvector(array['message', 'number', (seq % 5000)::text]) from agent_messages";

static int64_t ask(const char *sql)
{
    PGconn *link = PQconnectdb(rig_url());
    PGresult *result = PQexec(link, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(link));
    const int64_t number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(link);
    return number;
}

/* A session adds what it read when it ends, which is a moment after it was closed. */
static void await_sessions(void)
{
    const int64_t until_ms = clock_mono_ms() + 20 * 1000;
    while (ask("select count(*) from pg_stat_activity where datname = current_database()"
               " and backend_type = 'client backend'") > 1) {
        ck_assert_int_lt(clock_mono_ms(), until_ms);
        usleep(10 * 1000);
    }
}

/* Rows of tables and entries of indexes that were read of messages and their words. */
static int64_t rows_read(void)
{
    static const char sql[] = "select (select sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) from "
                              "pg_stat_user_tables where relname in"
                              " ('agent_messages', 'message_words')) + (select sum(idx_tup_read) from "
                              "pg_stat_user_indexes where relname in"
                              " ('agent_messages', 'message_words'))";
    await_sessions();
    return ask(sql);
}

static void do_send(void)
{
    must_send(s, "a", "b", "one more", NULL);
}

static void do_offer(void)
{
    const struct store_caller caller = as("b");
    const struct store_offer offer = {
        .lease = LEASE, .max_messages = 20, .max_bytes = 48 * 1000, .with_context = true, .all_agents = true};
    struct store_offer_result result;
    ck_assert_int_eq(store_offer(s, &caller, &offer, &result), STORE_DONE);
    store_offer_result_free(&result);
}

static void do_reply(void)
{
    char id[UUID_SIZE];
    must_send(s, "a", "b", "to be answered", id);
    must_reply(s, "b", id, "answer", false, false);
}

static void do_inbox(void)
{
    const struct store_caller caller = as("b");
    struct store_messages messages;
    int64_t count;
    ck_assert_int_eq(store_inbox(s, &caller, MESSAGE_READ, 50, false, &messages, &count), STORE_DONE);
    ck_assert_int_eq(count, 50);
    store_messages_free(&messages);
}

static void do_events(void)
{
    const struct store_caller caller = as("b");
    struct store_messages messages;
    int64_t newest;
    ck_assert_int_eq(store_events(s, &caller, STORED / 2, 10, &messages, &newest), STORE_DONE);
    ck_assert_uint_eq(messages.count, 10);
    store_messages_free(&messages);
}

static void do_recall(const struct store_recall *recall)
{
    ck_assert_uint_eq(recalled("b", recall, NULL), recall->limit);
}

static void do_recall_newest(void)
{
    do_recall(&(const struct store_recall){.limit = 10});
}

static void do_recall_from(void)
{
    do_recall(&(const struct store_recall){.limit = 10, .from_agent = "c"});
}

static void do_recall_rare(void)
{
    do_recall(&(const struct store_recall){.limit = 10, .query = "number 77"});
}

static void do_recall_common(void)
{
    do_recall(&(const struct store_recall){.limit = 10, .query = "message"});
}

static const struct operation {
    const char *name;
    void (*run)(void);
    bool needs_statistics; /* how common a word is, nobody knows before */
} operations[] = {
    {"send", do_send, false},
    {"offer", do_offer, false},
    {"reply", do_reply, false},
    {"inbox", do_inbox, false},
    {"events", do_events, false},
    {"recall", do_recall_newest, true},
    {"recall from", do_recall_from, true},
    {"recall of a rare word", do_recall_rare, true},
    {"recall of a common word", do_recall_common, true},
};

static void run(const struct operation *operation)
{
    s = fixture_open(folder);
    operation->run();
    store_close(s);
}

START_TEST(no_call_reads_all_that_is_stored)
{
    const bool has_statistics = _i == 1;
    store_close(s);
    ck_assert(rig_sql(rig_url(), fill));
    if (has_statistics)
        ck_assert(rig_sql(rig_url(), "analyze"));
    for (size_t i = 0; i < LENGTH_OF(operations); i++) {
        if (operations[i].needs_statistics && !has_statistics)
            continue;
        const int64_t before = rows_read();
        run(&operations[i]);
        const int64_t read = rows_read() - before;
        ck_assert_msg(read > 0 && read < READ_MAX, "%s reads %lld rows", operations[i].name, (long long)read);
    }
    s = fixture_open(folder);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = store_suite("postgres_plans", &tests);
    tcase_set_timeout(tests, 300);
    if (rig_server())
        tcase_add_loop_test(tests, no_call_reads_all_that_is_stored, 0, 2);
    return run_unit(suite);
}
