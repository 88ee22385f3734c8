#include "save_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/uuid.h"

struct save_file {
    int folder, fd;
    char *name, *part; /* part: what it is called until it is whole */
};

enum { MODE = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH };

struct save_file *save_file_begin(int folder, const char *name)
{
    char id[UUID_SIZE];
    uuid_v4(id);
    char *part = xasprintf("patchcord-%s.part", id);
    int fd = openat(folder, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
    if (fd < 0) {
        int error = errno;
        free(part);
        close(folder);
        errno = error;
        return NULL;
    }
    struct save_file *file = xcalloc(1, sizeof *file);
    *file = (struct save_file){.folder = folder, .fd = fd, .name = xstrdup(name), .part = part};
    return file;
}

bool save_file_write(struct save_file *file, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t put = write(file->fd, at, len);
        if (put < 0 && errno != EINTR)
            return false;
        at += put > 0 ? put : 0;
        len -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

static void end(struct save_file *file)
{
    int error = errno;
    unlinkat(file->folder, file->part, 0);
    if (file->fd >= 0)
        close(file->fd);
    close(file->folder);
    free(file->name);
    free(file->part);
    free(file);
    errno = error;
}

/* The name is made ours first, then the file moves onto it. */
static bool publish_by_rename(struct save_file *file)
{
    int mine = openat(file->folder, file->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
    if (mine < 0)
        return false;
    close(mine);
    if (renameat(file->folder, file->part, file->folder, file->name) == 0)
        return true;
    int error = errno;
    unlinkat(file->folder, file->name, 0);
    errno = error;
    return false;
}

static bool publish(struct save_file *file, enum save_file_way way)
{
    if (way == SAVE_FILE_BEST && linkat(file->folder, file->part, file->folder, file->name, 0) == 0)
        return true;
    return (way == SAVE_FILE_PORTABLE || errno != EEXIST) && publish_by_rename(file);
}

bool save_file_commit(struct save_file *file, enum save_file_way way)
{
    bool whole = fsync(file->fd) == 0;
    whole = close(file->fd) == 0 && whole;
    file->fd = -1;
    bool done = whole && publish(file, way);
    end(file);
    return done;
}

void save_file_abort(struct save_file *file)
{
    if (file)
        end(file);
}
