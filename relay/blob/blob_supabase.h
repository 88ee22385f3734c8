/* blob_supabase.h: blobs as files of a bucket of Supabase Storage, under their paths. It takes each path
 * once, so that what was uploaded by a signed URL never changes either. What such an upload's SHA-256 is, is
 * found out when it is first asked for, and kept in memory. */
#ifndef RELAY_BLOB_BLOB_SUPABASE_H
#define RELAY_BLOB_BLOB_SUPABASE_H

#include "blob.h"
#include "storage_client.h"

enum {
    STORAGE_QUOTA_STALE_MS = 60 * 1000, /* other relays, and clients with URLs, store too */
    STORAGE_KNOWN_MAX = 4096,           /* files whose description is in memory */
};

/* Nothing is asked of the server yet. data_dir: where uploads wait for their end. NULL: why has one line. */
struct blob_store *blob_open_supabase(
    const struct blob_options *options, const struct storage_options *storage, struct buf *why);

#endif
