/* backoff.h: how long to wait before the next try: doubling, with a random part so that many bridges do not
 * return to a restarted relay in step. */
#ifndef BRIDGE_BACKOFF_H
#define BRIDGE_BACKOFF_H

#include <stdint.h>

/* Milliseconds before try number tries + 1 (tries > 0 were made): first_ms doubled with each, at most max_ms,
 * of which the second half is random. */
int64_t backoff_ms(unsigned tries, int64_t first_ms, int64_t max_ms);

#endif
