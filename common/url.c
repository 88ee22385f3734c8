#include "url.h"

#include <arpa/inet.h>
#include <bsd/stdlib.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "alloc.h"

static const struct scheme {
    const char *name;
    int port;
} schemes[] = {{"http", 80}, {"https", 443}};

enum { HOST_MAX_LEN = 253, PORT_MAX_LEN = 5 };

static const char DIGITS[] = "0123456789";
static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_unreserved(char c)
{
    return c && (strchr(LETTERS, c) || strchr(DIGITS, c) || strchr("-._~", c));
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return digit ? (int)(digit - digits) : -1;
}

/* The scheme that text begins with, and the text behind its "://"; NULL for any other. */
static const struct scheme *take_scheme(const char **text)
{
    for (size_t i = 0; i < LENGTH_OF(schemes); i++) {
        size_t len = strlen(schemes[i].name);
        if (strncasecmp(*text, schemes[i].name, len) == 0 && strncmp(*text + len, "://", 3) == 0) {
            *text += len + 3;
            return &schemes[i];
        }
    }
    return NULL;
}

/* "[…]" in its canonical text (RFC 5952), so that two spellings are one origin. */
static char *take_ipv6(const char **text)
{
    char literal[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t len = strcspn(*text + 1, "]");
    if (len >= sizeof(literal) || (*text)[1 + len] != ']') {
        return NULL;
    }
    memcpy(literal, *text + 1, len);
    literal[len] = '\0';
    if (inet_pton(AF_INET6, literal, &address) != 1) {
        return NULL;
    }
    inet_ntop(AF_INET6, &address, literal, sizeof(literal));
    *text += len + 2;
    return xstrdup(literal);
}

static char *take_name(const char **text)
{
    size_t len = strcspn(*text, ":/");
    if (len == 0 || len > HOST_MAX_LEN || (*text)[0] == '.' || (*text)[0] == '-') {
        return NULL;
    }
    char *host = xmemdup_text(*text, len);
    for (size_t i = 0; i < len; i++) {
        char c = host[i];
        if (!is_unreserved(c) || c == '~') {
            free(host);
            return NULL;
        }
        host[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    *text += len;
    return host;
}

/* ":8000" or nothing; -1 where it is no port. */
static int take_port(const char **text, int fallback)
{
    if (**text != ':') {
        return fallback;
    }
    size_t len = strspn(*text + 1, DIGITS);
    char number[PORT_MAX_LEN + 1] = {0};
    if (len == 0 || len > PORT_MAX_LEN) {
        return -1;
    }
    memcpy(number, *text + 1, len);
    *text += 1 + len;
    const char *problem = NULL;
    int port = (int)strtonum(number, 1, 65535, &problem);
    return problem ? -1 : port;
}

/* Section 3.3: '/' and pchar. */
static bool path_is_valid(const char *path)
{
    for (const char *p = path; *p; p++) {
        if (*p == '%') {
            if (hex_value(p[1]) < 0 || hex_value(p[2]) < 0) {
                return false;
            }
        } else if (!is_unreserved(*p) && !strchr("/!$&'()*+,;=:@", *p)) {
            return false;
        }
    }
    return path[0] == '\0' || path[0] == '/';
}

static char *copy_path(const char *path)
{
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/') {
        len--;
    }
    return len > 0 ? xmemdup_text(path, len) : xstrdup("/");
}

bool url_parse(const char *text, struct url *out)
{
    *out = (struct url){0};
    const struct scheme *scheme = take_scheme(&text);
    if (!scheme) {
        return false;
    }
    char *host = *text == '[' ? take_ipv6(&text) : take_name(&text);
    int port = host ? take_port(&text, scheme->port) : -1;
    if (port < 0 || !path_is_valid(text)) {
        free(host);
        return false;
    }
    *out = (struct url){.scheme = xstrdup(scheme->name), .host = host, .port = port, .path = copy_path(text)};
    return true;
}

void url_free(struct url *u)
{
    free(u->scheme);
    free(u->host);
    free(u->path);
    *u = (struct url){0};
}

static bool is_default_port(const struct url *u)
{
    for (size_t i = 0; i < LENGTH_OF(schemes); i++) {
        if (strcmp(u->scheme, schemes[i].name) == 0) {
            return u->port == schemes[i].port;
        }
    }
    return false;
}

char *url_origin(const struct url *u)
{
    struct buf origin = {0};
    bool is_ipv6 = strchr(u->host, ':') != NULL;
    buf_printf(&origin, is_ipv6 ? "%s://[%s]" : "%s://%s", u->scheme, u->host);
    if (!is_default_port(u)) {
        buf_printf(&origin, ":%d", u->port);
    }
    return buf_take(&origin);
}

bool url_host_is_loopback(const char *host)
{
    static const char suffix[] = ".localhost";
    size_t len = strlen(host);
    size_t suffix_len = sizeof(suffix) - 1;
    if (strcasecmp(host, suffix + 1) == 0 ||
        (len > suffix_len && strcasecmp(host + len - suffix_len, suffix) == 0)) {
        return true;
    }
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) {
        return ntohl(v4.s_addr) >> 24 == 127;
    }
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

void url_encode(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (is_unreserved(text[i])) {
            buf_putc(out, text[i]);
        } else {
            buf_printf(out, "%%%02X", (unsigned char)text[i]);
        }
    }
}

bool url_decode(struct buf *out, const char *text, size_t len, bool plus)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            int high = len - i > 2 ? hex_value(text[i + 1]) : -1;
            int low = len - i > 2 ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0') {
            return false;
        }
        buf_putc(out, c);
    }
    return true;
}
