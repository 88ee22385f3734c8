#include "sqlite_looks.h"

#include <bsd/sys/tree.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "store.h"

/* Stale entries are swept out whenever the tree has doubled since the last sweep. */
enum { SWEEP_MIN = 1024 };

struct entry {
    RB_ENTRY(entry) link;
    struct look look;
    char *namespace_id, *agent;
};

static int entry_compare(const struct entry *a, const struct entry *b)
{
    const int order = strcmp(a->agent, b->agent);
    return order != 0 ? order : strcmp(a->namespace_id, b->namespace_id);
}

RB_HEAD(looks_tree, entry);
RB_PROTOTYPE(looks_tree, entry, link, entry_compare)
RB_GENERATE(looks_tree, entry, link, entry_compare)

struct looks {
    pthread_mutex_t lock;
    struct looks_tree tree;
    size_t count, sweep_at;
};

struct looks *looks_new(void)
{
    struct looks *looks = xcalloc(1, sizeof *looks);
    pthread_mutex_init(&looks->lock, NULL);
    RB_INIT(&looks->tree);
    looks->sweep_at = SWEEP_MIN;
    return looks;
}

static void entry_remove(struct looks *looks, struct entry *entry)
{
    RB_REMOVE(looks_tree, &looks->tree, entry);
    looks->count--;
    free(entry->namespace_id);
    free(entry->agent);
    free(entry);
}

void looks_free(struct looks *looks)
{
    for (struct entry *entry = RB_MIN(looks_tree, &looks->tree), *next = NULL; entry; entry = next) {
        next = RB_NEXT(looks_tree, &looks->tree, entry);
        entry_remove(looks, entry);
    }
    pthread_mutex_destroy(&looks->lock);
    free(looks);
}

static void sweep(struct looks *looks, int64_t now_ms)
{
    for (struct entry *entry = RB_MIN(looks_tree, &looks->tree), *next = NULL; entry; entry = next) {
        next = RB_NEXT(looks_tree, &looks->tree, entry);
        if (entry->look.at_ms + GATE_GRACE_MS < now_ms)
            entry_remove(looks, entry);
    }
    looks->sweep_at = 2 * looks->count > SWEEP_MIN ? 2 * looks->count : SWEEP_MIN;
}

static struct entry *find(struct looks *looks, const char *namespace_id, const char *agent)
{
    /* The tree only compares what it is asked for. */
    const struct entry wanted = {
        .namespace_id = (char *)(uintptr_t)namespace_id, .agent = (char *)(uintptr_t)agent};
    return RB_FIND(looks_tree, &looks->tree, (struct entry *)(uintptr_t)&wanted);
}

void looks_put(struct looks *looks, const char *namespace_id, const char *agent, int64_t now_ms, int64_t seq)
{
    pthread_mutex_lock(&looks->lock);
    struct entry *entry = find(looks, namespace_id, agent);
    if (!entry) {
        if (looks->count >= looks->sweep_at)
            sweep(looks, now_ms);
        entry = xcalloc(1, sizeof *entry);
        entry->namespace_id = xstrdup(namespace_id);
        entry->agent = xstrdup(agent);
        RB_INSERT(looks_tree, &looks->tree, entry);
        looks->count++;
    }
    entry->look = (struct look){.at_ms = now_ms, .seq = seq};
    pthread_mutex_unlock(&looks->lock);
}

struct look looks_get(struct looks *looks, const char *namespace_id, const char *agent)
{
    pthread_mutex_lock(&looks->lock);
    const struct entry *entry = find(looks, namespace_id, agent);
    const struct look look = entry ? entry->look : (struct look){.at_ms = INT64_MIN, .seq = INT64_MAX};
    pthread_mutex_unlock(&looks->lock);
    return look;
}
