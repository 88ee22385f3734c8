/* save_file.h: a new file that appears whole or not at all. It is written under another name in its folder,
 * brought to the disk, and then given its own name, which it never takes from something that is there. */
#ifndef BRIDGE_SAVE_FILE_H
#define BRIDGE_SAVE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/compiler.h"

struct save_file;

/* Portable: for file systems without hard links too. */
enum save_file_way { SAVE_FILE_BEST, SAVE_FILE_PORTABLE };

/* name: without a slash. folder is a descriptor, taken over in any case. NULL: errno. */
struct save_file *save_file_begin(int folder, const char *name);
/* False: errno. */
MUST_CHECK bool save_file_write(struct save_file *file, const void *bytes, size_t len);
/* Ends it in any case. False: errno (EEXIST: the name was taken meanwhile), and nothing is left of it. */
MUST_CHECK bool save_file_commit(struct save_file *file, enum save_file_way way);
/* Ends it and leaves nothing. NULL is fine. */
void save_file_abort(struct save_file *file);

#endif
