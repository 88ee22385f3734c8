/* older_entry.h: an entry of an agent's program that has a token in it: by HTTP with an Authorization header,
 * or for a bridge with PATCHCORD_TOKEN in its environment. Pure, but for git. */
#ifndef BRIDGE_OLDER_ENTRY_H
#define BRIDGE_OLDER_ENTRY_H

#include <stdbool.h>

#include "../common/json.h"

struct older_entry {
    char *url;   /* of the relay: without /mcp, and without a trailing slash */
    char *token; /* secret */
};

/* True where the entry (NULL: none) has both; a variable in a token's place ("${PATCHCORD_TOKEN}") is none, nor
 * is what could not stand in a header. */
bool older_entry_read(struct json_object *entry, struct older_entry *out);
void older_entry_free(struct older_entry *older);
/* Whether the entry starts or reaches Patchcord in another way than by our bridge. */
bool older_entry_is_other(struct json_object *entry);

/* True where git keeps the file: what is in it is also in a history. */
bool git_keeps(const char *path);

#endif
