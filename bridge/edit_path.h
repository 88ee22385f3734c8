/* edit_path.h: where something stands in a file of settings: a list of names from its root on, NULL-ended. */
#ifndef BRIDGE_EDIT_PATH_H
#define BRIDGE_EDIT_PATH_H

#include <stddef.h>

#include "../common/json.h"

size_t edit_path_len(const char *const *path);
/* Appends the first len names, with dots between them. */
void edit_path_print(const char *const *path, size_t len, struct buf *out);
/* A copy of the value, to be changed. */
struct json_object *edit_copy(struct json_object *value);

#endif
