#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../common/alloc.h"

/* Some file systems know no files without a name from the beginning. */
static int open_and_unlink(const char *folder)
{
    char *path = xasprintf("%s/spool-XXXXXX", folder);
    const int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    free(path);
    return fd;
}

bool spool_open(struct spool *spool, const char *folder)
{
    spool->size = 0;
    crypto_hash_sha256_init(&spool->hash);
    spool->fd = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (spool->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
        spool->fd = open_and_unlink(folder);
    return spool->fd >= 0;
}

bool spool_write(struct spool *spool, const void *bytes, size_t len)
{
    const char *at = bytes;
    for (size_t done = 0; done < len;) {
        const ssize_t wrote = write(spool->fd, at + done, len - done);
        if (wrote < 0 && errno != EINTR)
            return false;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    crypto_hash_sha256_update(&spool->hash, bytes, len);
    spool->size += (int64_t)len;
    return true;
}

void spool_sha256(struct spool *spool, char out[static SHA256_HEX_SIZE])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(&spool->hash, digest);
    sodium_bin2hex(out, SHA256_HEX_SIZE, digest, sizeof digest);
}

void spool_close(struct spool *spool)
{
    (void)close(spool->fd);
    spool->fd = -1;
}
