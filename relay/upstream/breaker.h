/* breaker.h: whether a server that failed again and again is asked once more: not by everybody at once, and
 * not for each call only to time out. Any thread.
 *
 * Closed: all calls go through. BREAKER_FAILURES in a row open it: calls are refused at once, until a pause
 * has passed; then one call is let through as a probe. If it works the breaker is closed, else the pause
 * doubles. */
#ifndef RELAY_UPSTREAM_BREAKER_H
#define RELAY_UPSTREAM_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/compiler.h"

enum { BREAKER_FAILURES = 5, BREAKER_PAUSE_FIRST_MS = 1000 };

struct breaker;

/* pause_max_ms: how long it stays open at most without a probe. */
struct breaker *breaker_new(int64_t pause_max_ms);
void breaker_free(struct breaker *breaker);

enum breaker_change { BREAKER_SAME, BREAKER_OPENED, BREAKER_CLOSED };

/* Whether to call; each true is followed by one breaker_report. False: *wait_ms is how long until the next
 * probe. */
MUST_CHECK bool breaker_enter(struct breaker *breaker, int64_t *wait_ms);
/* How the call ended; what the server itself refused is no failure. Says what that changed, for the log. */
enum breaker_change breaker_report(struct breaker *breaker, bool failed);

#endif
