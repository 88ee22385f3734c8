#include "transfer.h"

#include <bsd/string.h>
#include <bsd/sys/queue.h>
#include <curl/curl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/compiler.h"
#include "../common/secret.h"
#include "../common/url.h"

/* Where hashed certificates lie: reading one of them takes microseconds, the whole bundle 30 ms. */
#define CERTIFICATE_FOLDER "/etc/ssl/certs"

#define PIN_PREFIX "sha256//"

#define UNTRUSTED_HINT "; a relay with a certificate of its own needs it in PATCHCORD_CA_FILE"

enum { EXPECT_FROM_BYTES = 1024 * 1024 };
enum { POLL_FDS_MAX = 8, IDLE_CONNECTIONS = 8, KEEPALIVE_S = 20, HTTP_OK = 200 };

struct transfer {
    LIST_ENTRY(transfer) link;
    struct transfers *all;
    CURL *easy;
    struct curl_slist *headers;
    struct buf body, answer;
    char reason[CURL_ERROR_SIZE];
    bool taker_done, too_large;
    bool (*take)(void *arg, const char *bytes, size_t len);
    ssize_t (*give)(void *arg, int64_t at, char *into, size_t room);
    int64_t given;
    transfer_done_fn *done;
    void *arg;
};

struct transfers {
    CURLM *multi; /* NULL until needed */
    LIST_HEAD(, transfer) active;
};

struct transfers *transfers_new(void)
{
    struct transfers *all = xcalloc(1, sizeof *all);
    LIST_INIT(&all->active);
    return all;
}

static void must(bool done)
{
    /* These calls fail for want of memory alone. */
    if (!done)
        abort();
}

static void ensure_multi(struct transfers *all)
{
    if (all->multi)
        return;
    must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    all->multi = curl_multi_init();
    must(all->multi != NULL);
    must(curl_multi_setopt(all->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS) == CURLM_OK);
}

static void wipe_headers(struct curl_slist *headers)
{
    for (struct curl_slist *at = headers; at; at = at->next)
        secret_wipe(at->data, strlen(at->data));
    curl_slist_free_all(headers);
}

static void transfer_free(struct transfer *transfer)
{
    curl_multi_remove_handle(transfer->all->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    LIST_REMOVE(transfer, link);
    wipe_headers(transfer->headers);
    /* Either may hold a secret of somebody who logs in. */
    buf_wipe(&transfer->body);
    buf_wipe(&transfer->answer);
    free(transfer);
}

void transfer_abort(struct transfer *transfer)
{
    transfer_free(transfer);
}

void transfers_free(struct transfers *all)
{
    while (!LIST_EMPTY(&all->active))
        transfer_free(LIST_FIRST(&all->active));
    if (all->multi) {
        curl_multi_cleanup(all->multi);
        curl_global_cleanup();
    }
    free(all);
}

/* ---- starting ---- */

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->take && status == HTTP_OK) {
        transfer->taker_done = !transfer->take(transfer->arg, bytes, len);
        return transfer->taker_done ? 0 : len;
    }
    transfer->too_large = len > TRANSFER_ANSWER_MAX - transfer->answer.len;
    if (transfer->too_large)
        return 0;
    buf_append(&transfer->answer, bytes, len);
    return len;
}

static size_t on_room(char *into, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    ssize_t put = transfer->give(transfer->arg, transfer->given, into, size * count);
    transfer->taker_done = put < 0;
    transfer->given += put > 0 ? put : 0;
    return put < 0 ? CURL_READFUNC_ABORT : (size_t)put;
}

/* A connection that was kept open may turn out to be dead once the first bytes are gone. */
static int on_rewind(void *arg, curl_off_t offset, int origin)
{
    struct transfer *transfer = arg;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    transfer->given = offset;
    return CURL_SEEKFUNC_OK;
}

static void add_header(struct transfer *transfer, const char *header)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, header);
    must(longer != NULL);
    transfer->headers = longer;
}

static void add_token(struct transfer *transfer, const char *token)
{
    struct buf header = {0};
    buf_printf(&header, "Authorization: Bearer %s", token);
    add_header(transfer, buf_text(&header));
    buf_wipe(&header);
}

/* A proxy named by the environment is for other machines: what goes to this one must not leave it. */
static bool goes_to_loopback(const char *text)
{
    struct url url;
    if (!url_parse(text, &url))
        return false;
    bool loopback = url_host_is_loopback(url.host);
    url_free(&url);
    return loopback;
}

#define SET(option, value) must(curl_easy_setopt(easy, option, value) == CURLE_OK)

/* The key itself is known, so that who vouches for it, and for which name, does not matter. */
static void set_pin(CURL *easy, const char *pin)
{
    SET(CURLOPT_PINNEDPUBLICKEY, pin);
    SET(CURLOPT_SSL_VERIFYPEER, 0L);
    SET(CURLOPT_SSL_VERIFYHOST, 0L);
}

/* Some TLS libraries know no folders; the default is left to them. */
static void set_trust(CURL *easy, const char *ca_file)
{
    if (ca_file && strncmp(ca_file, PIN_PREFIX, sizeof PIN_PREFIX - 1) == 0) {
        set_pin(easy, ca_file);
        return;
    }
    bool by_folder = access(CERTIFICATE_FOLDER, X_OK) == 0 &&
                     curl_easy_setopt(easy, CURLOPT_CAPATH, CERTIFICATE_FOLDER) == CURLE_OK;
    if (ca_file || by_folder)
        SET(CURLOPT_CAINFO, ca_file);
}

static void set_up(struct transfer *transfer, const struct transfer_request *request)
{
    CURL *easy = transfer->easy;
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)TRANSFER_CONNECT_MS);
    SET(CURLOPT_USERAGENT, "patchcord/" PATCHCORD_VERSION);
    SET(CURLOPT_ERRORBUFFER, transfer->reason);
    SET(CURLOPT_WRITEFUNCTION, on_bytes);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    if (goes_to_loopback(request->url))
        SET(CURLOPT_NOPROXY, "*");
    set_trust(easy, request->ca_file);
    if (transfer->take || transfer->give) {
        SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
        SET(CURLOPT_LOW_SPEED_TIME, (long)(request->timeout_ms / 1000));
    } else {
        SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    }
    if (transfer->give) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->give_size);
        SET(CURLOPT_READFUNCTION, on_room);
        SET(CURLOPT_READDATA, transfer);
        SET(CURLOPT_SEEKFUNCTION, on_rewind);
        SET(CURLOPT_SEEKDATA, transfer);
    } else if (request->body) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.len);
        SET(CURLOPT_POSTFIELDS, buf_text(&transfer->body));
    }
}

struct transfer *transfer_start(struct transfers *all, const struct transfer_request *request)
{
    ensure_multi(all);
    struct transfer *transfer = xcalloc(1, sizeof *transfer);
    transfer->all = all;
    transfer->take = request->take;
    transfer->give = request->give;
    transfer->done = request->done;
    transfer->arg = request->arg;
    if (request->body) {
        transfer->body = *request->body;
        *request->body = (struct buf){0};
    }
    if (request->token)
        add_token(transfer, request->token);
    /* An empty value keeps curl from asking for 100-continue, which a large file is worth. */
    if (!request->give || request->give_size < EXPECT_FROM_BYTES)
        add_header(transfer, "Expect:");
    for (const char *const *header = request->headers; *header; header++)
        add_header(transfer, *header);
    transfer->easy = curl_easy_init();
    must(transfer->easy != NULL);
    set_up(transfer, request);
    must(curl_multi_add_handle(all->multi, transfer->easy) == CURLM_OK);
    LIST_INSERT_HEAD(&all->active, transfer, link);
    return transfer;
}

/* ---- ending ---- */

static enum transfer_fault sort_fault(const struct transfer *transfer, CURLcode code)
{
    if (transfer->taker_done)
        return TRANSFER_TAKER_DONE;
    switch (code) {
    case CURLE_OK:
        return TRANSFER_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_URL_MALFORMAT:
        return TRANSFER_MISDIRECTED;
    default:
        break;
    }
    long sent = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent);
    /* Of the scheme, or of the answer's first line. */
    if (code == CURLE_UNSUPPORTED_PROTOCOL)
        return sent > 0 ? TRANSFER_GARBLED : TRANSFER_MISDIRECTED;
    return sent > 0 ? TRANSFER_BROKEN : TRANSFER_NOT_SENT;
}

static int read_retry_after(CURL *easy)
{
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
        return -1;
    return seconds > TRANSFER_RETRY_AFTER_MAX_S ? TRANSFER_RETRY_AFTER_MAX_S : (int)seconds;
}

/* The last answer's header of that name; NULL: it has none. Borrowed from easy. */
static const char *read_header(CURL *easy, const char *name)
{
    enum { LAST_ANSWER = -1 };
    struct curl_header *header;
    return curl_easy_header(easy, name, 0, CURLH_HEADER, LAST_ANSWER, &header) == CURLHE_OK ? header->value
                                                                                            : NULL;
}

static int64_t read_date(CURL *easy)
{
    const char *date = read_header(easy, "Date");
    return date ? (int64_t)curl_getdate(date, NULL) : -1;
}

/* That nobody vouches for a certificate is said apart from one that is for another host. */
static bool is_untrusted(const struct transfer *transfer, CURLcode code)
{
    long problem = 0;
    return code == CURLE_PEER_FAILED_VERIFICATION &&
           curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &problem) == CURLE_OK && problem != 0;
}

static const char *fault_reason(struct transfer *transfer, CURLcode code)
{
    if (transfer->too_large)
        return "its answer is too large";
    if (!transfer->reason[0])
        (void)strlcpy(transfer->reason, curl_easy_strerror(code), sizeof transfer->reason);
    if (is_untrusted(transfer, code))
        (void)strlcat(transfer->reason, UNTRUSTED_HINT, sizeof transfer->reason);
    return transfer->reason;
}

static void finish(struct transfer *transfer, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    const struct transfer_result result = {
        .fault = sort_fault(transfer, code),
        .reason = fault_reason(transfer, code),
        .status = (int)status,
        .retry_after_s = read_retry_after(transfer->easy),
        .date_s = read_date(transfer->easy),
        .version = read_header(transfer->easy, "X-Patchcord-Version"),
        .body = buf_text(&transfer->answer),
        .body_len = transfer->answer.len,
    };
    transfer->done(transfer->arg, &result);
    transfer_free(transfer);
}

void transfers_step(struct transfers *all)
{
    if (!all->multi || LIST_EMPTY(&all->active))
        return;
    int running;
    must(curl_multi_perform(all->multi, &running) == CURLM_OK);
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(all->multi, &left)) != NULL) {
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        finish(transfer, code);
    }
}

/* ---- waiting ---- */

static unsigned char polled(short events)
{
    return (
        unsigned char)((events & POLLIN ? CURL_WAIT_POLLIN : 0) | (events & POLLOUT ? CURL_WAIT_POLLOUT : 0));
}

static void wait_plainly(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (poll(fds, count, timeout_ms) >= 0)
        return;
    /* Interrupted: nothing is ready. */
    for (nfds_t i = 0; i < count; i++)
        fds[i].revents = 0;
}

void transfers_poll(struct transfers *all, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (!all->multi || LIST_EMPTY(&all->active)) {
        wait_plainly(fds, count, timeout_ms);
        return;
    }
    struct curl_waitfd extra[POLL_FDS_MAX] = {0};
    must(count <= POLL_FDS_MAX);
    for (nfds_t i = 0; i < count; i++)
        extra[i] = (struct curl_waitfd){.fd = fds[i].fd, .events = polled(fds[i].events)};
    must(curl_multi_poll(all->multi, extra, (unsigned)count, timeout_ms < 0 ? INT_MAX : timeout_ms, NULL) ==
         CURLM_OK);
    /* curl does not report hang-ups of extra descriptors. */
    wait_plainly(fds, count, 0);
}
