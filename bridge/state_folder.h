/* state_folder.h: where the bridge keeps what outlives it: ${XDG_STATE_HOME:-~/.local/state}/patchcord. */
#ifndef BRIDGE_STATE_FOLDER_H
#define BRIDGE_STATE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/compiler.h"

/* The path of the folder of that name there; NULL where neither variable is set. Caller frees. */
char *state_path(const char *name);
/* Opens that folder, which is ours alone (private_folder.h), and makes it where create is set. -1: there is
 * none. */
MUST_CHECK int state_folder_open(const char *name, bool create);

enum { STATE_KEY_SIZE = 33 };
/* A file name for what belongs to somebody (an agent's address, a token, a session) at the relay of that URL:
 * 32 hex digits. NULL stands for "". */
void state_key(const char *url, const char *whose, const char *what, char out[static STATE_KEY_SIZE]);

/* Removes the oldest of the folder's files until keep are left. */
void state_folder_bound(int folder, size_t keep);

#endif
