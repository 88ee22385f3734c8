#include "redirect_uri.h"

#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/url.h"

static const char LOOPBACK_SCHEME[] = "http://";

/* Schemes without a dot that belong to one program all the same. */
static const char *const app_schemes[] = {"cursor", "vscode", "vscode-insiders", "windsurf"};

static const char *const loopback_hosts[] = {"localhost", "127.0.0.1", "::1"};

/* RFC 3986 section 2: what a URI is made of. */
static bool has_uri_characters(const char *text)
{
    static const char others[] = "\\\"<>^`{|}";
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~' || strchr(others, *text))
            return false;
    }
    return true;
}

static bool is_loopback(const char *host)
{
    for (size_t i = 0; i < LENGTH_OF(loopback_hosts); i++) {
        if (strcmp(host, loopback_hosts[i]) == 0)
            return true;
    }
    return false;
}

static bool is_app_scheme(const char *scheme, size_t len)
{
    if (memchr(scheme, '.', len))
        return true;
    for (size_t i = 0; i < LENGTH_OF(app_schemes); i++) {
        if (strlen(app_schemes[i]) == len && memcmp(app_schemes[i], scheme, len) == 0)
            return true;
    }
    return false;
}

/* A policy has no way to name an IPv6 address (CSP3 section 2.3.1): its scheme stands for it. */
static void set_web(const struct url *url, struct redirect_uri *out)
{
    char *origin = url_origin(url);
    out->host = xstrdup(url->host);
    out->shown = xstrdup(strstr(origin, "://") + 3);
    out->source = strchr(url->host, ':') ? xasprintf("%s:", url->scheme) : xstrdup(origin);
    free(origin);
}

static const char *parse_web(const char *text, struct redirect_uri *out)
{
    struct url url;
    char *before_query = xmemdup_text(text, strcspn(text, "?"));
    const bool is_url = url_parse(before_query, &url);
    free(before_query);
    if (!is_url)
        return "must be a URL without a user name";
    const bool is_plain = strcmp(url.scheme, "http") == 0;
    const bool is_fine = !is_plain || is_loopback(url.host);
    out->kind = is_plain ? REDIRECT_LOOPBACK : REDIRECT_WEB;
    if (is_fine)
        set_web(&url, out);
    url_free(&url);
    return is_fine ? NULL : "must be https, unless it is http to localhost, 127.0.0.1 or [::1]";
}

static const char *parse_app(const char *text, size_t scheme_len, struct redirect_uri *out)
{
    if (!is_app_scheme(text, scheme_len) || text[scheme_len + 1] == '\0')
        return "must be https, http to localhost, or a scheme of one program with a dot in it";
    out->kind = REDIRECT_APP;
    out->shown = xmemdup_text(text, scheme_len + 1);
    out->source = xstrdup(out->shown);
    return NULL;
}

static const char *parse(const char *text, struct redirect_uri *out)
{
    const size_t scheme_len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    if (strlen(text) > REDIRECT_URI_MAX)
        return "is too long";
    if (strchr(text, '#'))
        return "must not have a fragment";
    if (!has_uri_characters(text))
        return "has characters that no URI has";
    if (scheme_len == 0 || text[scheme_len] != ':' || text[0] < 'a' || text[0] > 'z')
        return "must begin with a scheme in lower case";
    if (strncmp(text, "http:", 5) == 0 || strncmp(text, "https:", 6) == 0)
        return parse_web(text, out);
    return parse_app(text, scheme_len, out);
}

bool redirect_uri_parse(const char *text, struct redirect_uri *out, const char **problem)
{
    *out = (struct redirect_uri){0};
    *problem = parse(text, out);
    return !*problem;
}

void redirect_uri_free(struct redirect_uri *uri)
{
    free(uri->shown);
    free(uri->source);
    free(uri->host);
    *uri = (struct redirect_uri){0};
}

/* Of a loopback URI: where its port begins (at the colon, where it has one). */
static size_t port_at(const char *text)
{
    const size_t host_at = sizeof LOOPBACK_SCHEME - 1;
    const size_t host_len =
        text[host_at] == '[' ? strcspn(text + host_at, "]") + 1 : strcspn(text + host_at, ":/?");
    return host_at + host_len;
}

static const char *behind_port(const char *text, size_t at)
{
    return text[at] == ':' ? text + at + 1 + strspn(text + at + 1, "0123456789") : text + at;
}

bool redirect_uri_matches(const char *registered, const char *given)
{
    const size_t scheme_len = sizeof LOOPBACK_SCHEME - 1;
    if (strcmp(registered, given) == 0)
        return true;
    if (strncmp(registered, LOOPBACK_SCHEME, scheme_len) != 0 ||
        strncmp(given, LOOPBACK_SCHEME, scheme_len) != 0)
        return false;
    const size_t at = port_at(registered);
    return port_at(given) == at && strncmp(registered, given, at) == 0 &&
           strcmp(behind_port(registered, at), behind_port(given, at)) == 0;
}
