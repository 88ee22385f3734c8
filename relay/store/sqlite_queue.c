#include "sqlite_queue.h"

#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "sqlite_db.h"
#include "store.h"

/* Above that many all are forgotten, and counted anew when needed. */
enum { QUEUES_MAX = 16 * 1024 };

struct queue {
    RB_ENTRY(queue) link;
    char *namespace_id, *agent;
    int64_t messages, bytes; /* at most */
};

static int queue_compare(const struct queue *a, const struct queue *b)
{
    const int order = strcmp(a->agent, b->agent);
    return order != 0 ? order : strcmp(a->namespace_id, b->namespace_id);
}

RB_HEAD(queue_tree, queue);
RB_PROTOTYPE(queue_tree, queue, link, queue_compare)
RB_GENERATE(queue_tree, queue, link, queue_compare)

struct queues {
    struct queue_tree tree;
    size_t count;
};

struct queues *queues_new(void)
{
    struct queues *queues = xcalloc(1, sizeof *queues);
    RB_INIT(&queues->tree);
    return queues;
}

static void queues_forget(struct queues *queues)
{
    for (struct queue *queue = RB_MIN(queue_tree, &queues->tree), *next = NULL; queue; queue = next) {
        next = RB_NEXT(queue_tree, &queues->tree, queue);
        RB_REMOVE(queue_tree, &queues->tree, queue);
        free(queue->namespace_id);
        free(queue->agent);
        free(queue);
    }
    queues->count = 0;
}

void queues_free(struct queues *queues)
{
    if (queues)
        queues_forget(queues);
    free(queues);
}

static struct queue *find(struct queues *queues, const char *namespace_id, const char *agent)
{
    /* The tree only compares what it is asked for. */
    struct queue wanted = {
        .namespace_id = (char *)(uintptr_t)namespace_id, .agent = (char *)(uintptr_t)agent};
    return RB_FIND(queue_tree, &queues->tree, &wanted);
}

static struct queue *add(struct queues *queues, const char *namespace_id, const char *agent)
{
    if (queues->count == QUEUES_MAX)
        queues_forget(queues);
    struct queue *queue = xcalloc(1, sizeof *queue);
    queue->namespace_id = xstrdup(namespace_id);
    queue->agent = xstrdup(agent);
    RB_INSERT(queue_tree, &queues->tree, queue);
    queues->count++;
    return queue;
}

static bool count(struct db *db, struct queue *queue)
{
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_QUEUE, db_text(queue->namespace_id), db_text(queue->agent));
    if (!statement || db_next(db, statement) != DB_ROW)
        return false;
    queue->messages = sqlite3_column_int64(statement, 0);
    queue->bytes = sqlite3_column_int64(statement, 1);
    db_done(statement);
    return true;
}

static bool has_room(const struct queue *queue, size_t len)
{
    return queue->messages < QUEUE_MAX_MESSAGES && queue->bytes + (int64_t)len <= QUEUE_MAX_BYTES;
}

bool queue_is_full(struct db *db, const char *namespace_id, const char *agent, size_t len, bool *is_full)
{
    struct queue *queue = find(db->queues, namespace_id, agent);
    *is_full = false;
    if (queue && has_room(queue, len))
        return true;
    if (!queue)
        queue = add(db->queues, namespace_id, agent);
    if (!count(db, queue)) {
        queue->messages = QUEUE_MAX_MESSAGES; /* unknown: to be counted next time */
        return false;
    }
    *is_full = !has_room(queue, len);
    return true;
}

void queue_note_added(struct db *db, const char *namespace_id, const char *agent, size_t len)
{
    struct queue *queue = find(db->queues, namespace_id, agent);
    if (!queue)
        return; /* counted when it is asked for */
    queue->messages++;
    queue->bytes += (int64_t)len;
}
