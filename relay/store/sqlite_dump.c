/* Rows for an export, and from one. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/utf8.h"
#include "sqlite_store.h"
#include "words.h"

enum { ARGS_MAX = 32 };

/* Columns of dump, and ?1 … of load, are the fields of the kind in their order. dump takes the limit and the
 * keys of the row before. */
static const struct {
    enum statement dump, load;
} statements[DUMP_KINDS] = {
    [DUMP_TOKEN] = {STATEMENT_DUMP_TOKENS, STATEMENT_LOAD_TOKEN},
    [DUMP_AGENT] = {STATEMENT_DUMP_AGENTS, STATEMENT_LOAD_AGENT},
    [DUMP_BAN] = {STATEMENT_DUMP_BANS, STATEMENT_LOAD_BAN},
    [DUMP_CLIENT] = {STATEMENT_DUMP_CLIENTS, STATEMENT_LOAD_CLIENT},
    [DUMP_GRANT] = {STATEMENT_DUMP_GRANTS, STATEMENT_LOAD_GRANT},
    [DUMP_ACCESS] = {STATEMENT_DUMP_ACCESS, STATEMENT_LOAD_ACCESS},
    [DUMP_REFRESH] = {STATEMENT_DUMP_REFRESH, STATEMENT_LOAD_REFRESH},
    [DUMP_MESSAGE] = {STATEMENT_DUMP_MESSAGES, STATEMENT_LOAD_MESSAGE},
};

/* The field of a row as an argument, which borrows it. */
static struct db_arg arg_of(struct json_object *row, const struct dump_field *field)
{
    const char *text = NULL;
    size_t len = 0;
    int64_t number = 0;
    bool flag = false;
    switch (field->type) {
    case DUMP_COUNT:
    case DUMP_NUMBER:
        (void)json_get_int(row, field->name, &number);
        return DB_TIME(number);
    case DUMP_FLAG:
        (void)json_get_bool(row, field->name, &flag);
        return DB_INT(flag);
    case DUMP_TEXTS:
        return DB_NULL; /* has rows of its own */
    default:
        return json_get_text(row, field->name, &text, &len) == JSON_FIELD_FOUND ? DB_BYTES(text, len)
                                                                                : DB_NULL;
    }
}

/* ---- reading ---- */

static void read_texts(sqlite3_stmt *statement, int column, const char *name, struct json_object *row)
{
    size_t count = 0;
    const char *text = (const char *)sqlite3_column_text(statement, column);
    char **words = store_words(text ? text : "", &count);
    struct json_object *list = json_new_array();
    for (size_t i = 0; i < count; i++) {
        json_append_text(list, words[i]);
        free(words[i]);
    }
    free(words);
    json_add(row, name, list);
}

/* What a client says of itself may be any bytes: JSON has only text. */
static void read_text(sqlite3_stmt *statement, int column, const char *name, struct json_object *row)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    const size_t len = (size_t)sqlite3_column_bytes(statement, column);
    if (text && utf8_valid(text, len))
        json_add_text_len(row, name, text, len);
}

static void read_field(
    sqlite3_stmt *statement, int column, const struct dump_field *field, struct json_object *row)
{
    switch (field->type) {
    case DUMP_COUNT:
    case DUMP_NUMBER:
        json_add_int(row, field->name, sqlite3_column_int64(statement, column));
        return;
    case DUMP_FLAG:
        json_add_bool(row, field->name, sqlite3_column_int(statement, column) != 0);
        return;
    case DUMP_TEXTS:
        read_texts(statement, column, field->name, row);
        return;
    default:
        read_text(statement, column, field->name, row);
    }
}

struct dump_job {
    enum dump_kind kind;
    struct json_object *after, *rows;
};

static sqlite3_stmt *query(struct db *db, const struct dump_job *job)
{
    struct db_arg args[ARGS_MAX] = {DB_INT(DUMP_PAGE_ROWS)};
    size_t count = 1;
    for (const struct dump_field *field = dump_fields(job->kind); field->name; field++) {
        if (field->is_key)
            args[count++] = arg_of(job->after, field);
    }
    return db_query_args(db, statements[job->kind].dump, args, count);
}

static enum store_status dump_run(struct db *db, void *arg)
{
    const struct dump_job *job = arg;
    sqlite3_stmt *statement = query(db, job);
    if (!statement)
        return STORE_FAULT;
    enum db_step step;
    while ((step = db_next(db, statement)) == DB_ROW) {
        struct json_object *row = json_new_object();
        int column = 0;
        for (const struct dump_field *field = dump_fields(job->kind); field->name; field++)
            read_field(statement, column++, field, row);
        json_append(job->rows, row);
    }
    return step == DB_END ? STORE_DONE : STORE_FAULT;
}

enum store_status sqlite_dump(
    struct store *s, enum dump_kind kind, struct json_object *after, struct json_object *rows)
{
    struct dump_job job = {kind, after, rows};
    return readers_run(sqlite_store(s)->readers, dump_run, &job);
}

/* ---- writing ---- */

/* Where the grant's agent exists. */
static bool load_namespaces(struct db *db, struct json_object *row)
{
    const char *id = json_text_or(row, "id", ""), *agent = json_text_or(row, "agent", "");
    const char *own = json_text_or(row, "namespace_id", "");
    struct json_object *also = NULL;
    bool done = db_run(db, STATEMENT_GRANT_NAMESPACE_ADD, db_text(id), db_text(own), db_text(agent));
    const size_t count =
        json_get_array(row, "also", &also) == JSON_FIELD_FOUND ? json_object_array_length(also) : 0;
    for (size_t i = 0; done && i < count; i++) {
        const char *beside = json_object_get_string(json_object_array_get_idx(also, i));
        done = db_run(db, STATEMENT_GRANT_NAMESPACE_ADD, db_text(id), db_text(beside), db_text(agent));
    }
    return done;
}

static bool load_thread(struct db *db, struct json_object *row)
{
    int64_t created_ms = 0, resolved_ms = 0;
    if (json_get_int(row, "thread_created_ms", &created_ms) != JSON_FIELD_FOUND)
        return true;
    (void)json_get_int(row, "thread_resolved_ms", &resolved_ms);
    return db_run(db, STATEMENT_LOAD_THREAD, db_text(json_text_or(row, "id", "")),
        db_text(json_text_or(row, "thread_id", "")), db_text(json_text_or(row, "namespace_id", "")),
        db_text(json_text_or(row, "thread_a", "")), db_text(json_text_or(row, "thread_b", "")),
        db_text(json_text_or(row, "thread", "")), DB_INT(created_ms), DB_TIME(resolved_ms));
}

/* What else is kept of a message that was stored right now. */
static bool load_words(struct db *db, struct json_object *row)
{
    const int64_t seq = sqlite3_last_insert_rowid(db->handle);
    const char *namespace_id = json_text_or(row, "namespace_id", ""), *to = json_text_or(row, "to", "");
    const char *content = json_text_or(row, "content", "");
    bool is_sealed = false;
    (void)json_get_bool(row, "encrypted", &is_sealed);
    if (strcmp(json_text_or(row, "status", ""), message_status_names[MESSAGE_PENDING]) == 0)
        queue_note_added(db, namespace_id, to, strlen(content));
    if (json_object_object_get_ex(row, "expired_ms", NULL))
        return true;
    struct buf words = {0};
    if (!is_sealed)
        words_write(content, strlen(content), &words);
    const bool done = db_words_add(db, seq, namespace_id, json_text_or(row, "from", ""), to, &words);
    buf_free(&words);
    return done;
}

static const struct {
    bool (*before)(struct db *db, struct json_object *row);
    bool (*behind)(struct db *db, struct json_object *row); /* where the row was stored */
} beside[DUMP_KINDS] = {
    [DUMP_GRANT] = {.behind = load_namespaces},
    [DUMP_MESSAGE] = {.before = load_thread, .behind = load_words},
};

struct load_job {
    enum dump_kind kind;
    struct json_object *rows;
    int64_t *taken;
};

static bool load_row(struct db *db, const struct load_job *job, struct json_object *row)
{
    struct db_arg args[ARGS_MAX];
    uint8_t hash[FINGERPRINT_SIZE];
    size_t count = 0;
    for (const struct dump_field *field = dump_fields(job->kind); field->name; field++) {
        args[count] = arg_of(row, field);
        /* The one that is stored as bytes. */
        if (strcmp(field->name, "sent_hash") == 0 && args[count].kind != DB_ARG_NULL &&
            sodium_hex2bin(hash, sizeof hash, args[count].bytes, args[count].len, NULL, NULL, NULL) == 0)
            args[count] = DB_BLOB(hash, sizeof hash);
        count++;
    }
    if (beside[job->kind].before && !beside[job->kind].before(db, row))
        return false;
    if (!db_run_args(db, statements[job->kind].load, args, count))
        return false;
    if (db_changes(db) == 0)
        return true;
    ++*job->taken;
    return !beside[job->kind].behind || beside[job->kind].behind(db, row);
}

static enum store_status load_run(struct db *db, void *arg)
{
    const struct load_job *job = arg;
    for (size_t i = 0; i < json_object_array_length(job->rows); i++) {
        if (!load_row(db, job, json_object_array_get_idx(job->rows, i)))
            return STORE_FAULT;
    }
    return STORE_DONE;
}

static void load_reset(void *arg)
{
    *((struct load_job *)arg)->taken = 0;
}

enum store_status sqlite_load(struct store *s, enum dump_kind kind, struct json_object *rows, int64_t *taken)
{
    struct load_job job = {kind, rows, taken};
    struct write write = {.run = load_run, .reset = load_reset, .job = &job, .is_durable = true};
    return writer_submit(sqlite_store(s)->writer, &write);
}
