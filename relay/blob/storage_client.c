#include "storage_client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../common/log.h"
#include "../../common/secret.h"
#include "../upstream/upstream.h"

enum {
    CALL_MS = 15 * 1000,
    FILE_MS = 5 * 60 * 1000,
    ANSWER_MAX = 8 << 20,
    PAGE = 1000,
    HEADERS_MAX = 4,
    SUCCESS = 2,
    RANGE_REFUSED = 416,
};

struct storage_client {
    struct upstream *upstream;
    char *base; /* the project's URL and /storage/v1 */
    char *bucket;
    int64_t max_bytes;
    char *headers[3]; /* secret; NULL-ended */
};

struct storage_client *storage_client_new(const struct storage_options *options, struct buf *why)
{
    const struct upstream_options upstream = {
        .ca_file = options->ca_file, .connections = options->connections};
    struct storage_client *client = xcalloc(1, sizeof *client);
    client->upstream = upstream_new(&upstream, why);
    if (!client->upstream) {
        free(client);
        return NULL;
    }
    client->base = xasprintf("%s/storage/v1", options->url);
    client->bucket = xstrdup(options->bucket);
    client->max_bytes = options->max_bytes;
    client->headers[0] = xasprintf("apikey: %s", options->key);
    client->headers[1] = xasprintf("Authorization: Bearer %s", options->key);
    return client;
}

void storage_client_stop(struct storage_client *client)
{
    upstream_stop(client->upstream);
}

void storage_client_free(struct storage_client *client)
{
    if (!client)
        return;
    upstream_free(client->upstream);
    secret_free(client->headers[0]);
    secret_free(client->headers[1]);
    free(client->base);
    free(client->bucket);
    free(client);
}

/* ---- answers ---- */

static const struct {
    const char *word; /* of "code", "error" or "statusCode" */
    enum storage_status status;
} words[] = {
    {"NoSuchBucket", STORAGE_NO_BUCKET},
    {"Bucket not found", STORAGE_NO_BUCKET},
    {"NoSuchKey", STORAGE_ABSENT},
    {"Duplicate", STORAGE_EXISTS},
    {"KeyAlreadyExists", STORAGE_EXISTS},
    {"EntityTooLarge", STORAGE_TOO_LARGE},
    {"404", STORAGE_ABSENT},
    {"409", STORAGE_EXISTS},
    {"413", STORAGE_TOO_LARGE},
};

static enum storage_status meaning_of(const char *word)
{
    for (size_t i = 0; i < LENGTH_OF(words); i++) {
        if (strcmp(words[i].word, word) == 0)
            return words[i].status;
    }
    return STORAGE_FAULT;
}

/* Mostly a string, now and then a number. */
static void read_status_code(struct json_object *error, struct buf *out)
{
    int64_t number;
    if (json_get_int(error, "statusCode", &number) == JSON_FIELD_FOUND)
        buf_printf(out, "%" PRId64, number);
    else
        buf_puts(out, json_text_or(error, "statusCode", ""));
}

enum storage_status storage_error(const char *body, size_t len)
{
    enum json_fault fault;
    struct buf code = {0};
    struct json_object *error = json_parse(body, len, &fault);
    enum storage_status status = meaning_of(json_text_or(error, "code", ""));
    if (status == STORAGE_FAULT)
        status = meaning_of(json_text_or(error, "error", ""));
    if (status == STORAGE_FAULT) {
        read_status_code(error, &code);
        status = meaning_of(buf_text(&code));
    }
    buf_free(&code);
    json_object_put(error);
    return status;
}

static void log_fault(const char *doing, const char *path, const struct upstream_answer *answer)
{
    enum json_fault fault;
    struct json_object *error = json_parse(buf_text(&answer->body), answer->body.len, &fault);
    const char *code = json_text_or(error, "code", json_text_or(error, "error", "unknown"));
    log_error("object_store", LOG_STR("doing", doing), LOG_STR("key", path),
        LOG_INT("status", answer->status),
        LOG_STR("why", answer->outcome == UPSTREAM_ANSWERED ? code : answer->reason));
    json_object_put(error);
}

/* ---- one request ---- */

/* Sends with the project's key; *answer is the caller's to free. */
static enum storage_status run(struct storage_client *client, const char *doing, const char *path,
    const struct upstream_call *call, struct upstream_answer *answer)
{
    (void)upstream_call(client->upstream, call, answer);
    if (answer->outcome == UPSTREAM_NOT_TAKEN)
        return STORAGE_FAULT;
    if (answer->outcome == UPSTREAM_ANSWERED && answer->status / 100 == SUCCESS)
        return STORAGE_DONE;
    const enum storage_status status = answer->outcome == UPSTREAM_ANSWERED
                                           ? storage_error(buf_text(&answer->body), answer->body.len)
                                           : STORAGE_FAULT;
    if (status == STORAGE_FAULT)
        log_fault(doing, path, answer);
    return status;
}

/* A call of the interface: JSON in, JSON out. *result (may be NULL) is the caller's to put; body is put here.
 */
static enum storage_status ask(struct storage_client *client, const char *method, const char *place,
    struct json_object *body, struct json_object **result)
{
    struct upstream_answer answer;
    struct buf text = {0};
    char *url = xasprintf("%s/%s", client->base, place);
    const char *const headers[HEADERS_MAX] = {
        client->headers[0], client->headers[1], "Content-Type: application/json"};
    json_write(body, &text);
    json_object_put(body);
    const struct upstream_call call = {.method = method,
        .url = url,
        .headers = headers,
        .body = buf_text(&text),
        .body_len = text.len,
        .is_repeatable = true, /* each names what is to be */
        .timeout_ms = CALL_MS,
        .answer_max = ANSWER_MAX};
    const enum storage_status status = run(client, method, place, &call, &answer);
    if (result) {
        enum json_fault fault;
        *result = status == STORAGE_DONE ? json_parse(buf_text(&answer.body), answer.body.len, &fault) : NULL;
    }
    upstream_answer_free(&answer);
    buf_free(&text);
    free(url);
    return status;
}

static enum storage_status malformed(const char *doing)
{
    log_error("object_store", LOG_STR("doing", doing), LOG_STR("why", "the answer is not as it should be"));
    return STORAGE_FAULT;
}

/* ---- the bucket ---- */

static enum storage_status make_bucket(struct storage_client *client)
{
    struct json_object *body = json_new_object();
    json_add_text(body, "id", client->bucket);
    json_add_text(body, "name", client->bucket);
    json_add_bool(body, "public", false);
    json_add_int(body, "file_size_limit", client->max_bytes);
    json_add(body, "allowed_mime_types", NULL);
    const enum storage_status status = ask(client, "POST", "bucket", body, NULL);
    if (status == STORAGE_DONE)
        log_info("bucket_made", LOG_STR("bucket", client->bucket));
    return status == STORAGE_EXISTS ? STORAGE_DONE : status; /* somebody else made it meanwhile */
}

/* ---- signed URLs ---- */

/* Asks for a URL, which is relative to the interface, in that field. */
static enum storage_status sign(struct storage_client *client, const char *kind, const char *path,
    struct json_object *body, const char *field, struct buf *url)
{
    struct json_object *answer = NULL;
    char *place = xasprintf("%s/%s/%s", kind, client->bucket, path);
    enum storage_status status = ask(client, "POST", place, body, &answer);
    if (status == STORAGE_DONE) {
        const char *relative = json_text_or(answer, field, "");
        if (strncmp(relative, "/object/", strlen("/object/")) == 0)
            buf_printf(url, "%s%s", client->base, relative);
        else
            status = malformed("sign");
    }
    json_object_put(answer);
    free(place);
    return status;
}

enum storage_status storage_sign_upload(struct storage_client *client, const char *path, struct buf *url)
{
    enum storage_status status = sign(client, "object/upload/sign", path, json_new_object(), "url", url);
    if (status == STORAGE_NO_BUCKET && (status = make_bucket(client)) == STORAGE_DONE)
        status = sign(client, "object/upload/sign", path, json_new_object(), "url", url);
    return status;
}

enum storage_status storage_sign_download(
    struct storage_client *client, const char *path, int64_t expires_s, const char *saved_as, struct buf *url)
{
    struct json_object *body = json_new_object();
    json_add_int(body, "expiresIn", expires_s);
    const enum storage_status status = sign(client, "object/sign", path, body, "signedURL", url);
    if (status == STORAGE_DONE)
        buf_printf(url, "&download=%s", saved_as);
    return status == STORAGE_NO_BUCKET ? STORAGE_ABSENT : status;
}

/* ---- files ---- */

enum storage_status storage_put(
    struct storage_client *client, const char *path, const char *type, int fd, int64_t size)
{
    struct upstream_answer answer;
    struct buf url = {0};
    enum storage_status status = storage_sign_upload(client, path, &url);
    if (status != STORAGE_DONE) {
        buf_free(&url);
        return status;
    }
    char *line = xasprintf("Content-Type: %s", type);
    const char *const headers[] = {line, NULL};
    const struct upstream_call call = {.method = "PUT",
        .url = buf_text(&url),
        .headers = headers,
        .has_file = true,
        .body_fd = fd,
        .body_len = (size_t)size,
        .is_repeatable = true,
        .timeout_ms = FILE_MS,
        .answer_max = ANSWER_MAX};
    status = run(client, "put", path, &call, &answer);
    if (status == STORAGE_EXISTS && answer.tries > 1)
        status = STORAGE_DONE; /* it met itself: nobody else was given this path */
    upstream_answer_free(&answer);
    buf_wipe(&url);
    free(line);
    return status;
}

enum storage_status storage_get(struct storage_client *client, const char *path, struct storage_get *get)
{
    enum { SIGNED_FOR_S = 600 };
    struct upstream_answer answer;
    struct buf url = {0}, range = {0};
    enum storage_status status = storage_sign_download(client, path, SIGNED_FOR_S, "file", &url);
    if (status != STORAGE_DONE) {
        buf_free(&url);
        return status;
    }
    buf_printf(&range, "Range: bytes=%" PRId64 "-%" PRId64, get->offset, get->offset + get->len - 1);
    const char *const headers[] = {get->len >= 0 ? buf_text(&range) : NULL, NULL};
    const struct upstream_call call = {.method = "GET",
        .url = buf_text(&url),
        .headers = headers,
        .is_repeatable = true,
        .timeout_ms = FILE_MS,
        .answer_max = ANSWER_MAX,
        .take = get->take,
        .restart = get->restart,
        .arg = get->arg};
    (void)upstream_call(client->upstream, &call, &answer);
    if (answer.outcome == UPSTREAM_ANSWERED && answer.status == RANGE_REFUSED)
        status = STORAGE_DONE; /* nothing is there from that offset on */
    else if (answer.outcome == UPSTREAM_ANSWERED && answer.status / 100 == SUCCESS)
        status = STORAGE_DONE;
    else
        status = storage_error(buf_text(&answer.body), answer.body.len);
    if (status == STORAGE_FAULT && answer.outcome != UPSTREAM_NOT_TAKEN)
        log_fault("get", path, &answer);
    const char *type = upstream_header(&answer, "content-type");
    if (!type || !media_type_parse(type, get->type))
        memcpy(get->type, MEDIA_TYPE_UNKNOWN, sizeof MEDIA_TYPE_UNKNOWN);
    upstream_answer_free(&answer);
    buf_wipe(&url);
    buf_free(&range);
    return status;
}

enum storage_status storage_remove(
    struct storage_client *client, const char *const *paths, size_t count, size_t *removed)
{
    struct json_object *body = json_new_object(), *prefixes = json_new_array(), *gone = NULL;
    char *place = xasprintf("object/%s", client->bucket);
    for (size_t i = 0; i < count; i++)
        json_append_text(prefixes, paths[i]);
    json_add(body, "prefixes", prefixes);
    const enum storage_status status = ask(client, "DELETE", place, body, &gone);
    *removed = json_object_is_type(gone, json_type_array) ? json_object_array_length(gone) : 0;
    json_object_put(gone);
    free(place);
    return status;
}

/* ---- listings ---- */

/* A folder has no id. */
static bool read_entry(struct json_object *entry, const char **name, int64_t *size)
{
    struct json_object *metadata;
    *name = json_text_or(entry, "name", "");
    *size = -1;
    if (json_text_or(entry, "id", NULL) == NULL)
        return **name != '\0';
    return **name != '\0' && json_get_object(entry, "metadata", &metadata) == JSON_FIELD_FOUND &&
           json_get_int(metadata, "size", size) == JSON_FIELD_FOUND;
}

static enum storage_status list_page(
    struct storage_client *client, const char *folder, int64_t offset, struct json_object **page)
{
    struct json_object *body = json_new_object();
    char *place = xasprintf("object/list/%s", client->bucket);
    json_add_text(body, "prefix", folder);
    json_add_int(body, "limit", PAGE);
    json_add_int(body, "offset", offset);
    enum storage_status status = ask(client, "POST", place, body, page);
    if (status == STORAGE_DONE && !json_object_is_type(*page, json_type_array)) {
        json_object_put(*page);
        *page = NULL;
        status = malformed("list");
    }
    free(place);
    return status;
}

enum storage_status storage_list(struct storage_client *client, const char *folder,
    void (*each)(void *arg, const char *name, int64_t size), void *arg)
{
    size_t count = PAGE;
    for (int64_t offset = 0; count == PAGE; offset += PAGE) {
        struct json_object *page = NULL;
        const enum storage_status status = list_page(client, folder, offset, &page);
        if (status == STORAGE_NO_BUCKET)
            return STORAGE_DONE; /* none has been made yet */
        if (status != STORAGE_DONE)
            return status;
        count = json_object_array_length(page);
        for (size_t i = 0; i < count; i++) {
            const char *name;
            int64_t size;
            if (read_entry(json_object_array_get_idx(page, i), &name, &size))
                each(arg, name, size);
        }
        json_object_put(page);
    }
    return STORAGE_DONE;
}
