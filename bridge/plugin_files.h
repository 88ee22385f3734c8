/* plugin_files.h: what `patchcord install` gives to agents' programs: the files below bridge/plugin/, embedded at
 * build time. */
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
