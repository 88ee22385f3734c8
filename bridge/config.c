#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/secret.h"
#include "../common/url.h"
#include "credentials.h"

/* Each message is a file in one folder that is read whole. */
#define OUTBOX_ENTRIES_LIMIT 100000
#define OUTBOX_BYTES_LIMIT   (10 * INT64_C(1024) * 1024 * 1024)

struct environment {
    char *url, *token, *ca_file;
    int64_t outbox_max_entries, outbox_max_bytes;
};

const struct setting config_settings[] = {
    {.name = "PATCHCORD_URL",
        .kind = SETTING_URL,
        .offset = offsetof(struct environment, url),
        .help = "the relay, as https://relay.example.com"},
    {.name = "PATCHCORD_TOKEN",
        .kind = SETTING_SECRET,
        .offset = offsetof(struct environment, token),
        .help = "this agent's token; needs PATCHCORD_URL"},
    {.name = "PATCHCORD_CA_FILE",
        .kind = SETTING_TEXT,
        .offset = offsetof(struct environment, ca_file),
        .help =
            "certificate authorities to trust beside the system's: a file, or a server's pin, sha256//..."},
    {.name = "PATCHCORD_OUTBOX_MAX_ENTRIES",
        .kind = SETTING_INTEGER,
        .offset = offsetof(struct environment, outbox_max_entries),
        .fallback = "1000",
        .min = 0,
        .max = OUTBOX_ENTRIES_LIMIT,
        .help = "messages that may wait for the relay (1000)"},
    {.name = "PATCHCORD_OUTBOX_MAX_BYTES",
        .kind = SETTING_INTEGER,
        .offset = offsetof(struct environment, outbox_max_bytes),
        .fallback = "52428800",
        .min = 0,
        .max = OUTBOX_BYTES_LIMIT,
        .help = "bytes that they may have (52428800)"},
    {0},
};

#define HOW_TO_SET_UP                                                                                        \
    "run `patchcord agent --server URL --token -` in this folder, or the line that the relay's operator "    \
    "gets from `patchcord-relay invite AGENT@NAMESPACE`"

/* What was given is not repeated: it may have a password in it. */
#define NOT_A_URL "it has to be an http(s) URL without a user's name: https://relay.example.com"

/* ---- folders ---- */

static bool has_git(const char *folder)
{
    char *path = xasprintf("%s/.git", folder);
    bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

/* The nearest folder at or above this one that holds .git, else the folder itself. Caller frees. */
static char *git_root(const char *folder)
{
    char *at = xstrdup(folder);
    while (!has_git(at)) {
        char *slash = strrchr(at, '/');
        if (!slash || at[1] == '\0') {
            free(at);
            return xstrdup(folder);
        }
        slash[slash == at ? 1 : 0] = '\0';
    }
    return at;
}

/* ---- where the token may go ---- */

static bool origin_of(const char *url, char **origin, bool *clear_text)
{
    struct url parts;
    if (!url_parse(url, &parts))
        return false;
    *origin = url_origin(&parts);
    *clear_text = strcmp(parts.scheme, "http") == 0 && !url_host_is_loopback(parts.host);
    url_free(&parts);
    return true;
}

static bool url_allowed(const char *url, bool insecure_http, struct buf *why)
{
    char *origin;
    bool clear_text;
    if (!origin_of(url, &origin, &clear_text)) {
        buf_puts(why, "the relay's URL: " NOT_A_URL);
        return false;
    }
    free(origin);
    if (clear_text && !insecure_http) {
        buf_printf(why,
            "%s would carry the token unencrypted; use https, or say --insecure-http where the network is "
            "trusted",
            url);
        return false;
    }
    return true;
}

/* ---- folders of files ---- */

/* Takes the folder over. */
static void allow(struct config *config, char *folder)
{
    size_t count = 0;
    while (config->allowed && config->allowed[count])
        count++;
    config->allowed = xreallocarray(config->allowed, count + 2, sizeof *config->allowed);
    config->allowed[count] = folder;
    config->allowed[count + 1] = NULL;
}

/* What the command line names has to be there: it may be relative, and agents name files by their real paths.
 */
static bool read_folders(const struct config_options *options, struct config *out, struct buf *why)
{
    char *current = realpath(".", NULL);
    out->folder = current ? current : xstrdup("");
    for (const char *const *given = options->allowed; *given; given++) {
        char *folder = realpath(*given, NULL);
        if (!folder) {
            buf_printf(why, "--allow-path %s: %s", *given, strerror(errno));
            return false;
        }
        allow(out, folder);
    }
    return true;
}

/* ---- putting it together ---- */

static void adopt(struct config *out, const struct credential *entry, const char *url)
{
    out->url = xstrdup(url ? url : entry->url);
    out->token = xstrdup(entry->token);
    out->agent = xstrdup(entry->agent);
    out->client = xstrdup_or_null(entry->client);
    out->ca_file = xstrdup_or_null(entry->ca);
    for (char *const *folder = entry->allow_paths; folder && *folder; folder++)
        allow(out, xstrdup(*folder));
}

static bool load_stored(
    const struct config_options *options, const char *url, struct config *out, struct buf *why)
{
    char *path = credentials_path();
    char *folder = realpath(".", NULL);
    char *root = folder ? git_root(folder) : NULL;
    char *origin = NULL;
    struct credentials stored = {0};
    bool clear_text, ok = false;
    if (!path || !folder) {
        buf_printf(why, "%s; " HOW_TO_SET_UP, path ? "the current folder is gone" : "HOME is not set");
        goto out;
    }
    if (url && !origin_of(url, &origin, &clear_text)) {
        buf_puts(why, "PATCHCORD_URL: " NOT_A_URL);
        goto out;
    }
    if (!credentials_load(path, &stored, why))
        goto out;
    if (stored.count == 0) {
        buf_printf(why, "Patchcord is not set up here: %s", HOW_TO_SET_UP);
        goto out;
    }
    const struct credential_query query = {
        .as = options->as, .client = options->client, .origin = origin, .folder = folder, .root = root};
    const struct credential *entry = credentials_choose(&stored, &query, why);
    if (entry) {
        adopt(out, entry, url);
        ok = true;
    }
out:
    credentials_free(&stored);
    free(origin);
    free(root);
    free(folder);
    free(path);
    return ok;
}

static bool load_from_environment(
    const struct environment *env, const struct config_options *options, struct config *out, struct buf *why)
{
    if (options->as) {
        buf_puts(why, "--as and PATCHCORD_TOKEN both name an identity; leave one of them out");
        return false;
    }
    if (!env->url) {
        buf_puts(why, "PATCHCORD_TOKEN is set, but PATCHCORD_URL is not: set it to the relay's URL");
        return false;
    }
    out->url = xstrdup(env->url);
    out->token = xstrdup(env->token);
    return true;
}

static bool check_ca_file(const char *path, struct buf *why)
{
    if (!path || credentials_is_pin(path) || access(path, R_OK) == 0)
        return true;
    buf_printf(why, "PATCHCORD_CA_FILE: %s: %s", path, strerror(errno));
    return false;
}

static char *without_trailing_slash(const char *url)
{
    size_t len = strlen(url);
    return xmemdup_text(url, len > 0 && url[len - 1] == '/' ? len - 1 : len);
}

/* What is stored is read in other folders. */
static char *absolute_ca(const char *ca)
{
    char *path = ca && !credentials_is_pin(ca) ? realpath(ca, NULL) : NULL;
    return path ? path : xstrdup_or_null(ca);
}

bool config_for_relay(
    const struct config_options *options, const char *url, struct config *out, struct buf *why)
{
    *out = (struct config){0};
    struct environment env = {0};
    bool ok = env_read_settings(config_settings, &env, why) && check_ca_file(env.ca_file, why) &&
              url_allowed(url, options->insecure_http, why);
    if (ok) {
        char *folder = realpath(".", NULL);
        out->folder = folder ? folder : xstrdup("");
        out->url = without_trailing_slash(url);
        out->ca_file = absolute_ca(env.ca_file);
        out->client = xstrdup_or_null(options->client);
    }
    env_free_settings(config_settings, &env);
    return ok;
}

bool config_load(const struct config_options *options, struct config *out, struct buf *why)
{
    *out = (struct config){0};
    struct environment env = {0};
    bool ok = env_read_settings(config_settings, &env, why) && check_ca_file(env.ca_file, why);
    if (ok)
        ok = env.token ? load_from_environment(&env, options, out, why)
                       : load_stored(options, env.url, out, why);
    if (ok)
        ok = url_allowed(out->url, options->insecure_http, why) && read_folders(options, out, why);
    if (ok) {
        if (env.ca_file) {
            free(out->ca_file);
            out->ca_file = xstrdup(env.ca_file);
        }
        out->outbox_max_entries = env.outbox_max_entries;
        out->outbox_max_bytes = env.outbox_max_bytes;
        if (options->client) {
            free(out->client);
            out->client = xstrdup(options->client);
        }
    } else {
        config_free(out);
    }
    env_free_settings(config_settings, &env);
    return ok;
}

void config_free(struct config *config)
{
    free(config->url);
    secret_free(config->token);
    free(config->agent);
    free(config->client);
    free(config->ca_file);
    free(config->folder);
    for (char **folder = config->allowed; folder && *folder; folder++)
        free(*folder);
    free(config->allowed);
    *config = (struct config){0};
}

/* ---- the command line ---- */

enum shared_kind { SHARED_TEXT, SHARED_FLAG, SHARED_FOLDERS };

static const struct shared_option {
    const char *name;
    enum shared_kind kind;
    size_t offset;
} shared_options[] = {
    {"--as", SHARED_TEXT, offsetof(struct config_options, as)},
    {"--client", SHARED_TEXT, offsetof(struct config_options, client)},
    {"--allow-path", SHARED_FOLDERS, offsetof(struct config_options, allowed)},
    {"--insecure-http", SHARED_FLAG, offsetof(struct config_options, insecure_http)},
};

static const struct shared_option *shared_option_find(const char *arg, const char **value)
{
    for (size_t i = 0; i < LENGTH_OF(shared_options); i++) {
        const struct shared_option *option = &shared_options[i];
        size_t len = strlen(option->name);
        if (strncmp(arg, option->name, len) != 0)
            continue;
        *value = arg[len] == '=' ? arg + len + 1 : NULL;
        if (arg[len] == '\0' || (*value && option->kind != SHARED_FLAG))
            return option;
    }
    return NULL;
}

static bool add_folder(const char **folders, const char *folder, struct buf *why)
{
    size_t count = 0;
    while (folders[count])
        count++;
    if (count == CONFIG_ALLOWED_MAX) {
        buf_printf(why, "--allow-path is taken at most %d times", CONFIG_ALLOWED_MAX);
        return false;
    }
    folders[count] = folder;
    return true;
}

bool config_take_options(int *argc, char **argv, struct config_options *out, struct buf *why)
{
    int kept = 1;
    bool ended = false;
    for (int i = 1; i < *argc; i++) {
        const char *value = NULL;
        ended = ended || strcmp(argv[i], "--") == 0;
        const struct shared_option *option = ended ? NULL : shared_option_find(argv[i], &value);
        if (!option) {
            argv[kept++] = argv[i];
            continue;
        }
        char *field = (char *)out + option->offset;
        if (option->kind == SHARED_FLAG) {
            *(bool *)field = true;
            continue;
        }
        if (!value && i + 1 < *argc)
            value = argv[++i];
        if (!value || value[0] == '\0') {
            buf_printf(why, "%s needs a value", option->name);
            return false;
        }
        if (option->kind == SHARED_TEXT)
            *(const char **)field = value;
        else if (!add_folder((const char **)field, value, why))
            return false;
    }
    argv[kept] = NULL;
    *argc = kept;
    return true;
}
