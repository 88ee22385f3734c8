/* health.c: GET /health (the process answers), GET /ready (its store does too). */
#include "../relay.h"
#include "../store/store.h"
#include "api.h"
#include "json_body.h"

enum verdict api_health(struct exchange *ex)
{
    static const char body[] = "{\"status\":\"ok\",\"service\":\"patchcord\"}";
    exchange_answer(ex, 200, "application/json", body, sizeof body - 1);
    return VERDICT_DONE;
}

enum verdict api_ready(struct exchange *ex)
{
    static const char body[] = "{\"status\":\"ready\",\"service\":\"patchcord\"}";
    const struct relay *relay = ex->app;
    if (store_ready(relay->store))
        exchange_answer(ex, 200, "application/json", body, sizeof body - 1);
    else
        json_body_store_failed(ex, 503);
    return VERDICT_DONE;
}
