#include "attachments.h"

#include "../../common/clock.h"
#include "../blob/blob_s3.h"

enum { CONNECTIONS = 16 };

static bool is_s3(const struct config *config)
{
    return config->s3_endpoint != NULL;
}

static struct blob_store *open_s3(
    const struct config *config, const struct blob_options *options, struct buf *why)
{
    const struct s3_options s3 = {
        .endpoint = config->s3_endpoint,
        .public_endpoint = config->s3_public_endpoint,
        .region = config->s3_region,
        .bucket = config->s3_bucket,
        .access_key = config->s3_access_key,
        .secret_key = config->s3_secret_key,
        .path_style = config->s3_path_style == PATH_STYLE_YES,
        .ca_file = config->ca_file,
        .connections = CONNECTIONS,
    };
    return blob_open_s3(options, &s3, why);
}

struct blob_store *attachments_open(const struct config *config, bool is_serving, struct buf *why)
{
    const struct blob_options options = {
        .data_dir = config->data_dir,
        .public_url = config->public_url,
        .max_bytes = config->attachment_max_bytes,
        .quota_bytes = config->attachment_quota_bytes,
        .download_url_ms = config->attachment_url_expiry_seconds * MS_PER_SECOND,
        .is_serving = is_serving,
    };
    return is_s3(config) ? open_s3(config, &options, why) : blob_open_files(&options, why);
}

const char *attachments_kind(const struct config *config)
{
    return is_s3(config) ? "s3" : "files";
}
