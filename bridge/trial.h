/* trial.h: the bridge tried out as an agent's program starts it: a process of its own on pipes, in the
 * current folder, that looks up its identity by itself and calls the relay. Nothing is taken from the inbox.
 */
#ifndef BRIDGE_TRIAL_H
#define BRIDGE_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/buf.h"
#include "../common/compiler.h"

enum { TRIAL_TIMEOUT_MS = 20 * 1000 };

/* argv: the program's path and arguments, NULL-ended. *took_ms: from the start to the relay's answer. False:
 * why has what the bridge says itself, or that it does not. */
MUST_CHECK bool trial_run(char *const *argv, int64_t *took_ms, struct buf *why);

#endif
