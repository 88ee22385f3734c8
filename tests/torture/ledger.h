/* ledger.h: every message that was ever tried, what its sender was told, and what came of it. The checker's
 * side of the torture: it compares the two, and both with what the store holds. */
#ifndef TESTS_TORTURE_LEDGER_H
#define TESTS_TORTURE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEDGER_SPACES = 2, LEDGER_AGENTS = 8 };
extern const char *const ledger_spaces[LEDGER_SPACES];

struct party {
    size_t space, number;
};

/* What its sender was told of a message. */
enum told {
    TOLD_NOTHING, /* its bridge died, or said that it does not know */
    TOLD_SENT,
    TOLD_QUEUED,
    TOLD_REFUSED, /* and that nothing was sent */
    TOLDS,
};

/* What must not happen; each is counted, and the first ones of each are printed. */
enum wrong {
    WRONG_LOST,         /* acknowledged, and never arrived */
    WRONG_DOUBLED,      /* stored twice */
    WRONG_ID,           /* arrived under another id than before, or than its sender was told */
    WRONG_ORDER,        /* first offered after a later one of its pair */
    WRONG_FOREIGN,      /* arrived at somebody else's, or from nobody */
    WRONG_CHANGED,      /* arrived with other content */
    WRONG_UNMARKED,     /* came again without a word that it was offered before; see below */
    WRONG_UNSEEN,       /* read, to the store, and never written to its agent's stdout */
    WRONG_REFUSED_CAME, /* its sender was told that nothing was sent */
    WRONGS,
};
extern const char *const wrong_names[WRONGS];

struct ledger;
struct ledger *ledger_new(void);
void ledger_free(struct ledger *ledger);

/* A new message of so much noise; its content (borrowed, one line or several). */
const char *ledger_add(
    struct ledger *ledger, struct party from, size_t to, uint64_t noise_seed, size_t *number);
/* What its sender was told; id NULL: none was named. */
void ledger_told(struct ledger *ledger, size_t number, enum told told, const char *id);
/* One that the agent's client has read. */
void ledger_seen(struct ledger *ledger, struct party to, size_t from, const char *id, const char *content,
    unsigned attempt);
/* The store fell at that time (now_us): what it had offered just before may come again unmarked. */
void ledger_leases_lost(struct ledger *ledger, int64_t at_us);
/* How many were acknowledged and did not arrive yet. */
size_t ledger_missing(const struct ledger *ledger);
/* Compares with the database of that folder, and counts what is lost. */
void ledger_audit(struct ledger *ledger, const char *data_dir);

struct ledger_counts {
    int64_t told[TOLDS], seen_first, seen_again, redelivered, forgotten, stored, wrong[WRONGS];
};
void ledger_counts(const struct ledger *ledger, struct ledger_counts *counts);

#endif
