#include "data_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/folder_sync.h"
#include "../../common/log.h"

static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool folder_fault(struct buf *why, const char *folder, const char *what)
{
    const int error = errno;
    buf_printf(why, "data folder %s %s: %s; set PATCHCORD_DATA_DIR to a folder that this user can write",
        folder, what, strerror(error));
    return false;
}

bool data_folder_prepare(const char *folder, struct buf *why)
{
    char *path = xstrdup(folder);
    const bool made = make_folders(path);
    free(path);
    if (!made)
        return folder_fault(why, folder, "cannot be created");
    struct stat info;
    if (stat(folder, &info) != 0)
        return folder_fault(why, folder, "cannot be read");
    if (!S_ISDIR(info.st_mode)) {
        errno = ENOTDIR;
        return folder_fault(why, folder, "cannot be used");
    }
    if (access(folder, R_OK | W_OK | X_OK) != 0)
        return folder_fault(why, folder, "is not writable");
    /* Volumes of containers come like that: no reason not to start. */
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        log_warn("data_folder_is_writable_by_others", LOG_STR("folder", folder), LOG_STR("do", "chmod 700"));
    return true;
}

bool data_folder_prepare_database(const char *folder, struct buf *why)
{
    if (!data_folder_prepare(folder, why))
        return false;
    char *file = xasprintf("%s/%s", folder, DATABASE_FILE);
    const int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(file);
    if (fd < 0)
        return folder_fault(why, folder, "has a database that is not writable");
    close(fd);
    return folder_sync(folder) || folder_fault(why, folder, "cannot be synchronised");
}

/* The holder's process id, for the message; 0 where the file does not tell. */
static long lock_holder(int fd)
{
    char text[24] = {0};
    return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

static bool lock_sign(int fd)
{
    char text[24];
    const int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len;
}

enum folder_lock data_folder_lock(const char *folder, int *fd, struct buf *why)
{
    char *file = xasprintf("%s/%s", folder, LOCK_FILE);
    *fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(file);
    if (*fd < 0) {
        folder_fault(why, folder, "has a lock that cannot be opened");
        return FOLDER_LOCK_FAILED;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0 && lock_sign(*fd))
        return FOLDER_LOCKED;

    const bool is_served = errno == EWOULDBLOCK;
    if (is_served)
        buf_printf(why,
            "data folder %s is served by another relay (pid %ld); stop that one or use another folder",
            folder, lock_holder(*fd));
    else
        folder_fault(why, folder, "cannot be locked");
    close(*fd);
    *fd = -1;
    return is_served ? FOLDER_SERVED : FOLDER_LOCK_FAILED;
}

bool data_folder_take(const char *folder, int *fd, struct buf *why)
{
    return data_folder_prepare(folder, why) && data_folder_lock(folder, fd, why) == FOLDER_LOCKED;
}
