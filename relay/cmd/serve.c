/* serve: the relay itself. */
#include <arpa/inet.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/mcp.h"
#include "../auth/authenticator.h"
#include "../auth/concurrency.h"
#include "../auth/typed_code.h"
#include "../blob/blob.h"
#include "../fetch/safe_fetch.h"
#include "../http/server.h"
#include "../metrics.h"
#include "../notify.h"
#include "../oauth/oauth.h"
#include "../relay.h"
#include "../routes.h"
#include "attachments.h"
#include "command.h"
#include "janitor.h"

/* Exit within 10 s of SIGTERM: what is in flight gets most of it. */
enum { SHUTDOWN_GRACE_MS = 8 * 1000 };

struct serving {
    struct config config;
    struct relay relay;
    struct routes *routes;
    struct http_server *server;
    struct janitor *janitor;
    struct typed_code_key *code_key;
    pthread_mutex_t lock;
    bool is_up; /* under lock: the store's news may be passed on */
};

/* The store tells its observer no argument of ours. Set before the store has threads. */
static struct metrics *observed;

static void observe_store(const char *operation, int64_t micros, enum store_status status)
{
    metrics_store(observed, operation, status == STORE_FAULT, micros);
}

/* A token was added or revoked, or another process stored something: everybody is to look again. */
static void store_changed(void *arg)
{
    struct serving *s = arg;
    pthread_mutex_lock(&s->lock);
    if (s->is_up) {
        authenticator_forget(s->relay.auth);
        parking_notify_all(s->relay.parking);
    }
    pthread_mutex_unlock(&s->lock);
}

/* Another relay stored something for that agent. */
static void store_arrived(void *arg, const char *namespace_id, const char *agent)
{
    struct serving *s = arg;
    pthread_mutex_lock(&s->lock);
    if (s->is_up)
        notify_agent(&s->relay, namespace_id, agent);
    pthread_mutex_unlock(&s->lock);
}

static void set_up(struct serving *s, bool is_up)
{
    pthread_mutex_lock(&s->lock);
    s->is_up = is_up;
    pthread_mutex_unlock(&s->lock);
}

/* Called on the loop thread for each answer. */
static void answered(void *app, const struct exchange *ex, int64_t micros)
{
    const struct relay *relay = app;
    const char *route = ex->route ? ex->route->name : "none";
    metrics_request(relay->metrics, route, ex->status, micros);
    const bool failed = ex->status >= 500 && ex->status != 501; /* 501 is what was meant to be said */
    const enum log_level level = failed ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
    log_event(level, "request", LOG_STR("id", ex->id), LOG_STR("method", ex->method), LOG_STR("route", route),
        LOG_INT("status", ex->status), LOG_INT("micros", micros), LOG_STR("peer", ex->peer), LOG_END);
}

static bool knows(void *app, const struct exchange *ex)
{
    const struct relay *relay = app;
    return authenticator_knows(relay->auth, ex);
}

static void stopping(void *app)
{
    const struct relay *relay = app;
    safe_fetcher_stop(relay->fetcher);
    blob_stop(relay->blobs);
}

static void reloaded(void *app)
{
    (void)app;
    log_info("reloaded");
}

/* Every thread inherits it, so that signals reach the server's loop alone. */
static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool open_store(struct serving *s, struct buf *why)
{
    struct store_options options = command_store_options(&s->config, STORE_ROLE_RELAY);
    options.changed = store_changed;
    options.arrived = store_arrived;
    options.changed_arg = s;
    s->relay.metrics = observed = metrics_new();
    s->relay.store = store_open(&options, why);
    if (s->relay.store)
        store_observe(s->relay.store, observe_store);
    return s->relay.store != NULL;
}

static bool open_server(struct serving *s, struct buf *why)
{
    s->routes = routes_new(&s->config);
    s->relay.routes = s->routes;
    const struct http_server_options options = {
        .host = s->config.host,
        .port = (int)s->config.port,
        .tls_cert_file = s->config.tls_cert,
        .tls_key_file = s->config.tls_key,
        .workers = (size_t)s->config.workers,
        .connections_per_address = (unsigned)s->config.connections_per_address,
        .routes = routes_table(s->routes),
        .app = &s->relay,
        .version = PATCHCORD_VERSION,
        .answered = answered,
        .knows = knows,
        .reload = reloaded,
        .stopping = stopping,
    };
    s->server = http_server_new(&options, why);
    if (!s->server)
        return false;
    s->relay.parking = http_server_parking(s->server);
    s->relay.streams = concurrency_new();
    s->relay.waits = concurrency_new();
    config_set_port(&s->config, http_server_port(s->server));
    return true;
}

/* After the server, whose port a default public URL has. */
static bool open_blobs(struct serving *s, struct buf *why)
{
    s->relay.blobs = attachments_open(&s->config, true, why);
    return s->relay.blobs != NULL;
}

static bool open_fetcher(struct serving *s, struct buf *why)
{
    s->relay.fetches = concurrency_new();
    s->relay.fetcher = safe_fetcher_new(s->config.ca_file, why);
    return s->relay.fetcher != NULL;
}

static bool open_authenticator(struct serving *s, struct buf *why)
{
    const struct authenticator_options options = {
        .rate_limit_per_minute = s->config.rate_limit_per_minute,
        .anon_rate_limit_per_minute = s->config.anon_rate_limit_per_minute,
        .ban_seconds = s->config.rate_ban_seconds,
        .presence_interval_ms = s->config.presence_write_interval_seconds * MS_PER_SECOND,
        .trusted_proxies = s->config.trusted_proxies,
        .public_url = s->config.public_url,
        .mcp_path = s->config.mcp_path,
        .scope = OAUTH_SCOPE,
    };
    s->relay.auth = authenticator_new(&options, s->relay.store, why);
    return s->relay.auth != NULL;
}

static bool open_code_key(struct serving *s, struct buf *why)
{
    s->relay.code_key = s->code_key = command_code_key(&s->config, why);
    return s->code_key != NULL;
}

static bool open_oauth(struct serving *s, struct buf *why)
{
    const struct oauth_options options = {
        .public_url = s->config.public_url,
        .name = s->config.name,
        .mcp_path = s->config.mcp_path,
        .bearer_path = s->config.bearer_path,
        .code_key = s->code_key,
        .access_ttl_ms = s->config.oauth_access_ttl_seconds * MS_PER_SECOND,
        .refresh_ttl_ms = s->config.oauth_refresh_ttl_seconds * MS_PER_SECOND,
        .asks_per_minute = s->config.anon_rate_limit_per_minute,
        .calls_per_minute = s->config.rate_limit_per_minute,
        .ban_ms = s->config.rate_ban_seconds * MS_PER_SECOND,
        .auto_approve = s->config.oauth_auto_approve,
        .clients = s->config.oauth_clients,
        .known_clients = s->config.known_oauth_clients,
        .default_namespace = s->config.oauth_default_namespace,
    };
    s->relay.oauth = oauth_new(&options, why);
    return s->relay.oauth != NULL;
}

static void log_listening(const struct serving *s)
{
    const char *host = s->config.host;
    char *url = xasprintf(strchr(host, ':') ? "%s://[%s]:%d" : "%s://%s:%d",
        s->config.tls_cert ? "https" : "http", host, http_server_port(s->server));
    const struct store_options store = command_store_options(&s->config, STORE_ROLE_RELAY);
    log_info("listening", LOG_STR("url", url), LOG_STR("public_url", s->config.public_url),
        LOG_STR("store", store_kind(&store)), LOG_STR("attachments", attachments_kind(&s->config)),
        LOG_STR("data", s->config.data_dir), LOG_STR("version", PATCHCORD_VERSION), LOG_INT("pid", getpid()));
    free(url);
}

static void close_all(struct serving *s)
{
    set_up(s, false);
    janitor_stop(s->janitor);
    http_server_free(s->server);
    blob_close(s->relay.blobs);
    if (s->relay.store)
        store_close(s->relay.store);
    oauth_free(s->relay.oauth);
    authenticator_free(s->relay.auth);
    typed_code_key_free(s->code_key);
    concurrency_free(s->relay.streams);
    concurrency_free(s->relay.waits);
    concurrency_free(s->relay.fetches);
    safe_fetcher_free(s->relay.fetcher);
    routes_free(s->routes);
    metrics_free(s->relay.metrics);
    config_free(&s->config);
    pthread_mutex_destroy(&s->lock);
}

/* glibc gives each of the many workers a share of up to eight heaps a processor, each of which keeps what it once had. */
static void limit_heaps(void)
{
#ifdef M_ARENA_MAX
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    (void)mallopt(M_ARENA_MAX, processors > 0 ? (int)processors : 1);
#endif
}

static int run(const struct command_line *line)
{
    struct serving s = {.relay.config = &s.config};
    if (!command_config(line, &s.config))
        return EXIT_FAILURE;
    config_warn();
    mcp_set_title(s.config.name);
    block_signals();
    limit_heaps();
    secret_init();
    pthread_mutex_init(&s.lock, NULL);
    struct buf why = {0};
    int code = EXIT_FAILURE;
    if (open_store(&s, &why) && open_server(&s, &why) && open_blobs(&s, &why) && open_fetcher(&s, &why) &&
        open_authenticator(&s, &why) && open_code_key(&s, &why) && open_oauth(&s, &why)) {
        set_up(&s, true);
        s.janitor = janitor_start(&s.relay);
        log_listening(&s);
        http_server_run(s.server, SHUTDOWN_GRACE_MS);
        log_info("stopping");
        code = EXIT_SUCCESS;
    } else {
        (void)command_fail("%s", buf_text(&why));
    }
    close_all(&s);
    buf_free(&why);
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .operands = "",
    .summary = "run the relay",
    .help = "Serves MCP and the HTTP interface until SIGTERM or SIGINT; SIGHUP reads the TLS certificate "
            "and\n"
            "key again. Settings come from the environment and --env-file; PATCHCORD_PORT=0 picks a free\n"
            "port, and the log line 'listening' on stderr says which. All other commands work meanwhile.\n",
    .run = run,
};
