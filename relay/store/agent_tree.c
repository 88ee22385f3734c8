#include "agent_tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"

static int agents_compare(const struct agent_entry *a, const struct agent_entry *b)
{
    const int order = strcmp(a->agent, b->agent);
    return order != 0 ? order : strcmp(a->namespace_id, b->namespace_id);
}

RB_PROTOTYPE(agent_entries, agent_entry, link, agents_compare)
RB_GENERATE(agent_entries, agent_entry, link, agents_compare)

void agent_tree_init(struct agent_tree *tree, size_t entry_size)
{
    *tree = (struct agent_tree){.entries = RB_INITIALIZER(&tree->entries), .entry_size = entry_size};
}

void *agent_tree_find(struct agent_tree *tree, const char *namespace_id, const char *agent)
{
    /* The tree only compares what it is asked for. */
    struct agent_entry wanted = {
        .namespace_id = (char *)(uintptr_t)namespace_id, .agent = (char *)(uintptr_t)agent};
    return RB_FIND(agent_entries, &tree->entries, &wanted);
}

void *agent_tree_add(struct agent_tree *tree, const char *namespace_id, const char *agent)
{
    struct agent_entry *entry = xcalloc(1, tree->entry_size);
    entry->namespace_id = xstrdup(namespace_id);
    entry->agent = xstrdup(agent);
    RB_INSERT(agent_entries, &tree->entries, entry);
    tree->count++;
    return entry;
}

void agent_tree_sweep(struct agent_tree *tree,
    bool (*is_over)(const struct agent_entry *entry, const void *arg), const void *arg)
{
    struct agent_entry *entry, *next;
    RB_FOREACH_SAFE(entry, agent_entries, &tree->entries, next)
    {
        if (is_over && !is_over(entry, arg))
            continue;
        RB_REMOVE(agent_entries, &tree->entries, entry);
        tree->count--;
        free(entry->namespace_id);
        free(entry->agent);
        free(entry);
    }
}
