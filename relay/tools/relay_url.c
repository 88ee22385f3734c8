/* relay_url: has the relay fetch a file from the web, stores it, and tells an agent where it is. */
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/log.h"
#include "../../common/url.h"
#include "../auth/concurrency.h"
#include "../config.h"
#include "../fetch/safe_fetch.h"
#include "attachment.h"
#include "recipients.h"
#include "sending.h"
#include "tool.h"

enum {
    FETCH_MS = 30 * 1000, /* below what bridges and proxies wait for an answer */
    FETCHES_PER_AGENT = 2,
    FETCHES_MAX = 8,        /* each holds a worker, */
    WORKERS_OF_FETCHES = 4, /* of which there are so many times as many */
    RESTART_RETRY_AFTER_S = 2,
};

/* Beside the agents' own keys, which have an '@'. */
#define KEY_OF_ALL "all"

struct relayed {
    struct tool_call *call;
    const char *url;
    const char *filename;   /* NULL: by the URL */
    const struct ident *to; /* NULL: nobody is told */
    char *namespace_id;     /* where the file is to lie: with whom it is for */
    char *basis;
    struct blob_path path;
    struct blob_upload *upload;
    struct blob_info info;
    bool has_failed; /* the call has its text */
};

/* ---- what comes in ---- */

/* What follows the last '/' of the URL's path, decoded as far as it can be. */
static char *name_in_url(const char *url)
{
    const char *path = strstr(url, "://"), *end = url + strcspn(url, "?#");
    path = path ? path + strlen("://") : url;
    const char *name = end;
    while (name > path && name[-1] != '/')
        name--;
    struct buf decoded = {0};
    if (name == path || !url_decode(&decoded, name, (size_t)(end - name), false))
        buf_reset(&decoded);
    return buf_take(&decoded);
}

static bool took(struct relayed *r, enum blob_status status)
{
    if (status == BLOB_DONE)
        return true;
    attachment_fail(r->call, r->path.name, status);
    r->has_failed = true;
    return false;
}

/* What the server says, unless that tells nothing: then the name does. */
static const char *useful_type(const char *given)
{
    char type[MEDIA_TYPE_SIZE];

    return given && media_type_parse(given, type) && strcmp(type, MEDIA_TYPE_UNKNOWN) != 0 ? given : NULL;
}

static bool on_begin(void *arg, const struct safe_fetch_head *head)
{
    struct relayed *r = arg;
    char type[MEDIA_TYPE_SIZE];

    if (!attachment_type(r->call, useful_type(head->type), r->path.name, type)) {
        r->has_failed = true;
        return false;
    }
    return took(r, blob_begin(r->call->relay->blobs, &r->path, type, 0, head->length, &r->upload));
}

static bool on_bytes(void *arg, const void *bytes, size_t len)
{
    struct relayed *r = arg;
    return took(r, blob_write(r->upload, bytes, len));
}

/* ---- what went wrong ---- */

#define UPLOAD_INSTEAD "Check the URL, or download the file yourself and use upload_attachment."

static const char *const advice[] = {
    [SAFE_FETCH_BAD_URL] = "Give a public https URL without a user name or password.",
    [SAFE_FETCH_NOT_PUBLIC] = UPLOAD_INSTEAD,
    [SAFE_FETCH_UNREACHABLE] = UPLOAD_INSTEAD,
    [SAFE_FETCH_UNTRUSTED] = UPLOAD_INSTEAD,
    [SAFE_FETCH_BAD_STATUS] = UPLOAD_INSTEAD,
    [SAFE_FETCH_REDIRECTS] = "Give the URL where the file is.",
    [SAFE_FETCH_TOO_LARGE] = "Send the URL itself in a message.",
    [SAFE_FETCH_TOO_SLOW] = "Try again later, or send the URL itself in a message.",
    [SAFE_FETCH_BROKEN] = "Try again, or download the file yourself and use upload_attachment.",
    [SAFE_FETCH_STOPPED] = "Call again.",
};

static void fail_fetch(struct relayed *r, enum safe_fetch_status status, const char *why)
{
    if (r->has_failed)
        return;
    if (status == SAFE_FETCH_STOPPED)
        r->call->retry_after_s = RESTART_RETRY_AFTER_S;
    tool_fail(r->call, "Not fetched: %s. %s", why, advice[status]);
}

/* ---- fetching ---- */

static bool fetch(struct relayed *r)
{
    struct relay *relay = r->call->relay;
    struct buf why = {0};
    const struct safe_fetch request = {
        .url = r->url,
        .max_bytes = blob_max_bytes(relay->blobs),
        .timeout_ms = FETCH_MS,
        .begin = on_begin,
        .take = on_bytes,
        .arg = r,
    };
    const enum safe_fetch_status status = safe_fetch(relay->fetcher, &request, &why);
    if (status == SAFE_FETCH_DONE) {
        const enum blob_status stored = blob_commit(r->upload, &r->info);
        (void)took(r, stored);
    } else {
        blob_abort(r->upload);
        fail_fetch(r, status, buf_text(&why));
    }
    buf_free(&why);
    return status == SAFE_FETCH_DONE && !r->has_failed;
}

static unsigned fetches_max(const struct config *config)
{
    const int64_t share = config->workers / WORKERS_OF_FETCHES;
    return share < 1 ? 1 : share > FETCHES_MAX ? FETCHES_MAX : (unsigned)share;
}

/* A fetch may take long, and a worker with it: some are left for what does not. */
static bool fetch_in_turn(struct relayed *r)
{
    struct concurrency *fetches = r->call->relay->fetches;
    const char *agent = r->call->who->address;
    bool fine = false;

    if (!concurrency_enter(fetches, agent, FETCHES_PER_AGENT)) {
        tool_fail(r->call, "Not fetched: %d fetches of yours are under way. Wait until one has ended.",
            FETCHES_PER_AGENT);
        return false;
    }
    if (concurrency_enter(fetches, KEY_OF_ALL, fetches_max(r->call->relay->config))) {
        fine = fetch(r);
        concurrency_leave(fetches, KEY_OF_ALL);
    } else {
        tool_fail(r->call, "Not fetched: the relay is busy fetching for others. Try again in a minute.");
    }
    concurrency_leave(fetches, agent);
    return fine;
}

/* ---- telling ---- */

/* Where it came from: a query may hold what only the sender is to know. */
static char *describe(const struct relayed *r)
{
    const struct blob_info *info = &r->info;
    return xasprintf(
        "File %s (%s, %lld bytes) from %.*s\nGet it with get_attachment(path=\"%s\")\nSHA-256 %s",
        info->path.name, info->type, (long long)info->size, (int)strcspn(r->url, "?#"), r->url,
        info->path.text, info->sha256);
}

/* Without content it only asks. */
static enum store_status store_or_ask(struct relayed *r, const struct store_caller *caller,
    const char *content, struct store_send_result *result)
{
    struct tool_call *call = r->call;
    const struct store_recipient to = recipient_of(r->to);
    const struct store_send send = {
        .message_id = call->message_id[0] ? call->message_id : NULL,
        .recipients = &to,
        .recipients_count = 1,
        .content = content ? content : "",
        .content_len = content ? strlen(content) : 0,
        .ungated = content != NULL || call->queued,
        .basis = r->basis,
        .only_ask = content == NULL,
    };
    return store_send(call->relay->store, caller, &send, result);
}

/* A repeat that fetched nothing does not know the file: that is in the message. */
static void record(struct relayed *r, const struct store_send_result *sent)
{
    struct json_object *out = r->info.sha256[0] ? attachment_json(&r->info) : json_new_object();

    json_add_text(out, "status", sent ? "sent" : "stored");
    json_add_text(out, "message_id", sent ? sent->sent[0].id : NULL);
    char name[ADDRESS_SIZE];
    if (sent)
        identity_name(r->call->who, sent->sent[0].namespace_id, sent->sent[0].to, name);
    json_add_text(out, "to", sent ? name : NULL);
    r->call->structured = out;
}

static void show_stored(struct relayed *r)
{
    if (!r->info.sha256[0])
        return;
    buf_printf(&r->call->text, "Stored %s\n", r->info.path.text);
    attachment_describe(&r->call->text, &r->info);
}

/* What was stored for a message that is not sent would be known to nobody. */
static void discard(struct relayed *r)
{
    if (blob_remove(r->call->relay->blobs, &r->info.path) != BLOB_DONE)
        log_warn("fetched_file_kept", LOG_STR("path", r->info.path.text)); /* until the retention */
    r->info = (struct blob_info){0};
}

static enum verdict tell(struct relayed *r)
{
    const struct store_caller caller = identity_caller(r->call->who);
    struct store_send_result result = {0};
    char *content = describe(r);
    enum verdict verdict = VERDICT_DONE;

    switch (store_or_ask(r, &caller, content, &result)) {
    case STORE_DONE:
        if (result.repeat)
            discard(r);
        show_stored(r);
        sending_show(r->call, &result);
        record(r, &result);
        break;
    case STORE_REFUSED:
        discard(r);
        verdict = sending_refuse(r->call, &result);
        break;
    default:
        discard(r);
        verdict = tool_fail_store(r->call);
    }
    store_send_result_free(&result);
    free(content);
    return verdict;
}

/* ---- the call ---- */

/* Before anything is fetched: whether there is somebody to tell, and the inbox lets the sender. False: the
 * call has its answer. */
static bool ask(struct relayed *r)
{
    struct store_send_result result = {0};
    bool goes_on = false;

    switch (store_or_ask(r, tool_caller(r->call), NULL, &result)) {
    case STORE_DONE:
        goes_on = !result.repeat;
        r->namespace_id = xstrdup(result.sent[0].namespace_id);
        if (result.repeat) {
            sending_show(r->call, &result);
            record(r, &result);
        }
        break;
    case STORE_REFUSED:
        (void)sending_refuse(r->call, &result);
        break;
    default:
        (void)tool_fail_store(r->call);
    }
    store_send_result_free(&result);
    return goes_on;
}

static enum verdict run(struct relayed *r)
{
    struct tool_call *call = r->call;

    if (r->to && !ask(r))
        return VERDICT_DONE;
    char *name = r->filename ? xstrdup(r->filename) : name_in_url(r->url);
    blob_path_make(
        r->namespace_id ? r->namespace_id : call->who->namespace_id, call->who->agent, name, &r->path);
    free(name);
    if (!fetch_in_turn(r))
        return VERDICT_DONE;
    if (r->to)
        return tell(r);
    show_stored(r);
    record(r, NULL);
    return VERDICT_DONE;
}

enum verdict tool_relay_url(struct tool_call *call)
{
    struct ident name;
    const char *to = tool_text(call, "to");
    struct relayed r = {.call = call, .url = tool_text(call, "url"), .filename = tool_text(call, "filename")};

    if (!r.url)
        return tool_fail(call, "url is empty: give a public https URL. Nothing was fetched.");
    if (to && !recipient_of_mail(call, to, &name))
        return VERDICT_DONE;
    r.to = to ? &name : NULL;
    r.basis = xasprintf("relay_url\n%s\n%s", r.url, r.filename ? r.filename : "");
    enum verdict verdict = run(&r);
    free(r.basis);
    free(r.namespace_id);
    return verdict;
}
