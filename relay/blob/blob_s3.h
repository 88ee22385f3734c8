/* blob_s3.h: blobs as objects of a bucket, at any S3-compatible server. A blob's key is its path.
 *
 * What comes by a presigned URL lands below S3_INCOMING: S3 lets the holder of such a URL write as often and
 * as much as he likes until it expires. Who first asks for the blob has it held against limit and quota,
 * hashed, and copied to its own key, which nobody but the relay can write to. */
#ifndef RELAY_BLOB_BLOB_S3_H
#define RELAY_BLOB_BLOB_S3_H

#include "blob.h"
#include "s3_client.h"

/* In front of the path; no path begins with a dot. */
#define S3_INCOMING ".incoming/"

enum { S3_QUOTA_STALE_MS = 60 * 1000 }; /* other relays, and clients with URLs, store too */

/* Nothing is asked of the server yet. data_dir: where uploads wait for their end. NULL: why has one line. */
struct blob_store *blob_open_s3(
    const struct blob_options *options, const struct s3_options *s3, struct buf *why);

#endif
