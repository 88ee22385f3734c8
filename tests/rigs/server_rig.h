/* server_rig.h: another program's server on loopback, for the tests of a process. It ends with the process;
 * its folder is removed by server_rig_stop. */
#ifndef TESTS_RIGS_SERVER_RIG_H
#define TESTS_RIGS_SERVER_RIG_H

#include <fcntl.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A real S3-compatible server, and one that answers as Supabase Storage does; and their keys. */
#define S3_RIG            "tests/rigs/s3_swift.py"
#define STORAGE_RIG       "tests/rigs/storage.py"
#define STORAGE_RIG_KEY   "sb_secret_test"
#define S3_RIG_ACCESS_KEY "test:tester"
#define S3_RIG_SECRET_KEY "testing"

struct server_rig {
    pid_t pid;
    int port;
    char folder[32], url[64];
};

static inline void server_rig_stop(struct server_rig *rig)
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

static inline void server_rig_exec(const char *script, const char *folder, int out)
{
    char *const argv[] = {strdup(script), strdup(folder), NULL};
    const int nowhere = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(nowhere, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execv(script, argv);
    _exit(127);
}

/* False: it does not come up here, which was printed. */
static inline bool server_rig_start(struct server_rig *rig, const char *script)
{
    int out[2];
    memset(rig, 0, sizeof *rig);
    strcpy(rig->folder, "/tmp/rig-XXXXXX");
    if (!mkdtemp(rig->folder) || pipe2(out, O_CLOEXEC) != 0)
        return false;
    rig->pid = fork();
    if (rig->pid == 0)
        server_rig_exec(script, rig->folder, out[1]);
    close(out[1]);
    FILE *lines = fdopen(out[0], "r");
    const bool up = lines && fscanf(lines, "listening %d", &rig->port) == 1;
    if (lines)
        fclose(lines);
    snprintf(rig->url, sizeof rig->url, "http://127.0.0.1:%d", rig->port);
    if (!up) {
        printf("%s does not start: ./install.sh --deps test installs what it needs\n", script);
        server_rig_stop(rig);
    }
    return up;
}

#endif
