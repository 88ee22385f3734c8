/* Tokens that older set-ups left in other programs' files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../json_edit.h"
#include "../older_entry.h"
#include "../toml_edit.h"
#include "agent_identity.h"
#include "install_steps.h"

enum { PATH_NAMES = 6 };

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
    install_attempt(in, ok, &why);
}

void install_move_tokens(struct install *in, const struct client *client)
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
void install_move_project_tokens(struct install *in, const struct client *client)
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
