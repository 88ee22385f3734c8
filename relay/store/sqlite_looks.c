#include "sqlite_looks.h"

#include <pthread.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "agent_tree.h"
#include "store.h"

/* Stale entries are swept out whenever the tree has doubled since the last sweep. */
enum { SWEEP_MIN = 1024 };

struct entry {
    struct agent_entry of; /* first */
    struct look look;
};

struct looks {
    pthread_mutex_t lock;
    struct agent_tree tree;
    size_t sweep_at;
};

struct looks *looks_new(void)
{
    struct looks *looks = xcalloc(1, sizeof *looks);
    pthread_mutex_init(&looks->lock, NULL);
    agent_tree_init(&looks->tree, sizeof(struct entry));
    looks->sweep_at = SWEEP_MIN;
    return looks;
}

void looks_free(struct looks *looks)
{
    agent_tree_sweep(&looks->tree, NULL, NULL);
    pthread_mutex_destroy(&looks->lock);
    free(looks);
}

static bool is_stale(const struct agent_entry *of, const void *now_ms)
{
    const struct entry *entry = (const struct entry *)of;
    return entry->look.at_ms + GATE_GRACE_MS < *(const int64_t *)now_ms;
}

static struct entry *make_room(
    struct looks *looks, const char *namespace_id, const char *agent, int64_t now_ms)
{
    if (looks->tree.count >= looks->sweep_at) {
        agent_tree_sweep(&looks->tree, is_stale, &now_ms);
        looks->sweep_at = 2 * looks->tree.count > SWEEP_MIN ? 2 * looks->tree.count : SWEEP_MIN;
    }
    return agent_tree_add(&looks->tree, namespace_id, agent);
}

void looks_put(struct looks *looks, const char *namespace_id, const char *agent, int64_t now_ms, int64_t seq)
{
    pthread_mutex_lock(&looks->lock);
    struct entry *entry = agent_tree_find(&looks->tree, namespace_id, agent);
    if (!entry)
        entry = make_room(looks, namespace_id, agent, now_ms);
    entry->look = (struct look){.at_ms = now_ms, .seq = seq};
    pthread_mutex_unlock(&looks->lock);
}

struct look looks_get(struct looks *looks, const char *namespace_id, const char *agent)
{
    pthread_mutex_lock(&looks->lock);
    const struct entry *entry = agent_tree_find(&looks->tree, namespace_id, agent);
    const struct look look = entry ? entry->look : (struct look){.at_ms = INT64_MIN, .seq = INT64_MAX};
    pthread_mutex_unlock(&looks->lock);
    return look;
}
