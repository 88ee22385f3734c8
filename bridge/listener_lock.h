/* listener_lock.h: one listener an agent: a lock on a file in the state folder's listeners/, which the kernel
 * gives up with the process, however it ends. */
#ifndef BRIDGE_LISTENER_LOCK_H
#define BRIDGE_LISTENER_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "../common/compiler.h"

enum listener_taken {
    LISTENER_TAKEN, /* it is ours until the descriptor is closed */
    LISTENER_BUSY,  /* another process listens */
    LISTENER_FAULT, /* errno says why */
};
/* Takes the lock of the agent ("agent@namespace") at the relay of that URL. TAKEN: *fd holds it; closing any
 * other descriptor of that file in this process would give it up too. BUSY: *holder is the process that has
 * it. */
MUST_CHECK enum listener_taken listener_lock_take(const char *url, const char *agent, int *fd, pid_t *holder);
/* True while some process holds it. Takes nothing, so that nobody is kept from it. */
bool listener_lock_held(const char *url, const char *agent);

#endif
