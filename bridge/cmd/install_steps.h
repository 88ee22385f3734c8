/* install_steps.h: what `patchcord install` does, program by program, and what these steps share. Whatever
 * fails is said and counted, and the rest is done. */
#ifndef BRIDGE_CMD_INSTALL_STEPS_H
#define BRIDGE_CMD_INSTALL_STEPS_H

#include "../clients.h"
#include "../command.h"
#include "../installed.h"
#include "../plugin_files.h"

struct install {
    const struct command *command;
    const struct config_options *options;
    bool full, rehearse, undo, purge;
    bool has_skill;
    char *program; /* this one's path */
    struct installed *installed;
    size_t problems;
};

/* ---- the steps ---- */

void install_claude(struct install *in, const struct client *client);
void install_codex(struct install *in, const struct client *client);
/* The skill for programs other than Claude Code. */
void install_skill(struct install *in);
/* Tokens in the client's file for all projects go to the credentials file, if their relay knows them, and our
 * entry takes the place of theirs. */
void install_move_tokens(struct install *in, const struct client *client);
/* The same for the single projects in Claude Code's file. */
void install_move_project_tokens(struct install *in, const struct client *client);

/* ---- what they share ---- */

/* Says and counts a failure where ok is false; frees why. */
void install_attempt(struct install *in, bool ok, struct buf *why);
/* As in installed.h; the value is taken over. */
void install_member(struct install *in, const char *file, const char *const *path, struct json_object *value);
void install_item(struct install *in, const char *file, const char *const *path, struct json_object *item);
void install_file(struct install *in, const char *path, const struct plugin_file *file);
/* NULL: there is none of that path. */
const struct plugin_file *install_plugin_file(const char *path);
/* Appends the plugin's file, in which this program is called by its path and not by its bare name: an
 * editor's PATH may lack it. shell: the command is a line for a shell. */
void install_with_program(
    const struct install *in, const struct plugin_file *file, bool shell, struct buf *out);
/* A word for a shell: as it is, or in quotes. Caller frees. */
char *install_shell_word(const char *text);
struct json_object *install_text(const char *text);
/* An absolute path in the environment; NULL. */
const char *install_variable(const char *name);
/* Runs a command line, a list of texts. */
bool install_run(struct json_object *command_line);

#endif
