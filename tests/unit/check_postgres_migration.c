/* Migrations on PostgreSQL: of nothing, of each layout that an older Patchcord left, and again; and what the
 * roles of Supabase may do then. Skipped without a server (tests/postgres.sh). */
#include <libpq-fe.h>

#include "../../relay/store/migration.h"
#include "../../relay/store/store_dump.h"
#include "../../relay/store/store_oauth.h"
#include "store_case.h"
#include "unit.h"

#define OLD_ROOT  "00000000-0000-4000-8000-000000000001"
#define OLD_REPLY "00000000-0000-4000-8000-000000000002"
#define OLD_NEW   "00000000-0000-4000-8000-000000000003"

/* What all three layouts have in common, in the words of none of them: the columns of SUPABASE's tables. */
#define MESSAGES(more)                                                                                       \
    "create table agent_messages (id uuid default gen_random_uuid() primary key, from_agent text not null,"  \
    " to_agent text not null, content text not null, reply_to uuid references agent_messages (id)," more     \
    " created_at timestamptz default now());"
#define TOKENS(table, key)                                                                                   \
    "create table " table " (" key " text primary key, client_id text not null references oauth_clients"     \
    " (client_id) on delete cascade, namespace_id text not null default 'default', agent_id text not null,"  \
    " scope text not null default 'patchcord', expires_at timestamptz not null,"                             \
    " created_at timestamptz not null default now());"
#define LOGINS                                                                                               \
    "create table oauth_clients (client_id text primary key, namespace_id text not null default 'default',"  \
    " agent_id text not null, client_info jsonb not null, created_at timestamptz not null default now(),"    \
    " updated_at timestamptz not null default now());"                                                       \
    "create table oauth_auth_codes (code text primary key, client_id text not null references oauth_clients" \
    " (client_id) on delete cascade, namespace_id text not null default 'default', code_challenge text,"     \
    " redirect_uri text, agent_id text, redirect_uri_provided_explicitly boolean, expires_at timestamptz,"   \
    " created_at timestamptz default now());" TOKENS("oauth_access_tokens", "access_token")                  \
        TOKENS("oauth_refresh_tokens",                                                                       \
            "refresh_token") "insert into oauth_clients (client_id, namespace_id, agent_id, client_info) "   \
                             "values ('web', 'tests',"                                                       \
                             " 'webapp', '{\"client_name\": \"A chat\", \"client_secret\": \"hush\"}');"     \
                             "insert into oauth_access_tokens (access_token, client_id, namespace_id, "      \
                             "agent_id, expires_at) values"                                                  \
                             " ('old access', 'web', 'tests', 'webapp', now() + '1 day'),"                   \
                             " ('gone', 'web', 'tests', 'webapp', now() - interval '1 day');"                \
                             "insert into oauth_refresh_tokens (refresh_token, client_id, namespace_id, "    \
                             "agent_id, expires_at) values"                                                  \
                             " ('old refresh', 'web', 'tests', 'webapp', now() + interval '30 days');"
#define PRESENCE(key)                                                                                        \
    "create table agent_registry (agent_id text, namespace_id text not null default 'default',"              \
    " display_name text, machine_name text, status text, last_seen timestamptz, updated_at timestamptz,"     \
    " meta jsonb, primary key (" key "));"                                                                   \
    "insert into agent_registry (agent_id, namespace_id, last_seen, meta) values ('a', 'tests', now(),"      \
    " '{\"client_type\": \"codex\"}');"
/* b asked, a answered, and something waits for a. */
#define CONVERSATION                                                                                         \
    "insert into agent_messages (id, namespace_id, from_agent, to_agent, content, status, created_at) "      \
    "values"                                                                                                 \
    " ('" OLD_ROOT "', 'tests', 'b', 'a', 'an old question', 'replied', now() - interval '3 hours'),"        \
    " ('" OLD_NEW "', 'tests', 'c', 'a', 'still waiting', 'pending', now() - interval '1 hour');"            \
    "insert into agent_messages (id, namespace_id, from_agent, to_agent, content, status, reply_to, "        \
    "created_at)"                                                                                            \
    " values ('" OLD_REPLY "', 'tests', 'a', 'b', 'an old answer', 'read', '" OLD_ROOT                       \
    "', now() - interval '2 hours');"
/* SHA-256 of "tests:a" and so on, as the fixture has them. */
#define BEARERS                                                                                              \
    "create table bearer_tokens (token_hash text primary key, namespace_id text not null, agent_id text not" \
    " null, label text, active boolean not null default true, created_at timestamptz not null default "      \
    "now());"                                                                                                \
    "insert into bearer_tokens (token_hash, namespace_id, agent_id) select encode(sha256(convert_to("        \
    "'tests:' || name, 'UTF8')), 'hex'), 'tests', name from unnest(array['a', 'b', 'c']) name;"

static const struct layout {
    const char *name, *sql[6]; /* NULL-ended */
    bool has_tokens, has_threads, has_owners;
} layouts[] = {
    /* The first file alone. */
    {"first",
        {MESSAGES(
             "namespace_id text not null default 'default', status text default 'pending' check (status in"
             " ('pending', 'read', 'replied')), topic text,"),
            PRESENCE("agent_id"), LOGINS, CONVERSATION},
        false, false, false},
    /* The numbered files. */
    {"numbered",
        {MESSAGES(
             "namespace_id text not null default 'default', status text default 'pending' constraint"
             " agent_messages_status_check check (status in ('pending', 'read', 'replied', 'deferred')),"
             " encrypted boolean default false, delivered_at timestamptz, group_id uuid, recipients text[],"
             " topic text,"),
            PRESENCE("namespace_id, agent_id") BEARERS, LOGINS, CONVERSATION,
            "create index on agent_messages (namespace_id, to_agent, status); alter table agent_messages "
            "enable row"
            " level security; create table rate_limit_bans (token_hash text primary key, banned_until "
            "timestamptz"
            " not null, created_at timestamptz not null default now());"
            "create table user_namespaces (user_id uuid not null, namespace_id text not null, created_at "
            "timestamptz"
            " default now(), primary key (user_id, namespace_id)); insert into user_namespaces values"
            " ('" OLD_ROOT "', 'tests'), ('" OLD_ROOT "', 'beside');"},
        true, false, true},
    /* The migration tool's. */
    {"tool",
        {MESSAGES(
             "namespace_id text not null default 'default', status text default 'pending' constraint"
             " agent_messages_status_check check (status in ('pending', 'read', 'replied', 'deferred')),"
             " encrypted boolean default false, delivered_at timestamptz, group_id uuid, recipients text[],"
             " topic text, thread_id uuid references agent_messages (id) on delete set null, thread_title "
             "text,"
             " thread_resolved_at timestamptz,"),
            PRESENCE("namespace_id, agent_id") BEARERS, LOGINS, CONVERSATION,
            "update agent_messages set thread_title = 'auth-migration', thread_id = '" OLD_ROOT "'"
            " where id = '" OLD_ROOT "'; update agent_messages set thread_id = '" OLD_ROOT
            "' where id = '" OLD_REPLY
            "'; create table namespace_owners (user_id text not null, namespace_id text not null,"
            " created_at timestamptz not null default now(), primary key (user_id, namespace_id));"
            " insert into namespace_owners (user_id, namespace_id) values ('ada', 'tests'), ('ada', "
            "'beside');"},
        true, true, true},
};

static char *url;

/* One value as text, to be freed. */
static char *ask(const char *sql)
{
    PGconn *link = PQconnectdb(url);
    PGresult *result = PQexec(link, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1, "%s: %s", sql,
        PQerrorMessage(link));
    char *value = xstrdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(link);
    return value;
}

static void begin_empty(void)
{
    static const char name[] = "check_postgres_old";
    const char *server = rig_server(), *options = strchr(server, '?');
    folder = fixture_folder();
    ck_assert(rig_sql(server, "drop database if exists check_postgres_old with (force)"));
    ck_assert(rig_sql(server, "create database check_postgres_old template template0"));
    url = xasprintf("%.*s%s%s", (int)(options - server), server, name, options);
}

static void lay_out(const struct layout *layout)
{
    for (size_t i = 0; layout->sql[i]; i++)
        ck_assert_msg(rig_sql(url, layout->sql[i]), "%s: %s", layout->name, layout->sql[i]);
}

static void end_empty(void)
{
    fixture_remove(folder);
    free(url);
}

static struct store *open_as(enum store_role role, struct buf *why)
{
    const struct store_options options = {.data_dir = folder, .database_url = url, .role = role};
    return store_open(&options, why);
}

static int migrate(void)
{
    struct buf why = {0};
    int applied = 0;
    struct store *store = open_as(STORE_ROLE_MIGRATE, &why);
    ck_assert_msg(store && store_migrate(store, &applied, &why), "%s", buf_text(&why));
    store_close(store);
    buf_free(&why);
    return applied;
}

static void serve(void)
{
    struct buf why = {0};
    s = open_as(STORE_ROLE_RELAY, &why);
    ck_assert_msg(s != NULL, "%s", buf_text(&why));
    buf_free(&why);
}

/* Everything there is, in one text: structure and rows. */
static char *describe(void)
{
    return ask(
        "select md5(string_agg(line, E'\\n' order by line)) from ("
        "select format('%s.%s %s %s %s', attrelid::regclass, attname, atttypid, attnotnull, attacl) as line"
        " from pg_attribute a join pg_class c on c.oid = a.attrelid where c.relnamespace = "
        "'public'::regnamespace"
        " union all select indexdef from pg_indexes where schemaname = 'public'"
        " union all select conname || pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = 'public'::regnamespace"
        " union all select relname || relrowsecurity || coalesce(relacl::text, '') from pg_class"
        " where relnamespace = 'public'::regnamespace"
        " union all select proname || coalesce(proacl::text, '') || prosrc from pg_proc"
        " where pronamespace = 'public'::regnamespace"
        " union all select m::text from agent_messages m union all select t::text from agent_threads t"
        " union all select g::text from oauth_grants g union all select b::text from bearer_tokens b"
        " union all select r::text from agent_registry r union all select c::text from oauth_clients c"
        " union all select m::text from patchcord_migrations m) everything");
}

/* How many there are. */
static int files(void)
{
    int count = 0;
    while (migrations_postgres[count].number != 0)
        count++;
    return count;
}

START_TEST(a_database_without_a_schema_says_what_to_run)
{
    struct buf why = {0};
    begin_empty();
    ck_assert_ptr_null(open_as(STORE_ROLE_RELAY, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "0001_schema.sql"));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "patchcord-relay migrate"));
    buf_reset(&why);
    ck_assert_int_eq(migrate(), files());
    ck_assert(rig_sql(url, "delete from patchcord_migrations where number > 3"));
    ck_assert_ptr_null(open_as(STORE_ROLE_ADMIN, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "an older schema"));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "0004_keeping.sql"));
    buf_reset(&why);
    ck_assert_int_eq(migrate(), files() - 3);
    ck_assert(rig_sql(url, "insert into patchcord_migrations (number, name) values (99, 'later')"));
    ck_assert_ptr_null(open_as(STORE_ROLE_RELAY, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "newer"));
    buf_free(&why);
    end_empty();
}
END_TEST

static bool knows(const char *token, struct store_tokens *found)
{
    char hash[SHA256_HEX_SIZE];
    secret_sha256_hex(token, strlen(token), hash);
    return store_token_find(s, hash, found) == STORE_DONE;
}

static void check_logins(bool has_owners)
{
    struct store_tokens found;
    ck_assert(knows("old access", &found));
    ck_assert_str_eq(found.items[0].agent, "webapp");
    ck_assert_str_eq(found.items[0].namespace_id, NS);
    ck_assert_uint_eq(found.items[0].also_count, has_owners ? 1 : 0);
    ck_assert_ptr_null(found.items[0].audience);
    store_tokens_free(&found);
    ck_assert(!knows("gone", &found));
    struct store_clients clients;
    ck_assert_int_eq(store_client_find(s, "web", &clients), STORE_DONE);
    ck_assert_ptr_null(strstr(clients.items[0].metadata, "hush"));
    ck_assert_uint_eq(strlen(clients.items[0].secret_hash), SHA256_HEX_SIZE - 1);
    store_clients_free(&clients);

    char hash[SHA256_HEX_SIZE];
    secret_sha256_hex("old refresh", strlen("old refresh"), hash);
    struct store_token_pair pair = {.access_expires_ms = clock_wall_ms() + MS_PER_HOUR,
        .refresh_expires_ms = clock_wall_ms() + MS_PER_DAY};
    secret_sha256_hex("1", 1, pair.access_hash);
    secret_sha256_hex("2", 1, pair.refresh_hash);
    struct store_grants grants;
    enum store_refusal refusal;
    ck_assert_int_eq(
        store_refresh(s, hash, "web", "https://relay.example/mcp", &pair, &grants, &refusal), STORE_DONE);
    ck_assert_str_eq(grants.items[0].client_name, "A chat");
    store_grants_free(&grants);
}

/* All of it can be moved elsewhere. */
static void check_dump(bool has_threads)
{
    for (enum dump_kind kind = 0; kind < DUMP_KINDS; kind++) {
        struct json_object *rows = NULL;
        ck_assert_int_eq(store_dump(s, kind, NULL, &rows), STORE_DONE);
        if (kind == DUMP_MESSAGE)
            ck_assert_int_eq(strstr(json_object_to_json_string(rows), "auth-migration") != NULL, has_threads);
        if (kind == DUMP_MESSAGE || kind == DUMP_GRANT || kind == DUMP_REFRESH)
            ck_assert_uint_gt(json_object_array_length(rows), 0);
        json_object_put(rows);
    }
}

static void check_messages(bool has_threads)
{
    struct store_offer_result offer;
    must_offer(s, "a", LEASE, 20, &offer);
    ck_assert_uint_eq(offer.messages.count, 1);
    ck_assert_str_eq(offer.messages.items[0].id, OLD_NEW);
    ck_assert_str_eq(offer.messages.items[0].content, "still waiting");
    store_offer_result_free(&offer);
    must_reply(s, "a", OLD_NEW, "at last", true, false); /* deferred: the first layout had no such status */

    const struct store_recall both = {.limit = 10}, threaded = {.limit = 10, .thread = "auth-migration"},
                              words = {.limit = 10, .query = "OLD answer"};
    char last[100];
    ck_assert_uint_eq(recalled("b", &both, last), 2);
    ck_assert_str_eq(last, "an old question");
    ck_assert_uint_eq(recalled("b", &threaded, NULL), has_threads ? 2 : 0);
    ck_assert_uint_eq(recalled("b", &words, NULL), 0);
    struct store_cleanup_result cleaned;
    ck_assert_int_eq(store_cleanup(s, MS_PER_DAY, MS_PER_HOUR, false, &cleaned), STORE_DONE);
    store_cleanup_result_free(&cleaned);
    ck_assert_uint_eq(recalled("b", &words, last), 1);
    ck_assert_str_eq(last, "an old answer");

    /* What was replied to can go, and its reply stays. */
    clock_pass(3 * MS_PER_DAY);
    ck_assert_int_eq(store_cleanup(s, MS_PER_DAY, MS_PER_HOUR, false, &cleaned), STORE_DONE);
    store_cleanup_result_free(&cleaned);
    clock_pass(3 * MS_PER_DAY);
    ck_assert_int_eq(store_cleanup(s, MS_PER_DAY, MS_PER_HOUR, false, &cleaned), STORE_DONE);
    ck_assert_int_gt(cleaned.deleted, 0);
    store_cleanup_result_free(&cleaned);
}

START_TEST(an_older_patchcords_database_goes_on_working)
{
    const struct layout *layout = &layouts[_i];
    begin_empty();
    lay_out(layout);
    ck_assert_int_eq(migrate(), files());
    serve();
    struct store_tokens found;
    if (layout->has_tokens) {
        ck_assert(knows("tests:a", &found));
        store_tokens_free(&found);
    } else {
        fixture_agent(s, "a");
        fixture_agent(s, "b");
        fixture_agent(s, "c");
    }
    check_logins(layout->has_owners);
    check_dump(layout->has_threads);
    check_messages(layout->has_threads);
    store_close(s);
    end_empty();
}
END_TEST

START_TEST(running_them_again_changes_nothing)
{
    begin_empty();
    lay_out(&layouts[_i]);
    ck_assert_int_eq(migrate(), files());
    char *before = describe(), *applied = ask("select count(*) from patchcord_migrations");
    ck_assert_int_eq(migrate(), 0);
    /* Also where somebody runs the files by hand. */
    ck_assert(rig_sql(
        url, "create table kept as select * from patchcord_migrations; delete from patchcord_migrations"));
    ck_assert_int_eq(migrate(), files());
    ck_assert(
        rig_sql(url, "delete from patchcord_migrations; insert into patchcord_migrations select * from kept;"
                     " drop table kept"));
    char *after = describe();
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    free(applied);
    end_empty();
}
END_TEST

START_TEST(only_the_service_role_may_call_anything)
{
    begin_empty();
    /* As Supabase has it. */
    ck_assert(rig_sql(url,
        "alter default privileges in schema public grant all on functions to anon, authenticated,"
        " service_role; alter default privileges in schema public grant all on tables to anon,"
        " authenticated, service_role; alter default privileges in schema public grant all on"
        " sequences to anon, authenticated, service_role"));
    ck_assert_int_eq(migrate(), files());
    char *count = ask("select count(*) from pg_proc where proname like 'patchcord%'");
    ck_assert_int_gt(atoi(count), 40);
    free(count);
    char *allowed =
        ask("select coalesce(string_agg(what, ', '), '') from ("
            "select r || ' may call ' || p.oid::regprocedure as what from pg_proc p,"
            " unnest(array['anon', 'authenticated', 'public']) r"
            " where p.proname like 'patchcord%' and has_function_privilege(r, p.oid, 'execute')"
            " union all select r || ' may use ' || c.relname from pg_class c,"
            " unnest(array['anon', 'authenticated', 'public']) r where c.relnamespace ="
            " 'public'::regnamespace and c.relkind = 'r' and has_table_privilege(r, c.oid,"
            " 'select, insert, update, delete')"
            " union all select c.relname || ' has no row level security' from pg_class c where c.relnamespace"
            " = 'public'::regnamespace and c.relkind = 'r' and not c.relrowsecurity"
            " union all select 'service_role may not call ' || p.oid::regprocedure from pg_proc p where"
            " p.proname like 'patchcord%' and not has_function_privilege('service_role', p.oid, 'execute')"
            " union all select p.oid::regprocedure || ' can be misled by a search path' from pg_proc p where"
            " p.proname like 'patchcord%' and not coalesce(array_to_string(p.proconfig, ','), '') like"
            " '%search_path%'"
            " union all select p.proname || ' is there twice' from pg_proc p where p.proname like"
            " 'patchcord%' group by p.proname having count(*) > 1) wrong");
    ck_assert_str_eq(allowed, "");
    free(allowed);
    /* And that role alone can do the work. */
    char *answer =
        ask("set role service_role; select public.patchcord_token_add('{\"hash\": \"x\", \"ns\": \"n\","
            " \"agent\": \"a\", \"created\": 0, \"expires\": 0}')->>'status'");
    ck_assert_str_eq(answer, "done");
    free(answer);
    end_empty();
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("postgres_migration", &tests);
    tcase_set_timeout(tests, 120);
    if (rig_server()) {
        tcase_add_test(tests, a_database_without_a_schema_says_what_to_run);
        tcase_add_loop_test(tests, an_older_patchcords_database_goes_on_working, 0, LENGTH_OF(layouts));
        tcase_add_loop_test(tests, running_them_again_changes_nothing, 0, LENGTH_OF(layouts));
        tcase_add_test(tests, only_the_service_role_may_call_anything);
    }
    return run_unit(suite);
}
