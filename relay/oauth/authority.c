#include "authority.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/url.h"
#include "../auth/authenticator.h"
#include "../auth/concurrency.h"
#include "../auth/typed_code.h"
#include "../http/parking.h"
#include "../relay.h"
#include "client_document.h"

_Static_assert((int)SIGNED_STATE_KEY_BYTES == (int)TYPED_CODE_DERIVED_BYTES, "the key is derived");

enum { TRIES_KEPT = 16384 };

struct tries {
    struct lru_entry entry;
    unsigned count;
};

/* ---- life ---- */

static bool allow_auto_approval(struct oauth *oauth, const struct oauth_options *options, struct buf *why)
{
    const struct auto_approval_options how = {
        .clients = options->clients,
        .known_clients = options->known_clients,
        .namespace_id = options->default_namespace,
    };
    if (!auto_approval_is_private(options->public_url)) {
        buf_printf(why,
            "PATCHCORD_OAUTH_AUTO_APPROVE lets in whoever reaches the relay, so that PATCHCORD_PUBLIC_URL "
            "must "
            "be a loopback or private address, not '%s': unset it, and hand out codes with patchcord-relay "
            "connect",
            options->public_url);
        return false;
    }
    oauth->auto_approval = auto_approval_new(&how, why);
    if (oauth->auto_approval)
        log_warn("oauth_auto_approve", LOG_STR("why", "known clients become agents without a connect code"),
            LOG_STR("namespace", options->default_namespace));
    return oauth->auto_approval != NULL;
}

static void warn_unused(const char *name, const char *value)
{
    if (value)
        log_warn("unused_setting", LOG_STR("name", name),
            LOG_STR("why", "it counts with PATCHCORD_OAUTH_AUTO_APPROVE=true alone"));
}

struct oauth *oauth_new(const struct oauth_options *options, struct buf *why)
{
    struct oauth *oauth = xcalloc(1, sizeof *oauth);
    oauth->public_url = xstrdup(options->public_url);
    oauth->name = xstrdup(options->name);
    oauth->mcp_path = xstrdup(options->mcp_path);
    oauth->bearer_path = xstrdup(options->bearer_path);
    oauth->resource = xasprintf("%s%s", options->public_url, options->mcp_path);
    oauth->access_ttl_ms = options->access_ttl_ms;
    oauth->refresh_ttl_ms = options->refresh_ttl_ms;
    typed_code_key_derive(options->code_key, "the state of pages", oauth->state_key);
    pthread_mutex_init(&oauth->lock, NULL);
    oauth->asks = rate_limit_new(options->asks_per_minute, options->ban_ms);
    oauth->calls = rate_limit_new(options->calls_per_minute, options->ban_ms);
    lru_init(&oauth->tries, TRIES_KEPT, sizeof(struct tries), NULL);
    client_documents_init(&oauth->documents);
    oauth->fetches = concurrency_new();
    if (!options->auto_approve) {
        warn_unused("PATCHCORD_OAUTH_CLIENTS", options->clients);
        warn_unused("PATCHCORD_KNOWN_OAUTH_CLIENTS", options->known_clients);
    }
    if (!options->auto_approve || allow_auto_approval(oauth, options, why))
        return oauth;
    oauth_free(oauth);
    return NULL;
}

void oauth_free(struct oauth *oauth)
{
    if (!oauth)
        return;
    auto_approval_free(oauth->auto_approval);
    rate_limit_free(oauth->asks);
    rate_limit_free(oauth->calls);
    lru_clear(&oauth->tries);
    lru_clear(&oauth->documents);
    concurrency_free(oauth->fetches);
    pthread_mutex_destroy(&oauth->lock);
    secret_wipe(oauth->state_key, sizeof oauth->state_key);
    free(oauth->public_url);
    free(oauth->name);
    free(oauth->mcp_path);
    free(oauth->bearer_path);
    free(oauth->resource);
    free(oauth);
}

void authority_changed(const struct relay *relay)
{
    authenticator_forget(relay->auth);
    parking_notify_all(relay->parking);
}

/* ---- limits ---- */

static bool admit(struct oauth *oauth, struct rate_limit *limit, struct exchange *ex)
{
    const struct relay *relay = ex->app;
    char key[INET6_ADDRSTRLEN];
    int64_t retry_ms;
    authenticator_limit_key(relay->auth, ex, key);
    pthread_mutex_lock(&oauth->lock);
    const enum rate_verdict verdict = rate_limit_count(limit, key, clock_mono_ms(), &retry_ms);
    pthread_mutex_unlock(&oauth->lock);
    if (verdict == RATE_FINE)
        return true;
    if (verdict == RATE_BAN_BEGINS)
        log_warn("oauth_address_limited", LOG_STR("address", key), LOG_STR("route", ex->route->name));
    authenticator_answer_limited(ex, retry_ms);
    return false;
}

bool authority_admit(struct oauth *oauth, struct exchange *ex)
{
    return admit(oauth, oauth->asks, ex);
}

bool authority_admit_call(struct oauth *oauth, struct exchange *ex)
{
    return admit(oauth, oauth->calls, ex);
}

bool authority_try(struct oauth *oauth, const char *id)
{
    pthread_mutex_lock(&oauth->lock);
    struct tries *tries = lru_add(&oauth->tries, id);
    const bool is_left = tries->count < AUTHORITY_TRIES_MAX;
    tries->count += is_left;
    pthread_mutex_unlock(&oauth->lock);
    return is_left;
}

/* ---- what tokens are for ---- */

static bool same_host(const struct url *a, const struct url *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && a->port == b->port &&
           (strcmp(a->host, b->host) == 0 ||
               (url_host_is_loopback(a->host) && url_host_is_loopback(b->host)));
}

/* The resource, or what it hangs below. */
static bool is_path(const struct oauth *oauth, const struct url *public_url, const char *path)
{
    const char *base = strcmp(public_url->path, "/") == 0 ? "" : public_url->path;
    const size_t len = strlen(base);
    if (strcmp(path, public_url->path) == 0)
        return true;
    return strncmp(path, base, len) == 0 && strcmp(path + len, oauth->mcp_path) == 0;
}

bool authority_is_resource(const struct oauth *oauth, const char *resource)
{
    struct url ours, theirs;
    if (!resource)
        return true;
    if (!url_parse(resource, &theirs))
        return false;
    bool is_ours = false;
    if (url_parse(oauth->public_url, &ours)) {
        is_ours = same_host(&ours, &theirs) && is_path(oauth, &ours, theirs.path);
        url_free(&ours);
    }
    url_free(&theirs);
    return is_ours;
}
