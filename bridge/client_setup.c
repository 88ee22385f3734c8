#include "client_setup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "json_edit.h"

/* Claude Code starts a project's servers only where the person has agreed to each: whoever runs the command
 * that writes the entry has. This file is the person's own, and stays out of git. */
#define CLAUDE_LOCAL ".claude/settings.local.json"
static const char *const claude_enabled[] = {"enabledMcpjsonServers", NULL};

enum {
    MODE_PROJECT = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH, /* less the umask */
    MODE_GLOBAL = S_IRUSR | S_IWUSR,
};

static bool has_local_file(const struct client *client)
{
    return strcmp(client->name, "claude_code") == 0;
}

static bool open_one(struct client_setup *setup, char *path, const char *within, struct buf *why)
{
    bool ok = edited_file_open(path, within, &setup->files[setup->count], why);
    setup->count += ok;
    free(path);
    return ok;
}

static bool open_files(struct client_setup *setup, const char *project, struct buf *why)
{
    const struct client *client = setup->client;
    char *path = setup->global ? client_global_path(client) : client_project_path(client, project);
    if (!path) {
        buf_puts(why, "HOME is not set");
        return false;
    }
    return open_one(setup, path, setup->global ? NULL : project, why) &&
           (!has_local_file(client) || open_one(setup, xasprintf("%s/" CLAUDE_LOCAL, project), project, why));
}

bool client_setup_open(
    const struct client *client, const char *project, struct client_setup *out, struct buf *why)
{
    *out = (struct client_setup){.client = client, .global = client->project == NULL};
    struct buf problem = {0};
    bool ok = open_files(out, project, why);
    if (ok) {
        out->old_entry = client_entry_read(client, &out->files[0].text, &problem);
        ok = problem.len == 0;
        if (!ok)
            buf_printf(why, "%s %s; it was left as it is", out->files[0].path, buf_text(&problem));
    }
    buf_free(&problem);
    if (!ok)
        client_setup_free(out);
    return ok;
}

void client_setup_free(struct client_setup *setup)
{
    for (size_t i = 0; i < setup->count; i++)
        edited_file_free(&setup->files[i]);
    json_object_put(setup->old_entry);
    *setup = (struct client_setup){0};
}

static struct json_object *our_name(void)
{
    struct json_object *name = json_object_new_string("patchcord");
    if (!name)
        alloc_failed();
    return name;
}

/* Adds our name to the servers that Claude Code may start, or takes it out. */
static bool edit_local(struct edited_file *file, bool add, struct buf *why)
{
    struct buf problem = {0};
    struct json_object *name = our_name();
    bool ok = add ? json_edit_add_item(&file->text, claude_enabled, name, &problem)
                  : json_edit_remove_item(&file->text, claude_enabled, name, 0, &problem);
    if (!ok)
        buf_printf(why, "%s %s; it was left as it is", file->path, buf_text(&problem));
    json_object_put(name);
    buf_free(&problem);
    return ok;
}

bool client_setup_put(struct client_setup *setup, const char *const *argv, struct buf *why)
{
    return client_entry_put(setup->client, &setup->files[0], argv, why) &&
           (setup->count < CLIENT_SETUP_FILES || edit_local(&setup->files[1], true, why));
}

bool client_setup_remove(struct client_setup *setup, struct buf *why)
{
    return client_entry_remove(setup->client, &setup->files[0], 0, why) &&
           (setup->count < CLIENT_SETUP_FILES || edit_local(&setup->files[1], false, why));
}

/* With the file goes the program's folder in the project (".claude"), where nothing else is in it. */
static bool remove_file(struct edited_file *file, struct buf *why)
{
    if (!edited_file_remove(file, why))
        return false;
    char *folder = xmemdup_text(file->target, (size_t)(strrchr(file->target, '/') - file->target));
    const char *name = strrchr(folder, '/');
    if (name && name[1] == '.')
        rmdir(folder); /* ENOTEMPTY is as good */
    free(folder);
    return true;
}

static bool commit_one(struct edited_file *file, mode_t mode, struct buf *why)
{
    return file->exists && json_edit_is_hollow(&file->text) ? remove_file(file, why)
                                                            : edited_file_commit(file, mode, why);
}

bool client_setup_commit(struct client_setup *setup, struct buf *changed, struct buf *why)
{
    for (size_t i = 0; i < setup->count; i++) {
        struct edited_file *file = &setup->files[i];
        if (!edited_file_changed(file))
            continue;
        if (!commit_one(file, setup->global ? MODE_GLOBAL : MODE_PROJECT, why))
            return false;
        buf_printf(changed, "%s\n", file->path);
    }
    return true;
}
