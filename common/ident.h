/* ident.h: agent and namespace names, and the two ways in which an address is written.
 *
 * People write agent@namespace, configuration has namespace:agent; both are read everywhere. New names are
 * lower-cased and match [a-z0-9][a-z0-9._-]{0,63}; names that older databases hold may be anything and are
 * only compared. */
#ifndef COMMON_IDENT_H
#define COMMON_IDENT_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

enum { NAME_MAX_LEN = 64, NAME_SIZE = NAME_MAX_LEN + 1, ADDRESS_SIZE = 2 * NAME_MAX_LEN + 2 };

/* The sender of the relay's own notices; no token may be issued for it. */
#define RELAY_AGENT "patchcord"

struct ident {
    char namespace_id[NAME_SIZE]; /* "" where the address gave none */
    char agent[NAME_SIZE];
};

/* True for a name that may be created, as it stands (already lower case). Thread slugs follow the same rule.
 */
bool ident_name_valid(const char *name);
/* Copies name to out in lower case; false (out is "") where the result is not a valid name. */
MUST_CHECK bool ident_name_normalize(const char *name, char out[static NAME_SIZE]);
/* Reads "agent", "agent@namespace" or "namespace:agent", lower-casing. False where a part is not a valid
 * name. */
MUST_CHECK bool ident_parse(const char *address, struct ident *out);
/* Writes "agent@namespace". */
void ident_format(const char *namespace_id, const char *agent, char out[static ADDRESS_SIZE]);

/* Optimal string alignment distance (insert, delete, replace, swap), for "did you mean". Bytes; each name is
 * cut at NAME_MAX_LEN. */
size_t ident_distance(const char *a, const char *b);
/* Sorts names, or addresses (agent@namespace), by their distance to wanted, nearest first; equal ones by
 * name.
 */
void ident_sort_nearest(const char *wanted, char **names, size_t count);

#endif
