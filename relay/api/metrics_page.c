/* metrics_page.c: GET /metrics, for this machine and for who has the operator's metrics token. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/url.h"
#include "../auth/authenticator.h"
#include "../config.h"
#include "../http/parking.h"
#include "../metrics.h"
#include "../relay.h"
#include "api.h"

/* A page in a browser on this machine may have a name of its own point here; its requests have that name. */
static bool names_this_machine(const char *host)
{
    struct url url;
    char *text = xasprintf("http://%s", host ? host : "");
    const bool is_read = url_parse(text, &url);
    free(text);
    if (!is_read)
        return false;
    const bool is_loopback = url_host_is_loopback(url.host);
    url_free(&url);
    return is_loopback;
}

/* A request that a proxy passed on comes from anywhere, whatever the connection's other end is. */
static bool is_local(const struct relay *relay, const struct exchange *ex)
{
    char address[INET6_ADDRSTRLEN];
    bool forwarded;
    client_address(relay->auth, ex, address, &forwarded);
    return ex->peer_is_loopback && !forwarded && names_this_machine(exchange_header(ex, "Host"));
}

static void read_gauges(const struct relay *relay, struct metrics_gauges *gauges)
{
    gauges->parked = (int64_t)parking_count(relay->parking);
    gauges->bans = (int64_t)authenticator_bans(relay->auth);
    struct store_stats stats = {0};
    gauges->has_messages = store_stats(relay->store, &stats) == STORE_DONE;
    memcpy(gauges->messages_by_status, stats.by_status, sizeof gauges->messages_by_status);
    gauges->messages_leased = stats.leased;
    gauges->clients = stats.clients;
    gauges->grants = stats.grants;
    store_stats_free(&stats);
}

enum verdict api_metrics(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    if (!is_local(relay, ex)) {
        const enum operator_access access =
            authenticate_operator(relay->auth, ex, relay->config->metrics_token);
        if (access == OPERATOR_DENIED) {
            exchange_error(
                ex, 401, "unauthorized", "Metrics are for this machine, or for PATCHCORD_METRICS_TOKEN.");
            exchange_add_header(ex, "WWW-Authenticate", "Bearer");
        }
        if (access != OPERATOR_ALLOWED)
            return VERDICT_DONE;
    }
    struct metrics_gauges gauges = {0};
    struct buf page = {0};
    read_gauges(relay, &gauges);
    metrics_write(relay->metrics, &gauges, &page);
    exchange_answer(ex, 200, "text/plain; version=0.0.4; charset=utf-8", buf_text(&page), page.len);
    buf_free(&page);
    return VERDICT_DONE;
}
