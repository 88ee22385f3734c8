#include "clients.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "json_edit.h"
#include "toml_edit.h"

const struct client clients[] = {
    {.name = "claude_code",
        .title = "Claude Code",
        .program = "claude",
        .project = ".mcp.json",
        .base = CLIENT_IN_CLAUDE,
        .global = ".claude.json",
        .folder = ".claude",
        .entry = {"mcpServers", "patchcord"},
        .shape = CLIENT_TYPED},
    {.name = "codex",
        .title = "Codex",
        .program = "codex",
        .project = ".codex/config.toml",
        .base = CLIENT_IN_CODEX,
        .global = "config.toml",
        .folder = "",
        .format = CLIENT_TOML,
        .entry = {"mcp_servers", "patchcord"},
        .older = {"mcp_servers", "patchcord-codex"},
        .shape = CLIENT_CODEX},
    {.name = "gemini",
        .title = "Gemini CLI",
        .program = "gemini",
        .project = ".gemini/settings.json",
        .global = ".gemini/settings.json",
        .folder = ".gemini",
        .entry = {"mcpServers", "patchcord"}},
    {.name = "cursor",
        .title = "Cursor",
        .program = "cursor",
        .project = ".cursor/mcp.json",
        .global = ".cursor/mcp.json",
        .folder = ".cursor",
        .entry = {"mcpServers", "patchcord"}},
    {.name = "vscode",
        .title = "VS Code",
        .program = "code",
        .project = ".vscode/mcp.json",
        .base = CLIENT_IN_CONFIG,
        .global = "Code/User/mcp.json",
        .folder = "Code/User",
        .entry = {"servers", "patchcord"},
        .shape = CLIENT_TYPED},
    {.name = "windsurf",
        .title = "Windsurf",
        .program = "windsurf",
        .global = ".codeium/windsurf/mcp_config.json",
        .folder = ".codeium/windsurf",
        .entry = {"mcpServers", "patchcord"}},
    {.name = "zed",
        .title = "Zed",
        .program = "zed",
        .base = CLIENT_IN_CONFIG,
        .global = "zed/settings.json",
        .folder = "zed",
        .entry = {"context_servers", "patchcord"}},
    {.name = "opencode",
        .title = "OpenCode",
        .program = "opencode",
        .project = "opencode.json",
        .variant = "opencode.jsonc",
        .base = CLIENT_IN_CONFIG,
        .global = "opencode/opencode.json",
        .folder = "opencode",
        .entry = {"mcp", "patchcord"},
        .shape = CLIENT_LOCAL},
    {.name = "antigravity",
        .title = "Antigravity",
        .program = "antigravity",
        .global = ".gemini/antigravity/mcp_config.json",
        .folder = ".gemini/antigravity",
        .entry = {"mcpServers", "patchcord"}},
    {0},
};

/* Codex starts its servers without these: the bridge's files are found by them. */
static const char *const codex_passes[] = {
    "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "PATCHCORD_CA_FILE", NULL};

/* What an entry for another transport has, which would count beside ours. */
static const char *const of_http[] = {"url", "headers", "httpUrl", "serverUrl", "bearer_token_env_var",
    "http_headers", "env_http_headers", "oauth", NULL};
/* Members of env that would take the place of the stored identity. */
static const char *const of_env[] = {"PATCHCORD_URL", "PATCHCORD_TOKEN", NULL};

const struct client *client_find(const char *name)
{
    for (const struct client *client = clients; client->name; client++) {
        if (strcmp(client->name, name) == 0)
            return client;
    }
    return NULL;
}

void clients_list(struct buf *out)
{
    for (const struct client *client = clients; client->name; client++)
        buf_printf(out, "%s%s", client == clients ? "" : ", ", client->name);
}

/* ---- paths ---- */

static const char *absolute(const char *variable)
{
    const char *value = getenv(variable);
    return value && value[0] == '/' ? value : NULL;
}

/* The variable that names a base, and where that is below the home without it. */
static const struct {
    const char *variable, *standard;
} bases[] = {
    [CLIENT_IN_HOME] = {"HOME", ""},
    [CLIENT_IN_CONFIG] = {"XDG_CONFIG_HOME", "/.config"},
    [CLIENT_IN_CLAUDE] = {"CLAUDE_CONFIG_DIR", ""},
    [CLIENT_IN_CODEX] = {"CODEX_HOME", "/.codex"},
};

char *client_path(const struct client *client, const char *below)
{
    const char *home = absolute("HOME"), *base = absolute(bases[client->base].variable);
    const char *slash = below[0] ? "/" : "";
    if (base)
        return xasprintf("%s%s%s", base, slash, below);
    return home ? xasprintf("%s%s%s%s", home, bases[client->base].standard, slash, below) : NULL;
}

char *client_global_path(const struct client *client)
{
    return client_path(client, client->global);
}

char *client_project_path(const struct client *client, const char *project)
{
    if (!client->project)
        return NULL;
    char *path = xasprintf("%s/%s", project, client->project);
    if (!client->variant || access(path, F_OK) == 0)
        return path;
    char *variant = xasprintf("%s/%s", project, client->variant);
    bool there = access(variant, F_OK) == 0;
    free(there ? path : variant);
    return there ? variant : path;
}

static bool in_search_path(const char *program)
{
    const char *dirs = getenv("PATH");
    bool found = false;
    while (dirs && *dirs && !found) {
        size_t len = strcspn(dirs, ":");
        char *path = xasprintf("%.*s/%s", (int)len, dirs, program);
        found = len > 0 && access(path, X_OK) == 0;
        free(path);
        dirs += len + (dirs[len] == ':');
    }
    return found;
}

bool client_has_program(const struct client *client)
{
    return in_search_path(client->program);
}

bool client_is_here(const struct client *client)
{
    if (client_has_program(client))
        return true;
    char *folder = client_path(client, client->folder), *file = client_global_path(client);
    bool used = folder && file && (access(folder, F_OK) == 0 || access(file, F_OK) == 0);
    free(folder);
    free(file);
    return used;
}

/* ---- the entry ---- */

static struct json_object *text_list(const char *const *texts)
{
    struct json_object *list = json_new_array();
    for (; *texts; texts++)
        json_append_text(list, *texts);
    return list;
}

struct json_object *client_entry(const struct client *client, const char *const *argv)
{
    struct json_object *entry = json_new_object();
    if (client->shape == CLIENT_LOCAL) {
        json_add_text(entry, "type", "local");
        json_add(entry, "command", text_list(argv));
        return entry;
    }
    if (client->shape == CLIENT_TYPED)
        json_add_text(entry, "type", "stdio");
    json_add_text(entry, "command", argv[0]);
    json_add(entry, "args", text_list(argv + 1));
    if (client->shape != CLIENT_CODEX)
        return entry;
    json_add(entry, "env_vars", text_list(codex_passes));
    for (const char *const *name = of_http; *name; name++)
        json_add(entry, *name, NULL);
    return entry;
}

struct json_object *client_entry_read(const struct client *client, const struct buf *text, struct buf *why)
{
    struct json_object *root =
        client->format == CLIENT_TOML ? toml_edit_parse(text, why) : json_edit_parse(text, why);
    struct json_object *entry = root ? json_edit_find(root, client->entry) : NULL;
    if (root && !entry && client->older[0])
        entry = json_edit_find(root, client->older);
    json_object_get(entry);
    json_object_put(root);
    return entry;
}

/* What there is of env without what names a relay and a token; NULL: nothing. */
static struct json_object *env_without_identity(struct json_object *old)
{
    struct json_object *env, *kept = NULL;
    if (json_get_object(old, "env", &env) != JSON_FIELD_FOUND)
        return NULL;
    if (json_object_deep_copy(env, &kept, NULL) != 0)
        alloc_failed();
    for (const char *const *name = of_env; *name; name++)
        json_object_object_del(kept, *name);
    if (json_object_object_length(kept) > 0)
        return kept;
    json_object_put(kept);
    return NULL;
}

static bool put_toml(const struct client *client, struct buf *text, struct json_object *entry,
    struct json_object *old, struct buf *why)
{
    if (json_object_object_get_ex(old, "env", NULL))
        json_add(entry, "env", env_without_identity(old));
    return (!client->older[0] || toml_edit_remove(text, client->older, why)) &&
           toml_edit_put(text, client->entry, entry, why);
}

/* What somebody added to an entry of ours stays. */
static bool merge_json(const struct client *client, struct buf *text, struct json_object *entry,
    struct json_object *old, struct buf *why)
{
    const char *member[CLIENT_ENTRY_NAMES + 1] = {client->entry[0], client->entry[1], NULL, NULL};
    bool ok = true;
    for (const char *const *name = of_http; *name && ok; name++) {
        member[2] = *name;
        ok = json_edit_remove(text, member, 2, why);
    }
    member[2] = "type";
    if (ok && !json_object_object_get_ex(entry, "type", NULL))
        ok = json_edit_remove(text, member, 2, why);
    member[2] = "env";
    struct json_object *env = env_without_identity(old);
    if (ok)
        ok = env ? json_edit_set(text, member, env, why) : json_edit_remove(text, member, 2, why);
    json_object_put(env);
    json_object_object_foreach(entry, name, value)
    {
        member[2] = name;
        ok = ok && json_edit_set(text, member, value, why);
    }
    return ok;
}

static bool name_file(const struct edited_file *file, struct buf *problem, struct buf *why)
{
    buf_printf(why, "%s %s; it was left as it is", file->path, buf_text(problem));
    buf_free(problem);
    return false;
}

bool client_entry_put(
    const struct client *client, struct edited_file *file, const char *const *argv, struct buf *why)
{
    struct buf problem = {0};
    struct json_object *old = client_entry_read(client, &file->text, &problem);
    if (problem.len > 0)
        return name_file(file, &problem, why);
    struct json_object *entry = client_entry(client, argv);
    bool ok = client->format == CLIENT_TOML ? put_toml(client, &file->text, entry, old, &problem)
              : json_object_is_type(old, json_type_object)
                  ? merge_json(client, &file->text, entry, old, &problem)
                  : json_edit_set(&file->text, client->entry, entry, &problem);
    json_object_put(entry);
    json_object_put(old);
    return ok || name_file(file, &problem, why);
}

static bool remove_tables(const struct client *client, struct buf *text, struct buf *why)
{
    return toml_edit_remove(text, client->entry, why) &&
           (!client->older[0] || toml_edit_remove(text, client->older, why));
}

bool client_entry_remove(const struct client *client, struct edited_file *file, size_t keep, struct buf *why)
{
    struct buf problem = {0};
    bool ok = client->format == CLIENT_TOML ? remove_tables(client, &file->text, &problem)
                                            : json_edit_remove(&file->text, client->entry, keep, &problem);
    return ok || name_file(file, &problem, why);
}
