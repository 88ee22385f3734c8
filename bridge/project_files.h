/* project_files.h: the files that an agent may send and save: those beneath its project's folder, and beneath
 * folders that the person allowed (--allow-path, or "allow_paths" in the credentials file).
 *
 * Who asks is a model that reads other agents' messages, so the rules do not depend on its good sense: no
 * part of a path may begin with a dot (.env, .git/hooks, ..), links are followed only where they lead to a
 * place that the same rules allow, only regular files are read, and nothing is overwritten. The root of the
 * file system, the person's home folder and those above it are no project. */
#ifndef BRIDGE_PROJECT_FILES_H
#define BRIDGE_PROJECT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/buf.h"
#include "../common/compiler.h"
#include "beneath.h"

struct project_files {
    const char *folder;   /* the project's: an absolute path without links */
    char *const *allowed; /* further folders, NULL-ended; NULL: none */
    enum beneath_way way;
};

/* Whether a folder can be a project's: not the root, and no person's home or above it. */
bool project_is_folder(const char *path);

/* Brings a relative path into its one form: without empty and "." parts. Pure. False: why says which rule it
 * breaks. */
MUST_CHECK bool project_path_read(const char *path, struct buf *out, struct buf *why);

/* Opens a regular file for reading. path is relative to the project's folder, or absolute and beneath one of
 * the folders. -1: why has one line. */
MUST_CHECK int project_files_open(const struct project_files *files, const char *path, struct buf *why);

/* Opens the folder in which path is to become a new file, whose name is written to name. -1: why has one
 * line: a rule is broken, there is no such folder, or something of that name is there already. */
MUST_CHECK int project_files_place(
    const struct project_files *files, const char *path, char name[static NAME_MAX + 1], struct buf *why);

#endif
