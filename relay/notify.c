#include "notify.h"

#include "../common/ident.h"
#include "http/parking.h"

void notify_agent(const struct relay *relay, const char *namespace_id, const char *agent)
{
    char address[ADDRESS_SIZE];
    ident_format(namespace_id, agent, address);
    parking_notify(relay->parking, address);
}

void notify_agents(const struct relay *relay, const struct store_agents *agents)
{
    for (size_t i = 0; i < agents->count; i++)
        notify_agent(relay, agents->items[i].namespace_id, agents->items[i].agent);
}
