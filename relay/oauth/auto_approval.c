#include "auto_approval.h"

#include <arpa/inet.h>
#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/url.h"
#include "../fetch/address_class.h"

static const char KNOWN[] = "claudeai:claude.ai,claude.com,anthropic.com;"
                            "chatgpt:chatgpt.com,openai.com;"
                            "gemini:gemini.google.com;"
                            "copilot:copilot.microsoft.com,github.com/copilot;"
                            "cursor:cursor.com,cursor.sh;"
                            "windsurf:windsurf.com,codeium.com";

/* A client that is named, or a place that is known. */
struct entry {
    char *key; /* client_id, or a domain with perhaps a path */
    struct ident who;
};

struct entries {
    struct entry *items;
    size_t count;
};

struct auto_approval {
    struct entries clients, places;
};

static void add(struct entries *entries, const char *key, size_t len, const struct ident *who)
{
    entries->items = xreallocarray(entries->items, entries->count + 1, sizeof *entries->items);
    entries->items[entries->count++] = (struct entry){.key = xmemdup_text(key, len), .who = *who};
}

static void entries_free(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        free(entries->items[i].key);
    free(entries->items);
}

/* The next part of *list up to one of ends, blanks around it dropped; NULL at the end. It is NUL-ended in
 * place. */
static char *next_part(char **list, const char *ends)
{
    if (!*list)
        return NULL;
    char *part = *list, *end = part + strcspn(part, ends);
    *list = *end ? end + 1 : NULL;
    part += strspn(part, " \t");
    while (end > part && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    return part;
}

/* ---- PATCHCORD_OAUTH_CLIENTS ---- */

/* A client_id may hold '=' itself, where it is a URL. */
static bool add_client(struct entries *clients, const char *part)
{
    const char *equals = strrchr(part, '=');
    struct ident who;
    if (!equals || equals == part || !ident_parse(equals + 1, &who) || !*who.namespace_id)
        return false;
    add(clients, part, (size_t)(equals - part), &who);
    return true;
}

static bool read_clients(const char *text, struct entries *clients, struct buf *why)
{
    char *copy = xstrdup(text), *rest = copy, *part;
    bool is_fine = true;
    while (is_fine && (part = next_part(&rest, ",")) != NULL) {
        is_fine = !*part || add_client(clients, part);
        if (!is_fine)
            buf_printf(why,
                "PATCHCORD_OAUTH_CLIENTS must have client_id=namespace:agent between commas, not '%s'", part);
    }
    free(copy);
    return is_fine;
}

/* ---- PATCHCORD_KNOWN_OAUTH_CLIENTS ---- */

static void forget_places(struct entries *places, const char *agent)
{
    size_t kept = 0;
    for (size_t i = 0; i < places->count; i++) {
        if (strcmp(places->items[i].who.agent, agent) == 0)
            free(places->items[i].key);
        else
            places->items[kept++] = places->items[i];
    }
    places->count = kept;
}

/* "example.com" or "example.com/path", in lower case as far as the host goes. */
static bool is_place(char *text)
{
    char *url_text = xasprintf("https://%s", text);
    struct url url;
    const bool is_url = url_parse(url_text, &url);
    free(url_text);
    if (!is_url)
        return false;
    const bool is_plain = url.port == 443 && !strchr(text, ':');
    url_free(&url);
    for (char *c = text; *c && *c != '/'; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    return is_plain;
}

/* "agent:domain1,domain2" */
static bool add_places(struct entries *places, char *part, const char *namespace_id)
{
    struct ident who = {{0}, {0}};
    char *colon = strchr(part, ':'), *domain;
    if (!colon)
        return false;
    *colon = '\0';
    if (!ident_name_normalize(part, who.agent))
        return false;
    (void)strlcpy(who.namespace_id, namespace_id, sizeof who.namespace_id);
    forget_places(places, who.agent);
    for (char *rest = colon + 1; (domain = next_part(&rest, ",")) != NULL;) {
        if (*domain && !is_place(domain))
            return false;
        if (*domain)
            add(places, domain, strlen(domain), &who);
    }
    return true;
}

static bool read_places(const char *text, struct entries *places, const char *namespace_id, struct buf *why)
{
    char *copy = xstrdup(text), *rest = copy, *part;
    bool is_fine = true;
    while (is_fine && (part = next_part(&rest, ";")) != NULL) {
        char *shown = xstrdup(part);
        is_fine = !*part || add_places(places, part, namespace_id);
        if (!is_fine)
            buf_printf(why,
                "PATCHCORD_KNOWN_OAUTH_CLIENTS must have agent:domain1,domain2 between semicolons, not '%s'",
                shown);
        free(shown);
    }
    free(copy);
    return is_fine;
}

struct auto_approval *auto_approval_new(const struct auto_approval_options *options, struct buf *why)
{
    struct auto_approval *approval = xcalloc(1, sizeof *approval);
    if (read_places(KNOWN, &approval->places, options->namespace_id, why) &&
        (!options->known_clients ||
            read_places(options->known_clients, &approval->places, options->namespace_id, why)) &&
        (!options->clients || read_clients(options->clients, &approval->clients, why)))
        return approval;
    auto_approval_free(approval);
    return NULL;
}

void auto_approval_free(struct auto_approval *approval)
{
    if (!approval)
        return;
    entries_free(&approval->clients);
    entries_free(&approval->places);
    free(approval);
}

/* ---- finding ---- */

static bool host_is_within(const char *host, const char *domain, size_t len)
{
    const size_t host_len = strlen(host);
    if (host_len < len || strncmp(host + host_len - len, domain, len) != 0)
        return false;
    return host_len == len || host[host_len - len - 1] == '.';
}

/* Where only a part of a host is meant, nothing may lead out of that part again. */
static bool path_is_within(const char *path, const char *prefix)
{
    const size_t len = strlen(prefix);
    if (len == 0)
        return true;
    return strncmp(path, prefix, len) == 0 && (path[len] == '\0' || path[len] == '/') &&
           !strstr(path, "..") && !strchr(path, '%');
}

static bool is_within(const struct url *url, const char *place)
{
    const size_t host_len = strcspn(place, "/");
    return strcmp(url->scheme, "https") == 0 && host_is_within(url->host, place, host_len) &&
           path_is_within(url->path, place + host_len);
}

static const struct entry *find_place(const struct entries *places, const char *redirect_uri)
{
    const struct entry *found = NULL;
    struct url url;
    char *before_query = xmemdup_text(redirect_uri, strcspn(redirect_uri, "?"));
    if (url_parse(before_query, &url)) {
        for (size_t i = 0; i < places->count && !found; i++)
            found = is_within(&url, places->items[i].key) ? &places->items[i] : NULL;
        url_free(&url);
    }
    free(before_query);
    return found;
}

bool auto_approval_find(
    const struct auto_approval *approval, const char *client_id, const char *redirect_uri, struct ident *out)
{
    const struct entry *found = NULL;
    for (size_t i = 0; i < approval->clients.count && !found; i++) {
        if (strcmp(approval->clients.items[i].key, client_id) == 0)
            found = &approval->clients.items[i];
    }
    if (!found)
        found = find_place(&approval->places, redirect_uri);
    if (found)
        *out = found->who;
    return found != NULL;
}

/* ---- private networks ---- */

static bool class_is_private(enum address_class class)
{
    return class == ADDRESS_LOOPBACK || class == ADDRESS_PRIVATE || class == ADDRESS_SHARED ||
           class == ADDRESS_LINK_LOCAL;
}

/* RFC 6762, the reservation of .internal, and RFC 8375. */
static bool name_is_private(const char *host)
{
    static const char *const suffixes[] = {".local", ".internal", ".home.arpa"};
    const size_t len = strlen(host);
    for (size_t i = 0; i < LENGTH_OF(suffixes); i++) {
        const size_t suffix_len = strlen(suffixes[i]);
        if (len > suffix_len && strcasecmp(host + len - suffix_len, suffixes[i]) == 0)
            return true;
    }
    return false;
}

static bool host_is_private(const char *host)
{
    uint8_t bytes[IPV6_BYTES];
    if (inet_pton(AF_INET, host, bytes) == 1)
        return class_is_private(address_class_v4(bytes));
    if (inet_pton(AF_INET6, host, bytes) == 1)
        return class_is_private(address_class_v6(bytes));
    return url_host_is_loopback(host) || name_is_private(host);
}

bool auto_approval_is_private(const char *public_url)
{
    struct url url;
    if (!url_parse(public_url, &url))
        return false;
    const bool is_private = host_is_private(url.host);
    url_free(&url);
    return is_private;
}
