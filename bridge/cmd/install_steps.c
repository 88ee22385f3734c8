#include "install_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../quiet_run.h"
#include "terminal.h"

#define BARE_COMMAND "\"command\": \"patchcord"

enum { PROGRAM_TIMEOUT_MS = 60 * 1000 };

void install_attempt(struct install *in, bool ok, struct buf *why)
{
    if (!ok) {
        struct buf line = {0};
        terminal_text(&line, buf_text(why), why->len);
        fprintf(stderr, "patchcord %s: %s\n", in->command->name, buf_text(&line));
        buf_free(&line);
        in->problems++;
    }
    buf_free(why);
}

struct json_object *install_text(const char *text)
{
    struct json_object *value = json_object_new_string(text);
    if (!value)
        alloc_failed();
    return value;
}

void install_member(struct install *in, const char *file, const char *const *path, struct json_object *value)
{
    struct buf why = {0};
    install_attempt(in, installed_member(in->installed, file, path, value, &why), &why);
    json_object_put(value);
}

void install_item(struct install *in, const char *file, const char *const *path, struct json_object *item)
{
    struct buf why = {0};
    install_attempt(in, installed_item(in->installed, file, path, item, &why), &why);
    json_object_put(item);
}

char *install_shell_word(const char *text)
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

void install_with_program(
    const struct install *in, const struct plugin_file *file, bool shell, struct buf *out)
{
    char *word = shell ? install_shell_word(in->program) : xstrdup(in->program);
    struct json_object *quoted = install_text(word);
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

const struct plugin_file *install_plugin_file(const char *path)
{
    const struct plugin_file *file = plugin_files;
    while (file->path && strcmp(file->path, path) != 0)
        file++;
    return file->path ? file : NULL;
}

void install_file(struct install *in, const char *path, const struct plugin_file *file)
{
    struct buf text = {0}, why = {0};
    install_with_program(in, file, false, &text);
    install_attempt(in, installed_file(in->installed, path, text.data, text.len, &why), &why);
    buf_free(&text);
}

const char *install_variable(const char *variable)
{
    const char *value = getenv(variable);
    return value && value[0] == '/' ? value : NULL;
}

bool install_run(struct json_object *command_line)
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
