/* sqlite_recipient.h: whether an agent exists, and which one a sender means by a name. */
#ifndef RELAY_STORE_SQLITE_RECIPIENT_H
#define RELAY_STORE_SQLITE_RECIPIENT_H

#include "sqlite_db.h"

struct recipient {
    bool exists;
    int64_t last_seen_ms; /* 0: never */
};
MUST_CHECK bool sqlite_recipient_find(
    struct db *db, const char *namespace_id, const char *agent, struct recipient *recipient);

/* Who is meant. */
struct meant {
    const char *namespace_id; /* of the first that was found; the caller's own where none was. Borrowed */
    struct recipient recipient;
    size_t count; /* 0: there is none; more than one: a bare name of several namespaces */
};
/* A bare name is looked for in each of the caller's namespaces, but the caller's own name means itself. */
MUST_CHECK bool sqlite_recipient_mean(
    struct db *db, const struct store_caller *caller, const struct store_recipient *to, struct meant *meant);

/* Who exists where the caller is, by namespace and name: as agent@namespace where it has several namespaces.
 * agent: only those of that name; NULL: all. *names is grown. */
MUST_CHECK bool sqlite_recipient_names(
    struct db *db, const struct store_caller *caller, const char *agent, char ***names, size_t *count);

#endif
