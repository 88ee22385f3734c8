#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/json.h"
#include "../common/secret.h"
#include "../common/url.h"

enum { FORMAT_VERSION = 1 };

char *credentials_path(void)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    /* The XDG specification has relative paths ignored. */
    if (base && base[0] == '/')
        return xasprintf("%s/patchcord/credentials.json", base);
    const char *home = getenv("HOME");
    if (!home || home[0] != '/')
        return NULL;
    return xasprintf("%s/.config/patchcord/credentials.json", home);
}

/* ---- reading ---- */

static void credential_free(struct credential *entry)
{
    free(entry->url);
    free(entry->origin);
    secret_free(entry->token);
    free(entry->folder);
    free(entry->client);
    free(entry->ca);
    for (char **path = entry->allow_paths; path && *path; path++)
        free(*path);
    free(entry->allow_paths);
}

void credentials_free(struct credentials *c)
{
    for (size_t i = 0; i < c->count; i++)
        credential_free(&c->entries[i]);
    free(c->entries);
    *c = (struct credentials){0};
}

static bool read_agent(struct json_object *from, struct credential *entry)
{
    struct ident who;
    if (!ident_parse(json_text_or(from, "agent", ""), &who) || who.namespace_id[0] == '\0')
        return false;
    ident_format(who.namespace_id, who.agent, entry->agent);
    return true;
}

static bool read_url(struct json_object *from, struct credential *entry)
{
    struct url url;
    if (!url_parse(json_text_or(from, "url", ""), &url))
        return false;
    entry->origin = url_origin(&url);
    const char *path = strcmp(url.path, "/") == 0 ? "" : url.path;
    entry->url = xasprintf("%s%s", entry->origin, path);
    url_free(&url);
    return true;
}

bool credentials_is_token(const char *token, size_t len)
{
    if (len == 0 || len > TOKEN_MAX_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (token[i] <= ' ' || token[i] > '~')
            return false;
    }
    return true;
}

static bool read_token(struct json_object *from, struct credential *entry)
{
    const char *token;
    size_t len;
    if (json_get_text(from, "token", &token, &len) != JSON_FIELD_FOUND || !credentials_is_token(token, len))
        return false;
    entry->token = xmemdup_text(token, len);
    return true;
}

static bool read_optional(struct json_object *from, const char *key, char **out)
{
    const char *text;
    size_t len;
    enum json_field found = json_get_text(from, key, &text, &len);
    if (found == JSON_FIELD_FOUND && len > 0)
        *out = xmemdup_text(text, len);
    return found != JSON_FIELD_WRONG;
}

bool credentials_is_pin(const char *text)
{
    enum { BASE64_LEN = 44 };
    static const char prefix[] = "sha256//";
    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return false;
    text += sizeof prefix - 1;
    return strlen(text) == BASE64_LEN && text[BASE64_LEN - 1] == '=' &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == BASE64_LEN - 1;
}

static bool read_ca(struct json_object *from, struct credential *entry)
{
    return read_optional(from, "ca", &entry->ca) &&
           (!entry->ca || entry->ca[0] == '/' || credentials_is_pin(entry->ca));
}

static bool read_allow_paths(struct json_object *from, struct credential *entry)
{
    struct json_object *list;
    enum json_field found = json_get_array(from, "allow_paths", &list);
    if (found != JSON_FIELD_FOUND)
        return found == JSON_FIELD_ABSENT;
    size_t count = json_object_array_length(list);
    if (count > CREDENTIALS_MAX_PATHS)
        return false;
    entry->allow_paths = xcalloc(count + 1, sizeof *entry->allow_paths);
    for (size_t i = 0; i < count; i++) {
        struct json_object *path = json_object_array_get_idx(list, i);
        if (!json_object_is_type(path, json_type_string) || json_object_get_string(path)[0] != '/')
            return false;
        entry->allow_paths[i] = xstrdup(json_object_get_string(path));
    }
    return true;
}

/* Returns NULL, or the rule that was broken. */
static const char *read_entry(struct json_object *from, struct credential *entry)
{
    if (!read_agent(from, entry))
        return "\"agent\" has to be AGENT@NAMESPACE";
    if (!read_url(from, entry))
        return "\"url\" has to be an http(s) URL";
    if (!read_token(from, entry))
        return "\"token\" has to be a token of visible characters";
    if (!read_optional(from, "folder", &entry->folder) || (entry->folder && entry->folder[0] != '/'))
        return "\"folder\" has to be an absolute path";
    if (!read_optional(from, "client", &entry->client))
        return "\"client\" has to be a text";
    if (!read_ca(from, entry))
        return "\"ca\" has to be an absolute path or a pin (sha256//...)";
    if (!read_allow_paths(from, entry))
        return "\"allow_paths\" has to be an array of at most 32 absolute paths";
    return NULL;
}

static bool read_entries(struct json_object *array, struct credentials *out, struct buf *why)
{
    size_t count = json_object_array_length(array);
    if (count > CREDENTIALS_MAX_ENTRIES) {
        buf_printf(why, "more than %d entries", CREDENTIALS_MAX_ENTRIES);
        return false;
    }
    out->entries = xcalloc(count ? count : 1, sizeof *out->entries);
    for (size_t i = 0; i < count; i++) {
        out->count = i + 1;
        const char *problem = read_entry(json_object_array_get_idx(array, i), &out->entries[i]);
        if (!problem)
            continue;
        buf_printf(why, "entry %zu: %s", i + 1, problem);
        return false;
    }
    return true;
}

bool credentials_parse(const char *text, size_t len, struct credentials *out, struct buf *why)
{
    *out = (struct credentials){0};
    enum json_fault fault;
    struct json_object *root = json_parse(text, len, &fault);
    bool ok = false;
    int64_t version;
    struct json_object *entries;
    if (fault != JSON_FAULT_NONE) {
        buf_printf(why, "the file %s", json_fault_text(fault));
        goto out;
    }
    if (json_get_int(root, "version", &version) != JSON_FIELD_FOUND || version != FORMAT_VERSION) {
        buf_printf(why, "\"version\" has to be %d", FORMAT_VERSION);
        goto out;
    }
    if (json_get_array(root, "entries", &entries) != JSON_FIELD_FOUND) {
        buf_puts(why, "\"entries\" has to be an array");
        goto out;
    }
    ok = read_entries(entries, out, why);
out:
    if (!ok)
        credentials_free(out);
    json_object_put(root);
    return ok;
}

/* Reads what was opened, at most CREDENTIALS_MAX_BYTES. Returns 0 or an errno. */
static int read_whole(int fd, struct buf *into)
{
    for (;;) {
        char *at = buf_reserve(into, BUFSIZ);
        ssize_t got = read(fd, at, BUFSIZ);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return 0;
        into->len += (size_t)got;
        if (into->len > CREDENTIALS_MAX_BYTES)
            return EFBIG;
    }
}

/* NULL, or what makes the open file unfit to hold secrets. */
static const char *check_owner(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return "cannot be examined";
    if (!S_ISREG(st.st_mode))
        return "is not a regular file";
    if (st.st_uid != geteuid())
        return "belongs to another user, so its tokens are not used";
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return "is open to other users, so its tokens are not used; run chmod 600 on it";
    return NULL;
}

bool credentials_read(const char *path, struct buf *text, struct buf *why)
{
    /* Without O_NONBLOCK a FIFO in the file's place would hang us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    if (fd < 0) {
        buf_printf(why, "%s: %s", path, strerror(errno));
        return false;
    }
    const char *unfit = check_owner(fd);
    int failed = unfit ? 0 : read_whole(fd, text);
    close(fd);
    if (unfit)
        buf_printf(why, "%s %s", path, unfit);
    else if (failed)
        buf_printf(why, "%s: %s", path, strerror(failed));
    else if (text->len == 0)
        buf_printf(why, "%s: the file %s", path, json_fault_text(JSON_FAULT_EMPTY));
    return text->len > 0 && !failed;
}

bool credentials_load(const char *path, struct credentials *out, struct buf *why)
{
    *out = (struct credentials){0};
    struct buf text = {0};
    struct buf problem = {0};
    bool ok = credentials_read(path, &text, why);
    if (ok && text.len > 0 && !credentials_parse(buf_text(&text), text.len, out, &problem)) {
        buf_printf(why, "%s: %s", path, buf_text(&problem));
        ok = false;
    }
    buf_free(&problem);
    buf_wipe(&text);
    return ok;
}

/* ---- choosing ---- */

static bool same_origin(const struct credential *entry, const struct credential_query *query)
{
    return !query->origin || strcmp(entry->origin, query->origin) == 0;
}

static void list_choices(
    const struct credentials *c, const struct credential_query *query, const char *folder, struct buf *why)
{
    size_t listed = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct credential *entry = &c->entries[i];
        if (!same_origin(entry, query) || (folder && (!entry->folder || strcmp(entry->folder, folder) != 0)))
            continue;
        buf_printf(why, "%s%s", listed++ ? ", " : "", entry->agent);
        if (entry->client)
            buf_printf(why, " (%s)", entry->client);
    }
}

/* What an entry is worth for a query: a better one is taken, two of the same worth are ambiguous. */
enum fit { FIT_NONE, FIT_OTHER, FIT_FOLDER, FIT_CLIENT };

struct best {
    enum fit fit;
    size_t count;
    const struct credential *entry;
};

static void consider(struct best *best, const struct credential *entry, enum fit fit)
{
    if (fit == FIT_NONE || fit < best->fit)
        return;
    /* The same identity at the same relay twice leaves nothing to decide. */
    if (fit == best->fit && best->entry && strcmp(best->entry->agent, entry->agent) == 0 &&
        strcmp(best->entry->url, entry->url) == 0)
        return;
    best->count = fit > best->fit ? 1 : best->count + 1;
    best->fit = fit;
    best->entry = entry;
}

static enum fit fit_client(const struct credential *entry, const char *client)
{
    if (client && entry->client && strcmp(entry->client, client) == 0)
        return FIT_CLIENT;
    if (client && !entry->client)
        return FIT_FOLDER;
    return FIT_OTHER;
}

static const struct credential *choose_as(
    const struct credentials *c, const struct credential_query *query, struct buf *why)
{
    struct ident who;
    if (!ident_parse(query->as, &who)) {
        buf_printf(why, "--as takes AGENT@NAMESPACE, not \"%s\"", query->as);
        return NULL;
    }
    char address[ADDRESS_SIZE];
    ident_format(who.namespace_id, who.agent, address);
    bool whole = who.namespace_id[0] != '\0';
    size_t agent_len = strlen(who.agent);
    struct best best = {0};
    bool elsewhere = false;
    for (size_t i = 0; i < c->count; i++) {
        const struct credential *entry = &c->entries[i];
        bool named = whole
                         ? strcmp(entry->agent, address) == 0
                         : strncmp(entry->agent, who.agent, agent_len) == 0 && entry->agent[agent_len] == '@';
        if (named && same_origin(entry, query))
            consider(&best, entry, FIT_OTHER);
        elsewhere |= named && !same_origin(entry, query);
    }
    if (best.count == 1)
        return best.entry;
    if (best.count > 1)
        buf_printf(why, "--as %s is ambiguous; name one of: ", query->as);
    else if (elsewhere)
        buf_printf(why,
            "the token of %s belongs to another relay than %s and is not sent there; unset PATCHCORD_URL, or "
            "use one "
            "of: ",
            query->as, query->origin);
    else
        buf_printf(why, "no token is stored for %s; there are: ", query->as);
    size_t before = why->len;
    list_choices(c, query, NULL, why);
    if (why->len == before)
        buf_puts(why, "none");
    return NULL;
}

static struct best choose_in(
    const struct credentials *c, const struct credential_query *query, const char *folder)
{
    struct best best = {0};
    for (size_t i = 0; i < c->count; i++) {
        const struct credential *entry = &c->entries[i];
        if (entry->folder && strcmp(entry->folder, folder) == 0 && same_origin(entry, query))
            consider(&best, entry, fit_client(entry, query->client));
    }
    return best;
}

/* Cuts path to its parent; false at the root of the file system. */
static bool to_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || path[1] == '\0')
        return false;
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

static const struct credential *choose_by_folder(
    const struct credentials *c, const struct credential_query *query, struct buf *why)
{
    char *folder = xstrdup(query->folder);
    struct best best;
    for (;;) {
        best = choose_in(c, query, folder);
        if (best.count > 0 || strcmp(folder, query->root) == 0 || !to_parent(folder))
            break;
    }
    if (best.count > 1) {
        buf_printf(why, "several identities are stored for %s; choose one with --as: ", folder);
        list_choices(c, query, folder, why);
    } else if (best.count == 0) {
        buf_printf(why, "no identity is stored for %s", query->folder);
        if (query->origin)
            buf_printf(why, " at %s", query->origin);
        buf_puts(why, ": run `patchcord agent --server URL --token -` there");
        size_t before = why->len;
        buf_puts(why, ", or choose one with --as: ");
        size_t after = why->len;
        list_choices(c, query, NULL, why);
        if (why->len == after) {
            why->len = before;
            why->data[before] = '\0';
        }
    }
    free(folder);
    return best.count == 1 ? best.entry : NULL;
}

const struct credential *credentials_choose(
    const struct credentials *c, const struct credential_query *query, struct buf *why)
{
    return query->as ? choose_as(c, query, why) : choose_by_folder(c, query, why);
}
