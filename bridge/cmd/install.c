/* install: what makes Patchcord at home on a machine: skills, hooks, commands, status line and permissions
 * for the agents' programs that are found, and tokens that older set-ups left in their files moved to where
 * they belong. uninstall takes exactly that away. */
#include <bsd/string.h>
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../clients.h"
#include "../installed.h"
#include "../json_edit.h"
#include "../older_entry.h"
#include "../plugin_files.h"
#include "../quiet_run.h"
#include "../state_folder.h"
#include "../toml_edit.h"
#include "agent_identity.h"
#include "commands.h"
#include "terminal.h"

#define PLUGIN       "patchcord@patchcord"
#define SKILL        "codex/skills/patchcord/SKILL.md"
#define CODEX_HOOKS  "codex/hooks.json"
#define BARE_COMMAND "\"command\": \"patchcord"

enum { PROGRAM_TIMEOUT_MS = 60 * 1000, PATH_NAMES = 6 };

struct install {
    const struct command *command;
    const struct config_options *options;
    bool full, rehearse, undo, purge;
    bool has_skill;
    char *program; /* this one's path */
    struct installed *installed;
    size_t problems;
};

static void complain(struct install *in, struct buf *why)
{
    struct buf line = {0};
    terminal_text(&line, buf_text(why), why->len);
    fprintf(stderr, "patchcord %s: %s\n", in->command->name, buf_text(&line));
    buf_free(&line);
    buf_reset(why);
    in->problems++;
}

/* Counts what failed, and says it. */
static void attempt(struct install *in, bool ok, struct buf *why)
{
    if (!ok)
        complain(in, why);
    buf_free(why);
}

/* Prints what was done since, below a title where there is anything. */
static void report(struct install *in, const char *title)
{
    struct buf done = {0};
    installed_report(in->installed, &done);
    if (done.len > 0)
        printf("%s%s:\n", title, in->rehearse ? " (nothing is written)" : "");
    const char *before = "";
    size_t before_len = 0;
    for (const char *line = buf_text(&done); *line;) {
        size_t len = strcspn(line, "\n");
        if (len != before_len || memcmp(line, before, len) != 0)
            printf("  %.*s\n", (int)len, line);
        before = line;
        before_len = len;
        line += len + (line[len] != '\0');
    }
    fflush(stdout);
    buf_free(&done);
}

static struct json_object *text_value(const char *text)
{
    struct json_object *value = json_object_new_string(text);
    if (!value)
        alloc_failed();
    return value;
}

/* ---- single changes ---- */

static void set_member(
    struct install *in, const char *file, const char *const *path, struct json_object *value)
{
    struct buf why = {0};
    attempt(in, installed_member(in->installed, file, path, value, &why), &why);
    json_object_put(value);
}

static void add_item(struct install *in, const char *file, const char *const *path, struct json_object *item)
{
    struct buf why = {0};
    attempt(in, installed_item(in->installed, file, path, item, &why), &why);
    json_object_put(item);
}

/* A word for a shell: as it is, or in quotes. */
static char *shell_word(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+@:";
    if (strspn(text, plain) == strlen(text))
        return xstrdup(text);
    struct buf out = {0};
    buf_putc(&out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_puts(&out, "'\\''");
        else
            buf_putc(&out, *text);
    }
    buf_putc(&out, '\'');
    return buf_take(&out);
}

/* The plugin's files call the program by its bare name; on this machine it is called by its path, since an
 * editor's PATH may lack it. shell: the command is a line for a shell. */
static void with_program(
    const struct install *in, const struct plugin_file *file, bool shell, struct buf *out)
{
    char *word = shell ? shell_word(in->program) : xstrdup(in->program);
    struct json_object *quoted = text_value(word);
    const char *json =
        json_object_to_json_string_ext(quoted, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    const char *at = (const char *)file->bytes, *end = at + file->len, *found;
    while ((found = memmem(at, (size_t)(end - at), BARE_COMMAND, sizeof BARE_COMMAND - 1)) != NULL) {
        const char *name = found + sizeof BARE_COMMAND - sizeof "patchcord" - 1;
        buf_append(out, at, (size_t)(name - at));
        buf_append(out, json, strlen(json) - 1); /* but for the closing quote */
        at = found + sizeof BARE_COMMAND - 1;
    }
    buf_append(out, at, (size_t)(end - at));
    json_object_put(quoted);
    free(word);
}

static const struct plugin_file *find_plugin_file(const char *path)
{
    const struct plugin_file *file = plugin_files;
    while (file->path && strcmp(file->path, path) != 0)
        file++;
    return file->path ? file : NULL;
}

static void put_file(struct install *in, const char *path, const struct plugin_file *file)
{
    struct buf text = {0}, why = {0};
    with_program(in, file, false, &text);
    attempt(in, installed_file(in->installed, path, text.data, text.len, &why), &why);
    buf_free(&text);
}

static const char *absolute(const char *variable)
{
    const char *value = getenv(variable);
    return value && value[0] == '/' ? value : NULL;
}

/* ---- tokens in other programs' files ---- */

static struct json_object *read_root(const struct client *client, const char *path)
{
    struct edited_file file;
    struct buf ignored = {0};
    struct json_object *root = NULL;
    if (edited_file_open(path, NULL, &file, &ignored)) {
        root = client->format == CLIENT_TOML ? toml_edit_parse(&file.text, &ignored)
                                             : json_edit_parse(&file.text, &ignored);
        edited_file_free(&file);
    }
    buf_free(&ignored);
    return root;
}

/* Asks the relay whose the token is and keeps it; who.agent is set then. */
static bool move_token(struct install *in, const struct client *client, const struct older_entry *older,
    const char *folder, struct agent_identity *who, struct buf *why)
{
    *who = (struct agent_identity){.options = *in->options};
    who->options.client = client->name;
    if (agent_identity_find(who, older->url, older->token, why) != COMMAND_DONE)
        return false;
    free(who->config.folder);
    who->config.folder = xstrdup_or_null(folder);
    return agent_identity_keep(who, why);
}

/* Takes the older entry out of the file, without a note: it does not come back. */
static bool take_out(const struct client *client, const char *path, const char *const *entry, struct buf *why)
{
    struct edited_file file;
    struct buf problem = {0};
    if (!edited_file_open(path, NULL, &file, why))
        return false;
    size_t depth = 0;
    while (entry[depth])
        depth++;
    bool ok = client->format == CLIENT_TOML ? toml_edit_remove(&file.text, entry, &problem)
                                            : json_edit_remove(&file.text, entry, depth - 1, &problem);
    if (ok)
        ok = edited_file_commit(&file, S_IRUSR | S_IWUSR, why);
    else
        buf_printf(why, "%s %s; it was left as it is", path, buf_text(&problem));
    buf_free(&problem);
    edited_file_free(&file);
    return ok;
}

/* Our entry in its place. agent: NULL where the folder decides. */
static bool put_entry(struct install *in, const struct client *client, const char *file,
    const char *const *path, const char *agent, struct buf *why)
{
    const char *argv[] = {in->program, "mcp", "--client", client->name, agent ? "--as" : NULL, agent, NULL};
    struct json_object *entry = client_entry(client, argv);
    bool ok = client->format == CLIENT_TOML ? installed_table(in->installed, file, path, entry, why)
                                            : installed_member(in->installed, file, path, entry, why);
    json_object_put(entry);
    return ok;
}

static void say_moved(const struct install *in, const char *file, const char *agent)
{
    printf("%s: the token that stood there%s%s %s moved to the credentials file.\n", file,
        agent[0] ? ", of " : "", agent, in->rehearse ? "would be" : "is");
    if (git_keeps(file))
        printf("  git has this file, and with it the token, in its history: have the token rotated by the "
               "relay's "
               "operator (patchcord-relay token rotate).\n");
}

/* Replaces an entry with a token in it. folder: of the project that it is for; NULL: for all. */
static void adopt(struct install *in, const struct client *client, const char *file, const char *const *found,
    struct json_object *entry, const char *folder)
{
    struct older_entry older;
    struct agent_identity who = {0};
    struct buf why = {0};
    if (!older_entry_read(entry, &older))
        return;
    bool ok = in->rehearse || move_token(in, client, &older, folder, &who, &why);
    const char *path[PATH_NAMES] = {0};
    for (size_t i = 0; found[i] && i < PATH_NAMES - 1; i++)
        path[i] = found[i + 1] ? found[i] : "patchcord";
    if (ok && !in->rehearse)
        ok = take_out(client, file, found, &why) &&
             put_entry(in, client, file, path, folder ? NULL : who.agent, &why);
    if (ok)
        say_moved(in, file, who.agent);
    else
        buf_printf(&why, " (the entry with a token in %s stays as it is)", file);
    agent_identity_free(&who);
    older_entry_free(&older);
    attempt(in, ok, &why);
}

static void adopt_global(struct install *in, const struct client *client)
{
    char *file = client_global_path(client);
    struct json_object *root = file ? read_root(client, file) : NULL, *entry;
    if (root && (entry = json_edit_find(root, client->entry)) != NULL)
        adopt(in, client, file, client->entry, entry, NULL);
    if (root && client->older[0] && (entry = json_edit_find(root, client->older)) != NULL)
        adopt(in, client, file, client->older, entry, NULL);
    json_object_put(root);
    free(file);
}

/* Claude Code keeps entries of single projects in its file for all. */
static void adopt_projects(struct install *in, const struct client *client)
{
    char *file = client_global_path(client);
    struct json_object *root = file ? read_root(client, file) : NULL, *projects;
    if (json_get_object(root, "projects", &projects) == JSON_FIELD_FOUND) {
        json_object_object_foreach(projects, folder, project)
        {
            const char *const below[] = {"mcpServers", "patchcord", NULL}, *const path[] = {"projects",
                                                                               folder, "mcpServers",
                                                                               "patchcord", NULL};
            (void)project;
            struct json_object *entry = json_edit_find(project, below);
            if (entry && folder[0] == '/')
                adopt(in, client, file, path, entry, folder);
        }
    }
    json_object_put(root);
    free(file);
}

/* ---- Claude Code ---- */

static char *claude_settings(void)
{
    const char *folder = absolute("CLAUDE_CONFIG_DIR"), *home = absolute("HOME");
    if (folder)
        return xasprintf("%s/settings.json", folder);
    return home ? xasprintf("%s/.claude/settings.json", home) : NULL;
}

/* Where the plugin lies that Claude Code reads; NULL: HOME is not set. */
static char *plugin_folder(void)
{
    const char *data = absolute("XDG_DATA_HOME"), *home = absolute("HOME");
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
        put_file(in, path, file);
        free(path);
    }
}

static bool run_list(struct json_object *command_line)
{
    enum { WORDS_MAX = 8 };
    char *argv[WORDS_MAX + 1] = {0};
    size_t count = json_object_array_length(command_line);
    for (size_t i = 0; i < count && i < WORDS_MAX; i++)
        argv[i] = xstrdup(json_object_get_string(json_object_array_get_idx(command_line, i)));
    bool ok = argv[0] && quiet_run(argv, PROGRAM_TIMEOUT_MS);
    for (size_t i = 0; i < WORDS_MAX; i++)
        free(argv[i]);
    return ok;
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
    if (ok && !in->rehearse && !run_list(line)) {
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
        attempt(in, claude_plugin(in, (const char *const[]){"uninstall", name, NULL}, NULL, &why), &why);
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
    set_member(in, settings, market, value);
    struct json_object *on = json_object_new_boolean(true);
    if (!on)
        alloc_failed();
    set_member(in, settings, enabled, on);
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
        attempt(in,
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
    char *program = shell_word(in->program),
         *line = xasprintf("%s statusline%s", program, in->full ? " --full" : "");
    if (other && !installed_has_member(in->installed, settings, path)) {
        printf("Claude Code: your status line stays as it is; `%s` prints ours.\n", line);
    } else {
        struct json_object *value = json_new_object();
        json_add_text(value, "type", "command");
        json_add_text(value, "command", line);
        set_member(in, settings, path, value);
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
    attempt(in, root != NULL, &why);
    buf_free(&rule);
    return root;
}

static void install_claude(struct install *in, const struct client *client)
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
    add_item(in, settings, allow, text_value("mcp__patchcord__*"));
    /* The web connector has another identity. */
    add_item(in, settings, deny, text_value("mcp__claude_ai_Patchcord__*"));
    add_item(in, settings, deny, text_value("mcp__claude_ai_patchcord__*"));
    set_status_line(in, settings, root);
    adopt_projects(in, client);
    json_object_put(root);
    free(settings);
}

/* ---- Codex, and the others ---- */

static void install_codex(struct install *in, const struct client *client)
{
    const struct plugin_file *file = find_plugin_file(CODEX_HOOKS);
    char *path = client_path(client, "hooks.json");
    struct buf text = {0}, ignored = {0};
    if (file)
        with_program(in, file, true, &text);
    struct json_object *root = json_edit_parse(&text, &ignored), *hooks;
    if (path && json_get_object(root, "hooks", &hooks) == JSON_FIELD_FOUND) {
        json_object_object_foreach(hooks, event, items)
        {
            const char *const at[] = {"hooks", event, NULL};
            for (size_t i = 0; i < json_object_array_length(items); i++)
                add_item(in, path, at, json_object_get(json_object_array_get_idx(items, i)));
        }
    }
    json_object_put(root);
    buf_free(&ignored);
    buf_free(&text);
    free(path);
}

/* Where Codex, and most others, look for a person's skills. */
static void put_skill(struct install *in)
{
    const struct plugin_file *file = find_plugin_file(SKILL);
    const char *home = absolute("HOME");
    if (!file || !home)
        return;
    char *path = xasprintf("%s/.agents/skills/patchcord/SKILL.md", home);
    put_file(in, path, file);
    free(path);
}

static const struct {
    const char *client;
    void (*install)(struct install *in, const struct client *client);
} own_steps[] = {{"claude_code", install_claude}, {"codex", install_codex}};

static bool install_client(struct install *in, const struct client *client)
{
    bool own_skill = false;
    if (!client_is_here(client))
        return false;
    for (size_t i = 0; i < LENGTH_OF(own_steps); i++) {
        if (strcmp(own_steps[i].client, client->name) != 0)
            continue;
        own_steps[i].install(in, client);
        own_skill = i == 0; /* in its plugin */
    }
    adopt_global(in, client);
    if (!own_skill && !in->has_skill)
        put_skill(in);
    in->has_skill |= !own_skill;
    report(in, client->title);
    return true;
}

static int install_all(struct install *in)
{
    size_t found = 0;
    for (const struct client *client = clients; client->name; client++)
        found += install_client(in, client);
    if (found == 0)
        puts("None of the agents' programs is found here that are set up by it; in a project patchcord agent "
             "works all the "
             "same.");
    else if (in->problems == 0)
        puts(in->rehearse ? "Nothing was written." : "Everything is in place.");
    if (!in->rehearse)
        puts("\nIn each project: patchcord agent --server URL --token -\n"
             "(patchcord-relay serve runs a relay on this machine, at http://localhost:8000)");
    return in->problems ? COMMAND_ERROR : COMMAND_DONE;
}

/* ---- taking it away ---- */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* Links are removed, never followed. */
static void purge_folder(struct install *in, char *path)
{
    enum { OPEN_FOLDERS = 16 };
    struct buf why = {0};
    bool gone = !path || access(path, F_OK) < 0;
    if (!gone && !in->rehearse)
        gone = nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0;
    if (!gone && in->rehearse)
        printf("  %s\n", path);
    else if (!gone)
        buf_printf(&why, "%s: %s", path, strerror(errno));
    attempt(in, gone || in->rehearse, &why);
    free(path);
}

static char *without_last(char *path)
{
    char *slash = path ? strrchr(path, '/') : NULL;
    if (slash)
        *slash = '\0';
    return path;
}

static void purge(struct install *in)
{
    const char *run = absolute("XDG_RUNTIME_DIR");
    printf("Tokens, what waited to be sent, and caches %s removed.\n", in->rehearse ? "would be" : "are");
    purge_folder(in, without_last(credentials_path()));
    purge_folder(in, without_last(state_path("x")));
    purge_folder(in, run ? xasprintf("%s/patchcord", run) : NULL);
}

static int uninstall_all(struct install *in)
{
    struct buf why = {0};
    bool ok = installed_undo(in->installed, run_list, &why);
    report(in, in->rehearse ? "Would be taken away" : "Taken away");
    attempt(in, ok, &why);
    char *notes = state_path("install");
    if (ok && !in->rehearse && notes)
        rmdir(notes); /* not empty is as good */
    free(notes);
    if (in->purge)
        purge(in);
    else
        puts("Tokens and messages that wait to be sent stay; patchcord uninstall --purge removes them, too. "
             "Entries in "
             "projects are removed there: patchcord agent --remove.");
    return in->problems ? COMMAND_ERROR : COMMAND_DONE;
}

/* ---- the commands ---- */

enum { FULL = 1, DRY_RUN, UNINSTALL, PURGE };

static const struct option install_options[] = {{.name = "full", .val = FULL},
    {.name = "dry-run", .val = DRY_RUN}, {.name = "uninstall", .val = UNINSTALL}, {0}};
static const struct option uninstall_options[] = {
    {.name = "purge", .val = PURGE}, {.name = "dry-run", .val = DRY_RUN}, {0}};

static int read_arguments(struct install *in, const struct option *known, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
        if (option == '?' || option == ':')
            return command_usage_error(in->command, "unknown option %s", argv[optind - 1]);
        in->full |= option == FULL;
        in->rehearse |= option == DRY_RUN;
        in->undo |= option == UNINSTALL;
        in->purge |= option == PURGE;
    }
    return optind < argc ? command_usage_error(in->command, "it takes no argument but options")
                         : COMMAND_DONE;
}

static int run_with(struct install *in, const struct option *known, int argc, char **argv)
{
    struct buf why = {0};
    int exit_code = read_arguments(in, known, argc, argv);
    if (exit_code != COMMAND_DONE)
        return exit_code;
    in->program = realpath("/proc/self/exe", NULL);
    in->installed = in->program ? installed_load(in->rehearse, &why) : NULL;
    if (in->installed) {
        exit_code = in->undo ? uninstall_all(in) : install_all(in);
    } else {
        if (!in->program)
            buf_puts(&why, "this program does not know its own path: /proc is not there");
        complain(in, &why);
        exit_code = COMMAND_ERROR;
    }
    installed_free(in->installed);
    free(in->program);
    buf_free(&why);
    return exit_code;
}

static int run_install(const struct config_options *options, int argc, char **argv)
{
    return run_with(
        &(struct install){.command = &command_install, .options = options}, install_options, argc, argv);
}

static int run_uninstall(const struct config_options *options, int argc, char **argv)
{
    return run_with(&(struct install){.command = &command_uninstall, .options = options, .undo = true},
        uninstall_options, argc, argv);
}

const struct command command_install = {
    .name = "install",
    .usage = "patchcord install [--full] [--dry-run] [--uninstall]",
    .summary = "set up the agents' programs of this machine",
    .help =
        "Gives Claude Code its plugin (hooks, commands, a skill), status line and permissions, Codex its\n"
        "hooks, and the other programs that are found the skill. What is in their files stays as it is;\n"
        "a file that cannot be understood is left alone. Entries of older set-ups that have a token in\n"
        "them are replaced, and their tokens moved to the credentials file.\n"
        "\n"
        "OPTIONS\n"
        "  --full       the status line shows model, use of the context and git branch, too\n"
        "  --dry-run    only say what would be done\n"
        "  --uninstall  the same as patchcord uninstall\n",
    .run = run_install,
};

const struct command command_uninstall = {
    .name = "uninstall",
    .usage = "patchcord uninstall [--purge] [--dry-run]",
    .summary = "take away what install put in place",
    .help =
        "Takes away exactly what patchcord install put into other programs' files. What somebody changed\n"
        "since stays, and is named.\n"
        "\n"
        "OPTIONS\n"
        "  --purge    remove stored tokens, messages that wait to be sent, and caches, too\n"
        "  --dry-run  only say what would be done\n",
    .run = run_uninstall,
};
