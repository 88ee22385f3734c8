#include "file_call.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/mcp.h"
#include "../common/secret.h"
#include "../common/url.h"
#include "credentials.h"
#include "signed_url.h"

#ifdef __APPLE__
#define st_mtim st_mtimespec /* has POSIX's member under a name of its own */
#endif

enum { SILENCE_MS = 60 * 1000, REASON_MAX = 300, HTTP_OK = 200, HTTP_CREATED = 201, HTTP_NO_CONTENT = 204 };

struct file_call {
    struct relay_link *link;
    struct file_call_end end;
    struct relay_call *asking; /* the tool call, while it is under way */
    struct transfer *transfer; /* then the bytes */
    char *server;              /* the URL's origin: the rest of it is a secret */
    char *path;                /* the attachment's */
    char sha256[SHA256_HEX_SIZE];
    crypto_hash_sha256_state hash;
    struct file_progress progress;
    struct buf why; /* what ended the bytes on our side */
    /* up: */
    int fd; /* -1: a download */
    struct stat before;
    /* down: */
    struct save_file *file;
    char *saved_as;
};

/* ---- the end ---- */

static void call_free(struct file_call *call)
{
    if (call->asking)
        relay_call_cancel(call->asking);
    if (call->transfer)
        transfer_abort(call->transfer);
    if (call->fd >= 0)
        close(call->fd);
    save_file_abort(call->file);
    buf_free(&call->why);
    free(call->saved_as);
    free(call->server);
    free(call->path);
    free(call);
}

void file_call_cancel(struct file_call *call)
{
    call_free(call);
}

struct file_progress file_call_progress(const struct file_call *call)
{
    return call->progress;
}

static void end_with(struct file_call *call, struct relay_reply *reply)
{
    struct file_call_end end = call->end;
    call_free(call);
    end.done(end.arg, reply);
    relay_reply_free(reply);
}

/* The text is taken over. */
static void end_failed(struct file_call *call, enum relay_outcome outcome, struct buf *problem)
{
    end_with(
        call, &(struct relay_reply){.outcome = outcome, .problem = buf_take(problem), .retry_after_s = -1});
}

static struct json_object *describe(const struct file_call *call)
{
    struct json_object *about = json_new_object();
    json_add_text(about, "path", call->path);
    if (call->saved_as)
        json_add_text(about, "saved_as", call->saved_as);
    json_add_int(about, "size", call->progress.total);
    json_add_text(about, "sha256", call->sha256);
    return about;
}

static void end_well(struct file_call *call)
{
    struct buf text = {0};
    if (call->saved_as)
        buf_printf(&text, "Saved as %s: %" PRId64 " bytes, and their SHA-256 is right.", call->saved_as,
            call->progress.total);
    else
        buf_printf(&text,
            "Stored %" PRId64 " bytes as %s\nPut that path into a message: its reader gets the file with "
            "get_attachment.",
            call->progress.total, call->path);
    struct relay_reply reply = {.outcome = RELAY_DONE, .retry_after_s = -1};
    reply.result = mcp_tool_result(MCP_MODERN, buf_text(&text), text.len, false);
    if (call->end.structured)
        json_add(reply.result, "structuredContent", describe(call));
    buf_free(&text);
    end_with(call, &reply);
}

/* ---- what the server said ---- */

/* The reason in a refusal's body, where it is one of the relay's kind. */
static void add_reason(const struct transfer_result *result, struct buf *text)
{
    enum json_fault fault;
    struct json_object *body = json_parse(result->body, result->body_len, &fault);
    const char *reason = json_text_or(body, "message", "");
    if (reason[0] && strlen(reason) <= REASON_MAX && !strpbrk(reason, "\r\n"))
        buf_printf(text, ": %s", reason);
    json_object_put(body);
}

/* The end of an exchange that did not go well. */
static void end_exchange(struct file_call *call, const struct transfer_result *result)
{
    const char *verb = call->file ? "download" : "upload";
    struct buf text = {0};
    switch (result->fault) {
    case TRANSFER_ANSWERED:
        buf_printf(&text, "The %s was refused by %s (status %d)", verb, call->server, result->status);
        add_reason(result, &text);
        break;
    case TRANSFER_TAKER_DONE:
        buf_printf(&text, "The %s was given up: %s.", verb, buf_text(&call->why));
        break;
    case TRANSFER_BROKEN:
    case TRANSFER_GARBLED:
        buf_printf(&text, "The connection to %s broke during the %s (%s). Call again.", call->server, verb,
            result->reason);
        break;
    case TRANSFER_MISDIRECTED:
    case TRANSFER_NOT_SENT:
        buf_printf(&text, "%s cannot be reached for the %s (%s).", call->server, verb, result->reason);
        break;
    }
    end_failed(call, RELAY_REJECTED, &text);
}

static void finish_hash(struct file_call *call, char out[static SHA256_HEX_SIZE])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(&call->hash, digest);
    sodium_bin2hex(out, SHA256_HEX_SIZE, digest, sizeof digest);
}

/* ---- up ---- */

static ssize_t give(void *arg, int64_t at, char *into, size_t room)
{
    struct file_call *call = arg;
    int64_t left = call->progress.total - at;
    if (at == 0)
        crypto_hash_sha256_init(&call->hash);
    if (left == 0)
        return 0;
    ssize_t got = pread(call->fd, into, left < (int64_t)room ? (size_t)left : room, at);
    if (got < 0 && errno == EINTR)
        return give(arg, at, into, room);
    if (got <= 0) {
        buf_puts(&call->why, got < 0 ? strerror(errno) : "the file became shorter meanwhile");
        return -1;
    }
    crypto_hash_sha256_update(&call->hash, (unsigned char *)into, (size_t)got);
    call->progress.done = at + got;
    return got;
}

static bool changed(const struct file_call *call)
{
    struct stat now;
    return fstat(call->fd, &now) < 0 || now.st_size != call->before.st_size ||
           now.st_mtim.tv_sec != call->before.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != call->before.st_mtim.tv_nsec;
}

/* False where the server tells what it stored, and that is something else. */
static bool stored_the_same(const struct file_call *call, const struct transfer_result *result)
{
    enum json_fault fault;
    struct json_object *body = json_parse(result->body, result->body_len, &fault);
    bool same = strcmp(json_text_or(body, "sha256", call->sha256), call->sha256) == 0;
    json_object_put(body);
    return same;
}

static void on_uploaded(void *arg, const struct transfer_result *result)
{
    struct file_call *call = arg;
    struct buf text = {0};
    call->transfer = NULL;
    bool stored =
        result->fault == TRANSFER_ANSWERED &&
        (result->status == HTTP_OK || result->status == HTTP_CREATED || result->status == HTTP_NO_CONTENT);
    if (!stored) {
        end_exchange(call, result);
        return;
    }
    finish_hash(call, call->sha256);
    if (changed(call) || !stored_the_same(call, result)) {
        buf_puts(
            &text, "The file changed while it was uploaded: what was stored is not to be used. Call again.");
        end_failed(call, RELAY_REJECTED, &text);
        return;
    }
    end_well(call);
}

static bool header_safe(const char *value)
{
    for (const char *c = value; *c; c++) {
        if (*c < ' ' || *c > '~')
            return false;
    }
    return value[0] != '\0';
}

static bool read_size_limit(const struct file_call *call, struct json_object *grant, struct buf *why)
{
    int64_t max;
    if (json_get_int(grant, "max_bytes", &max) != JSON_FIELD_FOUND || call->progress.total <= max)
        return true;
    buf_printf(why, "The file has %" PRId64 " bytes, and the relay takes at most %" PRId64 ".",
        call->progress.total, max);
    return false;
}

/* A pin is the relay's: of another server that keeps the files it says nothing. */
static const char *trust_for(const struct file_call *call, const char *url)
{
    const struct config *config = relay_link_config(call->link);
    size_t len = strlen(config->url);
    bool own = strncmp(url, config->url, len) == 0 && url[len] == '/';
    return own || !config->ca_file || !credentials_is_pin(config->ca_file) ? config->ca_file : NULL;
}

static bool start_upload(struct file_call *call, struct json_object *grant, const char *url, struct buf *why)
{
    const char *type = json_text_or(grant, "mime_type", "");
    if (!header_safe(type)) {
        buf_puts(why, "The relay's answer lacks the file's type: it is older than this program.");
        return false;
    }
    if (!read_size_limit(call, grant, why))
        return false;
    char *header = xasprintf("Content-Type: %s", type);
    const char *const headers[] = {header, NULL};
    /* The answer to an empty file comes without a look at its bytes. */
    crypto_hash_sha256_init(&call->hash);
    call->transfer = transfer_start(relay_link_transfers(call->link), &(struct transfer_request){.url = url,
                                                                          .ca_file = trust_for(call, url),
                                                                          .headers = headers,
                                                                          .timeout_ms = SILENCE_MS,
                                                                          .give = give,
                                                                          .give_size = call->progress.total,
                                                                          .done = on_uploaded,
                                                                          .arg = call});
    free(header);
    return true;
}

/* ---- down ---- */

static bool take(void *arg, const char *bytes, size_t len)
{
    struct file_call *call = arg;
    if ((int64_t)len > call->progress.total - call->progress.done)
        buf_puts(&call->why, "more came than was announced");
    else if (!save_file_write(call->file, bytes, len))
        buf_puts(&call->why, strerror(errno));
    crypto_hash_sha256_update(&call->hash, (const unsigned char *)bytes, len);
    call->progress.done += (int64_t)len;
    return call->why.len == 0;
}

static void on_downloaded(void *arg, const struct transfer_result *result)
{
    struct file_call *call = arg;
    char sha256[SHA256_HEX_SIZE];
    struct buf text = {0};
    call->transfer = NULL;
    if (result->fault != TRANSFER_ANSWERED || result->status != HTTP_OK) {
        end_exchange(call, result);
        return;
    }
    finish_hash(call, sha256);
    if (strcmp(sha256, call->sha256) != 0) {
        buf_puts(&text,
            "What arrived is not what was stored (its SHA-256 differs), and was not kept. Call again.");
        end_failed(call, RELAY_REJECTED, &text);
        return;
    }
    bool saved = save_file_commit(call->file, SAVE_FILE_BEST);
    int error = errno;
    call->file = NULL;
    if (saved) {
        end_well(call);
        return;
    }
    buf_printf(&text, "%s cannot be saved: %s.", call->saved_as, strerror(error));
    end_failed(call, RELAY_REJECTED, &text);
}

static bool start_download(
    struct file_call *call, struct json_object *grant, const char *url, struct buf *why)
{
    static const char *const headers[] = {NULL};
    const char *sha256 = json_text_or(grant, "sha256", "");
    int64_t size = -1;
    if (json_get_int(grant, "size", &size) != JSON_FIELD_FOUND || size < 0 ||
        strlen(sha256) != SHA256_HEX_SIZE - 1) {
        buf_puts(why, "The relay's answer lacks the file's size and SHA-256: it is older than this program.");
        return false;
    }
    memcpy(call->sha256, sha256, sizeof call->sha256);
    call->progress.total = size;
    crypto_hash_sha256_init(&call->hash);
    call->transfer = transfer_start(relay_link_transfers(call->link), &(struct transfer_request){.url = url,
                                                                          .ca_file = trust_for(call, url),
                                                                          .headers = headers,
                                                                          .timeout_ms = SILENCE_MS,
                                                                          .take = take,
                                                                          .done = on_downloaded,
                                                                          .arg = call});
    return true;
}

/* ---- the tool call ---- */

static char *server_of(const char *signed_url)
{
    const char *host = strstr(signed_url, "://");
    size_t len = host ? (size_t)(host - signed_url) + 3 + strcspn(host + 3, "/?") : 0;
    return xmemdup_text(signed_url, len);
}

/* Starts what the relay's answer allows. False: why has one line. */
static bool follow(struct file_call *call, struct json_object *grant, struct buf *why)
{
    struct buf url = {0};
    const char *path = json_text_or(grant, "path", "");
    const char *given = json_text_or(grant, call->file ? "url" : "upload_url", "");
    bool started = false, is_elsewhere = false;
    if (json_get_bool(grant, "elsewhere", &is_elsewhere) != JSON_FIELD_FOUND)
        is_elsewhere = false;
    if (!path[0] || !given[0]) {
        buf_puts(why, "The relay's answer does not say where the file is: it is older than this program.");
        return false;
    }
    call->path = xstrdup(path);
    if (signed_url_take(relay_link_config(call->link)->url, given, is_elsewhere, &url, why)) {
        call->server = server_of(buf_text(&url));
        started = call->file ? start_download(call, grant, buf_text(&url), why)
                             : start_upload(call, grant, buf_text(&url), why);
    }
    buf_wipe(&url);
    return started;
}

static void on_granted(void *arg, struct relay_reply *reply)
{
    struct file_call *call = arg;
    struct json_object *grant = NULL;
    struct buf why = {0};
    call->asking = NULL;
    if (reply->outcome != RELAY_DONE || relay_reply_is_error(reply)) {
        end_with(call, reply);
        return;
    }
    if (json_get_object(reply->result, "structuredContent", &grant) != JSON_FIELD_FOUND)
        grant = NULL;
    if (follow(call, grant, &why))
        buf_free(&why);
    else
        end_failed(call, RELAY_REJECTED, &why);
}

static void ask(struct file_call *call, const char *tool, struct json_object *args)
{
    struct json_object *meta = json_new_object();
    json_add_bool(meta, PATCHCORD_META_STRUCTURED, true);
    call->asking = relay_link_call(call->link, tool, args, meta, on_granted, call);
    json_object_put(meta);
}

static struct file_call *call_new(struct relay_link *link, const struct file_call_end *end)
{
    struct file_call *call = xcalloc(1, sizeof *call);
    call->link = link;
    call->end = *end;
    call->fd = -1;
    return call;
}

struct file_call *file_call_upload(
    struct relay_link *link, struct json_object *args, int fd, const struct file_call_end *end)
{
    struct file_call *call = call_new(link, end);
    call->fd = fd;
    if (fstat(fd, &call->before) == 0)
        call->progress.total = call->before.st_size;
    ask(call, "upload_attachment", args);
    return call;
}

struct file_call *file_call_download(struct relay_link *link, struct json_object *args,
    struct save_file *file, const char *saved_as, const struct file_call_end *end)
{
    struct file_call *call = call_new(link, end);
    call->file = file;
    call->saved_as = xstrdup(saved_as);
    ask(call, "get_attachment", args);
    return call;
}
