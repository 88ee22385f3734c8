/* git_branch.h: the branch that a folder's repository is on, read off its files: no program is run in
 * somebody's repository for a status line. */
#ifndef BRIDGE_GIT_BRANCH_H
#define BRIDGE_GIT_BRANCH_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/buf.h"
#include "../common/compiler.h"

enum { GIT_BRANCH_MAX = 60, GIT_HEAD_MAX_BYTES = 4096, GIT_COMMIT_DIGITS = 7 };

/* Appends the branch of the repository that the folder (an absolute path) lies in, or the beginning of the
 * commit's hash where it is on none. In what is appended every character is one of [A-Za-z0-9._/+@#-]. False:
 * it lies in none. */
MUST_CHECK bool git_branch(const char *folder, struct buf *out);
/* The same for the text of a HEAD file. Pure. */
MUST_CHECK bool git_head_branch(const char *text, size_t len, struct buf *out);

#endif
