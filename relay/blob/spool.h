/* spool.h: a file without a name, for what has to be whole before it goes elsewhere: its bytes are on the
 * disk, not in memory, and are gone with the process. One thread at a time. */
#ifndef RELAY_BLOB_SPOOL_H
#define RELAY_BLOB_SPOOL_H

#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/compiler.h"
#include "../../common/secret.h"

struct spool {
    int fd;
    int64_t size; /* bytes */
    crypto_hash_sha256_state hash;
};

/* In that folder. False: errno says why. */
MUST_CHECK bool spool_open(struct spool *spool, const char *folder);
MUST_CHECK bool spool_write(struct spool *spool, const void *bytes, size_t len);
/* The SHA-256 of everything; nothing is written after it. */
void spool_sha256(struct spool *spool, char out[static SHA256_HEX_SIZE]);
void spool_close(struct spool *spool);

#endif
