#include "safe_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/fence.h"
#include "../../common/log.h"
#include "address_class.h"
#include "fetch_url.h"

enum { HTTP_OK = 200, CA_FILE_MAX = 4 * 1024 * 1024, HOST_SHOWN_MAX = 80 };

struct safe_fetcher {
    atomic_bool is_stopped;
    struct buf trusted; /* PEM: the system's authorities and ours; empty: libcurl's own way to the system's */
};

/* One request and its answer. */
struct hop {
    const struct safe_fetcher *fetcher;
    const struct safe_fetch *fetch;
    CURLU *url;
    CURL *easy;
    enum address_class refused; /* of an address that was not connected to; ADDRESS_PUBLIC: none was */
    size_t header_bytes;
    bool has_begun;
    int64_t taken;
    enum safe_fetch_status stopped_by; /* why a callback ended the transfer; DONE: none did */
    struct buf *why;
};

/* ---- what all share ---- */

static bool append_file(struct buf *out, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got;
    do {
        got = read(fd, buf_reserve(out, CA_FILE_MAX / 16), CA_FILE_MAX / 16);
        if (got > 0)
            buf_commit(out, (size_t)got);
        if (got > 0 && out->len > CA_FILE_MAX) {
            errno = EFBIG;
            got = -1;
        }
    } while (got > 0);
    const int error = errno;
    close(fd);
    errno = error;
    return got == 0;
}

static bool read_authorities(struct safe_fetcher *fetcher, const char *ca_file, struct buf *why)
{
    if (!append_file(&fetcher->trusted, ca_file)) {
        buf_printf(
            why, "cannot read the certificates of PATCHCORD_CA_FILE, %s: %s", ca_file, strerror(errno));
        return false;
    }
    if (!strstr(buf_text(&fetcher->trusted), "-----BEGIN CERTIFICATE-----")) {
        buf_printf(why, "PATCHCORD_CA_FILE, %s, holds no PEM certificate", ca_file);
        return false;
    }
    /* A bundle given in memory takes the place of the system's file, though not of its folder. */
    const char *system = curl_version_info(CURLVERSION_NOW)->cainfo;
    buf_putc(&fetcher->trusted, '\n');
    if (system && !append_file(&fetcher->trusted, system))
        log_warn("no_system_authorities", LOG_STR("file", system), LOG_STR("why", strerror(errno)));
    return true;
}

struct safe_fetcher *safe_fetcher_new(const char *ca_file, struct buf *why)
{
    struct safe_fetcher *fetcher = xcalloc(1, sizeof *fetcher);
    if (!ca_file || read_authorities(fetcher, ca_file, why))
        return fetcher;
    safe_fetcher_free(fetcher);
    return NULL;
}

void safe_fetcher_stop(struct safe_fetcher *fetcher)
{
    atomic_store(&fetcher->is_stopped, true);
}

void safe_fetcher_free(struct safe_fetcher *fetcher)
{
    if (!fetcher)
        return;
    buf_free(&fetcher->trusted);
    free(fetcher);
}

/* ---- words ---- */

static void say_host(struct hop *hop, const char *before, const char *after)
{
    char *host = fetch_url_host(hop->url);
    buf_puts(hop->why, before);
    fence_word(hop->why, host, HOST_SHOWN_MAX);
    buf_puts(hop->why, after);
    curl_free(host);
}

static enum safe_fetch_status fail(
    struct hop *hop, enum safe_fetch_status status, const char *before, const char *after)
{
    say_host(hop, before, after);
    return status;
}

/* For a callback, which is to end the transfer then. */
static void stop(struct hop *hop, enum safe_fetch_status status, const char *what)
{
    hop->stopped_by = fail(hop, status, "", what);
}

static void stop_large(struct hop *hop, const char *verb)
{
    stop(hop, SAFE_FETCH_TOO_LARGE, verb);
    buf_printf(hop->why, " more than %lld bytes", (long long)hop->fetch->max_bytes);
}

/* ---- the socket ---- */

/* The one place where a connection begins: the address is the one that will be connected to. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct hop *hop = arg;
    const enum address_class class = address_class_of(&address->addr, address->addrlen);
    if (purpose != CURLSOCKTYPE_IPCXN || class != ADDRESS_PUBLIC) {
        hop->refused = class == ADDRESS_PUBLIC ? ADDRESS_RESERVED : class;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t out_total, curl_off_t out_now)
{
    const struct hop *hop = arg;
    (void)total;
    (void)now;
    (void)out_total;
    (void)out_now;
    return atomic_load(&hop->fetcher->is_stopped);
}

/* ---- the answer ---- */

static long status_of(const struct hop *hop)
{
    long status = 0;
    curl_easy_getinfo(hop->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Borrowed from the handle. */
static const char *header_of(const struct hop *hop, const char *name)
{
    struct curl_header *header = NULL;
    return curl_easy_header(hop->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value
                                                                                        : NULL;
}

static bool is_redirect(long status)
{
    static const long redirects[] = {301, 302, 303, 307, 308};
    for (size_t i = 0; i < LENGTH_OF(redirects); i++) {
        if (status == redirects[i])
            return true;
    }
    return false;
}

/* libcurl takes transfer encodings off whether it asked for them or not, and leaves content encodings. */
static bool all_are(const struct hop *hop, const char *name, const char *value)
{
    struct curl_header *header = NULL;
    for (size_t i = 0; curl_easy_header(hop->easy, name, i, CURLH_HEADER, -1, &header) == CURLHE_OK; i++) {
        if (strcasecmp(header->value, value) != 0)
            return false;
    }
    return true;
}

static bool is_plain(const struct hop *hop)
{
    return all_are(hop, "Content-Encoding", "identity") && all_are(hop, "Transfer-Encoding", "chunked");
}

/* libcurl bounds one header, not their sum. */
static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct hop *hop = arg;
    const size_t len = size * count;
    const bool is_end = bytes[0] == '\r' || bytes[0] == '\n';
    hop->header_bytes += len;
    if (hop->header_bytes > SAFE_FETCH_HEADERS_MAX)
        stop(hop, SAFE_FETCH_TOO_LARGE, " answered with too many headers");
    else if (is_end && status_of(hop) == HTTP_OK && !is_plain(hop))
        stop(hop, SAFE_FETCH_BROKEN, " compressed its answer, which it was asked not to do");
    return hop->stopped_by == SAFE_FETCH_DONE ? len : 0;
}

/* False: the transfer is to end. */
static bool begin(struct hop *hop)
{
    curl_off_t length = -1;
    curl_easy_getinfo(hop->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    hop->has_begun = true;
    if (length > hop->fetch->max_bytes) {
        stop_large(hop, " announces");
        return false;
    }
    char *url = fetch_url_text(hop->url);
    const struct safe_fetch_head head = {.url = url ? url : "",
        .type = header_of(hop, "Content-Type"),
        .cache_control = header_of(hop, "Cache-Control"),
        .length = length};
    if (!hop->fetch->begin(hop->fetch->arg, &head))
        hop->stopped_by = SAFE_FETCH_ABANDONED;
    curl_free(url);
    return hop->stopped_by == SAFE_FETCH_DONE;
}

/* The body of anything but a 200 is of no use: the transfer ends there, and finish reads its status. */
static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct hop *hop = arg;
    const size_t len = size * count;
    if (status_of(hop) != HTTP_OK || (!hop->has_begun && !begin(hop)))
        return 0;
    hop->taken += (int64_t)len;
    if (hop->taken > hop->fetch->max_bytes)
        stop_large(hop, " sends");
    else if (!hop->fetch->take(hop->fetch->arg, bytes, len))
        hop->stopped_by = SAFE_FETCH_ABANDONED;
    return hop->stopped_by == SAFE_FETCH_DONE ? len : 0;
}

/* ---- one hop ---- */

/* Each of these fails for want of memory, or in a libcurl that lacks what the rules need: then nothing may be
 * fetched. */
#define SET(option, value)                                                                                   \
    do {                                                                                                     \
        if (curl_easy_setopt(easy, option, value) != CURLE_OK)                                               \
            return false;                                                                                    \
    } while (0)

static bool set_rules(CURL *easy, struct hop *hop)
{
    SET(CURLOPT_CURLU, hop->url);
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, hop);
    struct curl_blob trusted = {
        .data = hop->fetcher->trusted.data, .len = hop->fetcher->trusted.len, .flags = CURL_BLOB_NOCOPY};
    if (trusted.len > 0)
        SET(CURLOPT_CAINFO_BLOB, &trusted);
    return true;
}

static bool set_transfer(CURL *easy, struct hop *hop, struct curl_slist *headers, int64_t left_ms)
{
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs is left behind */
    SET(CURLOPT_TIMEOUT_MS, (long)left_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)SAFE_FETCH_CONNECT_MS);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)SAFE_FETCH_SLOWEST_BYTES);
    SET(CURLOPT_LOW_SPEED_TIME, (long)SAFE_FETCH_SLOW_S);
    SET(CURLOPT_USERAGENT, "patchcord/" PATCHCORD_VERSION);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, hop);
    SET(CURLOPT_WRITEFUNCTION, on_bytes);
    SET(CURLOPT_WRITEDATA, hop);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, hop);
    return true;
}

static struct curl_slist *make_headers(const char *accept)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Accept-Encoding: identity");
    char *line = xasprintf("Accept: %s", accept ? accept : "*/*");
    struct curl_slist *longer = headers ? curl_slist_append(headers, line) : NULL;
    free(line);
    if (!longer)
        alloc_failed();
    return longer;
}

/* What a transfer that no callback ended comes to. */
static enum safe_fetch_status finish_broken(struct hop *hop, CURLcode code)
{
    if (atomic_load(&hop->fetcher->is_stopped))
        return fail(hop, SAFE_FETCH_STOPPED, "the fetch from ", " was stopped, because the relay is ending");
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return fail(hop, SAFE_FETCH_TOO_SLOW, "", " is too slow");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_URL_MALFORMAT: /* a name that no DNS can have */
        return fail(hop, hop->refused == ADDRESS_PUBLIC ? SAFE_FETCH_UNREACHABLE : SAFE_FETCH_NOT_PUBLIC, "",
            " cannot be reached at a public address");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CIPHER:
        return fail(hop, SAFE_FETCH_UNTRUSTED, "", " has no valid certificate for https");
    default:
        return fail(hop, SAFE_FETCH_BROKEN, "", " broke off its answer, or it is malformed");
    }
}

static enum safe_fetch_status finish(struct hop *hop, CURLcode code)
{
    const long status = status_of(hop);
    if (hop->refused != ADDRESS_PUBLIC) {
        char *host = fetch_url_host(hop->url);
        log_info(
            "fetch_refused", LOG_STR("host", host), LOG_STR("address", address_class_names[hop->refused]));
        curl_free(host);
    }
    if (hop->stopped_by != SAFE_FETCH_DONE)
        return hop->stopped_by;
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && status != HTTP_OK))
        return finish_broken(hop, code);
    if (is_redirect(status))
        return SAFE_FETCH_REDIRECTS;
    if (status != HTTP_OK) {
        say_host(hop, "", " answered with status ");
        buf_printf(hop->why, "%ld", status);
        return SAFE_FETCH_BAD_STATUS;
    }
    if (!hop->has_begun && !begin(hop))
        return hop->stopped_by;
    return SAFE_FETCH_DONE;
}

/* REDIRECTS: the URL is now the one to go to. */
static enum safe_fetch_status follow(struct hop *hop)
{
    const char *problem = "is missing", *location = header_of(hop, "Location");
    if (location && fetch_url_follow(hop->url, location, &problem))
        return SAFE_FETCH_REDIRECTS;
    buf_printf(hop->why, "it redirects to a URL that %s", problem);
    return SAFE_FETCH_BAD_URL;
}

/* Only a relay that does fetch has the megabytes that TLS takes. */
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static bool has_curl;

static void prepare_curl(void)
{
    has_curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static enum safe_fetch_status run_hop(struct hop *hop, int64_t left_ms)
{
    enum safe_fetch_status status = SAFE_FETCH_BROKEN;
    (void)pthread_once(&curl_once, prepare_curl);
    CURL *easy = has_curl ? curl_easy_init() : NULL;
    struct curl_slist *headers = make_headers(hop->fetch->accept);
    if (!easy || !set_rules(easy, hop) || !set_transfer(easy, hop, headers, left_ms)) {
        buf_puts(hop->why, "the relay's libcurl could not be set up");
        goto out;
    }
    hop->easy = easy;
    status = finish(hop, curl_easy_perform(easy));
    if (status == SAFE_FETCH_REDIRECTS)
        status = follow(hop);
out:
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return status;
}

/* ---- all of it ---- */

enum safe_fetch_status safe_fetch(
    struct safe_fetcher *fetcher, const struct safe_fetch *fetch, struct buf *why)
{
    const int64_t deadline_ms = clock_mono_ms() + fetch->timeout_ms;
    const char *problem = NULL;
    CURLU *url = fetch_url_parse(fetch->url, &problem);
    if (!url) {
        buf_printf(why, "the URL %s", problem);
        return SAFE_FETCH_BAD_URL;
    }
    enum safe_fetch_status status = SAFE_FETCH_REDIRECTS;
    const int redirects = fetch->no_redirects ? 0 : SAFE_FETCH_REDIRECTS_MAX;
    for (int hops = 0; status == SAFE_FETCH_REDIRECTS && hops <= redirects; hops++) {
        struct hop hop = {.fetcher = fetcher, .fetch = fetch, .url = url, .why = why};
        const int64_t left_ms = deadline_ms - clock_mono_ms();
        if (atomic_load(&fetcher->is_stopped))
            status = finish_broken(&hop, CURLE_OK);
        else if (left_ms <= 0)
            status = finish_broken(&hop, CURLE_OPERATION_TIMEDOUT);
        else
            status = run_hop(&hop, left_ms);
    }
    if (status == SAFE_FETCH_REDIRECTS && redirects == 0)
        buf_puts(why, "it redirects, which it may not");
    else if (status == SAFE_FETCH_REDIRECTS)
        buf_printf(why, "it redirects more than %d times", redirects);
    curl_url_cleanup(url);
    return status;
}
