#include "lru.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"

static int compare_keys(const struct lru_entry *a, const struct lru_entry *b)
{
    return strcmp(a->key, b->key);
}

RB_PROTOTYPE(lru_tree, lru_entry, by_key, compare_keys)
RB_GENERATE(lru_tree, lru_entry, by_key, compare_keys)

void lru_init(struct lru *l, size_t capacity, size_t entry_size, void (*drop)(struct lru_entry *entry))
{
    RB_INIT(&l->tree);
    TAILQ_INIT(&l->ages);
    l->count = 0;
    l->capacity = capacity;
    l->entry_size = entry_size;
    l->drop = drop;
}

void *lru_find(struct lru *l, const char *key)
{
    struct lru_entry wanted = {.key = key}, *found = RB_FIND(lru_tree, &l->tree, &wanted);
    if (!found)
        return NULL;
    TAILQ_REMOVE(&l->ages, found, by_age);
    TAILQ_INSERT_HEAD(&l->ages, found, by_age);
    return found;
}

void *lru_add(struct lru *l, const char *key)
{
    struct lru_entry *entry = lru_find(l, key);
    if (entry)
        return entry;
    if (l->count >= l->capacity)
        lru_remove(l, TAILQ_LAST(&l->ages, lru_ages));
    const size_t key_size = strlen(key) + 1;
    entry = xcalloc(1, l->entry_size + key_size);
    entry->key = memcpy((char *)entry + l->entry_size, key, key_size);
    (void)RB_INSERT(lru_tree, &l->tree, entry);
    TAILQ_INSERT_HEAD(&l->ages, entry, by_age);
    l->count++;
    return entry;
}

void lru_remove(struct lru *l, void *removed)
{
    struct lru_entry *entry = removed;
    (void)RB_REMOVE(lru_tree, &l->tree, entry);
    TAILQ_REMOVE(&l->ages, entry, by_age);
    l->count--;
    if (l->drop)
        l->drop(entry);
    free(entry);
}

void lru_clear(struct lru *l)
{
    while (!TAILQ_EMPTY(&l->ages))
        lru_remove(l, TAILQ_FIRST(&l->ages));
}
