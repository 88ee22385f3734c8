/* sqlite_keeper.h: the thread that does for the writer what must not stall it: it copies the write-ahead log
 * back into the database file, and tells the owner when somebody else changed what is stored. */
#ifndef RELAY_STORE_SQLITE_KEEPER_H
#define RELAY_STORE_SQLITE_KEEPER_H

#include <stdbool.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

struct keeper;

/* changed may be NULL. NULL: why has a clause. */
struct keeper *keeper_start(const char *path, void (*changed)(void *arg), void *changed_arg, struct buf *why);
void keeper_stop(struct keeper *keeper);

/* Both return at once. */
void keeper_ask_checkpoint(struct keeper *keeper);
void keeper_tell_changed(struct keeper *keeper);
/* True once after each checkpoint that the keeper did: what is left over is little. */
bool keeper_has_checkpointed(struct keeper *keeper);

#endif
