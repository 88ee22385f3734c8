/* edited_file.h: a file of somebody else's (a program's settings) that is read, changed in memory, and put
 * back whole: written under another name in its folder, flushed, with the old one's mode and group, and
 * renamed. A link is followed, and stays: what it leads to is replaced. */
#ifndef BRIDGE_EDITED_FILE_H
#define BRIDGE_EDITED_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "../common/buf.h"
#include "../common/compiler.h"

enum { EDITED_FILE_MAX_BYTES = 16 * 1024 * 1024 };

struct edited_file {
    char *path;       /* as it was named */
    char *target;     /* where that leads, without links */
    bool exists;      /* when it was opened */
    struct stat seen; /* what it was then */
    struct buf text;  /* to be changed; wiped in the end */
    struct buf before;
};

/* Reads the file; one that is missing has no text. within: it has to lie beneath this folder (a real path)
 * after all links; NULL: anywhere. False: why names the file and says why it is left alone (a link that leads
 * out or nowhere, no regular file, somebody else's, read-only, too large); *out is empty. */
MUST_CHECK bool edited_file_open(
    const char *path, const char *within, struct edited_file *out, struct buf *why);
bool edited_file_changed(const struct edited_file *file);
/* Puts the text in place where it was changed, making missing folders. mode: of a new file and, with x added,
 * its folders, less the umask. False: why has one line (it was changed by somebody else meanwhile, too), and
 * the file is what it was. */
MUST_CHECK bool edited_file_commit(struct edited_file *file, mode_t mode, struct buf *why);
/* Removes the file, a link itself and what it leads to. False: why has one line. */
MUST_CHECK bool edited_file_remove(struct edited_file *file, struct buf *why);
void edited_file_free(struct edited_file *file);

#endif
