#include "harness_visitor.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../common/alloc.h"
#include "../common/json.h"
#include "../common/url.h"

enum { SECRETS_MAX = 4096, SECRET_MIN = 8 };

static char *secrets[SECRETS_MAX];
static size_t secrets_count;

void visitor_secret(const char *text)
{
    if (strlen(text) >= SECRET_MIN && secrets_count < SECRETS_MAX)
        secrets[secrets_count++] = xstrdup(text);
}

void visitor_check_log(struct visitor *v)
{
    for (size_t i = 0; i < secrets_count; i++)
        ck_assert_msg(!relay_log_has(v->relay, secrets[i]), "the log has %s", secrets[i]);
}

void visitor_free(struct visitor *v)
{
    http_reply_free(&v->reply);
    free(v->cookie);
    free(v->state);
    *v = (struct visitor){0};
}

/* ---- answers ---- */

const char *visitor_json(const struct visitor *v, const char *key)
{
    return json_text_or(v->reply.json, key, "");
}

const char *visitor_header(const struct visitor *v, const char *name)
{
    static char value[8192];
    char *line = xasprintf("\n%s: ", name);
    const char *at = strcasestr(buf_text(&v->reply.headers), line);
    const size_t skip = strlen(line);
    value[0] = '\0';
    free(line);
    if (!at)
        return value;
    const size_t len = strcspn(at + skip, "\r\n");
    ck_assert_uint_lt(len, sizeof value);
    memcpy(value, at + skip, len);
    value[len] = '\0';
    return value;
}

bool visitor_sees(const struct visitor *v, const char *text)
{
    return strstr(buf_text(&v->reply.body), text) != NULL;
}

static char *between(const char *text, const char *before, const char *end)
{
    const char *at = text ? strstr(text, before) : NULL;
    return at ? xmemdup_text(at + strlen(before), strcspn(at + strlen(before), end)) : NULL;
}

static void keep(char **kept, char *value)
{
    if (!value)
        return;
    free(*kept);
    *kept = value;
    visitor_secret(value);
}

static int answered(struct visitor *v)
{
    static const char *const members[] = {
        "access_token", "refresh_token", "client_secret", "device_code", "user_code"};
    const char *set_cookie = visitor_header(v, "Set-Cookie");
    if (*set_cookie)
        keep(&v->cookie, xmemdup_text(set_cookie, strcspn(set_cookie, ";")));
    keep(&v->state, between(buf_text(&v->reply.body), "name=\"request\" value=\"", "\""));
    for (size_t i = 0; i < LENGTH_OF(members); i++)
        visitor_secret(visitor_json(v, members[i]));
    char *code = visitor_located(v, "code");
    visitor_secret(code ? code : "");
    free(code);
    return v->reply.status;
}

/* ---- requests ---- */

static int call(struct visitor *v, const char *method, const char *path, const char *type,
    const char *const more[], const char *body)
{
    enum { HEADERS_MAX = 8 };
    char *url = xasprintf("%s%s", v->relay->url, path);
    char *cookie = xasprintf("Cookie: other=1; %s", v->cookie ? v->cookie : "x=y");
    const char *headers[HEADERS_MAX] = {cookie, type};
    for (size_t i = 0; more && more[i] && i + 3 < HEADERS_MAX; i++)
        headers[i + 2] = more[i];
    http_reply_free(&v->reply);
    http_call(method, url, headers, body, &v->reply);
    free(url);
    free(cookie);
    return answered(v);
}

int visitor_get(struct visitor *v, const char *path)
{
    return call(v, "GET", path, "Accept: text/html", NULL, NULL);
}

int visitor_post_with(struct visitor *v, const char *path, const char *form, const char *const headers[])
{
    return call(v, "POST", path, "Content-Type: application/x-www-form-urlencoded", headers, form);
}

int visitor_post(struct visitor *v, const char *path, const char *form)
{
    return visitor_post_with(v, path, form, NULL);
}

int visitor_register(struct visitor *v, const char *json)
{
    return call(v, "POST", "/register", "Content-Type: application/json", NULL, json);
}

/* ---- consent ---- */

char *visitor_connect_code(struct visitor *v, const char *words)
{
    struct program_result result = {0};
    char *line = xasprintf("connect %s", words);
    ck_assert_msg(relay_command(v->relay, line, NULL, &result) == 0, "%s", buf_text(&result.err));
    char *code = xmemdup_text(buf_text(&result.out), strcspn(buf_text(&result.out), "\n"));
    visitor_secret(code);
    program_result_free(&result);
    free(line);
    return code;
}

int visitor_allow(struct visitor *v, const char *path, const char *code)
{
    struct buf form = {0};
    buf_printf(&form, "request=%s&decision=allow&code=", v->state ? v->state : "");
    url_encode(&form, code, strlen(code));
    const int status = visitor_post(v, path, buf_text(&form));
    buf_free(&form);
    return status;
}

char *visitor_located(const struct visitor *v, const char *name)
{
    char *before[] = {xasprintf("?%s=", name), xasprintf("&%s=", name)};
    const char *location = visitor_header(v, "Location");
    char *value = between(location, before[0], "&");
    if (!value)
        value = between(location, before[1], "&");
    struct buf decoded = {0};
    if (value && !url_decode(&decoded, value, strlen(value), true))
        ck_abort_msg("%s", value);
    const bool is_there = value != NULL;
    free(value);
    free(before[0]);
    free(before[1]);
    return is_there ? buf_take(&decoded) : NULL;
}
