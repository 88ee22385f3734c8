/* incoming.h: the folder of files that are being received. */
#ifndef RELAY_BLOB_INCOMING_H
#define RELAY_BLOB_INCOMING_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/compiler.h"

/* Removes (or with dry_run counts) the files last written before that wall time, and adds how many and how
 * large they were. False where the folder cannot be read (errno). */
MUST_CHECK bool incoming_sweep(
    const char *folder, int64_t before_ms, bool dry_run, int64_t *count, int64_t *bytes);

#endif
