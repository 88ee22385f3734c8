#include "edit_path.h"

#include "../common/alloc.h"

size_t edit_path_len(const char *const *path)
{
    size_t len = 0;
    while (path[len])
        len++;
    return len;
}

void edit_path_print(const char *const *path, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++)
        buf_printf(out, "%s%s", i ? "." : "", path[i]);
}

struct json_object *edit_copy(struct json_object *value)
{
    struct json_object *copy = NULL;
    if (json_object_deep_copy(value, &copy, NULL) != 0)
        alloc_failed();
    return copy;
}
