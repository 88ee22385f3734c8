#include "config.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/log.h"
#include "blob/media_type.h"

static const char *const output_formats[] = {"text", "json", NULL};
static const char *const path_styles[] = {"auto", "yes", "no", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};
static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};

#define FIELD(name) offsetof(struct config, name)

/* clang-format off */
const struct setting config_settings[] = {
    {.name = "PATCHCORD_PUBLIC_URL", .kind = SETTING_URL, .offset = FIELD(public_url),
     .help = "the URL under which clients reach the relay (default: http://localhost:<port>)"},
    {.name = "PATCHCORD_HOST", .kind = SETTING_TEXT, .offset = FIELD(host), .fallback = "127.0.0.1",
     .help = "the address to listen on; 0.0.0.0 or :: for all"},
    {.name = "PATCHCORD_PORT", .kind = SETTING_INTEGER, .offset = FIELD(port), .fallback = "8000", .min = 0, .max = 65535,
     .help = "the port to listen on; 0 picks a free one"},
    {.name = "PATCHCORD_NAME", .kind = SETTING_TEXT, .offset = FIELD(name), .fallback = "Patchcord",
     .help = "the relay's name, as clients show it"},
    {.name = "PATCHCORD_MCP_PATH", .kind = SETTING_PATH, .offset = FIELD(mcp_path), .fallback = "/mcp",
     .help = "where MCP is served"},
    {.name = "PATCHCORD_BEARER_PATH", .kind = SETTING_PATH, .offset = FIELD(bearer_path), .fallback = "/mcp/bearer",
     .help = "where MCP is served to clients that have a token"},
    {.name = "PATCHCORD_DEFAULT_NAMESPACE", .kind = SETTING_NAME, .offset = FIELD(default_namespace), .fallback = "default",
     .help = "the namespace of agents that are named without one"},
    {.name = "PATCHCORD_DATA_DIR", .kind = SETTING_TEXT, .offset = FIELD(data_dir),
     .help = "the folder of the database (default: $XDG_DATA_HOME/patchcord; as root /var/lib/patchcord)"},
    {.name = "PATCHCORD_DATABASE_URL", .kind = SETTING_SECRET, .offset = FIELD(database_url),
     .help = "the PostgreSQL that stores messages and tokens, in place of a file in the data folder"},
    {.name = "SUPABASE_URL", .kind = SETTING_URL, .offset = FIELD(supabase_url),
     .help = "the Supabase project that stores messages, tokens and attachments, in place of the data folder"},
    {.name = "SUPABASE_KEY", .kind = SETTING_SECRET, .offset = FIELD(supabase_key),
     .help = "a secret key of that project (sb_secret_..., or the older service_role key)"},
    {.name = "PATCHCORD_CIRCUIT_BREAKER_SECONDS", .kind = SETTING_INTEGER, .offset = FIELD(circuit_breaker_seconds),
     .fallback = "300", .min = 1, .max = 86400,
     .help = "how long at most Supabase is left alone, once it is away, before it is tried again"},
    {.name = "PATCHCORD_POLL_SECONDS", .kind = SETTING_INTEGER, .offset = FIELD(poll_seconds), .fallback = "0",
     .min = 0, .max = 3600,
     .help = "how often to ask Supabase for what other relays of the same project stored; 0: there are none"},
    {.name = "PATCHCORD_ACTIVE_WINDOW_SECONDS", .kind = SETTING_INTEGER, .offset = FIELD(active_window_seconds),
     .fallback = "3600", .min = 1, .max = 31536000, .help = "for how long after its last call an agent counts as online"},
    {.name = "PATCHCORD_PRESENCE_WRITE_INTERVAL_SECONDS", .kind = SETTING_INTEGER,
     .offset = FIELD(presence_write_interval_seconds), .fallback = "10", .min = 0, .max = 3600,
     .help = "how often an agent's presence is written at most"},
    {.name = "PATCHCORD_RATE_LIMIT_PER_MINUTE", .kind = SETTING_INTEGER, .offset = FIELD(rate_limit_per_minute),
     .fallback = "100", .min = 0, .max = 1000000, .help = "calls a minute and token; 0: no limit"},
    {.name = "PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE", .kind = SETTING_INTEGER, .offset = FIELD(anon_rate_limit_per_minute),
     .fallback = "20", .min = 0, .max = 1000000, .help = "failed logins a minute and address; 0: no limit"},
    {.name = "PATCHCORD_RATE_BAN_SECONDS", .kind = SETTING_INTEGER, .offset = FIELD(rate_ban_seconds), .fallback = "60",
     .min = 0, .max = 86400, .help = "for how long who went over a limit is shut out"},
    {.name = "PATCHCORD_TRUSTED_PROXIES", .kind = SETTING_TEXT, .offset = FIELD(trusted_proxies),
     .help = "addresses and blocks whose X-Forwarded-For counts, separated by commas, or none (default: loopback)"},
    {.name = "PATCHCORD_CLEANUP_MAX_AGE_DAYS", .kind = SETTING_INTEGER, .offset = FIELD(cleanup_max_age_days),
     .fallback = "7", .min = 1, .max = 3650, .help = "after how many days messages expire"},
    {.name = "PATCHCORD_CLEANUP_INTERVAL_HOURS", .kind = SETTING_INTEGER, .offset = FIELD(cleanup_interval_hours),
     .fallback = "6", .min = 0, .max = 8760, .help = "how often the relay cleans up by itself; 0: never"},
    {.name = "PATCHCORD_ATTACHMENT_MAX_BYTES", .kind = SETTING_INTEGER, .offset = FIELD(attachment_max_bytes),
     .fallback = "10485760", .min = 1, .max = INT64_C(1) << 40, .help = "bytes that an attachment may have"},
    {.name = "PATCHCORD_ATTACHMENT_QUOTA_BYTES", .kind = SETTING_INTEGER, .offset = FIELD(attachment_quota_bytes),
     .fallback = "1073741824", .min = 0, .max = INT64_C(1) << 50,
     .help = "bytes that all attachments of a namespace may have; each counts 4096 at least"},
    {.name = "PATCHCORD_ATTACHMENT_URL_EXPIRY_SECONDS", .kind = SETTING_INTEGER,
     .offset = FIELD(attachment_url_expiry_seconds), .fallback = "86400", .min = 1, .max = 31536000,
     .help = "how long a URL for a download works"},
    {.name = "PATCHCORD_ATTACHMENT_ALLOWED_MIME_TYPES", .kind = SETTING_TEXT, .offset = FIELD(attachment_types),
     .fallback = MEDIA_TYPES_ALLOWED,
     .help = "types of attachments that are taken, separated by commas; * at the end stands for anything"},
    {.name = "PATCHCORD_ATTACHMENTS_BUCKET", .kind = SETTING_NAME, .offset = FIELD(attachments_bucket),
     .fallback = "attachments", .help = "the bucket that attachments are in, where they are not in the data folder"},
    {.name = "PATCHCORD_S3_ENDPOINT", .kind = SETTING_URL, .offset = FIELD(s3_endpoint),
     .help = "an S3-compatible server for attachments (default where a bucket is set: AWS, in the region)"},
    {.name = "PATCHCORD_S3_PUBLIC_ENDPOINT", .kind = SETTING_URL, .offset = FIELD(s3_public_endpoint),
     .help = "the same server as agents reach it, for the URLs that they are given (default: the endpoint)"},
    {.name = "PATCHCORD_S3_REGION", .kind = SETTING_NAME, .offset = FIELD(s3_region), .fallback = "us-east-1",
     .help = "its region"},
    {.name = "PATCHCORD_S3_BUCKET", .kind = SETTING_NAME, .offset = FIELD(s3_bucket),
     .help = "its bucket; made where it is missing (default: PATCHCORD_ATTACHMENTS_BUCKET)"},
    {.name = "PATCHCORD_S3_ACCESS_KEY", .kind = SETTING_TEXT, .offset = FIELD(s3_access_key),
     .help = "the access key's id"},
    {.name = "PATCHCORD_S3_SECRET_KEY", .kind = SETTING_SECRET, .offset = FIELD(s3_secret_key),
     .help = "the access key's secret"},
    {.name = "PATCHCORD_S3_PATH_STYLE", .kind = SETTING_CHOICE, .offset = FIELD(s3_path_style), .fallback = "auto",
     .choices = path_styles,
     .help = "whether the bucket is in the URL's path (yes) or host (no); auto: in the host at AWS alone"},
    {.name = "PATCHCORD_ENCRYPTION_KEY", .kind = SETTING_SECRET, .offset = FIELD(encryption_key),
     .help = "seals messages at rest: 32 bytes in base64; older keys, which only read, behind a comma"},
    {.name = "PATCHCORD_CODE_KEY", .kind = SETTING_SECRET, .offset = FIELD(code_key),
     .help = "what the key of typed codes is made of, at least 32 characters (default: what the store has; see the docs)"},
    {.name = "PATCHCORD_CLEANUP_TOKEN", .kind = SETTING_SECRET, .offset = FIELD(cleanup_token),
     .help = "the bearer token for POST /api/cleanup (default: nobody may)"},
    {.name = "PATCHCORD_METRICS_TOKEN", .kind = SETTING_SECRET, .offset = FIELD(metrics_token),
     .help = "the bearer token for GET /metrics from elsewhere than this machine (default: nobody may)"},
    {.name = "PATCHCORD_TLS_CERT", .kind = SETTING_TEXT, .offset = FIELD(tls_cert),
     .help = "a PEM file with the certificate chain: serve HTTPS"},
    {.name = "PATCHCORD_TLS_KEY", .kind = SETTING_TEXT, .offset = FIELD(tls_key), .help = "the PEM file with its key"},
    {.name = "PATCHCORD_CA_FILE", .kind = SETTING_TEXT, .offset = FIELD(ca_file),
     .help = "a PEM file of authorities that are trusted beside the system's when the relay fetches a URL"},
    {.name = "PATCHCORD_WORKERS", .kind = SETTING_INTEGER, .offset = FIELD(workers), .fallback = "64", .min = 1,
     .max = 1024, .help = "threads that answer requests"},
    {.name = "PATCHCORD_CONNECTIONS_PER_ADDRESS", .kind = SETTING_INTEGER, .offset = FIELD(connections_per_address),
     .fallback = "0", .min = 0, .max = 20000,
     .help = "connections that one address may have open; 0: no limit, as a proxy needs it"},
    {.name = "PATCHCORD_OUTPUT_FORMAT", .kind = SETTING_CHOICE, .offset = FIELD(output_format), .fallback = "text",
     .choices = output_formats, .help = "results of tools: text, or json beside it"},
    {.name = "PATCHCORD_LOG", .kind = SETTING_CHOICE, .offset = FIELD(log_format), .fallback = "logfmt",
     .choices = log_formats, .help = "the log's format"},
    {.name = "PATCHCORD_LOG_LEVEL", .kind = SETTING_CHOICE, .offset = FIELD(log_level), .fallback = "info",
     .choices = log_levels, .help = "the least important lines that are logged; debug has one for each request"},
    {.name = "PATCHCORD_OAUTH_ACCESS_TOKEN_TTL_SECONDS", .kind = SETTING_INTEGER, .offset = FIELD(oauth_access_ttl_seconds),
     .fallback = "86400", .min = 1, .max = 31536000, .help = "how long an access token of a client that logged in works"},
    {.name = "PATCHCORD_OAUTH_REFRESH_TOKEN_TTL_SECONDS", .kind = SETTING_INTEGER,
     .offset = FIELD(oauth_refresh_ttl_seconds), .fallback = "31536000", .min = 1, .max = 315360000,
     .help = "after how long without use such a client has to log in again"},
    {.name = "PATCHCORD_OAUTH_AUTO_APPROVE", .kind = SETTING_BOOLEAN, .offset = FIELD(oauth_auto_approve),
     .fallback = "false", .help = "lets clients that are known in without a connect code; on private networks alone"},
    {.name = "PATCHCORD_OAUTH_CLIENTS", .kind = SETTING_TEXT, .offset = FIELD(oauth_clients),
     .help = "with it: clients and whom they become, client_id=namespace:agent between commas"},
    {.name = "PATCHCORD_KNOWN_OAUTH_CLIENTS", .kind = SETTING_TEXT, .offset = FIELD(known_oauth_clients),
     .help = "with it: agents by the domain that access goes to, agent:domain1,domain2;… in place of the known ones"},
    {.name = "PATCHCORD_OAUTH_DEFAULT_NAMESPACE", .kind = SETTING_NAME, .offset = FIELD(oauth_default_namespace),
     .help = "with it: the namespace of known clients (default: PATCHCORD_DEFAULT_NAMESPACE)"},
    {.name = "OPENAI_VERIFICATION_TOKEN", .kind = SETTING_TEXT, .offset = FIELD(openai_verification_token),
     .help = "what /.well-known/openai-apps-challenge answers"},
    {.name = "PATCHCORD_STATELESS_HTTP", .kind = SETTING_IGNORED, .help = "accepted; the relay is always stateless"},
    {.name = NULL},
};

#define OF_BRIDGE(variable) {.name = (variable), .kind = SETTING_IGNORED, .help = "the bridge's"}
/* Known without a word: the bridge's, which may stand in the same environment. */
static const struct setting silent_settings[] = {
    OF_BRIDGE("PATCHCORD_URL"), OF_BRIDGE("PATCHCORD_TOKEN"), OF_BRIDGE("PATCHCORD_OUTBOX_MAX_ENTRIES"),
    OF_BRIDGE("PATCHCORD_OUTBOX_MAX_BYTES"), {.name = NULL},
};
/* clang-format on */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

/* A relay that was meant for another database must not start on an empty one of its own. */
static bool check_store(const struct config *config, struct buf *why)
{
    static const char *const schemes[] = {"postgresql://", "postgres://"};
    const char *url = config->database_url;
    if (url && strncmp(url, schemes[0], strlen(schemes[0])) != 0 &&
        strncmp(url, schemes[1], strlen(schemes[1])) != 0) {
        buf_puts(why, "PATCHCORD_DATABASE_URL must be like "
                      "postgresql://user:password@host:5432/database?sslmode=verify-full");
        return false;
    }
    if (!config->supabase_url == !config->supabase_key)
        return true;
    buf_printf(why, "SUPABASE_URL and SUPABASE_KEY belong together: %s is missing",
        config->supabase_url ? "SUPABASE_KEY" : "SUPABASE_URL");
    return false;
}

static bool check_code_key(const struct config *config, struct buf *why)
{
    if (!config->code_key || strlen(config->code_key) >= CONFIG_CODE_KEY_MIN)
        return true;
    buf_printf(why,
        "PATCHCORD_CODE_KEY must have at least %d characters, as openssl rand -base64 32 makes them",
        CONFIG_CODE_KEY_MIN);
    return false;
}

static bool check_host(struct config *config, struct buf *why)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (strcmp(config->host, "localhost") == 0) {
        free(config->host);
        config->host = xstrdup("127.0.0.1");
    }
    if (inet_pton(AF_INET, config->host, address) == 1 || inet_pton(AF_INET6, config->host, address) == 1)
        return true;
    buf_printf(why, "PATCHCORD_HOST must be an IP address such as 127.0.0.1 or ::, not '%s'", config->host);
    return false;
}

static bool check_tls(const struct config *config, struct buf *why)
{
    if (!config->tls_cert == !config->tls_key)
        return true;
    buf_printf(why, "PATCHCORD_TLS_CERT and PATCHCORD_TLS_KEY belong together: %s is missing",
        config->tls_cert ? "PATCHCORD_TLS_KEY" : "PATCHCORD_TLS_CERT");
    return false;
}

static bool check_paths(const struct config *config, struct buf *why)
{
    static const char *const taken[] = {"/", "/health", "/ready", "/metrics", "/authorize", "/token",
        "/register", "/revoke", "/device", "/device_authorization"};
    const char *const paths[] = {config->mcp_path, config->bearer_path};
    if (strcmp(paths[0], paths[1]) == 0) {
        buf_printf(why, "PATCHCORD_MCP_PATH and PATCHCORD_BEARER_PATH must differ, both are '%s'", paths[0]);
        return false;
    }
    for (size_t i = 0; i < LENGTH_OF(paths) * LENGTH_OF(taken); i++) {
        const char *path = paths[i % LENGTH_OF(paths)];
        if (strcmp(path, taken[i / LENGTH_OF(paths)]) != 0 && strncmp(path, "/api/", 5) != 0 &&
            strncmp(path, "/files/", 7) != 0 && strncmp(path, "/.well-known/", 13) != 0)
            continue;
        buf_printf(why, "%s must not be a path that the relay uses itself, as '%s' is",
            path == paths[0] ? "PATCHCORD_MCP_PATH" : "PATCHCORD_BEARER_PATH", path);
        return false;
    }
    return true;
}

/* Their own servers want the bucket in the host; for others that has to be set up first. */
static bool is_aws(const char *endpoint)
{
    static const char domain[] = ".amazonaws.com";
    const char *found = strstr(endpoint, domain);
    return found && strchr("/:.", found[sizeof domain - 1]) != NULL;
}

static bool check_s3(struct config *config, struct buf *why)
{
    if (!config->s3_endpoint && !config->s3_bucket && !config->s3_access_key && !config->s3_secret_key)
        return true;
    if (!config->s3_access_key || !config->s3_secret_key) {
        buf_printf(why,
            "PATCHCORD_S3_ENDPOINT or PATCHCORD_S3_BUCKET asks for attachments in S3, but %s is missing",
            config->s3_access_key ? "PATCHCORD_S3_SECRET_KEY" : "PATCHCORD_S3_ACCESS_KEY");
        return false;
    }
    if (!config->s3_bucket)
        config->s3_bucket = xstrdup(config->attachments_bucket);
    if (!config->s3_endpoint)
        config->s3_endpoint = xasprintf("https://s3.%s.amazonaws.com", config->s3_region);
    if (config->s3_path_style == PATH_STYLE_AUTO)
        config->s3_path_style = is_aws(config->s3_endpoint) ? PATH_STYLE_NO : PATH_STYLE_YES;
    return true;
}

static bool check_attachment_types(const struct config *config, struct buf *why)
{
    int len;
    const char *wrong = media_types_wrong(config->attachment_types, &len);
    if (wrong)
        buf_printf(why,
            "PATCHCORD_ATTACHMENT_ALLOWED_MIME_TYPES must have types like image/png, text/* or */* between "
            "commas, "
            "not '%.*s'",
            len, wrong);
    return !wrong;
}

static bool set_data_dir(struct config *config, struct buf *why)
{
    config->data_dir_is_default = config->data_dir == NULL;
    if (config->data_dir)
        return true;
    if (is_set("XDG_DATA_HOME"))
        config->data_dir = xasprintf("%s/patchcord", getenv("XDG_DATA_HOME"));
    else if (geteuid() == 0)
        config->data_dir = xstrdup("/var/lib/patchcord");
    else if (is_set("HOME"))
        config->data_dir = xasprintf("%s/.local/share/patchcord", getenv("HOME"));
    if (config->data_dir)
        return true;
    buf_puts(why, "PATCHCORD_DATA_DIR must name a folder, because HOME is not set either");
    return false;
}

void config_set_port(struct config *config, int port)
{
    if (!config->public_url_is_default)
        return;
    free(config->public_url);
    config->public_url = xasprintf("%s://localhost:%d", config->tls_cert ? "https" : "http", port);
}

static void warn_unknown(const char *name)
{
    log_warn("unknown_setting", LOG_STR("name", name));
}

void config_warn(void)
{
    static const struct setting *const known[] = {config_settings, silent_settings, NULL};
    env_unknown("PATCHCORD_", known, warn_unknown);
}

bool config_load(struct config *out, struct buf *why)
{
    memset(out, 0, sizeof *out);
    if (!env_read_settings(config_settings, out, why))
        return false;
    out->public_url_is_default = out->public_url == NULL;
    if (!out->oauth_default_namespace)
        out->oauth_default_namespace = xstrdup(out->default_namespace);
    config_set_port(out, (int)out->port);
    if (!check_store(out, why) || !check_code_key(out, why) || !check_host(out, why) ||
        !check_tls(out, why) || !check_paths(out, why) || !check_attachment_types(out, why) ||
        !check_s3(out, why) || !set_data_dir(out, why)) {
        config_free(out);
        return false;
    }
    return true;
}

void config_free(struct config *config)
{
    env_free_settings(config_settings, config);
}
