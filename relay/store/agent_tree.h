/* agent_tree.h: something for each agent, found by namespace and name. An entry is the owner's own struct
 * whose first member is a struct agent_entry. Not thread-safe: its owner locks. */
#ifndef RELAY_STORE_AGENT_TREE_H
#define RELAY_STORE_AGENT_TREE_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>

struct agent_entry {
    RB_ENTRY(agent_entry) link;
    char *namespace_id, *agent; /* owned */
};

struct agent_tree {
    RB_HEAD(agent_entries, agent_entry) entries;
    size_t count, entry_size;
};

void agent_tree_init(struct agent_tree *tree, size_t entry_size);
/* NULL: there is none. Borrowed until it is removed. */
void *agent_tree_find(struct agent_tree *tree, const char *namespace_id, const char *agent);
/* A new one, zeroed behind its head, where there is none yet. */
void *agent_tree_add(struct agent_tree *tree, const char *namespace_id, const char *agent);
/* Removes those of which is_over says so; NULL: all. */
void agent_tree_sweep(struct agent_tree *tree,
    bool (*is_over)(const struct agent_entry *entry, const void *arg), const void *arg);

#endif
