#include "consent.h"

#include <string.h>

#include "../../common/clock.h"
#include "../auth/authenticator.h"
#include "../relay.h"
#include "browser_cookie.h"
#include "consent_page.h"
#include "page.h"

static bool is_https(const struct oauth *oauth)
{
    return strncmp(oauth->public_url, "https:", strlen("https:")) == 0;
}

void consent_seal(struct exchange *ex, const char *purpose, const struct signed_state_field fields[],
    size_t count, struct buf *out)
{
    const struct relay *relay = ex->app;
    char browser[BROWSER_COOKIE_SIZE];
    browser_cookie_ensure(ex, is_https(relay->oauth), browser);
    const struct signed_state_scope scope = {relay->oauth->state_key, purpose, browser};
    signed_state_seal(&scope, fields, count, clock_wall_ms() + CONSENT_LIFE_MS, out);
}

bool consent_open(struct exchange *ex, const char *purpose, const struct form *form, struct form *out)
{
    const struct relay *relay = ex->app;
    char browser[BROWSER_COOKIE_SIZE];
    const char *state = form_get(form, FIELD_STATE);
    const bool has_cookie = browser_cookie_read(ex, is_https(relay->oauth), browser);
    const struct signed_state_scope scope = {relay->oauth->state_key, purpose, browser};
    if (state && has_cookie && signed_state_open(&scope, state, clock_wall_ms(), out))
        return true;
    consent_refuse(ex, 400,
        "This page has run out, or it was opened in another browser. Start again where you came from. "
        "Cookies "
        "must be allowed.");
    return false;
}

bool consent_try(struct exchange *ex, const char *id)
{
    const struct relay *relay = ex->app;
    if (!authenticator_count_try(relay->auth, ex)) {
        consent_refuse(ex, 429, "Too many tries from your address. Wait a minute, and try again.");
        return false;
    }
    if (authority_try(relay->oauth, id))
        return true;
    consent_refuse(ex, 403, "Too many wrong codes. Start again where you came from, with a new code.");
    return false;
}

void consent_refuse(struct exchange *ex, int status, const char *text)
{
    page_message(ex, status, "This cannot be granted", text, NULL, NULL);
}

void consent_store_failed(struct exchange *ex)
{
    consent_refuse(ex, 503, "The store did not answer. Nothing was done; try again in a moment.");
}
