#include "device_login.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/secret.h"

static bool is_visible(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return len > 0;
}

static bool take_text(struct json_object *answer, const char *name, size_t max, char **out, struct buf *why)
{
    const char *text;
    size_t len;
    if (json_get_text(answer, name, &text, &len) == JSON_FIELD_FOUND && len <= max && is_visible(text, len)) {
        *out = xmemdup_text(text, len);
        return true;
    }
    buf_printf(why, "its answer has no proper \"%s\"", name);
    return false;
}

/* Brought to between 1 and max; absent where there is no such number. */
static int take_seconds(struct json_object *answer, const char *name, int absent, int max)
{
    int64_t seconds;
    if (json_get_int(answer, name, &seconds) != JSON_FIELD_FOUND)
        return absent;
    return seconds < 1 ? 1 : seconds > max ? max : (int)seconds;
}

bool device_url_opens(const char *url)
{
    return (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) &&
           is_visible(url, strlen(url));
}

static bool urls_open(const struct device_request *request, struct buf *why)
{
    if (device_url_opens(request->verification_uri) &&
        (!request->verification_uri_complete || device_url_opens(request->verification_uri_complete)))
        return true;
    buf_puts(why, "its answer has no proper \"verification_uri\"");
    return false;
}

bool device_request_read(struct json_object *answer, struct device_request *out, struct buf *why)
{
    const char *complete = json_text_or(answer, "verification_uri_complete", NULL);
    *out = (struct device_request){
        .expires_s = take_seconds(answer, "expires_in", 0, DEVICE_EXPIRES_MAX_S),
        .interval_s = take_seconds(answer, "interval", DEVICE_INTERVAL_S, DEVICE_INTERVAL_MAX_S),
    };
    bool ok = take_text(answer, "device_code", DEVICE_CODE_MAX_LEN, &out->device_code, why) &&
              take_text(answer, "user_code", DEVICE_CODE_MAX_LEN, &out->user_code, why) &&
              take_text(answer, "verification_uri", DEVICE_URL_MAX_LEN, &out->verification_uri, why) &&
              (!complete || take_text(answer, "verification_uri_complete", DEVICE_URL_MAX_LEN,
                                &out->verification_uri_complete, why)) &&
              urls_open(out, why);
    if (ok && out->expires_s == 0) {
        buf_puts(why, "its answer has no proper \"expires_in\"");
        ok = false;
    }
    if (!ok)
        device_request_free(out);
    return ok;
}

void device_request_free(struct device_request *request)
{
    secret_free(request->device_code);
    free(request->user_code);
    free(request->verification_uri);
    free(request->verification_uri_complete);
    *request = (struct device_request){0};
}

/* ---- the token ---- */

static bool take_name(
    struct json_object *answer, const char *name, char out[static NAME_SIZE], struct buf *why)
{
    if (ident_name_normalize(json_text_or(answer, name, ""), out))
        return true;
    buf_printf(why, "its answer has no proper \"%s\"", name);
    return false;
}

static enum device_state read_token(struct json_object *answer, struct device_token *out, struct buf *why)
{
    *out = (struct device_token){0};
    if (take_text(answer, "access_token", TOKEN_MAX_LEN, &out->token, why) &&
        take_name(answer, "agent", out->who.agent, why) &&
        take_name(answer, "namespace", out->who.namespace_id, why))
        return DEVICE_GRANTED;
    device_token_free(out);
    return DEVICE_FAILED;
}

enum device_state device_token_read(
    int status, struct json_object *answer, struct device_token *out, struct buf *why)
{
    static const struct {
        const char *error;
        enum device_state state;
    } errors[] = {
        {"authorization_pending", DEVICE_PENDING},
        {"slow_down", DEVICE_SLOW_DOWN},
        {"access_denied", DEVICE_DENIED},
        {"expired_token", DEVICE_EXPIRED},
    };
    if (status == 200)
        return read_token(answer, out, why);
    const char *error = json_text_or(answer, "error", "");
    for (size_t i = 0; i < LENGTH_OF(errors); i++) {
        if (status >= 400 && status < 500 && strcmp(error, errors[i].error) == 0)
            return errors[i].state;
    }
    return DEVICE_FAILED;
}

void device_token_free(struct device_token *token)
{
    secret_free(token->token);
    *token = (struct device_token){0};
}
