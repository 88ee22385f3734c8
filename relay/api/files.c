/* files.c: PUT, GET and HEAD /files/<path>?…: what the file store's signed URLs lead to. The signature is the
 * credential: no other is asked for. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "../blob/blob.h"
#include "../http/byte_range.h"
#include "../relay.h"
#include "api.h"
#include "json_body.h"

#define FILES_PREFIX "/files/"

/* ---- what a URL grants ---- */

static const char *parameter(const void *request, const char *name)
{
    return exchange_query(request, name);
}

/* False: answered already. */
static bool check_url(struct exchange *ex, bool is_upload, struct blob_grant *grant)
{
    static const struct {
        int status;
        const char *code, *message;
    } faults[] = {
        [BLOB_URL_MALFORMED] = {400, "malformed_url",
            "This is not a whole signed URL of a file. Use it exactly as it was given."},
        [BLOB_URL_FORGED] = {403, "bad_signature",
            "The signature does not fit this URL: it was changed, or the relay has another key by now. Ask "
            "for a new one."},
        [BLOB_URL_OTHER_METHOD] = {405, "method_not_allowed", NULL},
        [BLOB_URL_EXPIRED] = {403, "expired", "This URL has expired. Ask for a new one."},
    };
    const struct relay *relay = ex->app;
    const enum blob_url found =
        blob_check_url(relay->blobs, is_upload, ex->path + sizeof FILES_PREFIX - 1, parameter, ex, grant);
    if (found == BLOB_URL_VALID)
        return true;
    const char *message = faults[found].message;
    if (found == BLOB_URL_OTHER_METHOD) {
        exchange_add_header(ex, "Allow", is_upload ? "GET, HEAD" : "PUT");
        message = is_upload ? "This URL is for downloading (GET)." : "This URL is for uploading (PUT).";
    }
    exchange_error(ex, faults[found].status, faults[found].code, message);
    return false;
}

static void answer_status(struct exchange *ex, enum blob_status status)
{
    static const struct {
        int status;
        const char *code;
    } codes[] = {
        [BLOB_ABSENT] = {404, "not_found"},
        [BLOB_EXISTS] = {409, "exists"},
        [BLOB_TOO_LARGE] = {413, "payload_too_large"},
        [BLOB_OVER_QUOTA] = {507, "quota_exceeded"},
        [BLOB_BUSY] = {503, "busy"},
        [BLOB_FAULT] = {503, "store_unavailable"},
    };
    char *message = xasprintf("The file %s.", blob_status_text(status));
    exchange_error(ex, codes[status].status, codes[status].code, message);
    free(message);
}

/* ---- uploads ---- */

struct receiving {
    struct blob_grant grant;
    struct blob_upload *upload; /* NULL before anything has come */
};

static void settle_upload(struct exchange *ex, enum settlement how)
{
    (void)how;
    struct receiving *receiving = ex->state;
    blob_abort(receiving->upload);
    free(receiving);
    ex->state = NULL;
}

/* RFC 9110 section 14.4: a part must not be taken for the whole. */
static bool check_headers(struct exchange *ex, const struct blob_grant *grant)
{
    char type[MEDIA_TYPE_SIZE];
    const char *given = exchange_header(ex, "Content-Type");
    if (exchange_header(ex, "Content-Range")) {
        exchange_error(ex, 400, "bad_request", "A file is uploaded whole: Content-Range is not supported.");
        return false;
    }
    if (!given || (media_type_parse(given, type) && strcmp(type, grant->type) == 0))
        return true;
    char *message =
        xasprintf("This URL is for a file of the type %s: send that as Content-Type.", grant->type);
    exchange_error(ex, 415, "unsupported_media_type", message);
    free(message);
    return false;
}

static bool admit(struct exchange *ex)
{
    struct blob_grant grant;
    if (!check_url(ex, true, &grant) || !check_headers(ex, &grant))
        return false;
    if (ex->body_announced > grant.max_bytes) {
        char *message = xasprintf("The file may have at most %" PRId64 " bytes.", grant.max_bytes);
        exchange_error(ex, 413, "payload_too_large", message);
        free(message);
        return false;
    }
    struct receiving *receiving = xcalloc(1, sizeof *receiving);
    receiving->grant = grant;
    ex->state = receiving;
    ex->settle = settle_upload;
    return true;
}

/* Stores what has come. */
static enum blob_status take(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    struct receiving *receiving = ex->state;
    if (!receiving->upload) {
        const struct blob_grant *grant = &receiving->grant;
        const enum blob_status status = blob_begin(relay->blobs, &grant->path, grant->type, grant->max_bytes,
            ex->body_announced, &receiving->upload);
        if (status != BLOB_DONE)
            return status;
    }
    return blob_write(receiving->upload, buf_text(&ex->body), ex->body.len);
}

static bool receive(struct exchange *ex)
{
    const enum blob_status status = take(ex);
    if (status != BLOB_DONE)
        answer_status(ex, status);
    return status == BLOB_DONE;
}

static void answer_stored(struct exchange *ex, const struct blob_info *info)
{
    struct json_object *body = json_new_object();
    json_add_text(body, "status", "stored");
    json_add_text(body, "path", info->path.text);
    json_add_int(body, "size", info->size);
    json_add_text(body, "mime_type", info->type);
    json_add_text(body, "sha256", info->sha256);
    json_body_answer(ex, 201, body);
    log_info("file_stored", LOG_STR("path", info->path.text), LOG_INT("bytes", info->size));
}

enum verdict api_file_put(struct exchange *ex)
{
    struct receiving *receiving = ex->state;
    struct blob_info info;
    enum blob_status status = take(ex);
    if (status == BLOB_DONE) {
        status = blob_commit(receiving->upload, &info);
        receiving->upload = NULL;
    }
    if (status == BLOB_DONE)
        answer_stored(ex, &info);
    else
        answer_status(ex, status);
    return VERDICT_DONE;
}

const struct body_sink api_file_sink = {.admit = admit, .receive = receive};

/* ---- downloads ---- */

/* RFC 9110 section 13.1.2: any of the list, weak or not. */
static bool is_unchanged(const struct exchange *ex, const char *etag)
{
    const char *wanted = exchange_header(ex, "If-None-Match");
    return wanted && (strcmp(wanted, "*") == 0 || strstr(wanted, etag));
}

static enum byte_range read_range(
    const struct exchange *ex, const char *etag, int64_t size, int64_t *first, int64_t *len)
{
    const char *condition = exchange_header(ex, "If-Range");
    if (condition && strcmp(condition, etag) != 0)
        return BYTE_RANGE_WHOLE;
    return byte_range_read(exchange_header(ex, "Range"), size, first, len);
}

/* A browser saves it; whatever it holds, nothing of it runs. */
static void add_headers(struct exchange *ex, const struct blob_info *info, const char *etag)
{
    char *disposition =
        xasprintf("attachment; filename=\"%s\"", info->path.name); /* a safe name: blob_path.h */
    exchange_add_header(ex, "ETag", etag);
    exchange_add_header(ex, "Cache-Control", "private");
    exchange_add_header(ex, "Accept-Ranges", "bytes");
    exchange_add_header(ex, "X-Content-Type-Options", "nosniff");
    exchange_add_header(ex, "Content-Disposition", disposition);
    exchange_add_header(ex, "Content-Security-Policy", "sandbox; default-src 'none'");
    exchange_add_header(ex, "Referrer-Policy", "no-referrer");
    free(disposition);
}

/* Takes the descriptor over. */
static void answer_content(struct exchange *ex, const struct blob_info *info, int fd, int64_t at)
{
    char etag[SHA256_HEX_SIZE + 2];
    int64_t first = 0, len = info->size;
    snprintf(etag, sizeof etag, "\"%s\"", info->sha256);
    add_headers(ex, info, etag);
    if (is_unchanged(ex, etag)) {
        (void)close(fd);
        ex->status = 304;
        return;
    }
    const enum byte_range range = read_range(ex, etag, info->size, &first, &len);
    if (range != BYTE_RANGE_WHOLE) {
        char *part = range == BYTE_RANGE_PART ? xasprintf("bytes %" PRId64 "-%" PRId64 "/%" PRId64, first,
                                                    first + len - 1, info->size)
                                              : xasprintf("bytes */%" PRId64, info->size);
        exchange_add_header(ex, "Content-Range", part);
        free(part);
    }
    if (range == BYTE_RANGE_UNSATISFIABLE) {
        (void)close(fd);
        exchange_error(ex, 416, "range_not_satisfiable", "The file has no such bytes.");
        return;
    }
    /* Here rather than on the loop's thread, which sends it. */
    (void)posix_fadvise(fd, at + first, len, POSIX_FADV_WILLNEED);
    exchange_add_header(ex, "Content-Type", info->type);
    exchange_answer_file(ex, range == BYTE_RANGE_PART ? 206 : 200, fd, at + first, len);
}

enum verdict api_file_get(struct exchange *ex)
{
    const struct relay *relay = ex->app;
    struct blob_grant grant;
    struct blob_info info;
    int fd;
    int64_t at;
    if (!check_url(ex, false, &grant))
        return VERDICT_DONE;
    const enum blob_status status = blob_open(relay->blobs, &grant.path, &info, &fd, &at);
    if (status == BLOB_DONE)
        answer_content(ex, &info, fd, at);
    else
        answer_status(ex, status);
    return VERDICT_DONE;
}
