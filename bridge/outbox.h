/* outbox.h: the messages that an identity has sent and the relay has not taken yet, on the disk.
 *
 *     $XDG_STATE_HOME/patchcord/outbox/
 *         frontend_demo,<hash>/        one for each agent at a relay
 *             <time>-<id>.json         the queue, oldest first (outbox_entry.h)
 *             lock                     held by the one who delivers; has the id that is on the wire
 *             failed/  news/  aside/   what was refused; what the agent is to be told; what is no entry of
 * ours token,<hash>/                the same for a token whose agent is not known yet links/<hash> whose
 * token that is, once the relay has said so
 *
 * Any number of processes may share it, and each may be killed at any moment: an entry is in the queue until
 * what became of it is known and written down. A second delivery after a kill has the same message id, so the
 * relay stores it once. */
#ifndef BRIDGE_OUTBOX_H
#define BRIDGE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/buf.h"
#include "../common/clock.h"
#include "../common/compiler.h"
#include "config.h"
#include "outbox_entry.h"

/* Entries are given up before the relay forgets the messages that it got (7 days by default), so that a late
 * repeat of one that it has after all is still recognised. Failed ones are kept as long, for `patchcord
 * outbox list`. */
#define OUTBOX_EXPIRY_MS (6 * (int64_t)MS_PER_DAY)

struct outbox;

struct outbox_setup {
    const char *root;   /* the folder of all outboxes; NULL: there is no place for any, and none is kept */
    const char *origin; /* of the relay */
    const char *agent;  /* "agent@namespace"; NULL: not known */
    const char *token;
    int64_t max_entries, max_bytes;
};

/* ${XDG_STATE_HOME:-~/.local/state}/patchcord/outbox; NULL where neither variable is set. Caller frees. */
char *outbox_root(void);
/* Makes no folder. Everything in setup is borrowed for the call. */
struct outbox *outbox_new(const struct outbox_setup *setup);
/* That of the identity in config. */
struct outbox *outbox_of(const struct config *config);
/* Gives up the lock where it is held. NULL is fine. */
void outbox_free(struct outbox *outbox);

/* Whose it is; NULL while only the token is known. Borrowed. */
const char *outbox_agent(const struct outbox *outbox);
/* The relay says whose the token is: what waited under the token alone moves to that agent's outbox, and
 * later bridges with this token know. False: the outbox is another agent's, and nothing was changed. */
MUST_CHECK bool outbox_identify(struct outbox *outbox, const char *agent);

/* Entries in the queue. What is no entry by its name is set aside, with a warning in the log. */
size_t outbox_waiting(struct outbox *outbox);

enum outbox_added { OUTBOX_ADDED, OUTBOX_FULL, OUTBOX_FAULT };
/* Puts it behind all others; *position is its place (1: the first). ADDED: it is on the disk. Else why has a
 * clause. */
enum outbox_added outbox_add(
    struct outbox *outbox, struct outbox_entry *entry, size_t *position, struct buf *why);

/* ---- delivering: only while the lock is held ---- */

/* Takes the lock; false where somebody else has it. Nothing blocks. */
MUST_CHECK bool outbox_lock(struct outbox *outbox);
void outbox_unlock(struct outbox *outbox);
/* The oldest entry (the caller frees it). What cannot be read as one is set aside. False: there is none. */
MUST_CHECK bool outbox_first(struct outbox *outbox, struct outbox_entry *out);
/* It goes out now: from here on it may have reached the relay. */
void outbox_begin(struct outbox *outbox, const struct outbox_entry *entry);
/* It could not be delivered just now; uncertain: as far as is known. */
void outbox_retry(struct outbox *outbox, struct outbox_entry *entry, const char *problem, bool uncertain);
/* It was delivered; news: the agent is to be told. */
void outbox_delivered(struct outbox *outbox, const struct outbox_entry *entry, bool news);
/* It was refused for good, or is too old. */
void outbox_refused(struct outbox *outbox, struct outbox_entry *entry, const char *problem, bool news);

/* ---- looking and taking back ---- */

enum outbox_shelf { OUTBOX_QUEUE, OUTBOX_FAILED };
/* Calls see for each entry, oldest first, until it returns false. */
void outbox_each(struct outbox *outbox, enum outbox_shelf shelf,
    bool (*see)(void *arg, const struct outbox_entry *entry), void *arg);
/* Files that were set aside. */
size_t outbox_aside(struct outbox *outbox);

enum outbox_found {
    OUTBOX_ABSENT,
    OUTBOX_DROPPED, /* it never reached the relay, or was refused there, and is gone */
    OUTBOX_TRIED,   /* it may have reached the relay: it stays */
};
/* Drops the entry of that message id. force: also one that may have reached the relay. */
enum outbox_found outbox_drop(struct outbox *outbox, const char *id, bool force);

/* ---- news ---- */

/* Appends one line (with its '\n') on what became of queued messages since the agent was last told, which is
 * told with that. False: there is nothing to tell. */
MUST_CHECK bool outbox_tell(struct outbox *outbox, struct buf *out);

#endif
