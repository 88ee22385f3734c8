/* PostgreSQL as a store: the functions of migrations/postgres/, called over libpq. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "../../common/secret.h"
#include "data_folder.h"
#include "postgres_migration.h"
#include "postgres_news.h"
#include "postgres_pool.h"
#include "remote_call.h"

/* How often a call is made again at most. */
enum { TRIES_MAX = 4 };

struct postgres {
    struct remote base; /* first: a struct remote * is one of these */
    char *url;
    int lock_fd; /* of the data folder; -1: of a command */
    struct postgres_pool *pool;
    struct postgres_news *news; /* NULL: of a command, which says what it has to say at once */
};

/* ---- one call on one connection ---- */

enum verdict {
    VERDICT_DONE,
    VERDICT_MISSING,
    VERDICT_FAULT,
    VERDICT_NOT_DONE, /* certainly: may be made again */
    VERDICT_UNKNOWN,
};

/* What the server said to a call that failed, by the beginning of its SQLSTATE. */
static const struct {
    const char *state;
    enum verdict verdict;
    bool is_broken; /* the connection is of no further use */
} errors[] = {
    {"42883", VERDICT_MISSING, false}, /* no such function */
    {"3F", VERDICT_MISSING, false},    /* no such schema */
    {"40", VERDICT_NOT_DONE, false},   /* deadlock, serialization: rolled back */
    {"26", VERDICT_NOT_DONE, true},    /* our statement is not here: a pooler gave us another's connection */
    {"42P05", VERDICT_NOT_DONE, true}, /* or is here already */
    {"25006", VERDICT_NOT_DONE, true}, /* a standby that became, or was, the server */
    {"57P", VERDICT_UNKNOWN, true},    /* the server stops */
    {"08", VERDICT_UNKNOWN, true},
    {"", VERDICT_FAULT, false},
};

static enum verdict judge(const struct pooled *one, const PGresult *result, enum verdict if_broken,
    bool *is_broken, struct buf *why)
{
    buf_reset(why);
    postgres_error(one->link, result, why);
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (!state || PQstatus(one->link) != CONNECTION_OK) {
        *is_broken = true;
        return if_broken;
    }
    size_t i = 0;
    while (strncmp(state, errors[i].state, strlen(errors[i].state)) != 0)
        i++;
    *is_broken = errors[i].is_broken;
    return errors[i].verdict;
}

static bool is_prepared(const struct pooled *one, const char *function)
{
    for (size_t i = 0; i < one->prepared_count; i++) {
        if (strcmp(one->prepared[i], function) == 0)
            return true;
    }
    return false;
}

static enum verdict prepare(struct pooled *one, const char *function, bool *is_broken, struct buf *why)
{
    if (is_prepared(one, function))
        return VERDICT_DONE;
    char *sql = xasprintf("select public.%s($1::jsonb)", function);
    PGresult *result = PQsendPrepare(one->link, function, sql, 1, NULL)
                           ? postgres_result(one->link, POSTGRES_ANSWER_MS)
                           : NULL;
    enum verdict verdict = VERDICT_DONE;
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        verdict = judge(one, result, VERDICT_NOT_DONE, is_broken, why);
    else if (one->prepared_count < POOL_PREPARED_MAX)
        one->prepared[one->prepared_count++] = function;
    PQclear(result);
    free(sql);
    return verdict;
}

static enum verdict run(
    struct pooled *one, const struct remote_call *call, struct buf *answer, bool *is_broken, struct buf *why)
{
    const char *const values[] = {call->body};
    const int sizes[] = {(int)call->body_len}, formats[] = {0};
    enum verdict verdict = prepare(one, call->function, is_broken, why);
    if (verdict != VERDICT_DONE)
        return verdict;
    if (!PQsendQueryPrepared(one->link, call->function, 1, values, sizes, formats, 0))
        return judge(one, NULL, VERDICT_NOT_DONE, is_broken, why);
    PGresult *result = postgres_result(one->link, POSTGRES_ANSWER_MS);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
        buf_append(answer, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
    else
        verdict = judge(one, result, VERDICT_UNKNOWN, is_broken, why);
    PQclear(result);
    return verdict;
}

/* ---- the transport ---- */

static enum remote_outcome postgres_call(
    struct remote *remote, const struct remote_call *call, struct buf *answer, struct buf *why)
{
    struct postgres_pool *pool = ((struct postgres *)remote)->pool;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        buf_reset(why);
        struct pooled *one = postgres_pool_take(pool, why);
        if (!one)
            return REMOTE_FAULT;
        bool is_broken = false;
        const enum verdict verdict = run(one, call, answer, &is_broken, why);
        postgres_pool_give(pool, one, is_broken);
        if (verdict == VERDICT_DONE)
            return REMOTE_DONE;
        if (verdict == VERDICT_MISSING)
            return REMOTE_MISSING;
        if (verdict == VERDICT_FAULT || (verdict == VERDICT_UNKNOWN && !call->is_repeatable))
            return REMOTE_FAULT;
        log_debug("database_call_again", LOG_STR("function", call->function), LOG_STR("why", buf_text(why)));
    }
    return REMOTE_FAULT;
}

static void postgres_tell(struct remote *remote, const char *namespace_id, const char *agent)
{
    struct postgres *postgres = (struct postgres *)remote;
    if (postgres->news) {
        postgres_news_tell(postgres->news, namespace_id, agent);
        return;
    }
    /* That nobody heard it does not undo what was done: relays look by themselves, if later. */
    struct buf why = {0};
    struct pooled *one = postgres_pool_take(postgres->pool, &why);
    const bool told = one && postgres_news_tell_all(one->link, &why);
    if (!told)
        log_warn("relays_not_told", LOG_STR("why", buf_text(&why)));
    if (one)
        postgres_pool_give(postgres->pool, one, !told);
    buf_free(&why);
}

static bool postgres_migrate(struct remote *remote, int *applied, struct buf *why)
{
    return postgres_migration_run(((struct postgres *)remote)->url, applied, why);
}

static void postgres_close(struct remote *remote)
{
    struct postgres *postgres = (struct postgres *)remote;
    postgres_news_stop(postgres->news);
    postgres_pool_free(postgres->pool);
    if (postgres->lock_fd >= 0)
        close(postgres->lock_fd);
    secret_free(postgres->url);
    free(postgres);
}

static const struct remote_ops postgres_ops = {
    .call = postgres_call,
    .tell = postgres_tell,
    .migrate = postgres_migrate,
    .close = postgres_close,
};

struct store *store_open_postgres(const struct store_options *options, struct buf *why)
{
    int lock_fd = -1;
    if (options->role == STORE_ROLE_RELAY && !data_folder_take(options->data_dir, &lock_fd, why))
        return NULL;
    struct postgres *postgres = xcalloc(1, sizeof *postgres);
    postgres->lock_fd = lock_fd;
    postgres->base.ops = &postgres_ops;
    postgres->url = xstrdup(options->database_url);
    postgres->pool = postgres_pool_new(options->database_url);
    struct store *s = store_remote_open(&postgres->base, options->role, why);
    if (s && options->role == STORE_ROLE_RELAY)
        postgres->news = postgres_news_start(options);
    return s;
}

char *store_credential_postgres(const struct store_options *options)
{
    PQconninfoOption *parts = PQconninfoParse(options->database_url, NULL);
    char *password = NULL;
    for (const PQconninfoOption *part = parts; part && part->keyword; part++) {
        if (strcmp(part->keyword, "password") == 0 && part->val && *part->val)
            password = xstrdup(part->val);
    }
    PQconninfoFree(parts);
    return password;
}
