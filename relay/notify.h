/* notify.h: wakes what waits for news of an agent, after something was stored for it. */
#ifndef RELAY_NOTIFY_H
#define RELAY_NOTIFY_H

#include "relay.h"
#include "store/store.h"

void notify_agent(const struct relay *relay, const char *namespace_id, const char *agent);
void notify_agents(const struct relay *relay, const struct store_agents *agents);

#endif
