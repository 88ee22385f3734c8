/* supabase_poll.h: looks for what other relays of the same database stored, as PostgREST tells nobody. One
 * request each time, whoever waits. */
#ifndef RELAY_STORE_SUPABASE_POLL_H
#define RELAY_STORE_SUPABASE_POLL_H

#include "store.h"
#include "supabase_link.h"

struct supabase_poll;

/* Calls the options' arrived for each agent that got something (now and then twice), and changed where tokens
 * or grants did, on its thread. NULL: no thread could be started. */
struct supabase_poll *supabase_poll_start(const struct store_options *options, struct supabase_link *link);
/* NULL is fine. */
void supabase_poll_stop(struct supabase_poll *poll);

#endif
