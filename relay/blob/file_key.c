#include "file_key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/uuid.h"
#include "folder_sync.h"

static bool fault(struct buf *why, const char *path, const char *what)
{
    buf_printf(why, "the key %s of signed URLs %s: %s", path, what, strerror(errno));
    return false;
}

static bool check_mode(int fd, const char *path, struct buf *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fault(why, path, "cannot be read");
    if (S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return true;
    buf_printf(why,
        "the key %s of signed URLs may be read by others: chmod 600 it, or remove it for a new one", path);
    return false;
}

static bool read_key(int fd, const char *path, uint8_t key[static FILE_URL_KEY_BYTES], struct buf *why)
{
    if (!check_mode(fd, path, why))
        return false;
    uint8_t bytes[FILE_URL_KEY_BYTES + 1];
    const ssize_t got = read(fd, bytes, sizeof bytes);
    if (got < 0)
        return fault(why, path, "cannot be read");
    if (got != FILE_URL_KEY_BYTES) {
        buf_printf(why, "the key %s of signed URLs is damaged: remove it for a new one", path);
        return false;
    }
    memcpy(key, bytes, FILE_URL_KEY_BYTES);
    sodium_memzero(bytes, sizeof bytes);
    return true;
}

static bool write_key(const char *path)
{
    uint8_t key[FILE_URL_KEY_BYTES];
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    randombytes_buf(key, sizeof key);
    const bool fine = write(fd, key, sizeof key) == sizeof key && fsync(fd) == 0;
    sodium_memzero(key, sizeof key);
    return close(fd) == 0 && fine;
}

/* Complete before it has its name; where another process was faster, its key stays. */
static bool make_key(const char *data_dir, const char *path)
{
    char id[UUID_SIZE];
    uuid_v4(id);
    char *temporary = xasprintf("%s/" FILE_KEY_NAME ".%s", data_dir, id);
    const bool made =
        write_key(temporary) && (link(temporary, path) == 0 || errno == EEXIST) && folder_sync(data_dir);
    const int error = errno;
    unlink(temporary);
    free(temporary);
    errno = error;
    return made;
}

bool file_key_load(const char *data_dir, uint8_t key[static FILE_URL_KEY_BYTES], struct buf *why)
{
    char *path = xasprintf("%s/" FILE_KEY_NAME, data_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && make_key(data_dir, path))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const bool loaded = fd >= 0 ? read_key(fd, path, key, why) : fault(why, path, "cannot be made or opened");
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return loaded;
}
