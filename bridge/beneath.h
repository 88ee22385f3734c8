/* beneath.h: opening what lies beneath a folder, and nothing else, whatever links lie there and whoever moves
 * them meanwhile. What Linux alone can do (openat2(2)) is here, with its portable variant. */
#ifndef BRIDGE_BENEATH_H
#define BRIDGE_BENEATH_H

#include <limits.h>
#include <stdbool.h>

#include "../common/compiler.h"

enum beneath_way { BENEATH_BEST, BENEATH_PORTABLE };

enum { BENEATH_LINKS_MAX = 40 };

/* Follows the links of a relative path without "..": writes where it leads, free of links, ".", ".." and
 * empty parts ("" is the root itself). Nothing is opened. False with errno: EXDEV where a link leads out
 * (absolute ones always do), ELOOP, ENAMETOOLONG, ENOENT and what else readlinkat(2) says. */
MUST_CHECK bool beneath_resolve(int root, const char *path, char out[static PATH_MAX]);

/* Opens such a resolved path (never "") and follows no link at all, not even one that was put there since
 * (ELOOP or ENOTDIR). flags are those of open(2) without O_CREAT; O_CLOEXEC and O_NOFOLLOW are added. -1:
 * errno. */
MUST_CHECK int beneath_open(int root, const char *path, int flags, enum beneath_way way);

#endif
