/* told.h: what a session's hooks have said already, so that nothing is said twice: a small file for each
 * identity and session, in the state folder's told/.
 *
 *     {"model": ["0192f0c1-…"], "stop": [], "user": [], "refused": true}
 *
 * Only messages that still wait are kept, so it stays small. */
#ifndef BRIDGE_TOLD_H
#define BRIDGE_TOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/buf.h"
#include "../common/compiler.h"
#include "config.h"
#include "inbox_look.h"

/* Whom something was said to: the model in its context, the model when it was about to stop, the person. */
enum told_whom { TOLD_MODEL, TOLD_STOP, TOLD_USER, TOLD_WHOM_COUNT };

/* Sessions that are remembered; the oldest are forgotten first. */
enum { TOLD_SESSIONS_MAX = 200, TOLD_MAX_BYTES = 32 * 1024 };

struct told_ids {
    char ids[INBOX_LOOK_ROWS][UUID_SIZE];
    size_t count;
};
struct told {
    struct told_ids to[TOLD_WHOM_COUNT];
    bool refused; /* that the relay does not accept the token */
};

/* Reads what the session (as the agent's program calls it; any text) was told; nothing where there is no such
 * file. */
void told_load(const struct config *config, const char *session, struct told *out);
/* False: it could not be kept. */
MUST_CHECK bool told_save(const struct config *config, const char *session, const struct told *told);

/* How many of the messages that wait were not told to those yet. Pure. */
size_t told_count_new(const struct told *told, enum told_whom whom, const struct inbox_look *pending);
/* All that wait are told to those now, and what waits no longer is forgotten. Pure. */
void told_mark(struct told *told, enum told_whom whom, const struct inbox_look *pending);
bool told_has(const struct told *told, enum told_whom whom, const char *id);

/* The file's text. Pure. What is no such text is empty. */
void told_parse(const char *text, size_t len, struct told *out);
void told_write(const struct told *told, struct buf *out);

#endif
