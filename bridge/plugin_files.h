/* plugin_files.h: what `patchcord install` gives to agents' programs: the files below bridge/plugin/, embedded at
 * build time by bridge/embed_plugin.sh.
 *
 *     claude/   the plugin for Claude Code, and in the same folder the marketplace "patchcord" that has it
 *     codex/    hooks.json, to be merged into Codex's, and skills/, for .agents/skills/
 *     web/      the skill for agents in a browser, to be uploaded or pasted there
 *
 * Hooks name the program as patchcord, to be found in PATH. */
#ifndef BRIDGE_PLUGIN_FILES_H
#define BRIDGE_PLUGIN_FILES_H

#include <stddef.h>

struct plugin_file {
    const char *path; /* below bridge/plugin/: "claude/skills/patchcord/SKILL.md"; NULL ends the table */
    const unsigned char *bytes;
    size_t len;
};

/* By path. */
extern const struct plugin_file plugin_files[];

#endif
