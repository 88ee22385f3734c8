#include "upstream.h"

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/url.h"

#define CERTIFICATE_FOLDER "/etc/ssl/certs"

enum {
    KEEPALIVE_S = 30,
    SILENCE_S = 20, /* a transfer in which nothing moves for so long has ended */
    RETRY_AFTER_MAX_S = 24 * 3600,
    HTTP_OK = 200,
    HTTP_PARTIAL = 206,
    HTTP_TOO_MANY = 429,
    HTTP_BAD_GATEWAY = 502,
    HTTP_GATEWAY_TIMEOUT = 504,
};

struct upstream {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    CURL **idle; /* the one that was used last is on top: few connections stay warm */
    size_t idle_count, connections;
    char *ca_file;
    _Atomic int64_t stop_at_ms; /* monotonic; 0: not yet */
};

/* One try. */
struct attempt {
    const struct upstream *upstream;
    const struct upstream_call *call;
    struct upstream_answer *answer;
    CURL *easy;
    int64_t given; /* of the body */
    bool not_taken, too_large;
    char error[CURL_ERROR_SIZE];
};

/* ---- the pool ---- */

struct upstream *upstream_new(const struct upstream_options *options, struct buf *why)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        buf_puts(why, "libcurl could not be prepared");
        return NULL;
    }
    struct upstream *upstream = xcalloc(1, sizeof *upstream);
    pthread_mutex_init(&upstream->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&upstream->freed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    upstream->connections = options->connections;
    upstream->idle = xcalloc(options->connections, sizeof(CURL *));
    upstream->idle_count = options->connections; /* each NULL: made when first needed */
    upstream->ca_file = xstrdup_or_null(options->ca_file);
    if (!options->ca_file || access(options->ca_file, R_OK) == 0)
        return upstream;
    buf_printf(
        why, "cannot read the certificates of PATCHCORD_CA_FILE, %s: %s", options->ca_file, strerror(errno));
    upstream_free(upstream);
    return NULL;
}

void upstream_free(struct upstream *upstream)
{
    if (!upstream)
        return;
    for (size_t i = 0; i < upstream->connections; i++)
        curl_easy_cleanup(upstream->idle[i]);
    pthread_mutex_destroy(&upstream->lock);
    pthread_cond_destroy(&upstream->freed);
    free(upstream->idle);
    free(upstream->ca_file);
    free(upstream);
    curl_global_cleanup();
}

/* NULL: none came free in time. */
static CURL *take_handle(struct upstream *upstream, int64_t deadline_ms)
{
    CURL *easy = NULL;
    int error = 0;
    const struct timespec until = {
        .tv_sec = deadline_ms / MS_PER_SECOND, .tv_nsec = deadline_ms % MS_PER_SECOND * 1000000};

    pthread_mutex_lock(&upstream->lock);
    while (upstream->idle_count == 0 && error == 0)
        error = pthread_cond_timedwait(&upstream->freed, &upstream->lock, &until);
    const bool is_mine = upstream->idle_count > 0;
    if (is_mine) {
        easy = upstream->idle[--upstream->idle_count];
        upstream->idle[upstream->idle_count] = NULL;
    }
    pthread_mutex_unlock(&upstream->lock);
    if (is_mine && !easy)
        easy = curl_easy_init();
    if (is_mine && !easy)
        alloc_failed();
    return easy;
}

static void give_handle(struct upstream *upstream, CURL *easy)
{
    curl_easy_reset(easy); /* its connections, sessions and names stay */
    pthread_mutex_lock(&upstream->lock);
    upstream->idle[upstream->idle_count++] = easy;
    pthread_cond_signal(&upstream->freed);
    pthread_mutex_unlock(&upstream->lock);
}

void upstream_stop(struct upstream *upstream)
{
    atomic_store(&upstream->stop_at_ms, clock_mono_ms() + UPSTREAM_STOP_MS);
}

static bool is_stopped(const struct upstream *upstream)
{
    const int64_t stop_at_ms = atomic_load(&upstream->stop_at_ms);
    return stop_at_ms != 0 && clock_mono_ms() >= stop_at_ms;
}

/* ---- the answer ---- */

void upstream_answer_free(struct upstream_answer *answer)
{
    buf_free(&answer->headers);
    buf_free(&answer->body);
}

const char *upstream_header(const struct upstream_answer *answer, const char *name)
{
    const size_t len = strlen(name);
    const char *at = buf_text(&answer->headers), *end = at + answer->headers.len;
    while (at < end) {
        if (strncasecmp(at, name, len) == 0 && at[len] == ':')
            return at + len + 1;
        at += strlen(at) + 1;
    }
    return NULL;
}

int64_t upstream_retry_after(const struct upstream_answer *answer)
{
    const char *problem = NULL, *text = upstream_header(answer, "retry-after");
    if (!text || strspn(text, "0123456789") != strlen(text))
        return -1;
    const int64_t seconds = strtonum(text, 0, RETRY_AFTER_MAX_S, &problem);
    return problem ? -1 : seconds;
}

static void reset_answer(struct upstream_answer *answer)
{
    answer->status = 0;
    answer->reason[0] = '\0';
    buf_reset(&answer->headers);
    buf_reset(&answer->body);
}

/* Keeps "name:value", each with a NUL behind it; a status line begins anew (after a 100, say). */
static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct attempt *attempt = arg;
    const size_t len = size * count;
    struct buf *headers = &attempt->answer->headers;
    if (len >= 5 && strncmp(bytes, "HTTP/", 5) == 0)
        buf_reset(headers);
    if (headers->len + len > UPSTREAM_HEADERS_MAX) {
        attempt->too_large = true;
        return 0;
    }
    const char *colon = memchr(bytes, ':', len);
    if (!colon || memchr(bytes, '\0', len))
        return len;
    const char *value = colon + 1, *end = bytes + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && strchr(" \t\r\n", end[-1]))
        end--;
    buf_append(headers, bytes, (size_t)(colon + 1 - bytes));
    buf_append(headers, value, (size_t)(end - value));
    buf_putc(headers, '\0');
    return len;
}

static bool is_taken(const struct attempt *attempt)
{
    long status = 0;
    curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
    return attempt->call->take && (status == HTTP_OK || status == HTTP_PARTIAL);
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct attempt *attempt = arg;
    const size_t len = size * count;
    if (is_taken(attempt)) {
        attempt->not_taken = !attempt->call->take(attempt->call->arg, bytes, len);
        return attempt->not_taken ? 0 : len;
    }
    if (len > attempt->call->answer_max - attempt->answer->body.len) {
        attempt->too_large = true;
        return 0;
    }
    buf_append(&attempt->answer->body, bytes, len);
    return len;
}

/* Asked for about once a second where nothing moves. */
static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t out_total, curl_off_t out_now)
{
    const struct attempt *attempt = arg;
    (void)total, (void)now, (void)out_total, (void)out_now;
    return is_stopped(attempt->upstream);
}

/* ---- the body of the call ---- */

static size_t on_room(char *into, size_t size, size_t count, void *arg)
{
    struct attempt *attempt = arg;
    const struct upstream_call *call = attempt->call;
    const size_t left = call->body_len - (size_t)attempt->given, room = size * count;
    const size_t want = left < room ? left : room;
    if (!call->has_file) {
        memcpy(into, (const char *)call->body + attempt->given, want);
        attempt->given += (int64_t)want;
        return want;
    }
    const ssize_t got = want ? pread(call->body_fd, into, want, attempt->given) : 0;
    if (got < 0 || (got == 0 && want > 0))
        return CURL_READFUNC_ABORT;
    attempt->given += got;
    return (size_t)got;
}

/* A connection that was kept may turn out to be dead once the first bytes are gone. */
static int on_rewind(void *arg, curl_off_t offset, int origin)
{
    struct attempt *attempt = arg;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    attempt->given = offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- one try ---- */

/* What fails here fails for want of memory, but for what a libcurl may lack: see its callers. */
static void must(bool worked)
{
    if (!worked)
        alloc_failed();
}
#define SET(option, value) must(curl_easy_setopt(easy, option, value) == CURLE_OK)

/* A proxy named by the environment is for other machines. */
static bool goes_to_loopback(const char *text)
{
    struct url url;
    char *base = xmemdup_text(text, strcspn(text, "?"));
    const bool read = url_parse(base, &url);
    free(base);
    if (!read)
        return false;
    const bool loopback = url_host_is_loopback(url.host);
    url_free(&url);
    return loopback;
}

/* By folder, so that the system's authorities count beside ours; some TLS libraries know no folders. */
static void set_trust(CURL *easy, const char *ca_file)
{
    const bool by_folder = access(CERTIFICATE_FOLDER, X_OK) == 0 &&
                           curl_easy_setopt(easy, CURLOPT_CAPATH, CERTIFICATE_FOLDER) == CURLE_OK;
    if (ca_file || by_folder)
        SET(CURLOPT_CAINFO, ca_file);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
}

static void set_body(CURL *easy, struct attempt *attempt)
{
    const struct upstream_call *call = attempt->call;
    if (strcmp(call->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
        return;
    }
    if (call->body || call->has_file) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body_len);
        SET(CURLOPT_READFUNCTION, on_room);
        SET(CURLOPT_READDATA, attempt);
        SET(CURLOPT_SEEKFUNCTION, on_rewind);
        SET(CURLOPT_SEEKDATA, attempt);
    }
    SET(CURLOPT_CUSTOMREQUEST, call->method);
}

static void set_up(
    struct upstream *upstream, struct attempt *attempt, int64_t left_ms, struct curl_slist *headers)
{
    CURL *easy = attempt->easy;
    const struct upstream_call *call = attempt->call;
    SET(CURLOPT_URL, call->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_S);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)UPSTREAM_CONNECT_MS);
    SET(CURLOPT_TIMEOUT_MS, (long)left_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
    SET(CURLOPT_USERAGENT, "patchcord-relay/" PATCHCORD_VERSION);
    SET(CURLOPT_ERRORBUFFER, attempt->error);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, attempt);
    SET(CURLOPT_WRITEFUNCTION, on_bytes);
    SET(CURLOPT_WRITEDATA, attempt);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, attempt);
    /* A libcurl without HTTP/2 stays with what it has. */
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* On a connection that was kept libcurl itself sends again what found it dead. */
    SET(CURLOPT_FRESH_CONNECT, call->is_repeatable ? 0L : 1L);
    if (goes_to_loopback(call->url))
        SET(CURLOPT_NOPROXY, "*");
    set_trust(easy, upstream->ca_file);
    set_body(easy, attempt);
}

/* libcurl adds Expect and Content-Type of its own otherwise. */
static struct curl_slist *make_headers(const char *const *given)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    for (; headers && given && *given; given++) {
        struct curl_slist *longer = curl_slist_append(headers, *given);
        must(longer != NULL);
        headers = longer;
    }
    must(headers != NULL);
    return headers;
}

static void wipe_headers(struct curl_slist *headers)
{
    for (struct curl_slist *one = headers; one; one = one->next)
        sodium_memzero(one->data, strlen(one->data));
    curl_slist_free_all(headers);
}

static enum upstream_outcome outcome_of(const struct attempt *attempt, CURLcode code)
{
    if (attempt->not_taken)
        return UPSTREAM_NOT_TAKEN;
    if (attempt->too_large)
        return UPSTREAM_TOO_LARGE;
    curl_off_t began = 0; /* to send: the connection stood */
    curl_easy_getinfo(attempt->easy, CURLINFO_PRETRANSFER_TIME_T, &began);
    switch (code) {
    case CURLE_OK:
        return UPSTREAM_ANSWERED;
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return UPSTREAM_NOT_SENT;
    case CURLE_OPERATION_TIMEDOUT:
        return began == 0 ? UPSTREAM_NOT_SENT : UPSTREAM_SLOW;
    default:
        return began == 0 ? UPSTREAM_NOT_SENT : UPSTREAM_BROKEN;
    }
}

static void try_once(struct upstream *upstream, struct attempt *attempt, int64_t left_ms)
{
    struct upstream_answer *answer = attempt->answer;
    struct curl_slist *headers = make_headers(attempt->call->headers);
    set_up(upstream, attempt, left_ms, headers);
    const CURLcode code = curl_easy_perform(attempt->easy);
    answer->outcome = outcome_of(attempt, code);
    long status = 0;
    if (answer->outcome == UPSTREAM_ANSWERED) {
        curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
        answer->status = (int)status;
    } else {
        const char *reason = attempt->error[0] ? attempt->error : curl_easy_strerror(code);
        strlcpy(answer->reason, reason, sizeof answer->reason);
    }
    wipe_headers(headers);
}

/* ---- all tries ---- */

static bool is_worth_another(const struct upstream_call *call, const struct upstream_answer *answer)
{
    switch (answer->outcome) {
    case UPSTREAM_NOT_SENT:
        return true;
    case UPSTREAM_BROKEN:
        return call->is_repeatable;
    case UPSTREAM_ANSWERED:
        return call->is_repeatable &&
               (answer->status == HTTP_TOO_MANY ||
                   (answer->status >= HTTP_BAD_GATEWAY && answer->status <= HTTP_GATEWAY_TIMEOUT));
    default:
        return false;
    }
}

/* What Retry-After says; else longer each time, and not the same for all who wait. */
static int64_t pause_ms(const struct upstream_answer *answer)
{
    const int64_t told_s = answer->outcome == UPSTREAM_ANSWERED ? upstream_retry_after(answer) : -1;
    const int64_t step_ms = (int64_t)UPSTREAM_PAUSE_FIRST_MS << (answer->tries - 1);
    const int64_t own_ms = step_ms / 2 + randombytes_uniform((uint32_t)step_ms);
    return told_s * MS_PER_SECOND > own_ms ? told_s * MS_PER_SECOND : own_ms;
}

static void sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / MS_PER_SECOND, .tv_nsec = ms % MS_PER_SECOND * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

static void try_all(struct upstream *upstream, const struct upstream_call *call, CURL *easy,
    struct upstream_answer *answer, int64_t deadline_ms)
{
    for (;;) {
        struct attempt attempt = {.upstream = upstream, .call = call, .answer = answer, .easy = easy};
        reset_answer(answer);
        answer->tries++;
        int64_t left_ms = deadline_ms - clock_mono_ms();
        try_once(upstream, &attempt, left_ms > 1 ? left_ms : 1);
        if (answer->tries == UPSTREAM_TRIES_MAX || !is_worth_another(call, answer))
            return;
        const int64_t pause = pause_ms(answer);
        if (clock_mono_ms() + pause >= deadline_ms || atomic_load(&upstream->stop_at_ms) != 0)
            return;
        sleep_ms(pause);
        curl_easy_reset(easy);
        if (call->restart)
            call->restart(call->arg);
    }
}

enum upstream_outcome upstream_call(
    struct upstream *upstream, const struct upstream_call *call, struct upstream_answer *answer)
{
    const int64_t deadline_ms = clock_mono_ms() + call->timeout_ms;
    memset(answer, 0, sizeof *answer);
    CURL *easy = take_handle(upstream, deadline_ms);
    if (!easy) {
        answer->outcome = UPSTREAM_NOT_SENT;
        strlcpy(answer->reason, "all connections are in use", sizeof answer->reason);
        return answer->outcome;
    }
    try_all(upstream, call, easy, answer, deadline_ms);
    give_handle(upstream, easy);
    return answer->outcome;
}
