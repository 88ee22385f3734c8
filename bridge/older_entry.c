#include "older_entry.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../common/alloc.h"
#include "../common/secret.h"
#include "credentials.h"
#include "quiet_run.h"

#define BEARER "Bearer "

enum { GIT_TIMEOUT_MS = 10 * 1000 };

/* ---- its parts ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* The relay's URL in that of its endpoint. */
static char *relay_of(const char *url)
{
    static const char *const endpoints[] = {"/mcp/bearer", "/mcp"};
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    char *relay = xmemdup_text(url, len);
    for (size_t i = 0; i < LENGTH_OF(endpoints); i++) {
        if (ends_with(relay, endpoints[i])) {
            relay[len - strlen(endpoints[i])] = '\0';
            break;
        }
    }
    return relay;
}

static const char *member_of(struct json_object *entry, const char *holder_name, const char *name)
{
    struct json_object *holder;
    if (json_get_object(entry, holder_name, &holder) != JSON_FIELD_FOUND)
        return NULL;
    json_object_object_foreach(holder, key, value)
    {
        if (strcasecmp(key, name) == 0 && json_object_is_type(value, json_type_string))
            return json_object_get_string(value);
    }
    return NULL;
}

static const char *url_in(struct json_object *entry)
{
    static const char *const names[] = {"url", "httpUrl", "serverUrl"};
    for (size_t i = 0; i < LENGTH_OF(names); i++) {
        const char *url = json_text_or(entry, names[i], "");
        if (*url)
            return url;
    }
    return member_of(entry, "env", "PATCHCORD_URL");
}

static const char *token_in(struct json_object *entry)
{
    static const char *const holders[] = {"headers", "http_headers"};
    for (size_t i = 0; i < LENGTH_OF(holders); i++) {
        const char *header = member_of(entry, holders[i], "Authorization");
        if (header && strncasecmp(header, BEARER, sizeof BEARER - 1) == 0)
            return header + sizeof BEARER - 1;
    }
    return member_of(entry, "env", "PATCHCORD_TOKEN");
}

bool older_entry_read(struct json_object *entry, struct older_entry *out)
{
    *out = (struct older_entry){0};
    const char *url = url_in(entry), *token = token_in(entry);
    if (!url || !token || !credentials_is_token(token, strlen(token)) || strpbrk(token, "${}"))
        return false;
    out->url = relay_of(url);
    out->token = xstrdup(token);
    return true;
}

void older_entry_free(struct older_entry *older)
{
    free(older->url);
    secret_free(older->token);
    *older = (struct older_entry){0};
}

bool older_entry_is_other(struct json_object *entry)
{
    const char *command = json_text_or(entry, "command", "");
    const char *slash = strrchr(command, '/');
    bool ours = strcmp(slash ? slash + 1 : command, "patchcord") == 0;
    return entry && (token_in(entry) || (!ours && (url_in(entry) || *command)));
}

/* ---- git ---- */

/* The folder's own configuration names programs: a monitor of files, and what fetches an object that is
 * missing. The environment's list of protocols counts before that configuration. */
bool git_keeps(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = xmemdup_text(path, slash ? (size_t)(slash - path) : 0);
    char *name = xstrdup(slash ? slash + 1 : path);
    char *argv[] = {(char[]){"env"}, (char[]){"GIT_ALLOW_PROTOCOL=none"}, (char[]){"git"}, (char[]){"-c"},
        (char[]){"core.fsmonitor=false"}, (char[]){"-C"}, folder[0] ? folder : (char[]){"/"},
        (char[]){"ls-files"}, (char[]){"--error-unmatch"}, (char[]){"--"}, name, NULL};
    bool kept = quiet_run(argv, GIT_TIMEOUT_MS);
    free(name);
    free(folder);
    return kept;
}
