#include "signed_url.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/url.h"

enum { SIGNED_URL_MAX = 8192 };

/* Visible ASCII; a fragment would be dropped on the way, and with it perhaps what it stood for. */
static bool is_plain(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c <= ' ' || *c > '~' || *c == '#')
            return false;
    }
    return strlen(text) <= SIGNED_URL_MAX;
}

/* Splits "scheme://host/path?query" into the parsed URL in front of the query, and path and query as they
 * stand. */
static bool read_given(const char *given, struct url *url, const char **target)
{
    if (!is_plain(given))
        return false;
    char *base = xmemdup_text(given, strcspn(given, "?"));
    bool read = url_parse(base, url);
    free(base);
    if (!read)
        return false;
    const char *host = strstr(given, "://") + 3;
    *target = host + strcspn(host, "/?");
    return true;
}

bool signed_url_take(
    const char *relay_url, const char *given, bool is_elsewhere, struct buf *out, struct buf *why)
{
    struct url relay = {0}, file = {0};
    const char *target = NULL;
    bool taken = url_parse(relay_url, &relay) && read_given(given, &file, &target);
    char *relay_origin = taken ? url_origin(&relay) : NULL, *origin = taken ? url_origin(&file) : NULL;
    if (!taken) {
        buf_puts(why, "the relay gave something that is no URL for the file");
    } else if (strcmp(origin, relay_origin) == 0 || strcmp(file.scheme, "https") == 0) {
        buf_puts(out, given);
    } else if (url_host_is_loopback(file.host) && url_host_is_loopback(relay.host)) {
        if (is_elsewhere)
            buf_puts(out, given);
        else
            buf_printf(out, "%s%s", relay_url, target);
    } else {
        buf_printf(why,
            "the relay at %s gave an address for the file that is neither its own nor https (%s); its "
            "operator has to "
            "set PATCHCORD_PUBLIC_URL to the address by which agents reach it",
            relay_url, origin);
        taken = false;
    }
    free(origin);
    free(relay_origin);
    url_free(&file);
    url_free(&relay);
    return taken;
}
