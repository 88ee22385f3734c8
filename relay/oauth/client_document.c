#include "client_document.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/secret.h"
#include "../../common/url.h"
#include "../auth/concurrency.h"
#include "../fetch/safe_fetch.h"
#include "authority.h"

struct kept {
    struct lru_entry entry; /* key: SHA-256 of the URL */
    char *text;
    int64_t until_ms; /* monotonic */
};

/* A document on its way. */
struct arrival {
    struct buf text;
    int64_t keep_ms;
    bool is_json;
};

bool client_document_is_id(const char *client_id)
{
    return strncasecmp(client_id, "https:", 6) == 0 || strncasecmp(client_id, "http:", 5) == 0;
}

/* "/./", "/../" or one of them at the end, also with escaped dots. */
static bool has_dot_segment(const char *path)
{
    return strstr(path, "/.") != NULL || strcasestr(path, "%2e") != NULL;
}

char *client_document_host(const char *client_id)
{
    struct url url;
    if (strlen(client_id) > CLIENT_DOCUMENT_URL_MAX || strncmp(client_id, "https://", 8) != 0 ||
        strpbrk(client_id, "?#") || !url_parse(client_id, &url))
        return NULL;
    char *origin = url_origin(&url), *host = NULL;
    if (strcmp(url.path, "/") != 0 && !has_dot_segment(client_id + strlen(url.scheme) + 2))
        host = xstrdup(origin + strlen("https://"));
    free(origin);
    url_free(&url);
    return host;
}

/* ---- for how long ---- */

/* The value of "name=value" in one directive; NULL for another directive. */
static const char *directive_value(const char *directive, size_t len, const char *name)
{
    const size_t name_len = strlen(name);
    if (len < name_len || strncasecmp(directive, name, name_len) != 0)
        return NULL;
    return directive[name_len] == '=' ? directive + name_len + 1 : NULL;
}

static int64_t age_ms(const char *text)
{
    char digits[12] = {0};
    const size_t len = strspn(text, "0123456789");
    const int64_t most = CLIENT_DOCUMENT_KEEP_MAX_MS / MS_PER_SECOND;
    if (len == 0)
        return 0;
    if (len >= sizeof digits)
        return CLIENT_DOCUMENT_KEEP_MAX_MS;
    memcpy(digits, text, len);
    const long long seconds = strtoll(digits, NULL, 10);
    return (seconds < most ? seconds : most) * MS_PER_SECOND;
}

static bool directive_is(const char *directive, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(directive, name, len) == 0;
}

int64_t client_document_keep_ms(const char *cache_control)
{
    int64_t keep_ms = CLIENT_DOCUMENT_KEEP_MS;
    for (const char *at = cache_control; at && *at;) {
        at += strspn(at, " \t,");
        const size_t len = strcspn(at, " \t,");
        const char *age = directive_value(at, len, "max-age");
        if (directive_is(at, len, "no-store") || directive_is(at, len, "no-cache"))
            return 0;
        if (age)
            keep_ms = age_ms(age);
        at += len;
    }
    return keep_ms;
}

/* ---- what it says ---- */

static bool is_own(struct json_object *object, const char *client_id)
{
    const char *id = NULL;
    return json_get_text(object, "client_id", &id, NULL) == JSON_FIELD_FOUND && strcmp(id, client_id) == 0;
}

static bool read_object(
    struct json_object *object, const char *client_id, struct client_metadata *out, struct buf *why)
{
    if (!is_own(object, client_id)) {
        buf_puts(why, "The application's metadata document is not that of its client_id.");
        return false;
    }
    if (client_metadata_read(object, CLIENT_AUTH_NONE, out, why) != CLIENT_METADATA_FINE)
        return false;
    if (out->auth == CLIENT_AUTH_NONE)
        return true;
    client_metadata_free(out);
    buf_puts(why, "An application with a metadata document cannot have a secret.");
    return false;
}

bool client_document_read(
    const char *client_id, const char *text, size_t len, struct client_metadata *out, struct buf *why)
{
    enum json_fault fault;
    struct json_object *object = json_parse(text, len, &fault);
    const bool is_fine = fault == JSON_FAULT_NONE && read_object(object, client_id, out, why);
    if (fault != JSON_FAULT_NONE)
        buf_printf(why, "The application's metadata document %s.", json_fault_text(fault));
    json_object_put(object);
    return is_fine;
}

/* ---- what is kept ---- */

static void drop(struct lru_entry *entry)
{
    free(((struct kept *)entry)->text);
}

void client_documents_init(struct lru *documents)
{
    lru_init(documents, CLIENT_DOCUMENTS_MAX, sizeof(struct kept), drop);
}

/* The caller frees; NULL: none that still counts. */
static char *find_kept(struct oauth *oauth, const char *key)
{
    pthread_mutex_lock(&oauth->lock);
    const struct kept *kept = lru_find(&oauth->documents, key);
    char *text = kept && kept->until_ms > clock_mono_ms() ? xstrdup(kept->text) : NULL;
    pthread_mutex_unlock(&oauth->lock);
    return text;
}

static void keep(struct oauth *oauth, const char *key, const struct arrival *arrival)
{
    if (arrival->keep_ms == 0)
        return;
    pthread_mutex_lock(&oauth->lock);
    struct kept *kept = lru_add(&oauth->documents, key);
    free(kept->text);
    kept->text = xstrdup(buf_text(&arrival->text));
    kept->until_ms = clock_mono_ms() + arrival->keep_ms;
    pthread_mutex_unlock(&oauth->lock);
}

/* ---- fetching ---- */

static bool is_json(const char *type)
{
    const size_t len = type ? strcspn(type, "; \t") : 0;
    static const char plain[] = "application/json", suffix[] = "+json";
    if (len == sizeof plain - 1 && strncasecmp(type, plain, len) == 0)
        return true;
    return len >= sizeof suffix &&
           strncasecmp(type + len - (sizeof suffix - 1), suffix, sizeof suffix - 1) == 0;
}

static bool begin(void *arg, const struct safe_fetch_head *head)
{
    struct arrival *arrival = arg;
    arrival->is_json = is_json(head->type);
    arrival->keep_ms = client_document_keep_ms(head->cache_control);
    return arrival->is_json;
}

static bool take(void *arg, const void *bytes, size_t len)
{
    buf_append(&((struct arrival *)arg)->text, bytes, len);
    return true;
}

static const char everybody[] = "all";

/* Nobody keeps all of them busy alone. */
static bool enter(struct concurrency *fetches, const char *address)
{
    if (!concurrency_enter(fetches, address, CLIENT_DOCUMENT_FETCHES_PER_ADDRESS))
        return false;
    if (concurrency_enter(fetches, everybody, CLIENT_DOCUMENT_FETCHES_MAX))
        return true;
    concurrency_leave(fetches, address);
    return false;
}

static void leave(struct concurrency *fetches, const char *address)
{
    concurrency_leave(fetches, everybody);
    concurrency_leave(fetches, address);
}

static bool fetch(const struct relay *relay, const char *client_id, const char *address,
    struct arrival *arrival, struct buf *why)
{
    const struct safe_fetch wanted = {
        .url = client_id,
        .accept = "application/json",
        .max_bytes = CLIENT_DOCUMENT_MAX,
        .timeout_ms = CLIENT_DOCUMENT_TIMEOUT_MS,
        .no_redirects = true,
        .begin = begin,
        .take = take,
        .arg = arrival,
    };
    if (!enter(relay->oauth->fetches, address)) {
        buf_puts(why, "Too many applications are being looked at; try again in a few seconds.");
        return false;
    }
    struct buf problem = {0};
    const enum safe_fetch_status status = safe_fetch(relay->fetcher, &wanted, &problem);
    leave(relay->oauth->fetches, address);
    if (status == SAFE_FETCH_ABANDONED)
        buf_puts(why, "The application's metadata document is no JSON.");
    else if (status != SAFE_FETCH_DONE)
        buf_printf(why, "The application's metadata document cannot be had: %s.", buf_text(&problem));
    buf_free(&problem);
    return status == SAFE_FETCH_DONE;
}

static bool fetch_and_keep(const struct relay *relay, const char *client_id, const char *address,
    const char *key, struct client_metadata *out, struct buf *why)
{
    struct arrival arrival = {0};
    const bool is_fine = fetch(relay, client_id, address, &arrival, why) &&
                         client_document_read(client_id, buf_text(&arrival.text), arrival.text.len, out, why);
    if (is_fine)
        keep(relay->oauth, key, &arrival);
    buf_free(&arrival.text);
    return is_fine;
}

bool client_document_get(const struct relay *relay, const char *client_id, const char *address,
    struct client_metadata *out, char **host, struct buf *why)
{
    *host = client_document_host(client_id);
    if (!*host) {
        buf_puts(why, "The application's client_id must be an https URL with a path, and nothing behind it.");
        return false;
    }
    char key[SHA256_HEX_SIZE];
    secret_sha256_hex(client_id, strlen(client_id), key);
    char *text = find_kept(relay->oauth, key);
    const bool is_fine = text ? client_document_read(client_id, text, strlen(text), out, why)
                              : fetch_and_keep(relay, client_id, address, key, out, why);
    free(text);
    if (is_fine)
        return true;
    log_info("client_document_refused", LOG_STR("host", *host), LOG_STR("why", buf_text(why)));
    free(*host);
    *host = NULL;
    return false;
}
