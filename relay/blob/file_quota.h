/* file_quota.h: how many bytes each namespace has stored and is storing. What is stored is measured, on the
 * disk or by a listing, when a namespace is first asked for, counted from then on, and measured again before
 * anything is refused, because others store and remove files beside this relay. Any thread. */
#ifndef RELAY_BLOB_FILE_QUOTA_H
#define RELAY_BLOB_FILE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/compiler.h"

enum {
    FILE_QUOTA_LEAST = 4096,        /* bytes that any file counts at least */
    FILE_QUOTA_REMEASURE_MS = 5000, /* refusals in a row do not read the disk each time */
};

struct file_quota;

/* measure: the bytes stored in a namespace now; false where that cannot be told. stale_ms: what was measured
 * longer ago is measured again before it is relied on; 0: it holds. */
struct file_quota *file_quota_new(int64_t limit, int64_t stale_ms,
    bool (*measure)(void *arg, const char *namespace_part, int64_t *bytes), void *arg);
void file_quota_free(struct file_quota *q);

/* What a file of that size counts. */
int64_t file_quota_charge(int64_t size);

enum quota_claim { QUOTA_CLAIMED, QUOTA_FULL, QUOTA_UNKNOWN };
/* Sets so many bytes more aside for an upload. */
MUST_CHECK enum quota_claim file_quota_claim(struct file_quota *q, const char *namespace_part, int64_t bytes);
void file_quota_release(struct file_quota *q, const char *namespace_part, int64_t bytes);
/* Runs act, which makes a file appear or go, while nothing is measured; where it returns true, what is stored
 * changes by so many bytes, and what is set aside becomes less by so many: an upload that is published is not
 * counted twice. Returns what act did. */
MUST_CHECK bool file_quota_apply(struct file_quota *q, const char *namespace_part, int64_t stored,
    int64_t released, bool (*act)(void *arg), void *arg);
/* The same for what has taken place elsewhere since that time (monotonic), where none could be kept from
 * measuring meanwhile. */
void file_quota_settle(
    struct file_quota *q, const char *namespace_part, int64_t stored, int64_t released, int64_t since_ms);
/* What is stored is measured before it is relied on again. */
void file_quota_forget(struct file_quota *q, const char *namespace_part);
/* Stored and set aside. False where that cannot be told. */
MUST_CHECK bool file_quota_used(struct file_quota *q, const char *namespace_part, int64_t *bytes);

#endif
