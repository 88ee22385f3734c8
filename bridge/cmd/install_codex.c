/* Codex's hooks, and the skill that it and most others find. */
#include <stdlib.h>

#include "../../common/alloc.h"
#include "../json_edit.h"
#include "install_steps.h"

#define SKILL       "codex/skills/patchcord/SKILL.md"
#define CODEX_HOOKS "codex/hooks.json"

void install_codex(struct install *in, const struct client *client)
{
    const struct plugin_file *file = install_plugin_file(CODEX_HOOKS);
    char *path = client_path(client, "hooks.json");
    struct buf text = {0}, ignored = {0};
    if (file)
        install_with_program(in, file, true, &text);
    struct json_object *root = json_edit_parse(&text, &ignored), *hooks;
    if (path && json_get_object(root, "hooks", &hooks) == JSON_FIELD_FOUND) {
        json_object_object_foreach(hooks, event, items)
        {
            const char *const at[] = {"hooks", event, NULL};
            for (size_t i = 0; i < json_object_array_length(items); i++)
                install_item(in, path, at, json_object_get(json_object_array_get_idx(items, i)));
        }
    }
    json_object_put(root);
    buf_free(&ignored);
    buf_free(&text);
    free(path);
}

/* Where Codex, and most others, look for a person's skills. */
void install_skill(struct install *in)
{
    const struct plugin_file *file = install_plugin_file(SKILL);
    const char *home = install_variable("HOME");
    if (!file || !home)
        return;
    char *path = xasprintf("%s/.agents/skills/patchcord/SKILL.md", home);
    install_file(in, path, file);
    free(path);
}
