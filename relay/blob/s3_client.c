#include "s3_client.h"

#include <assert.h>
#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/url.h"
#include "../upstream/upstream.h"
#include "s3_xml.h"
#include "sigv4.h"

enum {
    CALL_MS = 15 * 1000,     /* what has no file in it */
    FILE_MS = 5 * 60 * 1000, /* what has */
    NOT_IMPLEMENTED = 501,
    LIST_BYTES_MAX = 4 << 20, /* a page has 1,000 keys */
    HEADERS_MAX = 12,
};

#define META_SHA256    "x-amz-meta-sha256"
#define META_STORED_MS "x-amz-meta-stored-ms"
#define EMPTY_SHA256   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define FIRST_REGION   "us-east-1" /* the one that a bucket is in where nothing else is said */

/* Where requests go: the server itself, or what clients call it. */
struct address {
    char *origin; /* "https://bucket.s3.example.com" */
    char *path;   /* in front of "/key": "", "/bucket", "/prefix/bucket" */
};

struct s3_client {
    struct upstream *upstream;
    struct address own, public;
    char *region, *bucket, *access_key, *secret_key;
    /* The server's clock less ours, where it refused ours. */
    _Atomic int64_t skew_ms;
    atomic_bool lacks_conditions; /* of writing, as it said */
};

/* ---- addresses ---- */

static void set_address(struct address *address, const char *endpoint, const struct s3_options *options)
{
    struct url url;
    const bool read = url_parse(endpoint, &url);
    assert(read);
    (void)read;
    char *origin = url_origin(&url);
    const char *host = strstr(origin, "://") + strlen("://");
    const char *prefix = strcmp(url.path, "/") == 0 ? "" : url.path;
    if (options->path_style) {
        address->origin = xstrdup(origin);
        address->path = xasprintf("%s/%s", prefix, options->bucket);
    } else {
        address->origin = xasprintf("%s://%s.%s", url.scheme, options->bucket, host);
        address->path = xstrdup(prefix);
    }
    free(origin);
    url_free(&url);
}

static const char *host_of(const struct address *address)
{
    return strstr(address->origin, "://") + strlen("://");
}

struct s3_client *s3_client_new(const struct s3_options *options, struct buf *why)
{
    const struct upstream_options upstream = {
        .ca_file = options->ca_file, .connections = options->connections};
    struct s3_client *client = xcalloc(1, sizeof *client);
    client->upstream = upstream_new(&upstream, why);
    if (!client->upstream) {
        free(client);
        return NULL;
    }
    set_address(&client->own, options->endpoint, options);
    set_address(
        &client->public, options->public_endpoint ? options->public_endpoint : options->endpoint, options);
    client->region = xstrdup(options->region);
    client->bucket = xstrdup(options->bucket);
    client->access_key = xstrdup(options->access_key);
    client->secret_key = xstrdup(options->secret_key);
    return client;
}

void s3_client_stop(struct s3_client *client)
{
    upstream_stop(client->upstream);
}

void s3_client_free(struct s3_client *client)
{
    if (!client)
        return;
    upstream_free(client->upstream);
    free(client->own.origin);
    free(client->own.path);
    free(client->public.origin);
    free(client->public.path);
    free(client->region);
    free(client->bucket);
    free(client->access_key);
    secret_free(client->secret_key);
    free(client);
}

static struct sigv4_key key_of(const struct s3_client *client)
{
    return (struct sigv4_key){.access_key = client->access_key,
        .secret_key = client->secret_key,
        .region = client->region,
        .service = "s3"};
}

/* ---- one request ---- */

struct s3_request {
    const char *method, *key; /* key "": the bucket itself */
    struct sigv4_pair query[3];
    size_t query_count;
    struct sigv4_pair headers[HEADERS_MAX]; /* three are added */
    size_t headers_count;
    const char *payload_hash;  /* NULL: of nothing */
    bool is_trial;             /* 501 is an answer */
    struct upstream_call call; /* body, take and limits */
};

static void add_header(struct s3_request *request, const char *name, const char *value)
{
    assert(request->headers_count < HEADERS_MAX);
    request->headers[request->headers_count++] = (struct sigv4_pair){name, value};
}

static int by_name(const void *a, const void *b)
{
    const struct sigv4_pair *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static char *path_of(const struct address *address, const char *key)
{
    if (!*key)
        return xstrdup(*address->path ? address->path : "/");
    return xasprintf("%s/%s", address->path, key);
}

/* Signs, sends, and fills in *answer. */
static void send_signed(
    struct s3_client *client, const struct s3_request *asked, struct upstream_answer *answer)
{
    enum { LINES_MAX = HEADERS_MAX + 2 }; /* Authorization, and the end */
    struct s3_request request = *asked;
    const struct sigv4_key key = key_of(client);
    char date[SIGV4_DATE_SIZE], *path = path_of(&client->own, request.key);
    char *lines[LINES_MAX] = {0};
    struct buf url = {0}, authorization = {0};
    const char *hash = request.payload_hash ? request.payload_hash : EMPTY_SHA256;
    struct sigv4_request signing = {.method = request.method, .path = path, .payload_hash = hash};

    signing.at_ms = clock_wall_ms() + atomic_load(&client->skew_ms);
    sigv4_date(signing.at_ms, date);
    add_header(&request, "host", host_of(&client->own));
    add_header(&request, "x-amz-content-sha256", hash);
    add_header(&request, "x-amz-date", date);
    qsort(request.headers, request.headers_count, sizeof request.headers[0], by_name);
    signing.headers = request.headers;
    signing.headers_count = request.headers_count;
    signing.query = request.query;
    signing.query_count = request.query_count;
    buf_puts(&authorization, "Authorization: ");
    sigv4_authorize(&key, &signing, &authorization);

    size_t count = 0;
    for (size_t i = 0; i < request.headers_count; i++)
        lines[count++] = xasprintf("%s: %s", request.headers[i].name, request.headers[i].value);
    lines[count] = buf_take(&authorization);
    buf_printf(&url, "%s%s", client->own.origin, path);
    if (request.query_count > 0) {
        buf_putc(&url, '?');
        sigv4_query(request.query, request.query_count, &url);
    }
    request.call.method = request.method;
    request.call.url = buf_text(&url);
    request.call.headers = (const char *const *)lines;
    request.call.is_repeatable = true; /* every one: it names its key, and what it is to be */
    (void)upstream_call(client->upstream, &request.call, answer);
    for (size_t i = 0; i <= count; i++)
        secret_free(lines[i]);
    buf_free(&url);
    free(path);
}

static bool has_code(const struct upstream_answer *answer, const char *wanted)
{
    struct buf code = {0};
    const bool has = s3_xml_find(buf_text(&answer->body), answer->body.len, "Code", &code) &&
                     strcmp(buf_text(&code), wanted) == 0;
    buf_free(&code);
    return has;
}

/* True where the server's clock is another than ours, and is now known. A HEAD's refusal has no body to say
 * so. */
static bool adopt_clock(struct s3_client *client, const struct upstream_answer *answer)
{
    enum { FORBIDDEN = 403, NOTEWORTHY_MS = 60 * 1000 };
    const char *date = answer->status == FORBIDDEN ? upstream_header(answer, "date") : NULL;
    if (!date || (answer->body.len > 0 && !has_code(answer, "RequestTimeTooSkewed")))
        return false;
    const int64_t there_s = (int64_t)curl_getdate(date, NULL);
    if (there_s < 0)
        return false;
    const int64_t skew_ms = there_s * MS_PER_SECOND - clock_wall_ms();
    const int64_t change_ms = skew_ms - atomic_exchange(&client->skew_ms, skew_ms);
    if (llabs(change_ms) < NOTEWORTHY_MS)
        return false;
    log_warn("clock_differs", LOG_STR("server", host_of(&client->own)),
        LOG_INT("seconds", skew_ms / MS_PER_SECOND));
    return true;
}

static void log_fault(
    const char *doing, const struct s3_request *request, const struct upstream_answer *answer)
{
    struct buf code = {0};
    if (answer->outcome != UPSTREAM_ANSWERED)
        buf_puts(&code, answer->reason);
    else
        (void)s3_xml_find(buf_text(&answer->body), answer->body.len, "Code", &code);
    log_error("object_store", LOG_STR("doing", doing), LOG_STR("key", request->key),
        LOG_INT("status", answer->status), LOG_STR("why", buf_text(&code)));
    buf_free(&code);
}

/* The whole way of a request: *answer is the caller's to free whatever comes back. */
static enum s3_status run(struct s3_client *client, const char *doing, const struct s3_request *request,
    struct upstream_answer *answer)
{
    enum { SUCCESS = 2, NOT_FOUND = 404, CONFLICT = 409, PRECONDITION = 412, RANGE = 416 };
    send_signed(client, request, answer);
    if (answer->outcome == UPSTREAM_ANSWERED && adopt_clock(client, answer)) {
        upstream_answer_free(answer);
        if (request->call.restart)
            request->call.restart(request->call.arg);
        send_signed(client, request, answer);
    }
    if (answer->outcome == UPSTREAM_NOT_TAKEN)
        return S3_FAULT;
    /* Some fail a copy behind the header of a success. */
    if (answer->outcome == UPSTREAM_ANSWERED && answer->status / 100 == SUCCESS &&
        !strstr(buf_text(&answer->body), "<Error>"))
        return S3_DONE;
    switch (answer->outcome == UPSTREAM_ANSWERED ? answer->status : 0) {
    case NOT_FOUND:
        return S3_ABSENT;
    case CONFLICT: /* two at the same time */
    case PRECONDITION:
        return S3_CHANGED;
    case RANGE:
        return S3_DONE; /* nothing is there from that offset on */
    default:
        if (!request->is_trial || answer->status != NOT_IMPLEMENTED)
            log_fault(doing, request, answer);
        return S3_FAULT;
    }
}

static struct s3_request new_request(const char *method, const char *key)
{
    return (struct s3_request){
        .method = method, .key = key, .call = {.timeout_ms = CALL_MS, .answer_max = LIST_BYTES_MAX}};
}

static enum s3_status run_and_free(struct s3_client *client, const char *doing, struct s3_request *request)
{
    struct upstream_answer answer;
    const enum s3_status status = run(client, doing, request, &answer);
    upstream_answer_free(&answer);
    return status;
}

/* ---- objects ---- */

/* The description's own headers; *stored is for their text. */
static void describe(struct s3_request *request, const struct s3_object *object, struct buf *stored)
{
    buf_printf(stored, "%" PRId64, object->stored_ms);
    add_header(request, "content-type", object->type);
    add_header(request, META_SHA256, object->sha256);
    add_header(request, META_STORED_MS, buf_text(stored));
}

/* What was sent twice may have met itself. */
static bool is_our_own(struct s3_client *client, const char *key, const struct s3_object *object)
{
    struct s3_object there;
    return s3_head(client, key, &there) == S3_DONE && strcmp(there.sha256, object->sha256) == 0 &&
           there.stored_ms == object->stored_ms && there.size == object->size;
}

static enum s3_status put(struct s3_client *client, const char *key, int fd, const struct s3_object *object,
    bool if_free, struct upstream_answer *answer)
{
    struct buf stored = {0};
    struct s3_request request = new_request("PUT", key);
    request.payload_hash = object->sha256;
    request.call.has_file = true;
    request.call.body_fd = fd;
    request.call.body_len = (size_t)object->size;
    request.call.timeout_ms = FILE_MS;
    request.is_trial = if_free;
    describe(&request, object, &stored);
    if (if_free)
        add_header(&request, "if-none-match", "*");
    const enum s3_status status = run(client, "put", &request, answer);
    buf_free(&stored);
    return status;
}

/* For servers that know no conditions: between the look and the write somebody else might write, were paths
 * not made by us, each once. */
static enum s3_status look_and_put(
    struct s3_client *client, const char *key, int fd, const struct s3_object *object)
{
    struct upstream_answer answer;
    struct s3_object there;
    enum s3_status status = s3_head(client, key, &there);
    if (status != S3_ABSENT)
        return status == S3_DONE ? S3_CHANGED : status;
    status = put(client, key, fd, object, false, &answer);
    upstream_answer_free(&answer);
    return status;
}

enum s3_status s3_put(struct s3_client *client, const char *key, int fd, const struct s3_object *object)
{
    struct upstream_answer answer;
    if (atomic_load(&client->lacks_conditions))
        return look_and_put(client, key, fd, object);
    enum s3_status status = put(client, key, fd, object, true, &answer);
    const bool is_lacking = status == S3_FAULT && answer.status == NOT_IMPLEMENTED;
    if (status == S3_CHANGED && answer.tries > 1 && is_our_own(client, key, object))
        status = S3_DONE;
    upstream_answer_free(&answer);
    if (!is_lacking)
        return status;
    atomic_store(&client->lacks_conditions, true);
    return look_and_put(client, key, fd, object);
}

static int64_t header_number(const struct upstream_answer *answer, const char *name)
{
    const char *problem = NULL, *text = upstream_header(answer, name);
    const int64_t number = text ? strtonum(text, 0, INT64_MAX, &problem) : 0;
    return problem ? 0 : number;
}

static void copy_header(const struct upstream_answer *answer, const char *name, char *out, size_t size)
{
    const char *text = upstream_header(answer, name);
    if (!text || strlcpy(out, text, size) >= size)
        out[0] = '\0';
}

enum s3_status s3_head(struct s3_client *client, const char *key, struct s3_object *object)
{
    struct upstream_answer answer;
    const struct s3_request request = new_request("HEAD", key);
    const enum s3_status status = run(client, "head", &request, &answer);
    memset(object, 0, sizeof *object);
    if (status == S3_DONE) {
        const char *type = upstream_header(&answer, "content-type");
        object->size = header_number(&answer, "content-length");
        object->stored_ms = header_number(&answer, META_STORED_MS);
        copy_header(&answer, "etag", object->etag, sizeof object->etag);
        copy_header(&answer, META_SHA256, object->sha256, sizeof object->sha256);
        if (!type || !media_type_parse(type, object->type))
            strlcpy(object->type, MEDIA_TYPE_UNKNOWN, sizeof object->type);
    }
    upstream_answer_free(&answer);
    return status;
}

enum s3_status s3_get(struct s3_client *client, const char *key, const struct s3_get *get)
{
    struct buf range = {0};
    struct s3_request request = new_request("GET", key);
    request.call.timeout_ms = FILE_MS;
    request.call.take = get->take;
    request.call.restart = get->restart;
    request.call.arg = get->arg;
    if (get->len >= 0) {
        buf_printf(&range, "bytes=%" PRId64 "-%" PRId64, get->offset, get->offset + get->len - 1);
        add_header(&request, "range", buf_text(&range));
    }
    if (get->etag)
        add_header(&request, "if-match", get->etag);
    const enum s3_status status = run_and_free(client, "get", &request);
    buf_free(&range);
    return status;
}

enum s3_status s3_copy(
    struct s3_client *client, const char *from, const char *to, const struct s3_object *object)
{
    struct buf stored = {0}, source = {0};
    struct s3_request request = new_request("PUT", to);
    request.call.timeout_ms = FILE_MS;
    request.call.body = "";
    buf_printf(&source, "/%s/%s", client->bucket, from);
    describe(&request, object, &stored);
    add_header(&request, "x-amz-copy-source", buf_text(&source));
    add_header(&request, "x-amz-copy-source-if-match", object->etag);
    add_header(&request, "x-amz-metadata-directive", "REPLACE");
    const enum s3_status status = run_and_free(client, "copy", &request);
    buf_free(&stored);
    buf_free(&source);
    return status;
}

enum s3_status s3_delete(struct s3_client *client, const char *key)
{
    struct s3_request request = new_request("DELETE", key);
    const enum s3_status status = run_and_free(client, "delete", &request);
    return status == S3_ABSENT ? S3_DONE : status;
}

/* ---- the bucket ---- */

static enum s3_status make_bucket(struct s3_client *client)
{
    struct buf body = {0};
    char hash[SHA256_HEX_SIZE];
    struct s3_request request = new_request("PUT", "");
    if (strcmp(client->region, FIRST_REGION) != 0)
        buf_printf(&body,
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>",
            client->region);
    secret_sha256_hex(buf_text(&body), body.len, hash);
    request.payload_hash = hash;
    request.call.body = buf_text(&body);
    request.call.body_len = body.len;
    const enum s3_status status = run_and_free(client, "make bucket", &request);
    if (status == S3_DONE)
        log_info("bucket_made", LOG_STR("bucket", client->bucket));
    buf_free(&body);
    return status == S3_CHANGED ? S3_DONE : status; /* somebody else made it meanwhile */
}

static enum s3_status list_page(struct s3_client *client, const char *prefix, struct s3_page *page)
{
    struct upstream_answer answer;
    struct s3_request request = new_request("GET", "");
    char *token = xstrdup(buf_text(&page->next));
    request.query[request.query_count++] = (struct sigv4_pair){"list-type", "2"};
    request.query[request.query_count++] = (struct sigv4_pair){"prefix", prefix};
    if (token[0])
        request.query[request.query_count++] = (struct sigv4_pair){"continuation-token", token};
    enum s3_status status = run(client, "list", &request, &answer);
    if (status == S3_DONE && !s3_xml_page(buf_text(&answer.body), answer.body.len, page)) {
        log_error("object_store", LOG_STR("doing", "list"), LOG_STR("why", "the answer is no listing"));
        status = S3_FAULT;
    }
    upstream_answer_free(&answer);
    free(token);
    return status;
}

enum s3_status s3_list(struct s3_client *client, const char *prefix,
    bool (*each)(void *arg, const char *key, int64_t size), void *arg)
{
    struct s3_page page = {.each = each, .arg = arg};
    enum s3_status status;
    do {
        status = list_page(client, prefix, &page);
    } while (status == S3_DONE && page.next.len > 0 && !page.has_stopped);
    buf_free(&page.next);
    return status == S3_ABSENT ? make_bucket(client) : status;
}

/* ---- presigned URLs ---- */

void s3_presign(struct s3_client *client, const struct s3_grant *grant, struct buf *url)
{
    const struct sigv4_key key = key_of(client);
    char *path = path_of(&client->public, grant->key);
    char *disposition = grant->type ? NULL : xasprintf("attachment; filename=\"%s\"", grant->filename);
    const struct sigv4_pair query[] = {{"response-content-disposition", disposition}};
    const struct sigv4_pair headers[] = {{"content-type", grant->type}, {"host", host_of(&client->public)}};
    const struct sigv4_request request = {
        .method = grant->type ? "PUT" : "GET",
        .path = path,
        .query = query,
        .query_count = grant->type ? 0 : 1,
        .headers = grant->type ? headers : headers + 1,
        .headers_count = grant->type ? 2 : 1,
        .at_ms = clock_wall_ms() + atomic_load(&client->skew_ms),
    };
    buf_printf(url, "%s%s?", client->public.origin, path);
    sigv4_presign(&key, &request, grant->expires_s, url);
    free(disposition);
    free(path);
}
