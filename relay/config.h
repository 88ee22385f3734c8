/* config.h: the relay's settings: one field and one row in config.c each. Read once at start, constant from
 * then on. */
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/env.h"

enum output_format { OUTPUT_TEXT, OUTPUT_JSON };
enum path_style { PATH_STYLE_AUTO, PATH_STYLE_YES, PATH_STYLE_NO };

struct config {
    char *public_url;           /* never NULL after config_load; no trailing slash */
    bool public_url_is_default; /* http(s)://localhost:<port>: follows the port that the relay got */
    char *host;                 /* a numeric address */
    int64_t port;
    char *name;
    char *mcp_path, *bearer_path; /* "/mcp", "/mcp/bearer" */
    char *default_namespace;
    int64_t active_window_seconds;
    int64_t presence_write_interval_seconds;
    int64_t rate_limit_per_minute, anon_rate_limit_per_minute, rate_ban_seconds;
    int64_t cleanup_max_age_days, cleanup_interval_hours;
    int64_t attachment_max_bytes, attachment_quota_bytes, attachment_url_expiry_seconds;
    char *attachment_types; /* as media_type_allowed reads them */
    char *attachments_bucket;
    /* Attachments in an S3-compatible store: where s3_bucket or s3_endpoint is set; then no one is NULL, but
     * for s3_public_endpoint. */
    char *s3_endpoint, *s3_public_endpoint, *s3_region, *s3_bucket, *s3_access_key, *s3_secret_key;
    int s3_path_style;    /* enum path_style; never AUTO after config_load */
    char *encryption_key; /* as store_cipher_new reads it; NULL: messages are stored as they are */
    char *code_key;       /* what keys of typed codes are made of; NULL: of what the store has */
    char *cleanup_token, *metrics_token;
    char *data_dir;                    /* never NULL after config_load */
    bool data_dir_is_default;          /* no setting names it */
    char *database_url;                /* PostgreSQL's; NULL: Supabase's, or the store is in data_dir */
    char *supabase_url, *supabase_key; /* both or none */
    int64_t circuit_breaker_seconds, poll_seconds;
    char *tls_cert, *tls_key;
    char *ca_file;
    char *trusted_proxies;
    int64_t workers;
    int64_t connections_per_address; /* 0: any number */
    int output_format;               /* enum output_format */
    int log_format;                  /* enum log_format */
    int log_level;                   /* enum log_level */
    char *openai_verification_token;
    char *oauth_clients, *known_oauth_clients; /* as auto_approval_options has them; NULL: none */
    bool oauth_auto_approve;
    char *oauth_default_namespace; /* never NULL after config_load */
    int64_t oauth_access_ttl_seconds, oauth_refresh_ttl_seconds;
};

enum { CONFIG_CODE_KEY_MIN = 32 }; /* characters */

/* The rows, NULL-ended: also read by the docs check. */
extern const struct setting config_settings[];

/* Fills *out from the environment. False: why has one line that names the setting, its rule and what was
 * given. */
MUST_CHECK bool config_load(struct config *out, struct buf *why);
/* Logs each PATCHCORD_* of the environment that is unknown. */
void config_warn(void);
void config_free(struct config *config);
/* Tells the port that was bound, so that a default public URL has it. */
void config_set_port(struct config *config, int port);

#endif
