#include "key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "folder_sync.h"
#include "uuid.h"

/* A key's file, and how messages call it. */
struct key_file {
    const char *folder, *name, *path, *use;
};

static bool fault(struct buf *why, const struct key_file *file, const char *what)
{
    buf_printf(why, "the key %s of %s %s: %s", file->path, file->use, what, strerror(errno));
    return false;
}

static bool check_mode(int fd, const struct key_file *file, struct buf *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fault(why, file, "cannot be read");
    if (S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return true;
    buf_printf(why, "the key %s of %s may be read by others: chmod 600 it, or remove it for a new one",
        file->path, file->use);
    return false;
}

static bool read_key(int fd, const struct key_file *file, uint8_t key[static KEY_FILE_BYTES], struct buf *why)
{
    if (!check_mode(fd, file, why))
        return false;
    uint8_t bytes[KEY_FILE_BYTES + 1];
    const ssize_t got = read(fd, bytes, sizeof bytes);
    if (got < 0)
        return fault(why, file, "cannot be read");
    if (got != KEY_FILE_BYTES) {
        buf_printf(why, "the key %s of %s is damaged: remove it for a new one", file->path, file->use);
        return false;
    }
    memcpy(key, bytes, KEY_FILE_BYTES);
    sodium_memzero(bytes, sizeof bytes);
    return true;
}

static bool write_key(const char *path)
{
    uint8_t key[KEY_FILE_BYTES];
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    randombytes_buf(key, sizeof key);
    const bool fine = write(fd, key, sizeof key) == sizeof key && fsync(fd) == 0;
    sodium_memzero(key, sizeof key);
    return close(fd) == 0 && fine;
}

/* Complete before it has its name; where another process was faster, its key stays. */
static bool make_key(const struct key_file *file)
{
    char id[UUID_SIZE];
    uuid_v4(id);
    char *temporary = xasprintf("%s/%s.%s", file->folder, file->name, id);
    const bool made = write_key(temporary) && (link(temporary, file->path) == 0 || errno == EEXIST) &&
                      folder_sync(file->folder);
    const int error = errno;
    unlink(temporary);
    free(temporary);
    errno = error;
    return made;
}

bool key_file_load(const char *folder, const char *name, const char *use, uint8_t key[static KEY_FILE_BYTES],
    struct buf *why)
{
    char *path = xasprintf("%s/%s", folder, name);
    const struct key_file file = {folder, name, path, use};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && make_key(&file))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const bool loaded =
        fd >= 0 ? read_key(fd, &file, key, why) : fault(why, &file, "cannot be made or opened");
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return loaded;
}
