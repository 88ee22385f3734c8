/* upload_attachment: a place for a file, and the way there. */
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "attachment.h"

static const char send_path[] =
    "Put the path into a message: its reader gets the file with get_attachment.\n";

/* ---- a signed URL ---- */

static void record_grant(struct tool_call *call, const struct blob_grant *grant, const char *url)
{
    char expires_at[RFC3339_LEN];

    clock_rfc3339(grant->expires_ms, expires_at);
    call->structured = json_new_object();
    json_add_text(call->structured, "status", "upload");
    json_add_text(call->structured, "path", grant->path.text);
    json_add_text(call->structured, "filename", grant->path.name);
    json_add_text(call->structured, "mime_type", grant->type);
    json_add_text(call->structured, "method", "PUT");
    json_add_text(call->structured, "upload_url", url);
    json_add_int(call->structured, "max_bytes", grant->max_bytes);
    json_add_text(call->structured, "expires_at", expires_at);
    json_add_bool(call->structured, "elsewhere", !blob_has_files(call->relay->blobs));
}

static enum verdict offer_url(struct tool_call *call, const char *filename, struct blob_grant *grant)
{
    struct buf url = {0};

    grant->is_upload = true;
    grant->max_bytes = blob_max_bytes(call->relay->blobs);
    const enum blob_status status = blob_sign(call->relay->blobs, grant, &url);
    if (status != BLOB_DONE) {
        buf_free(&url);
        return attachment_fail(call, grant->path.name, status);
    }
    buf_printf(&call->text, "Path: %s\nUpload it within %d h (at most %" PRId64 " bytes):\ncurl -fsS -T ",
        grant->path.text, BLOB_UPLOAD_URL_MS / MS_PER_HOUR, grant->max_bytes);
    attachment_quote(&call->text, filename, grant->path.name);
    buf_printf(&call->text, " -H 'Content-Type: %s' '%s'\n%s", grant->type, buf_text(&url), send_path);
    record_grant(call, grant, buf_text(&url));
    buf_free(&url);
    return VERDICT_DONE;
}

/* ---- a file in base64 ---- */

/* Reads either alphabet, padded or not, with blanks anywhere. */
static bool decode(const char *text, size_t text_len, unsigned char *bytes, size_t *len)
{
    static const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
        sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING};

    for (size_t i = 0; i < LENGTH_OF(variants); i++) {
        if (sodium_base642bin(bytes, text_len, text, text_len, " \t\r\n", len, NULL, variants[i]) == 0)
            return true;
    }
    return false;
}

static enum verdict store(
    struct tool_call *call, const struct blob_grant *grant, const char *data, size_t data_len)
{
    struct blob_info info;
    size_t len = 0;
    unsigned char *bytes = xmalloc(data_len + 1);

    if (!decode(data, data_len, bytes, &len)) {
        free(bytes);
        return tool_fail(call, "file_data is not base64. Nothing was stored.");
    }
    const enum blob_status status =
        blob_put(call->relay->blobs, &grant->path, grant->type, bytes, len, &info);
    free(bytes);
    if (status != BLOB_DONE)
        return attachment_fail(call, grant->path.name, status);
    log_info("file_stored", LOG_STR("path", info.path.text), LOG_INT("bytes", info.size));
    buf_printf(&call->text, "Stored %s\n", info.path.text);
    attachment_describe(&call->text, &info);
    buf_puts(&call->text, send_path);
    call->structured = attachment_json(&info);
    json_add_text(call->structured, "status", "stored");
    return VERDICT_DONE;
}

enum verdict tool_upload_attachment(struct tool_call *call)
{
    struct blob_grant grant = {0};
    const char *filename = tool_text(call, "filename"), *data = NULL;
    size_t data_len = 0;

    if (!filename)
        return tool_fail(call, "filename is missing: give the file's name, such as report.pdf.");
    if (!attachment_type(call, tool_text(call, "mime_type"), filename, grant.type))
        return VERDICT_DONE;
    blob_path_make(call->who->namespace_id, call->who->agent, filename, &grant.path);
    if (json_get_text(call->args, "file_data", &data, &data_len) == JSON_FIELD_FOUND && data_len > 0)
        return store(call, &grant, data, data_len);
    return offer_url(call, filename, &grant);
}
