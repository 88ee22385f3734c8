/* folder.h: copies of folders that hold keys: files 0600, folders 0700, on disk when the call returns. */
#ifndef RELAY_CMD_FOLDER_H
#define RELAY_CMD_FOLDER_H

#include <stdbool.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

/* Makes sure that the folder exists (0700, its parent must) and is empty but for what ignore (may be NULL)
 * names. False: why has one line. */
MUST_CHECK bool folder_prepare_empty(const char *path, bool (*ignore)(const char *name), struct buf *why);
/* Copies files and folders, but for those of the top folder that ignore names, into an existing folder.
 * Symbolic links and other special files are an error. False: why has one line. */
MUST_CHECK bool folder_copy(
    const char *from, const char *to, bool (*ignore)(const char *name), struct buf *why);
/* Removes everything in the folder but for what ignore names, as far as that works. */
void folder_empty(const char *path, bool (*ignore)(const char *name));
/* True where the folder at path is the one at outer, or in it. */
bool folder_is_within(const char *path, const char *outer);

#endif
