#include "attachment.h"

#include <inttypes.h>
#include <string.h>

#include "../../common/clock.h"
#include "../config.h"
#include "../../common/fence.h"

/* What stands behind the relay's own "…/files/", without the query; else the text itself. */
static void strip_url(const struct tool_call *call, const char *text, struct buf *out)
{
    static const char folder[] = "/files/";
    const char *base = call->relay->config->public_url;
    const size_t base_len = strlen(base);

    text += strspn(text, " \t\r\n");
    if (strncmp(text, base, base_len) == 0 && strncmp(text + base_len, folder, sizeof folder - 1) == 0) {
        text += base_len + sizeof folder - 1;
        buf_append(out, text, strcspn(text, "?#"));
    } else {
        buf_puts(out, text);
    }
}

static bool is_within_reach(const struct identity *who, const struct blob_path *path)
{
    bool found = blob_path_in_namespace(path, who->namespace_id);
    for (size_t i = 0; !found && i < who->also_count; i++)
        found = blob_path_in_namespace(path, who->also[i]);
    return found;
}

bool attachment_path(struct tool_call *call, const char *text, struct blob_path *path)
{
    const char *problem = NULL;
    struct buf stripped = {0};

    strip_url(call, text, &stripped);
    const bool is_path = blob_path_parse(buf_text(&stripped), path, &problem);
    buf_free(&stripped);
    if (is_path && is_within_reach(call->who, path))
        return true;
    if (is_path)
        attachment_absent(call, text);
    else
        tool_fail(call, "The path %s. Copy it from the message exactly.", problem);
    return false;
}

enum verdict attachment_absent(struct tool_call *call, const char *text)
{
    struct buf shown = {0};

    for (size_t i = 0; i < strlen(text) && i < BLOB_PATH_MAX; i++)
        buf_putc(&shown, text[i] > ' ' && text[i] < 0x7f ? text[i] : '_');
    tool_fail(call,
        "Not found: there is no attachment %s in your namespace, or it was removed after its time. Ask its "
        "sender to upload it again.",
        buf_text(&shown));
    buf_free(&shown);
    return VERDICT_DONE;
}

enum verdict attachment_fail(struct tool_call *call, const char *name, enum blob_status status)
{
    struct blob_store *blobs = call->relay->blobs;
    struct buf word = {0};

    fence_word(&word, name, FENCE_WORD_MAX);
    switch (status) {
    case BLOB_TOO_LARGE:
        tool_fail(call, "Not stored: %s is larger than the %" PRId64 " bytes that an attachment may have.",
            buf_text(&word), blob_max_bytes(blobs));
        break;
    case BLOB_OVER_QUOTA:
        tool_fail(call,
            "Not stored: the attachments of your namespace fill its %" PRId64
            " bytes. They are removed with age; "
            "send a smaller file, or ask the relay's operator for room.",
            blob_quota_bytes(blobs));
        break;
    case BLOB_FAULT:
        call->retry_after_s = 2;
        tool_fail(call, "The relay could not reach its file store: nothing was done. Try again in a moment.");
        break;
    default:
        tool_fail(call, "Not done: %s %s.", buf_text(&word), blob_status_text(status));
    }
    buf_free(&word);
    return VERDICT_DONE;
}

bool attachment_type(
    struct tool_call *call, const char *given, const char *name, char out[static MEDIA_TYPE_SIZE])
{
    const char *allowed = call->relay->config->attachment_types;

    if (!media_type_parse(given ? given : media_type_of_name(name), out)) {
        tool_fail(call, "mime_type must be like text/plain or image/png; leave it out to go by the name.");
        return false;
    }
    if (media_type_allowed(allowed, out))
        return true;
    tool_fail(call, "Not stored: this relay does not take files of the type %s, only: %s", out, allowed);
    return false;
}

void attachment_describe(struct buf *out, const struct blob_info *info)
{
    buf_printf(out, "%" PRId64 " bytes, %s, SHA-256 %s\n", info->size, info->type, info->sha256);
}

struct json_object *attachment_json(const struct blob_info *info)
{
    char stored_at[RFC3339_LEN];
    struct json_object *json = json_new_object();

    clock_rfc3339(info->stored_ms, stored_at);
    json_add_text(json, "path", info->path.text);
    json_add_text(json, "filename", info->path.name);
    json_add_int(json, "size", info->size);
    json_add_text(json, "mime_type", info->type);
    json_add_text(json, "sha256", info->sha256);
    json_add_text(json, "stored_at", stored_at);
    return json;
}

void attachment_quote(struct buf *out, const char *text, const char *fallback)
{
    bool is_harmless = true;

    for (const char *c = text; *c; c++)
        is_harmless = is_harmless && *c >= ' ' && *c < 0x7f && *c != '\'';
    buf_printf(out, "'%s'", is_harmless ? text : fallback);
}
