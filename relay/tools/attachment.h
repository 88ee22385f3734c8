/* attachment.h: what the tools of attachments share: paths and types that a caller gave, and how a file is
 * described. */
#ifndef RELAY_TOOLS_ATTACHMENT_H
#define RELAY_TOOLS_ATTACHMENT_H

#include "../blob/blob.h"
#include "tool.h"

enum {
    ATTACHMENT_TEXT_MAX = 64 * 1024,     /* bytes of a text that is shown at once */
    ATTACHMENT_INLINE_MAX = 1024 * 1024, /* bytes of a file that is given in base64 */
};

/* Reads the path of an attachment of one of the caller's namespaces, also out of a signed URL of this relay.
 * False: the call has failed already; another namespace's path is simply not found. */
MUST_CHECK bool attachment_path(struct tool_call *call, const char *text, struct blob_path *path);
/* Fails the call: there is no such attachment. */
enum verdict attachment_absent(struct tool_call *call, const char *text);
/* Fails the call for what the blob store did not do with the file of that name. */
enum verdict attachment_fail(struct tool_call *call, const char *name, enum blob_status status);

/* The type that was given, or else the name's; held against what the operator takes. False: the call has
 * failed already. */
MUST_CHECK bool attachment_type(
    struct tool_call *call, const char *given, const char *name, char out[static MEDIA_TYPE_SIZE]);

/* "1234 bytes, text/plain, SHA-256 …" and a newline. */
void attachment_describe(struct buf *out, const struct blob_info *info);
/* {"path", "filename", "size", "mime_type", "sha256", "stored_at"} */
struct json_object *attachment_json(const struct blob_info *info);
/* The text in quotes for a shell, or fallback in its place where that is not certain to be harmless. */
void attachment_quote(struct buf *out, const char *text, const char *fallback);

#endif
