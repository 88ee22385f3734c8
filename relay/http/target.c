/* target.c: reading a request target. */
#include "target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/url.h"

/* Where the path begins, or NULL. */
static const char *path_start(const char *text)
{
    if (text[0] == '/')
        return text;
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < LENGTH_OF(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(text, schemes[i], len) == 0)
            return text + len + strcspn(text + len, "/?");
    }
    return NULL;
}

static bool decode(const char *text, size_t len, bool plus, char **out)
{
    struct buf b = {0};
    if (!url_decode(&b, text, len, plus)) {
        buf_free(&b);
        return false;
    }
    *out = buf_take(&b);
    return true;
}

static bool read_field(const char *text, size_t len, struct http_field *out)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    const char *value = equals ? equals + 1 : text + len;
    return decode(text, name_len, true, &out->name) &&
           decode(value, (size_t)(text + len - value), true, &out->value);
}

static bool read_query(const char *text, struct target *out)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "&");
        if (len > 0) {
            if (out->query_count == TARGET_QUERY_MAX)
                return false;
            out->query = xreallocarray(out->query, out->query_count + 1, sizeof *out->query);
            struct http_field *field = &out->query[out->query_count++];
            *field = (struct http_field){0};
            if (!read_field(text, len, field))
                return false;
        }
        text += len + (text[len] == '&');
    }
    return true;
}

bool target_parse(const char *text, struct target *out)
{
    *out = (struct target){0};
    const char *path = path_start(text);
    if (!path)
        return false;
    size_t path_len = strcspn(path, "?");
    bool ok = path_len == 0 ? (out->path = xstrdup("/")) != NULL : decode(path, path_len, false, &out->path);
    ok = ok && (path[path_len] == '\0' || read_query(path + path_len + 1, out));
    if (!ok)
        target_free(out);
    return ok;
}

void target_free(struct target *t)
{
    for (size_t i = 0; i < t->query_count; i++) {
        free(t->query[i].name);
        free(t->query[i].value);
    }
    free(t->query);
    free(t->path);
    *t = (struct target){0};
}
