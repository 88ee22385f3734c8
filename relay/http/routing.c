/* routing.c: the table of routes, read from the top. */
#include "routing.h"

#include <string.h>

static bool path_matches(const char *pattern, const char *path)
{
    size_t len = strlen(pattern);
    if (len >= 2 && strcmp(pattern + len - 2, "/*") == 0)
        return strncmp(pattern, path, len - 1) == 0 && path[len - 1] != '\0';
    return strcmp(pattern, path) == 0;
}

static const struct route *find_method(const struct route *routes, const char *method, const char *path)
{
    for (const struct route *r = routes; r->handle; r++) {
        if (path_matches(r->path, path) && (!r->method || strcmp(r->method, method) == 0))
            return r;
    }
    return NULL;
}

static void allow_add(struct buf *allow, const char *method)
{
    if (allow->len > 0)
        buf_puts(allow, ", ");
    buf_puts(allow, method);
}

const struct route *route_find(
    const struct route *routes, const char *method, const char *path, struct buf *allow)
{
    const struct route *found = find_method(routes, method, path);
    if (!found && strcmp(method, "HEAD") == 0)
        found = find_method(routes, "GET", path);
    if (found)
        return found;
    for (const struct route *r = routes; r->handle; r++) {
        if (!path_matches(r->path, path))
            continue;
        allow_add(allow, r->method);
        if (strcmp(r->method, "GET") == 0)
            allow_add(allow, "HEAD");
    }
    return NULL;
}
