/* attachments.h: which blob store the settings ask for: S3 where its settings are there, else files in the
 * data folder. */
#ifndef RELAY_CMD_ATTACHMENTS_H
#define RELAY_CMD_ATTACHMENTS_H

#include "../blob/blob.h"
#include "../config.h"

/* is_serving: for the relay itself; else for a command beside it. NULL: why has one line. */
MUST_CHECK struct blob_store *attachments_open(const struct config *config, bool is_serving, struct buf *why);
/* Makes what a command needs that stores attachments where no relay has served yet. False: why has one line.
 */
MUST_CHECK bool attachments_prepare(const struct config *config, struct buf *why);
/* What the log calls that kind: "files", "s3", "supabase". */
const char *attachments_kind(const struct config *config);

#endif
