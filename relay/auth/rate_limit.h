/* rate_limit.h: how often a key (a credential's hash, a client's address) may call in a minute, and for how
 * long it is shut out after it called more often.
 *
 * A sliding window in constant memory a key: the calls of this minute, and those of the minute before by the
 * share of it that the window still covers. A call during a ban neither counts nor extends it. Times are
 * monotonic milliseconds given by the caller. Not thread-safe: its owner locks. */
#ifndef RELAY_AUTH_RATE_LIMIT_H
#define RELAY_AUTH_RATE_LIMIT_H

#include <stddef.h>
#include <stdint.h>

enum { RATE_WINDOW_MS = 60 * 1000, RATE_KEYS_MAX = 16384 };

struct rate_limit;

/* per_minute 0: nothing is ever refused. ban_ms 0: what is too much is refused, without a ban. */
struct rate_limit *rate_limit_new(int64_t per_minute, int64_t ban_ms);
void rate_limit_free(struct rate_limit *r);

enum rate_verdict {
    RATE_FINE,
    RATE_BAN_BEGINS, /* this call was one too many: the key is banned from now on */
    RATE_REFUSED,    /* banned before, or too much without a ban */
};

/* Counts a call. *retry_ms: how long to stay away, where it was not fine. */
enum rate_verdict rate_limit_count(struct rate_limit *r, const char *key, int64_t now_ms, int64_t *retry_ms);
/* How long a call of now would be told to stay away; 0: it may come. Counts nothing. */
int64_t rate_limit_left(struct rate_limit *r, const char *key, int64_t now_ms);
/* Bans a key until then, as a ban that was stored says. */
void rate_limit_ban(struct rate_limit *r, const char *key, int64_t until_ms);
/* Bans that are in force. */
size_t rate_limit_bans(struct rate_limit *r, int64_t now_ms);

#endif
