#include "origin.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/url.h"

/* True for the origin that text has, and nothing behind it but an empty path. */
static bool parse_origin(const char *text, struct url *out)
{
    if (!url_parse(text, out))
        return false;
    if (strcmp(out->path, "/") == 0)
        return true;
    url_free(out);
    return false;
}

static bool same_origin(const struct url *a, const struct url *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0 && a->port == b->port;
}

bool origin_is_allowed(const char *origin, const char *public_url)
{
    if (!origin)
        return true;
    struct url theirs, ours;
    if (!parse_origin(origin, &theirs))
        return false;
    bool allowed = false;
    if (url_parse(public_url, &ours)) {
        allowed = same_origin(&theirs, &ours) ||
                  (url_host_is_loopback(ours.host) && url_host_is_loopback(theirs.host));
        url_free(&ours);
    }
    url_free(&theirs);
    return allowed;
}
