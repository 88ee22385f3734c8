/* Claude Code: the plugin, permissions, and the status line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../json_edit.h"
#include "install_steps.h"

#define PLUGIN "patchcord@patchcord"

static char *claude_settings(void)
{
    const char *folder = install_variable("CLAUDE_CONFIG_DIR"), *home = install_variable("HOME");
    if (folder)
        return xasprintf("%s/settings.json", folder);
    return home ? xasprintf("%s/.claude/settings.json", home) : NULL;
}

/* Where the plugin lies that Claude Code reads; NULL: HOME is not set. */
static char *plugin_folder(void)
{
    const char *data = install_variable("XDG_DATA_HOME"), *home = install_variable("HOME");
    if (data)
        return xasprintf("%s/patchcord-plugin/claude", data);
    return home ? xasprintf("%s/.local/share/patchcord-plugin/claude", home) : NULL;
}

static void put_plugin(struct install *in, const char *folder)
{
    static const char prefix[] = "claude/";
    for (const struct plugin_file *file = plugin_files; file->path; file++) {
        if (strncmp(file->path, prefix, sizeof prefix - 1) != 0)
            continue;
        char *path = xasprintf("%s/%s", folder, file->path + sizeof prefix - 1);
        install_file(in, path, file);
        free(path);
    }
}

/* Runs `claude plugin ...` once it is noted what takes it back. NULL-ended lists after "claude plugin". */
static bool claude_plugin(
    struct install *in, const char *const *words, const char *const *undo_words, struct buf *why)
{
    struct json_object *line = json_new_array(), *undo = json_new_array();
    struct buf shown = {0};
    bool ok = true;
    json_append_text(line, "claude");
    json_append_text(line, "plugin");
    buf_puts(&shown, "claude plugin");
    for (; *words; words++) {
        json_append_text(line, *words);
        buf_printf(&shown, " %s", *words);
    }
    json_append_text(undo, "claude");
    json_append_text(undo, "plugin");
    for (const char *const *word = undo_words; word && *word; word++)
        json_append_text(undo, *word);
    if (undo_words)
        ok = installed_command(in->installed, buf_text(&shown), undo, why);
    else if (in->rehearse)
        printf("  %s\n", buf_text(&shown));
    if (ok && !in->rehearse && !install_run(line)) {
        buf_printf(why, "`%s` failed", buf_text(&shown));
        ok = false;
    }
    buf_free(&shown);
    json_object_put(undo);
    json_object_put(line);
    return ok;
}

/* Whether Claude Code has the plugin, from that folder. */
static bool has_plugin(struct json_object *settings, const char *folder)
{
    static const char *const enabled[] = {"enabledPlugins", PLUGIN, NULL}, *const source[] = {
                                                                               "extraKnownMarketplaces",
                                                                               "patchcord", "source", "path",
                                                                               NULL};
    struct json_object *where = json_edit_find(settings, source);
    return json_object_get_boolean(json_edit_find(settings, enabled)) && where &&
           strcmp(json_object_get_string(where), folder) == 0;
}

/* The original's plugin, under whatever marketplace it came from. */
static void remove_older_plugins(struct install *in, struct json_object *settings)
{
    struct json_object *enabled;
    if (json_get_object(settings, "enabledPlugins", &enabled) != JSON_FIELD_FOUND)
        return;
    json_object_object_foreach(enabled, name, on)
    {
        (void)on;
        struct buf why = {0};
        if (strncmp(name, "patchcord@", strlen("patchcord@")) != 0 || strcmp(name, PLUGIN) == 0)
            continue;
        printf("Claude Code: the plugin %s is replaced by ours.\n", name);
        install_attempt(
            in, claude_plugin(in, (const char *const[]){"uninstall", name, NULL}, NULL, &why), &why);
    }
}

/* What `claude plugin` writes, where there is no such program to be run: it finds the plugin at its start. */
static void declare_plugin(struct install *in, const char *settings, const char *folder)
{
    static const char *const market[] = {"extraKnownMarketplaces", "patchcord", NULL}, *const enabled[] = {
                                                                                           "enabledPlugins",
                                                                                           PLUGIN, NULL};
    struct json_object *value = json_new_object(), *source = json_new_object();
    json_add_text(source, "source", "directory");
    json_add_text(source, "path", folder);
    json_add(value, "source", source);
    install_member(in, settings, market, value);
    struct json_object *on = json_object_new_boolean(true);
    if (!on)
        alloc_failed();
    install_member(in, settings, enabled, on);
}

static void add_plugin(
    struct install *in, const struct client *client, const char *settings, struct json_object *root)
{
    char *folder = plugin_folder();
    struct buf why = {0};
    if (!folder)
        return;
    put_plugin(in, folder);
    if (!client_has_program(client)) {
        declare_plugin(in, settings, folder);
        free(folder);
        return;
    }
    remove_older_plugins(in, root);
    if (!has_plugin(root, folder)) {
        const char *const add[] = {"marketplace", "add", folder, NULL},
                          *const remove[] = {"marketplace", "remove", "patchcord", NULL},
                          *const install[] = {"install", PLUGIN, NULL},
                          *const uninstall[] = {"uninstall", PLUGIN, NULL};
        install_attempt(in,
            installed_text(in->installed, settings, &why) && claude_plugin(in, add, remove, &why) &&
                claude_plugin(in, install, uninstall, &why),
            &why);
    }
    free(folder);
}

/* A status line of another tool stays. */
static void set_status_line(struct install *in, const char *settings, struct json_object *root)
{
    static const char *const path[] = {"statusLine", NULL}, *const command[] = {
                                                                "statusLine", "command", NULL};
    struct json_object *old = json_edit_find(root, path), *old_command = json_edit_find(root, command);
    bool other = old && !(old_command && strstr(json_object_get_string(old_command), "patchcord"));
    char *program = install_shell_word(in->program),
         *line = xasprintf("%s statusline --client claude_code%s", program, in->full ? " --full" : "");
    if (other && !installed_has_member(in->installed, settings, path)) {
        printf("Claude Code: your status line stays as it is; `%s` prints ours.\n", line);
    } else {
        struct json_object *value = json_new_object();
        json_add_text(value, "type", "command");
        json_add_text(value, "command", line);
        install_member(in, settings, path, value);
    }
    free(line);
    free(program);
}

/* Neither we nor `claude` change a file that cannot be understood. NULL: that was said. */
static struct json_object *read_settings(struct install *in, const char *path)
{
    struct edited_file file;
    struct buf why = {0}, rule = {0};
    struct json_object *root = NULL;
    if (edited_file_open(path, NULL, &file, &why)) {
        root = json_edit_parse(&file.text, &rule);
        edited_file_free(&file);
    }
    if (rule.len > 0)
        buf_printf(&why, "%s %s; it was left as it is", path, buf_text(&rule));
    install_attempt(in, root != NULL, &why);
    buf_free(&rule);
    return root;
}

void install_claude(struct install *in, const struct client *client)
{
    static const char *const allow[] = {"permissions", "allow", NULL}, *const deny[] = {
                                                                           "permissions", "deny", NULL};
    char *settings = claude_settings();
    struct json_object *root = settings ? read_settings(in, settings) : NULL;
    if (!root) {
        free(settings);
        return;
    }
    add_plugin(in, client, settings, root);
    install_item(in, settings, allow, install_text("mcp__patchcord__*"));
    /* The web connector has another identity. */
    install_item(in, settings, deny, install_text("mcp__claude_ai_Patchcord__*"));
    install_item(in, settings, deny, install_text("mcp__claude_ai_patchcord__*"));
    set_status_line(in, settings, root);
    install_move_project_tokens(in, client);
    json_object_put(root);
    free(settings);
}
