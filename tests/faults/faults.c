/* faults.so: preloaded into a program under test, makes its calls to the system fail as a mapped plan says
 * (faults.h). What the plan leaves alone goes on to the next definition of the call. */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name)                                                                                           \
    static __typeof__(name) *next;                                                                           \
    if (!next)                                                                                               \
    *(void **)&next = dlsym(RTLD_NEXT, #name)

enum { SECONDS_UNTIL_2001 = 978307200 };

static struct fault_plan *plan;

__attribute__((constructor)) static void map_plan(void)
{
    const char *path = getenv(FAULTS_VARIABLE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        plan = mapped;
}

/* Counts the call; true where it is to fail, with its errno in *error. */
static bool fails(enum faulty_call call, int *error)
{
    if (!plan)
        return false;
    struct fault_rule *rule = &plan->rules[call];
    rule->calls++;
    if (rule->count <= 0)
        return false;
    if (rule->skip > 0 && rule->skip-- > 0)
        return false;
    rule->count--;
    rule->hits++;
    *error = rule->error;
    return true;
}

static bool is_kind(int fd, mode_t kind)
{
    struct stat info;
    int before = errno;
    bool is = fstat(fd, &info) == 0 && (info.st_mode & S_IFMT) == kind;
    errno = before;
    return is;
}

/* False: the call goes on, with *count perhaps halved. */
static bool write_fails(int fd, size_t *count)
{
    int error = 0;
    if (!plan || fd <= STDERR_FILENO || !is_kind(fd, S_IFREG) || !fails(FAULT_WRITE, &error))
        return false;
    if (error == 0) {
        *count = *count > 1 ? *count / 2 : *count;
        return false;
    }
    errno = error;
    return true;
}

static bool call_fails(enum faulty_call call)
{
    int error = 0;
    if (!fails(call, &error))
        return false;
    errno = error;
    return true;
}

/* ---- files ---- */

ssize_t write(int fd, const void *bytes, size_t count)
{
    NEXT(write);
    return write_fails(fd, &count) ? -1 : next(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    NEXT(pwrite);
    return write_fails(fd, &count) ? -1 : next(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    NEXT(pwrite64);
    return write_fails(fd, &count) ? -1 : next(fd, bytes, count, at);
}

int fsync(int fd)
{
    NEXT(fsync);
    return call_fails(FAULT_SYNC) ? -1 : next(fd);
}

int fdatasync(int fd)
{
    NEXT(fdatasync);
    return call_fails(FAULT_SYNC) ? -1 : next(fd);
}

int rename(const char *from, const char *to)
{
    NEXT(rename);
    return call_fails(FAULT_RENAME) ? -1 : next(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    NEXT(renameat);
    return call_fails(FAULT_RENAME) ? -1 : next(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    NEXT(renameat2);
    return call_fails(FAULT_RENAME) ? -1 : next(from_folder, from, to_folder, to, flags);
}

int link(const char *from, const char *to)
{
    NEXT(link);
    return call_fails(FAULT_RENAME) ? -1 : next(from, to);
}

static bool opens_for_writing(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY && !(flags & (O_DIRECTORY | O_PATH));
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define OPEN(name)                                                                                           \
    int name(const char *path, int flags, ...)                                                               \
    {                                                                                                        \
        NEXT(name);                                                                                          \
        va_list args;                                                                                        \
        va_start(args, flags);                                                                               \
        mode_t mode = mode_of(flags, args);                                                                  \
        va_end(args);                                                                                        \
        if (strncmp(path, "/dev/", 5) != 0 && opens_for_writing(flags) && call_fails(FAULT_CREATE))          \
            return -1;                                                                                       \
        return next(path, flags, mode);                                                                      \
    }
OPEN(open)
OPEN(open64)

#define OPEN_AT(name)                                                                                        \
    int name(int folder, const char *path, int flags, ...)                                                   \
    {                                                                                                        \
        NEXT(name);                                                                                          \
        va_list args;                                                                                        \
        va_start(args, flags);                                                                               \
        mode_t mode = mode_of(flags, args);                                                                  \
        va_end(args);                                                                                        \
        if (opens_for_writing(flags) && call_fails(FAULT_CREATE))                                            \
            return -1;                                                                                       \
        return next(folder, path, flags, mode);                                                              \
    }
OPEN_AT(openat)
OPEN_AT(openat64)

/* ---- sockets ---- */

ssize_t send(int fd, const void *bytes, size_t count, int flags)
{
    NEXT(send);
    return call_fails(FAULT_SEND) ? -1 : next(fd, bytes, count, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg);
    return call_fails(FAULT_SEND) ? -1 : next(fd, message, flags);
}

ssize_t recv(int fd, void *bytes, size_t count, int flags)
{
    NEXT(recv);
    return call_fails(FAULT_RECV) ? -1 : next(fd, bytes, count, flags);
}

ssize_t read(int fd, void *bytes, size_t count)
{
    NEXT(read);
    return plan && is_kind(fd, S_IFSOCK) && call_fails(FAULT_RECV) ? -1 : next(fd, bytes, count);
}

/* ---- the clocks ---- */

static void shift(struct timespec *t, int64_t ms)
{
    int64_t ns = t->tv_nsec + ms % 1000 * 1000000;
    t->tv_sec += (time_t)(ms / 1000 + (ns < 0 ? -1 : ns / 1000000000));
    t->tv_nsec = (long)(ns < 0 ? ns + 1000000000 : ns % 1000000000);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    NEXT(clock_gettime);
    int result = next(id, t);
    if (result != 0 || !plan)
        return result;
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        shift(t, plan->wall_shift_ms);
    else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
        shift(t, plan->mono_shift_ms);
    return result;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return result;
}

time_t time(time_t *t)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t)
        *t = now.tv_sec;
    return now.tv_sec;
}

/* Whose clock moved would else sleep for as long as that, too. Which of the two a condition goes by cannot be
 * asked; only one of them counts from 1970. */
int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict lock, const struct timespec *restrict until)
{
    const bool is_wall = until->tv_sec > SECONDS_UNTIL_2001;
    struct timespec real = *until;
    if (plan)
        shift(&real, -(is_wall ? plan->wall_shift_ms : plan->mono_shift_ms));
    return pthread_cond_clockwait(condition, lock, is_wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, &real);
}
