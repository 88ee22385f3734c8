#include "attachments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../blob/blob_s3.h"
#include "../blob/blob_supabase.h"

enum { CONNECTIONS = 16 };

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

static struct blob_store *open_supabase(
    const struct config *config, const struct blob_options *options, struct buf *why)
{
    const struct storage_options storage = {
        .url = config->supabase_url,
        .key = config->supabase_key,
        .bucket = config->attachments_bucket,
        .max_bytes = config->attachment_max_bytes,
        .ca_file = config->ca_file,
        .connections = CONNECTIONS,
    };
    return blob_open_supabase(options, &storage, why);
}

static struct blob_store *open_files(
    const struct config *config, const struct blob_options *options, struct buf *why)
{
    (void)config;
    return blob_open_files(options, why);
}

static bool has_s3(const struct config *config)
{
    return config->s3_endpoint != NULL;
}

static bool has_supabase(const struct config *config)
{
    return config->supabase_url != NULL;
}

static bool always(const struct config *config)
{
    (void)config;
    return true;
}

/* The first that fits. */
static const struct kind {
    const char *name;
    bool (*fits)(const struct config *config);
    struct blob_store *(*open)(
        const struct config *config, const struct blob_options *options, struct buf *why);
} kinds[] = {
    {"s3", has_s3, open_s3},
    {"supabase", has_supabase, open_supabase},
    {"files", always, open_files},
};

static const struct kind *kind_of(const struct config *config)
{
    const struct kind *kind = kinds;
    while (!kind->fits(config))
        kind++;
    return kind;
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
    return kind_of(config)->open(config, &options, why);
}

bool attachments_prepare(const struct config *config, struct buf *why)
{
    static const char *const folders[] = {BLOB_FILES_FOLDER, BLOB_INCOMING_FOLDER};
    bool done = true;
    for (size_t i = 0; done && kind_of(config)->open == open_files && i < LENGTH_OF(folders); i++) {
        char *path = xasprintf("%s/%s", config->data_dir, folders[i]);
        done = mkdir(path, 0700) == 0 || errno == EEXIST;
        if (!done)
            buf_printf(why, "cannot create %s: %s", path, strerror(errno));
        free(path);
    }
    return done;
}

const char *attachments_kind(const struct config *config)
{
    return kind_of(config)->name;
}
