/* get_attachment: a file's text, its bytes, or the way to them. */
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/utf8.h"
#include "attachment.h"
#include "../../common/fence.h"

enum { SHOWN_MAX = 2 * ATTACHMENT_TEXT_MAX }; /* of a text, with its marks */

/* ---- the bytes themselves ---- */

static void give_base64(struct tool_call *call, const struct buf *content)
{
    const size_t size = sodium_base64_encoded_len(content->len, sodium_base64_VARIANT_ORIGINAL);
    char *text = xmalloc(size);

    sodium_bin2base64(
        text, size, (const unsigned char *)buf_text(content), content->len, sodium_base64_VARIANT_ORIGINAL);
    buf_printf(&call->text, "base64: %s\n", text);
    json_add_text(call->structured, "base64", text);
    free(text);
}

static bool is_text(const struct buf *content)
{
    return utf8_valid(buf_text(content), content->len) && !memchr(buf_text(content), '\0', content->len);
}

/* True where all of it was shown. */
static bool give_text(struct tool_call *call, const struct buf *content)
{
    const size_t shown = fence_text(&call->text, buf_text(content), content->len, SHOWN_MAX);

    json_add_text_len(call->structured, "text", buf_text(content), content->len);
    if (shown < content->len)
        buf_printf(&call->text, "(%zu bytes more)\n", content->len - shown);
    return shown == content->len;
}

/* ---- the way to them ---- */

static void give_url(struct tool_call *call, const struct blob_info *info, const char *url)
{
    buf_puts(&call->text, "Download it: curl -fsS -o ");
    attachment_quote(&call->text, info->path.name, "file");
    buf_printf(&call->text, " '%s'\n", url);
}

static enum blob_status sign(struct tool_call *call, const struct blob_info *info, struct buf *url)
{
    char expires_at[RFC3339_LEN];
    struct blob_grant grant = {.path = info->path};
    const enum blob_status status = blob_sign(call->relay->blobs, &grant, url);

    if (status != BLOB_DONE)
        return status;
    clock_rfc3339(grant.expires_ms, expires_at);
    json_add_text(call->structured, "url", buf_text(url));
    json_add_text(call->structured, "expires_at", expires_at);
    json_add_bool(call->structured, "elsewhere", !blob_has_files(call->relay->blobs));
    return BLOB_DONE;
}

/* ---- both ---- */

static enum blob_status give(
    struct tool_call *call, const struct blob_info *info, bool in_base64, const char *url)
{
    struct blob_store *blobs = call->relay->blobs;
    const int64_t limit = in_base64 ? ATTACHMENT_INLINE_MAX : ATTACHMENT_TEXT_MAX;
    struct buf content = {0};

    if (info->size > limit || (!in_base64 && !media_type_is_text(info->type))) {
        if (in_base64)
            buf_printf(&call->text, "It is too large to be given inline (at most %d bytes).\n",
                ATTACHMENT_INLINE_MAX);
        give_url(call, info, url);
        return BLOB_DONE;
    }
    const enum blob_status status = blob_read(blobs, &info->path, 0, (size_t)info->size, &content);
    if (status != BLOB_DONE) {
        buf_free(&content);
        return status;
    }
    if (in_base64)
        give_base64(call, &content);
    else if (!is_text(&content) || !give_text(call, &content))
        give_url(call, info, url);
    buf_free(&content);
    return BLOB_DONE;
}

enum verdict tool_get_attachment(struct tool_call *call)
{
    struct blob_path path;
    struct blob_info info;
    struct buf url = {0};
    const char *text = json_text_or(call->args, "path", "");

    if (!attachment_path(call, text, &path))
        return VERDICT_DONE;
    enum blob_status status = blob_stat(call->relay->blobs, &path, &info);
    if (status == BLOB_ABSENT)
        return attachment_absent(call, text);
    if (status == BLOB_DONE) {
        buf_printf(&call->text, "%s | ", info.path.text);
        attachment_describe(&call->text, &info);
        call->structured = attachment_json(&info);
        status = sign(call, &info, &url);
    }
    if (status == BLOB_DONE)
        status = give(call, &info, tool_flag(call, "inline"), buf_text(&url));
    buf_free(&url);
    return status == BLOB_DONE ? VERDICT_DONE : attachment_fail(call, path.name, status);
}
