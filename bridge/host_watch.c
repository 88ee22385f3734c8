#include "host_watch.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/sockios.h>
#include <sys/syscall.h>
#endif

enum { LOOK_EVERY_MS = 5000 };

/* Becomes readable when the process ends; -1 where the system has no such thing. PR_SET_PDEATHSIG would fire
 * when the thread that spawned us ends. */
static int open_process(pid_t process)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, process, 0);
#else
    (void)process;
    return -1;
#endif
}

void host_watch_start(struct host_watch *watch, enum host_watch_way way)
{
    watch->parent = getppid();
    watch->fd = way == HOST_WATCH_BEST ? open_process(watch->parent) : -1;
    watch->interval_ms = watch->fd < 0 ? LOOK_EVERY_MS : -1;
}

void host_watch_end(struct host_watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

bool host_watch_gone(const struct host_watch *watch)
{
    /* An orphan gets another parent. */
    if (getppid() != watch->parent)
        return true;
    struct pollfd ended = {.fd = watch->fd, .events = POLLIN};
    return watch->fd >= 0 && poll(&ended, 1, 0) > 0;
}

static size_t queued(int fd, unsigned long request)
{
    int bytes = 0;
    return ioctl(fd, request, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

size_t host_unread(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return 0;
    if (S_ISFIFO(st.st_mode))
        return queued(fd, FIONREAD);
#ifdef SIOCOUTQ
    if (S_ISSOCK(st.st_mode))
        return queued(fd, SIOCOUTQ);
#endif
    return 0;
}
