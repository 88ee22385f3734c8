#include "fetch_url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char https[] = "https://";

enum { PARSE_FLAGS = CURLU_DISALLOW_USER | CURLU_URLENCODE };

/* The parts that a URL of ours must have, or must not. */
static const struct rule {
    CURLUPart part;
    const char *wanted; /* NULL: the part must not be there */
    const char *problem;
} rules[] = {
    {CURLUPART_SCHEME, "https", "must begin with https://"},
    {CURLUPART_ZONEID, NULL, "must not hold the zone of an address"},
};

static const char *parse_problem(CURLUcode code)
{
    if (code == CURLUE_USER_NOT_ALLOWED)
        return "must not hold a user name or password";
    if (code == CURLUE_UNSUPPORTED_SCHEME || code == CURLUE_BAD_SCHEME)
        return "must begin with https://";
    if (code == CURLUE_BAD_PORT_NUMBER)
        return "must have a port from 1 to 65535, or none";
    return "is not well-formed";
}

static bool keeps_rule(CURLU *url, const struct rule *rule)
{
    char *value = NULL;
    const CURLUcode code = curl_url_get(url, rule->part, &value, 0);
    const bool fine = rule->wanted ? code == CURLUE_OK && strcmp(value, rule->wanted) == 0
                                   : code != CURLUE_OK && code != CURLUE_OUT_OF_MEMORY;
    curl_free(value);
    return fine;
}

/* NULL: fine. */
static const char *check_port(CURLU *url)
{
    char *port = NULL;
    const bool is_zero = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
                         strtol(port, NULL, 10) == 0;
    curl_free(port);
    return is_zero ? parse_problem(CURLUE_BAD_PORT_NUMBER) : NULL;
}

static bool check(CURLU *url, const char **problem)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (!keeps_rule(url, &rules[i])) {
            *problem = rules[i].problem;
            return false;
        }
    }
    *problem = check_port(url);
    if (*problem)
        return false;
    char *host = fetch_url_host(url), *text = fetch_url_text(url);
    if (!host || !*host)
        *problem = "must name a host";
    else if (!text || strlen(text) > FETCH_URL_MAX)
        *problem = "is too long (2048 characters at most)";
    else if (curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
        *problem = "is not well-formed";
    curl_free(host);
    curl_free(text);
    return !*problem;
}

/* What parsers read in different ways: nothing here is to depend on which of them is right. */
static const char *shape_problem(const char *text)
{
    const size_t prefix = sizeof https - 1;
    if (strncasecmp(text, https, prefix) != 0)
        return "must begin with https://";
    if (strlen(text) > FETCH_URL_MAX)
        return "is too long (2048 characters at most)";
    if (text[prefix] == '/' || text[prefix] == '\0')
        return "must name a host";
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == '\x7f' || *p == '\\')
            return "must not hold blanks, control characters or backslashes";
    }
    return NULL;
}

CURLU *fetch_url_parse(const char *text, const char **problem)
{
    *problem = shape_problem(text);
    if (*problem)
        return NULL;
    CURLU *url = curl_url();
    const CURLUcode code = url ? curl_url_set(url, CURLUPART_URL, text, PARSE_FLAGS) : CURLUE_OUT_OF_MEMORY;
    if (code != CURLUE_OK)
        *problem = parse_problem(code);
    else if (check(url, problem))
        return url;
    curl_url_cleanup(url);
    return NULL;
}

bool fetch_url_follow(CURLU *url, const char *location, const char **problem)
{
    *problem = NULL;
    if (strlen(location) > FETCH_URL_MAX || strchr(location, '\\')) {
        *problem = "is not well-formed";
        return false;
    }
    const CURLUcode code = curl_url_set(url, CURLUPART_URL, location, PARSE_FLAGS | CURLU_ALLOW_SPACE);
    if (code != CURLUE_OK) {
        *problem = parse_problem(code);
        return false;
    }
    return check(url, problem);
}

char *fetch_url_host(CURLU *url)
{
    char *host = NULL;
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return NULL;
    const size_t len = strlen(host);
    if (host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    return host;
}

char *fetch_url_text(CURLU *url)
{
    char *text = NULL;
    return curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK ? text : NULL;
}
