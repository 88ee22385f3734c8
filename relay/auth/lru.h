/* lru.h: a bounded table of entries by text key; when it is full, the entry that was used longest ago makes
 * room.
 *
 * An entry is the caller's own struct whose first member is a struct lru_entry. Not thread-safe: its owner
 * locks. */
#ifndef RELAY_AUTH_LRU_H
#define RELAY_AUTH_LRU_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stddef.h>

struct lru_entry {
    RB_ENTRY(lru_entry) by_key;
    TAILQ_ENTRY(lru_entry) by_age;
    const char *key; /* in the same block, behind the caller's struct */
};

struct lru {
    RB_HEAD(lru_tree, lru_entry) tree;
    TAILQ_HEAD(lru_ages, lru_entry) ages; /* last used first */
    size_t count, capacity, entry_size;
    void (*drop)(struct lru_entry *entry); /* before an entry is freed; may be NULL */
};

void lru_init(struct lru *l, size_t capacity, size_t entry_size, void (*drop)(struct lru_entry *entry));
/* The entry, now the one used last; NULL where there is none. Borrowed until the next lru_add or removal. */
void *lru_find(struct lru *l, const char *key);
/* The entry, or a new one with all else zeroed. */
void *lru_add(struct lru *l, const char *key);
void lru_remove(struct lru *l, void *entry);
void lru_clear(struct lru *l);

#endif
