/* file_tree.h: walking through the stored files: folder/<namespace>/<agent>/<milliseconds>_<name>. What else
 * lies there is passed over. */
#ifndef RELAY_BLOB_FILE_TREE_H
#define RELAY_BLOB_FILE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "blob_path.h"

/* Calls each with every blob's path and its file's size, until it returns false. namespace_part NULL: in all
 * of them. False where a folder cannot be read (errno); one that is not there, or goes meanwhile, is an empty
 * one. */
MUST_CHECK bool file_tree_walk(const char *folder, const char *namespace_part,
    bool (*each)(void *arg, const struct blob_path *path, int64_t file_bytes), void *arg);

#endif
