/* file_key.h: the key that signs the file store's URLs: random, made once, kept in the data folder for its
 * owner's eyes. */
#ifndef RELAY_BLOB_FILE_KEY_H
#define RELAY_BLOB_FILE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "file_url.h"

#define FILE_KEY_NAME "files.key"

/* Reads data_dir/files.key, and makes it (0600, on disk) where it is missing. False: why has one line. */
MUST_CHECK bool file_key_load(const char *data_dir, uint8_t key[static FILE_URL_KEY_BYTES], struct buf *why);

#endif
