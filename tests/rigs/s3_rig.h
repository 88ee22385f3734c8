/* s3_rig.h: a real S3-compatible server on loopback (tests/rigs/s3_swift.py), for the tests of a process. It
 * ends with the process; its folder is removed by s3_rig_stop. */
#ifndef TESTS_RIGS_S3_RIG_H
#define TESTS_RIGS_S3_RIG_H

#include <fcntl.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define S3_RIG_ACCESS_KEY "test:tester"
#define S3_RIG_SECRET_KEY "testing"

struct s3_rig {
    pid_t pid;
    int port;
    char folder[32], url[64];
};

static inline void s3_rig_stop(struct s3_rig *rig)
{
    char command[64];
    if (rig->pid <= 0)
        return;
    kill(rig->pid, SIGKILL);
    waitpid(rig->pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf %s", rig->folder);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", rig->folder);
    rig->pid = 0;
}

static inline void s3_rig_exec(const char *folder, int out)
{
    char script[] = "tests/rigs/s3_swift.py", *copy = strdup(folder), *argv[] = {script, copy, NULL};
    const int nowhere = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(nowhere, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execv(script, argv);
    _exit(127);
}

/* False: it does not come up here, which was printed. */
static inline bool s3_rig_start(struct s3_rig *rig)
{
    int out[2];
    memset(rig, 0, sizeof *rig);
    strcpy(rig->folder, "/tmp/s3-rig-XXXXXX");
    if (!mkdtemp(rig->folder) || pipe2(out, O_CLOEXEC) != 0)
        return false;
    rig->pid = fork();
    if (rig->pid == 0)
        s3_rig_exec(rig->folder, out[1]);
    close(out[1]);
    FILE *lines = fdopen(out[0], "r");
    const bool up = lines && fscanf(lines, "listening %d", &rig->port) == 1;
    if (lines)
        fclose(lines);
    snprintf(rig->url, sizeof rig->url, "http://127.0.0.1:%d", rig->port);
    if (!up) {
        printf("tests/rigs/s3_swift.py does not start: ./install.sh --deps test installs what it needs\n");
        s3_rig_stop(rig);
    }
    return up;
}

#endif
