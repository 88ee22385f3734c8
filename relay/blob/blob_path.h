/* blob_path.h: where an attachment is: "namespace/agent/<milliseconds>_<safe name>". The relay alone makes
 * paths; what comes from outside is held against their one form, and nothing else gets near a disk or another
 * server. Pure but for the clock in blob_path_make.
 *
 * Each part has characters of [a-z0-9A-Z._-] only (and a leading '~', see blob_path_owner), and none begins
 * with a dot. */
#ifndef RELAY_BLOB_BLOB_PATH_H
#define RELAY_BLOB_BLOB_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/compiler.h"
#include "../../common/ident.h"

enum {
    BLOB_NAME_MAX = 100, /* bytes of a safe name */
    BLOB_NAME_SIZE = BLOB_NAME_MAX + 1,
    BLOB_MS_DIGITS_MAX = 20, /* of an int64_t */
    BLOB_PATH_MAX = NAME_MAX_LEN + 1 + NAME_MAX_LEN + 1 + BLOB_MS_DIGITS_MAX + 1 + BLOB_NAME_MAX,
    BLOB_PATH_SIZE = BLOB_PATH_MAX + 1,
};

struct blob_path {
    char text[BLOB_PATH_SIZE];                             /* the whole */
    char namespace_part[NAME_SIZE], agent_part[NAME_SIZE]; /* as blob_path_owner made them */
    int64_t made_ms;                                       /* wall clock */
    char name[BLOB_NAME_SIZE];
};

/* A namespace or agent as a part of a path: a valid name (ident.h) stands for itself; any other, as older
 * databases have them, becomes '~' and 40 hex digits of its SHA-256, so that no two share a part. */
void blob_path_owner(const char *name, char out[static NAME_SIZE]);

/* The last part of a file name that anybody gave, made safe for every disk, shell and header: other
 * characters than [A-Za-z0-9._-] become '_' (runs of them one), leading dots, dashes and trailing dots go,
 * what Windows takes for a device gets
 * '_' in front, a long one is cut in front of its extension. "file" where nothing is left. */
void blob_name_safe(const char *name, char out[static BLOB_NAME_SIZE]);

/* A new path; no two calls of a process make the same one. */
void blob_path_make(const char *namespace_id, const char *agent, const char *filename, struct blob_path *out);

/* Reads a path as blob_path_make made it, blanks around it aside. False, with one clause for people in
 * *problem ("must be …"): anything else, a '..', an absolute or encoded path included. */
MUST_CHECK bool blob_path_parse(const char *text, struct blob_path *out, const char **problem);
bool blob_path_in_namespace(const struct blob_path *path, const char *namespace_id);

#endif
