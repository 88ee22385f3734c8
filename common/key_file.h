/* key_file.h: a random key that a program makes once and keeps in a file for its owner's eyes. */
#ifndef COMMON_KEY_FILE_H
#define COMMON_KEY_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "compiler.h"

enum { KEY_FILE_BYTES = 32 };

/* Reads folder/name, and makes it (0600, on disk) where it is missing. use says what it is for, as in "the
 * key <path> of signed URLs". False: why has one line. */
MUST_CHECK bool key_file_load(const char *folder, const char *name, const char *use,
    uint8_t key[static KEY_FILE_BYTES], struct buf *why);

#endif
