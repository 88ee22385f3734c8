/* file_trailer.h: what the file store knows of a blob, in the last bytes of its own file: so that one rename
 * makes the content and its description appear together, and neither is ever without the other. Pure. */
#ifndef RELAY_BLOB_FILE_TRAILER_H
#define RELAY_BLOB_FILE_TRAILER_H

#include "blob.h"

enum { FILE_TRAILER_BYTES = 512 };

void file_trailer_write(const struct blob_info *info, char out[static FILE_TRAILER_BYTES]);
/* Fills in all but the path. False: no trailer of a file that is file_bytes long, itself included. */
MUST_CHECK bool file_trailer_read(
    const char bytes[static FILE_TRAILER_BYTES], int64_t file_bytes, struct blob_info *info);

#endif
