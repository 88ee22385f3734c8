#include "browser_cookie.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"

/* With the prefix no other host and no plain connection can set it (RFC 6265bis section 4.1.3). */
static const char *name_of(bool is_https)
{
    return is_https ? "__Host-patchcord_browser" : "patchcord_browser";
}

static bool is_value(const char *value, size_t len)
{
    return len == BROWSER_COOKIE_SIZE - 1 && strspn(value, "0123456789abcdef") >= len;
}

bool browser_cookie_read(const struct exchange *ex, bool is_https, char out[static BROWSER_COOKIE_SIZE])
{
    const char *at = exchange_header(ex, "Cookie"), *name = name_of(is_https);
    const size_t name_len = strlen(name);
    out[0] = '\0';
    while (at && *at) {
        at += strspn(at, "; ");
        const size_t len = strcspn(at, ";");
        const char *value = at + name_len + 1;
        if (len > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=' &&
            is_value(value, len - name_len - 1)) {
            memcpy(out, value, BROWSER_COOKIE_SIZE - 1);
            out[BROWSER_COOKIE_SIZE - 1] = '\0';
            return true;
        }
        at += len;
    }
    return false;
}

/* Lax, not Strict: an application's link leads to the page, and has to find the cookie of the tab beside. A
 * form that another site sends comes without it all the same. */
void browser_cookie_ensure(struct exchange *ex, bool is_https, char out[static BROWSER_COOKIE_SIZE])
{
    unsigned char random[BROWSER_COOKIE_BYTES];
    if (browser_cookie_read(ex, is_https, out))
        return;
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(out, BROWSER_COOKIE_SIZE, random, sizeof random);
    char *cookie = xasprintf(
        "%s=%s; Path=/; HttpOnly; SameSite=Lax%s", name_of(is_https), out, is_https ? "; Secure" : "");
    exchange_add_header(ex, "Set-Cookie", cookie);
    free(cookie);
}
