/* well_known.c: /.well-known/security.txt (RFC 9116) and /.well-known/openai-apps-challenge. */
#include <string.h>

#include "../../common/clock.h"
#include "../../common/url.h"
#include "../config.h"
#include "../relay.h"
#include "api.h"

/* RFC 9116 wants a date at which the file is to be read again, less than a year ahead. */
#define SECURITY_TXT_LIFE_MS (180 * (int64_t)MS_PER_DAY)

enum verdict api_security_txt(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    const char *public_url = relay->config->public_url;
    struct url url;
    if (!url_parse(public_url, &url)) {
        exchange_error(ex, 404, "not_found", NULL);
        return VERDICT_DONE;
    }
    char expires[RFC3339_LEN];
    clock_rfc3339(clock_wall_ms() + SECURITY_TXT_LIFE_MS, expires);
    struct buf text = {0};
    /* RFC 2142 names the mailbox. */
    buf_printf(&text, "Contact: mailto:security@%s\nExpires: %s\nCanonical: %s/.well-known/security.txt\n",
        url.host, expires, public_url);
    exchange_answer(ex, 200, "text/plain; charset=utf-8", buf_text(&text), text.len);
    buf_free(&text);
    url_free(&url);
    return VERDICT_DONE;
}

enum verdict api_openai_challenge(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    const char *token = relay->config->openai_verification_token;
    if (token)
        exchange_answer(ex, 200, "text/plain; charset=utf-8", token, strlen(token));
    else
        exchange_error(ex, 404, "not_found", "OPENAI_VERIFICATION_TOKEN is not set.");
    return VERDICT_DONE;
}
