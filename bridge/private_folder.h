/* private_folder.h: folders and files that are ours alone (0700 and 0600), and whose files are whole or not
 * there: what is put is written under another name, flushed, and renamed. Names are relative to an open
 * folder, and no link is followed in it. */
#ifndef BRIDGE_PRIVATE_FOLDER_H
#define BRIDGE_PRIVATE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/buf.h"
#include "../common/compiler.h"

enum { FILE_NAME_SIZE = 256 };
/* What file names begin with while they are written. What a crash left of them is removed after an hour. */
#define FILE_NEW_PREFIX ".new-"

/* Opens the folder below the one that base is open on (AT_FDCWD: path is absolute), making it, and those
 * above it, where create is set. -1: errno says why (EPERM: it belongs to another user, or is open to
 * others). */
int private_folder_open(int base, const char *path, bool create);

/* Puts the file in place, on the disk when it returns where durable is set; one of that name is replaced.
 * False: errno says why, and there is no new file. */
MUST_CHECK bool private_file_put(int folder, const char *name, const struct buf *text, bool durable);

enum private_read {
    PRIVATE_READ,
    PRIVATE_GONE,  /* no such file */
    PRIVATE_UNFIT, /* a link, no regular file, somebody else's, writable for others, or too long */
    PRIVATE_FAULT, /* it could not be read just now; errno */
};
/* Appends the file's text to out. */
enum private_read private_file_read(int folder, const char *name, size_t max_bytes, struct buf *out);

struct file_names {
    char (*list)[FILE_NAME_SIZE]; /* in the order of strcmp */
    size_t count;
};
/* The names in the folder, but for "." and "..", and files that are being put; what a crash left of such is
 * removed. False: errno says why, and *out is empty. */
MUST_CHECK bool private_folder_list(int folder, struct file_names *out);
void file_names_free(struct file_names *names);

#endif
