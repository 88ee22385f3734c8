/* file_call.h: a tool call whose file goes between the disk and the relay's signed URL, past the model. First
 * the tool is called, then its URL is followed, without the token, and only where signed_url.h allows.
 *
 * What arrives is held against the relay's SHA-256 before it appears on the disk. */
#ifndef BRIDGE_FILE_CALL_H
#define BRIDGE_FILE_CALL_H

#include <stdint.h>

#include "relay_link.h"
#include "save_file.h"

struct file_call;

/* Whom to tell, as relay_link_call does: never from within the functions below. */
struct file_call_end {
    relay_done_fn *done;
    void *arg;
    bool structured; /* the result gets structuredContent: path, size and sha256 */
};

/* upload_attachment with those arguments (borrowed), and then the regular file's bytes. fd is taken over. */
struct file_call *file_call_upload(
    struct relay_link *link, struct json_object *args, int fd, const struct file_call_end *end);
/* get_attachment, and then its bytes. The file is taken over; saved_as is what the result calls it. */
struct file_call *file_call_download(struct relay_link *link, struct json_object *args,
    struct save_file *file, const char *saved_as, const struct file_call_end *end);
/* Gives it up: done is never called, and of a download nothing is left. */
void file_call_cancel(struct file_call *call);

struct file_progress {
    int64_t done, total; /* bytes; total 0: not known yet */
};
struct file_progress file_call_progress(const struct file_call *call);

#endif
