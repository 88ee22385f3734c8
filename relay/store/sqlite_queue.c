#include "sqlite_queue.h"

#include <stdlib.h>

#include "../../common/alloc.h"
#include "agent_tree.h"
#include "sqlite_db.h"
#include "store.h"

/* Above that many all are forgotten, and counted anew when needed. */
enum { QUEUES_MAX = 16 * 1024 };

struct queue {
    struct agent_entry of;   /* first */
    int64_t messages, bytes; /* at most */
};

struct queues {
    struct agent_tree tree;
};

struct queues *queues_new(void)
{
    struct queues *queues = xcalloc(1, sizeof *queues);
    agent_tree_init(&queues->tree, sizeof(struct queue));
    return queues;
}

void queues_free(struct queues *queues)
{
    if (queues)
        agent_tree_sweep(&queues->tree, NULL, NULL);
    free(queues);
}

static struct queue *add(struct queues *queues, const char *namespace_id, const char *agent)
{
    if (queues->tree.count == QUEUES_MAX)
        agent_tree_sweep(&queues->tree, NULL, NULL);
    return agent_tree_add(&queues->tree, namespace_id, agent);
}

static bool count(struct db *db, struct queue *queue)
{
    sqlite3_stmt *statement =
        db_query(db, STATEMENT_QUEUE, db_text(queue->of.namespace_id), db_text(queue->of.agent));
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
    struct queue *queue = agent_tree_find(&db->queues->tree, namespace_id, agent);
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
    struct queue *queue = agent_tree_find(&db->queues->tree, namespace_id, agent);
    if (!queue)
        return; /* counted when it is asked for */
    queue->messages++;
    queue->bytes += (int64_t)len;
}
