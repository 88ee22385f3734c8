/* outbox_flush.h: takes what waits in the outbox to the relay: one message at a time, in order, and one
 * process at a time for an identity.
 *
 * It begins with a look at whose token this is, tries again with back-off, keeps the waiting times that the
 * relay asks for, and leaves half of the relay's rate limit to the agent's own calls. While the outbox is
 * empty it does nothing and needs no time. */
#ifndef BRIDGE_OUTBOX_FLUSH_H
#define BRIDGE_OUTBOX_FLUSH_H

#include <stdbool.h>

#include "outbox.h"
#include "relay_link.h"

struct outbox_flush;

/* What became of an entry: delivered (problem NULL), or refused. reply is the relay's, which may be taken
 * apart; NULL where it was not asked. Returns true where the agent is to be told at its next call. */
typedef bool outbox_fate_fn(
    void *arg, const struct outbox_entry *entry, struct relay_reply *reply, const char *problem);

/* Both are borrowed; the link's configuration is that of the outbox's identity. */
struct outbox_flush *outbox_flush_new(
    struct relay_link *link, struct outbox *outbox, outbox_fate_fn *fate, void *arg);
/* What is on the wire is left to finish unobserved: it stays in the queue. */
void outbox_flush_free(struct outbox_flush *flush);

/* Something may wait, or the relay may be back: a try is made at once, unless the relay asked to wait. */
void outbox_flush_kick(struct outbox_flush *flush);
/* A call failed for a reason that concerns the outbox too: the next try waits as if it were its own. */
void outbox_flush_after(struct outbox_flush *flush, const struct relay_reply *reply);
/* The relay answers: whose token it is can be found out where that is not known yet. */
void outbox_flush_learn(struct outbox_flush *flush);

enum outbox_flush_state {
    OUTBOX_FLUSH_IDLE,      /* nothing is known to wait */
    OUTBOX_FLUSH_WORKING,   /* at it, or about to be */
    OUTBOX_FLUSH_ELSEWHERE, /* another process is at it */
    OUTBOX_FLUSH_WAITING,   /* the last try failed; the next one comes by itself */
    OUTBOX_FLUSH_REFUSED,   /* the relay does not accept the token for this outbox */
};
enum outbox_flush_state outbox_flush_state(const struct outbox_flush *flush);
/* Why the last try failed: one line; "" where it did not. Borrowed until the next step. */
const char *outbox_flush_problem(const struct outbox_flush *flush);

int outbox_flush_timeout_ms(const struct outbox_flush *flush);
void outbox_flush_step(struct outbox_flush *flush);

#endif
