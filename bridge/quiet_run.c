#include "quiet_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../common/clock.h"

enum { LOOK_MS = 10, DESCRIPTORS_MAX = 1024 };

/* Libraries open some that a child would inherit: libcurl its connections. */
static void keep_descriptors(void)
{
    for (int fd = STDERR_FILENO + 1; fd < DESCRIPTORS_MAX; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0)
            (void)fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    }
}

static bool spawn(char *const *argv, pid_t *child)
{
    posix_spawn_file_actions_t quiet;
    if (posix_spawn_file_actions_init(&quiet) != 0)
        return false;
    keep_descriptors();
    bool ok = posix_spawn_file_actions_addopen(&quiet, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
              posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
              posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
              posix_spawnp(child, argv[0], &quiet, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&quiet);
    return ok;
}

bool quiet_run(char *const *argv, int timeout_ms)
{
    pid_t child, ended;
    int status = -1;
    if (!spawn(argv, &child))
        return false;
    for (int64_t until = clock_mono_ms() + timeout_ms; (ended = waitpid(child, &status, WNOHANG)) != child;) {
        if (ended < 0 && errno != EINTR)
            return false;
        if (clock_mono_ms() > until)
            kill(child, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    return status == 0;
}

bool quiet_start(char *const *argv)
{
    pid_t child;
    return spawn(argv, &child);
}
