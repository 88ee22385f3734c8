#include "ledger.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "../../common/uuid.h"
#include "../harness.h"
#include "../harness_process.h"
#include "../harness_store.h"
#include "../harness_talk.h"

enum {
    NOISE_MAX = 700,
    PRINTED_MAX = 5,
    FORGETS_MS = 1500,    /* PostgreSQL: three turns of its WAL writer, and some for a busy machine */
    ON_ITS_WAY_MS = 5000, /* an offer, to the eyes of who reads late */
};

const char *const ledger_spaces[LEDGER_SPACES] = {"red", "blue"};
const char *const wrong_names[WRONGS] = {
    [WRONG_LOST] = "lost",
    [WRONG_DOUBLED] = "doubled in the store",
    [WRONG_ID] = "under another id",
    [WRONG_ORDER] = "first offers out of order",
    [WRONG_FOREIGN] = "foreign",
    [WRONG_CHANGED] = "changed",
    [WRONG_UNMARKED] = "again, but not marked so",
    [WRONG_UNSEEN] = "acknowledged, but not shown",
    [WRONG_REFUSED_CAME] = "refused, but sent",
};

struct entry {
    struct party from;
    size_t to;
    char *content;
    enum told told;
    char id[UUID_SIZE];
    unsigned seen;
    int64_t seen_us;    /* last */
    size_t first_offer; /* when that was seen, among all that was seen; 0: never */
    int64_t stored;
};

struct ledger {
    struct entry *entries;
    size_t count, seen;
    int64_t *losses_us;
    size_t losses;
    struct ledger_counts counts;
};

static void wrong(struct ledger *ledger, enum wrong what, const struct entry *entry, const char *detail)
{
    if (ledger->counts.wrong[what]++ >= PRINTED_MAX)
        return;
    printf("torture: %s: %s, %.60s [%s]\n", wrong_names[what], detail, entry ? entry->content : "",
        entry ? entry->id : "");
    fflush(stdout);
}

struct ledger *ledger_new(void)
{
    return xcalloc(1, sizeof(struct ledger));
}

void ledger_free(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->count; i++)
        free(ledger->entries[i].content);
    free(ledger->entries);
    free(ledger->losses_us);
    free(ledger);
}

const char *ledger_add(
    struct ledger *ledger, struct party from, size_t to, uint64_t noise_seed, size_t *number)
{
    static const char *const letters[] = {
        "a", "b", " ", "\n", "\"", "\\", "\u00e9", "\u6f22", "\U0001f680", "> ", "/", "\t", "[", "From "};
    struct buf text = {0};
    uint64_t random = noise_seed * 2 + 1;
    *number = ledger->count;
    buf_printf(&text, "#%zu %s/a%zu to a%zu: ", *number, ledger_spaces[from.space], from.number, to);
    for (uint64_t len = text.len + chance(&random, NOISE_MAX); text.len < len;)
        buf_puts(&text, letters[chance(&random, LENGTH_OF(letters))]);
    buf_puts(&text, "$");
    if ((ledger->count & (ledger->count - 1)) == 0)
        ledger->entries =
            xreallocarray(ledger->entries, ledger->count ? 2 * ledger->count : 1, sizeof *ledger->entries);
    struct entry *entry = &ledger->entries[ledger->count++];
    *entry = (struct entry){.from = from, .to = to, .content = buf_take(&text)};
    return entry->content;
}

static void check_id(struct ledger *ledger, struct entry *entry, const char *id)
{
    if (!entry->id[0])
        snprintf(entry->id, sizeof entry->id, "%s", id);
    else if (strcmp(entry->id, id) != 0)
        wrong(ledger, WRONG_ID, entry, id);
}

void ledger_told(struct ledger *ledger, size_t number, enum told told, const char *id)
{
    struct entry *entry = &ledger->entries[number];
    entry->told = told;
    ledger->counts.told[told]++;
    if (id)
        check_id(ledger, entry, id);
}

static bool is_acknowledged(const struct entry *entry)
{
    return entry->told == TOLD_SENT || entry->told == TOLD_QUEUED;
}

void ledger_leases_lost(struct ledger *ledger, int64_t at_us)
{
    ledger->losses_us = xreallocarray(ledger->losses_us, ledger->losses + 1, sizeof *ledger->losses_us);
    ledger->losses_us[ledger->losses++] = at_us;
}

/* Whether the store may have forgotten an offer that was seen then. */
static bool is_forgotten(const struct ledger *ledger, int64_t seen_us)
{
    for (size_t i = 0; i < ledger->losses; i++) {
        const int64_t after_us = seen_us - ledger->losses_us[i];
        if (after_us > -(int64_t)FORGETS_MS * 1000 && after_us < (int64_t)ON_ITS_WAY_MS * 1000)
            return true;
    }
    return false;
}

void ledger_seen(struct ledger *ledger, struct party to, size_t from, const char *id, const char *content,
    unsigned attempt)
{
    size_t number = 0;
    if (sscanf(content, "#%zu ", &number) != 1 || number >= ledger->count) {
        wrong(ledger, WRONG_FOREIGN, NULL, content);
        return;
    }
    struct entry *entry = &ledger->entries[number];
    if (entry->to != to.number || entry->from.space != to.space || entry->from.number != from)
        wrong(ledger, WRONG_FOREIGN, entry, ledger_spaces[to.space]);
    if (strcmp(entry->content, content) != 0)
        wrong(ledger, WRONG_CHANGED, entry, content);
    check_id(ledger, entry, id);
    const bool is_unmarked = entry->seen > 0 && attempt == 1;
    if (is_unmarked && is_forgotten(ledger, entry->seen_us))
        ledger->counts.forgotten++;
    else if (is_unmarked)
        wrong(ledger, WRONG_UNMARKED, entry, "seen before");
    entry->seen_us = now_us();
    ledger->seen++;
    if (entry->seen == 0 && attempt == 1)
        entry->first_offer = ledger->seen;
    entry->seen++;
    ledger->counts.redelivered += attempt > 1;
    ledger->counts.seen_first += entry->seen == 1;
    ledger->counts.seen_again += entry->seen > 1;
}

size_t ledger_missing(const struct ledger *ledger)
{
    size_t missing = 0;
    for (size_t i = 0; i < ledger->count; i++)
        missing += is_acknowledged(&ledger->entries[i]) && ledger->entries[i].seen == 0;
    return missing;
}

/* ---- the store's side ---- */

static void audit_row(struct ledger *ledger, const char *content, const char *status, const char *id)
{
    size_t number = 0;
    if (sscanf(content, "#%zu ", &number) != 1 || number >= ledger->count) {
        wrong(ledger, WRONG_FOREIGN, NULL, content);
        return;
    }
    struct entry *entry = &ledger->entries[number];
    ledger->counts.stored++;
    if (++entry->stored > 1)
        wrong(ledger, WRONG_DOUBLED, entry, id);
    check_id(ledger, entry, id);
    if (strcmp(status, "pending") != 0 && entry->seen == 0)
        wrong(ledger, WRONG_UNSEEN, entry, status);
    if (entry->told == TOLD_REFUSED)
        wrong(ledger, WRONG_REFUSED_CAME, entry, status);
}

static const char stored[] = "select content, status, id from agent_messages";

static void audit_values(void *ledger, const char *const values[])
{
    audit_row(ledger, values[0], values[1], values[2]);
}

static void audit_file(struct ledger *ledger, const char *data_dir)
{
    char *path = xasprintf("%s/patchcord.db", data_dir);
    sqlite3 *db = NULL;
    sqlite3_stmt *rows = NULL;
    if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_prepare_v2(db, stored, -1, &rows, NULL) != SQLITE_OK)
        harness_fail("%s cannot be read: %s", path, sqlite3_errmsg(db));
    while (sqlite3_step(rows) == SQLITE_ROW)
        audit_row(ledger, (const char *)sqlite3_column_text(rows, 0),
            (const char *)sqlite3_column_text(rows, 1), (const char *)sqlite3_column_text(rows, 2));
    sqlite3_finalize(rows);
    sqlite3_close(db);
    free(path);
}

static void audit_store(struct ledger *ledger, const char *data_dir)
{
    if (harness_store_is("sqlite")) {
        audit_file(ledger, data_dir);
        return;
    }
    char *url = harness_database_url(data_dir);
    harness_sql_rows(url, stored, audit_values, ledger);
    free(url);
}

/* Of those whose sender knew of each before it sent the next; one of unknown outcome may be stored at any
 * time. */
static void audit_order(struct ledger *ledger)
{
    size_t last[LEDGER_SPACES][LEDGER_AGENTS][LEDGER_AGENTS] = {0};
    for (size_t i = 0; i < ledger->count; i++) {
        const struct entry *entry = &ledger->entries[i];
        size_t *before = &last[entry->from.space][entry->from.number][entry->to];
        if (!is_acknowledged(entry) || entry->first_offer == 0)
            continue;
        if (entry->first_offer < *before)
            wrong(ledger, WRONG_ORDER, entry, "before an earlier one");
        else
            *before = entry->first_offer;
    }
}

void ledger_audit(struct ledger *ledger, const char *data_dir)
{
    audit_store(ledger, data_dir);
    audit_order(ledger);
    for (size_t i = 0; i < ledger->count; i++) {
        const struct entry *entry = &ledger->entries[i];
        if (is_acknowledged(entry) && (entry->seen == 0 || entry->stored == 0))
            wrong(ledger, WRONG_LOST, entry, entry->stored ? "stored, but not shown" : "not stored");
    }
}

void ledger_counts(const struct ledger *ledger, struct ledger_counts *counts)
{
    *counts = ledger->counts;
}
