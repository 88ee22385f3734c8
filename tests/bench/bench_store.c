/* bench_store: durable sends of 64 threads through the store, beside what SQLite itself does with bare rows
 * at 64 a commit on the same disk; and an inbox over many stored messages against one over few.
 *
 * STORE_ROWS (32,000) rows each way, STORE_STORED (200,000) stored messages. Prints rates and their ratios.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../../relay/store/migration.h"
#include "../../relay/store/store.h"
#include "../harness.h"

enum { THREADS = 64, CONTENT_LEN = 200, LOOKS = 300 };

static char content[CONTENT_LEN + 1];

static size_t setting(const char *name, size_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : fallback;
}

static void must(bool happened, const char *what)
{
    if (happened)
        return;
    fprintf(stderr, "bench_store: %s failed\n", what);
    exit(EXIT_FAILURE);
}

static double rate(size_t rows, int64_t began)
{
    return (double)rows * 1e6 / (double)(now_us() - began);
}

static struct store *open_store(void)
{
    struct buf why = {0};
    const struct store_options options = {.data_dir = temp_folder(), .role = STORE_ROLE_RELAY};
    struct store *s = store_open_sqlite(&options, &why);
    must(s != NULL, buf_text(&why));
    return s;
}

static void add_agent(struct store *s, const char *agent)
{
    struct store_token token = {.namespace_id = (char *)"bench", .agent = (char *)(uintptr_t)agent};
    enum store_refusal refusal;
    secret_sha256_hex(agent, strlen(agent), token.hash);
    must(store_token_add(s, &token, &refusal) == STORE_DONE, "token");
}

static void send_one(struct store *s, const char *from, const char *to)
{
    char id[UUID_SIZE];
    uuid_v7(id);
    const struct store_caller caller = {.namespace_id = "bench", .agent = from};
    const struct store_send send = {.message_id = id,
        .recipients = &(struct store_recipient){.agent = to},
        .recipients_count = 1,
        .content = content,
        .content_len = CONTENT_LEN};
    struct store_send_result result;
    must(store_send(s, &caller, &send, &result) == STORE_DONE, "send");
    store_send_result_free(&result);
}

/* ---- sends ---- */

struct sender {
    struct store *s;
    pthread_t thread;
    char from[16], to[16];
    size_t rows;
};

static void *sender_run(void *arg)
{
    struct sender *sender = arg;
    for (size_t i = 0; i < sender->rows; i++)
        send_one(sender->s, sender->from, sender->to);
    return NULL;
}

static double measure_sends(size_t rows)
{
    struct store *s = open_store();
    static struct sender senders[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        struct sender *sender = &senders[i];
        sender->s = s;
        sender->rows = rows / THREADS;
        snprintf(sender->from, sizeof sender->from, "from%zu", i);
        snprintf(sender->to, sizeof sender->to, "to%zu", i);
        add_agent(s, sender->to);
    }
    const int64_t began = now_us();
    for (size_t i = 0; i < THREADS; i++)
        must(pthread_create(&senders[i].thread, NULL, sender_run, &senders[i]) == 0, "thread");
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(senders[i].thread, NULL);
    const double result = rate(rows, began);
    store_close(s);
    return result;
}

/* ---- the same rows by SQLite alone ---- */

static const char *const bare_schema =
    "create table m (seq integer primary key, id text unique, content text) strict";
static const char *const bare_insert[] = {"insert into m (id, content) values (?1, ?3)", NULL};
/* Into the store's own tables, with all that they index. */
static const char *const full_insert[] = {
    "insert into agent_messages (id, namespace_id, from_agent, to_agent, status, created_at, content_bytes, "
    "content)"
    " values (?1, 'bench', 'from' || (?2 % 64), 'to' || (?2 % 64), 'pending', ?2, length(?3), ?3)",
    "insert into message_words (rowid, words) values (last_insert_rowid(), ?3)", NULL};

static sqlite3 *open_bare(const char *folder, bool is_full)
{
    char *path = xasprintf("%s/bare.db", folder);
    sqlite3 *db = NULL;
    must(sqlite3_open(path, &db) == SQLITE_OK &&
             sqlite3_exec(db, "pragma journal_mode = wal; pragma synchronous = full", NULL, NULL, NULL) ==
                 SQLITE_OK,
        "bare database");
    free(path);
    if (!is_full)
        must(sqlite3_exec(db, bare_schema, NULL, NULL, NULL) == SQLITE_OK, "bare table");
    for (const struct migration *m = migrations_sqlite; is_full && m->number != 0; m++)
        must(sqlite3_exec(db, m->sql, NULL, NULL, NULL) == SQLITE_OK, m->name);
    return db;
}

static void insert_bare(sqlite3_stmt *insert, const char *id, size_t number)
{
    const int parameters = sqlite3_bind_parameter_count(insert);
    sqlite3_bind_text(insert, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)number);
    if (parameters >= 3)
        sqlite3_bind_text(insert, 3, content, CONTENT_LEN, SQLITE_STATIC);
    must(sqlite3_step(insert) == SQLITE_DONE, "bare row");
    sqlite3_reset(insert);
}

static double measure_bare(size_t rows, bool is_full)
{
    sqlite3 *db = open_bare(temp_folder(), is_full);
    const char *const *sql = is_full ? full_insert : bare_insert;
    sqlite3_stmt *inserts[2] = {NULL, NULL};
    for (size_t i = 0; sql[i]; i++)
        must(sqlite3_prepare_v2(db, sql[i], -1, &inserts[i], NULL) == SQLITE_OK, sql[i]);
    const int64_t began = now_us();
    for (size_t i = 0; i < rows; i++) {
        char id[UUID_SIZE];
        uuid_v7(id);
        must(i % THREADS != 0 || sqlite3_exec(db, "begin immediate", NULL, NULL, NULL) == SQLITE_OK, "begin");
        for (size_t k = 0; sql[k]; k++)
            insert_bare(inserts[k], id, i);
        must((i + 1) % THREADS != 0 || sqlite3_exec(db, "commit", NULL, NULL, NULL) == SQLITE_OK, "commit");
    }
    const double result = rate(rows, began);
    sqlite3_finalize(inserts[0]);
    sqlite3_finalize(inserts[1]);
    sqlite3_close(db);
    return result;
}

/* ---- an inbox over what is stored ---- */

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The median of an inbox that shows two messages and takes none. */
static int64_t look_us(struct store *s)
{
    static int64_t taken[LOOKS];
    const struct store_caller caller = {.namespace_id = "bench", .agent = "reader"};
    const struct store_offer offer = {
        .max_messages = 20, .max_bytes = 48 * 1024, .with_context = true, .all_agents = true};
    for (size_t i = 0; i < LOOKS; i++) {
        struct store_offer_result result;
        const int64_t began = now_us();
        must(store_offer(s, &caller, &offer, &result) == STORE_DONE && result.messages.count == 2, "inbox");
        taken[i] = now_us() - began;
        store_offer_result_free(&result);
    }
    qsort(taken, LOOKS, sizeof taken[0], by_size);
    return taken[LOOKS / 2];
}

static void take_all(struct store *s)
{
    const struct store_caller caller = {.namespace_id = "bench", .agent = "reader"};
    const struct store_offer offer = {
        .lease = "01900000-0000-7000-8000-000000000001", .max_messages = 1000, .max_bytes = 10 * 1000 * 1000};
    struct store_offer_result result;
    must(store_offer(s, &caller, &offer, &result) == STORE_DONE, "offer");
    const char **ids = xcalloc(result.messages.count, sizeof *ids);
    for (size_t i = 0; i < result.messages.count; i++)
        ids[i] = result.messages.items[i].id;
    must(store_ack(s, &caller, NULL, ids, result.messages.count, RELEASE_NONE, NULL) == STORE_DONE, "ack");
    free(ids);
    store_offer_result_free(&result);
}

static void *fill_run(void *arg)
{
    for (size_t i = 0; i < 10; i++)
        send_one(arg, "writer", "reader");
    return NULL;
}

static void fill(struct store *s, size_t rows)
{
    for (size_t done = 0; done < rows; done += THREADS * 10) {
        pthread_t threads[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            must(pthread_create(&threads[i], NULL, fill_run, s) == 0, "thread");
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        take_all(s);
    }
}

static void measure_inbox(size_t stored)
{
    int64_t looks[2];
    for (size_t i = 0; i < 2; i++) {
        struct store *s = open_store();
        add_agent(s, "reader");
        add_agent(s, "writer");
        fill(s, i == 0 ? 1000 : stored);
        send_one(s, "writer", "reader");
        send_one(s, "writer", "reader");
        looks[i] = look_us(s);
        store_close(s);
    }
    printf("inbox: %lld us over 1,000 stored, %lld us over %zu, ratio %.2f (target 1.3)\n",
        (long long)looks[0], (long long)looks[1], stored, (double)looks[1] / (double)looks[0]);
}

int main(void)
{
    const size_t rows = setting("STORE_ROWS", 32000) / THREADS * THREADS;
    for (size_t i = 0; i < CONTENT_LEN; i++)
        content[i] = i % 7 == 6 ? ' ' : (char)('a' + i * i % 26);
    const double sends = measure_sends(rows), full = measure_bare(rows, true),
                 bare = measure_bare(rows, false);
    printf("sends: %.0f/s by %d threads\n", sends, THREADS);
    printf("SQLite alone at %d rows a commit: the same rows %.0f/s (ratio %.2f), rows of one index %.0f/s "
           "(%.2f)\n",
        THREADS, full, sends / full, bare, sends / bare);
    measure_inbox(setting("STORE_STORED", 200000));
    harness_cleanup();
    return EXIT_SUCCESS;
}
