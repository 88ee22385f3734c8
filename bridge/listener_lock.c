#include "listener_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state_folder.h"

#define FOLDER "listeners"

/* -1: errno. */
static int open_file(const char *url, const char *agent, bool create)
{
    char name[STATE_KEY_SIZE];
    int folder = state_folder_open(FOLDER, create);
    if (folder < 0)
        return -1;
    state_key(url, agent, NULL, name);
    int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (create ? O_CREAT : 0),
        S_IRUSR | S_IWUSR);
    int error = errno;
    close(folder);
    errno = error;
    return fd;
}

/* Who stands in the way of our taking it; 0: nobody. */
static pid_t holder_of(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

enum listener_taken listener_lock_take(const char *url, const char *agent, int *fd, pid_t *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *fd = open_file(url, agent, true);
    if (*fd < 0)
        return LISTENER_FAULT;
    if (fcntl(*fd, F_SETLK, &lock) == 0)
        return LISTENER_TAKEN;
    int error = errno;
    *holder = holder_of(*fd);
    close(*fd);
    *fd = -1;
    errno = error;
    return error == EACCES || error == EAGAIN ? LISTENER_BUSY : LISTENER_FAULT;
}

bool listener_lock_held(const char *url, const char *agent)
{
    int fd = open_file(url, agent, false);
    if (fd < 0)
        return false;
    bool held = holder_of(fd) != 0;
    close(fd);
    return held;
}
