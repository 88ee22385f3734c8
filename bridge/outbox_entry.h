/* outbox_entry.h: a message that waits in the outbox, and its form on the disk:
 *
 *     {"version": 1, "id": "0192f0c1-…", "kind": "send", "args": {"to": ["backend"], "content": "…"},
 *      "created": 1795363200000, "attempts": 2, "uncertain": true,
 *      "problem": "The connection to the relay at … broke (…)."}
 *
 * created is wall time in milliseconds, args what the tool was called with, attempts how often it was tried,
 * uncertain whether one of these tries may have reached the relay, problem why the last one failed (both are
 * left out where they say nothing). */
#ifndef BRIDGE_OUTBOX_ENTRY_H
#define BRIDGE_OUTBOX_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/buf.h"
#include "../common/compiler.h"
#include "../common/json.h"
#include "../common/uuid.h"

enum { OUTBOX_ENTRY_MAX_BYTES = 1024 * 1024, OUTBOX_NAME_SIZE = 64 };

enum outbox_kind { OUTBOX_SEND, OUTBOX_REPLY };

struct outbox_entry {
    char name[OUTBOX_NAME_SIZE]; /* of its file; "" while it has none */
    char id[UUID_SIZE];          /* the message's */
    enum outbox_kind kind;
    struct json_object *args; /* as tool_spec_check left them; owned */
    int64_t created_ms;       /* wall time */
    int64_t attempts;
    bool uncertain; /* the relay may have it already */
    char *problem;  /* NULL: none; owned */
};

/* True for a tool whose calls may wait in the outbox. */
bool outbox_takes(const char *tool);
/* The same, or one whose calls it may answer. */
bool outbox_concerns(const char *tool);
/* A call of such a tool, now; args are referenced. */
void outbox_entry_make(const char *tool, const char *id, struct json_object *args, struct outbox_entry *out);
void outbox_entry_free(struct outbox_entry *entry);

/* Parses a file's text. Pure. False: why has the rule that was broken, and *out is zeroed. */
MUST_CHECK bool outbox_entry_parse(const char *text, size_t len, struct outbox_entry *out, struct buf *why);
/* Appends the file's text. */
void outbox_entry_write(const struct outbox_entry *entry, struct buf *out);

const char *outbox_entry_tool(const struct outbox_entry *entry);
/* Appends for a reader whom it goes to: "backend, codex", or "the author of [0192f0c1-…]". */
void outbox_entry_to(const struct outbox_entry *entry, struct buf *out);

/* What is known to be refused by any relay is refused at once. False: why has one line, as the relay would
 * put it. */
MUST_CHECK bool outbox_entry_sound(const struct outbox_entry *entry, struct buf *why);

/* The name of an entry's file: 13 digits of time, which order the queue, and the id. */
void outbox_name_make(int64_t ms, const char *id, char out[static OUTBOX_NAME_SIZE]);
/* Reads such a name. False for any other. */
MUST_CHECK bool outbox_name_read(const char *name, int64_t *ms, char id[static UUID_SIZE]);

#endif
