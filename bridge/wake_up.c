#include "wake_up.h"

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/log.h"

extern char **environ;

#define SEPARATOR ", "

static bool is_named(const struct wake_up *wake, const char *from)
{
    size_t len = strlen(from);
    for (const char *at = buf_text(&wake->names); (at = strstr(at, from)) != NULL; at++) {
        bool begins = at == wake->names.data || at[-1] == ' ';
        if (begins && (at[len] == '\0' || at[len] == ','))
            return true;
    }
    return false;
}

void wake_up_note(struct wake_up *wake, size_t count, const char *from)
{
    wake->count += count;
    if (!from || wake->names_count == WAKE_UP_NAMES_MAX || is_named(wake, from))
        return;
    buf_printf(&wake->names, "%s%s", wake->names_count > 0 ? SEPARATOR : "", from);
    wake->names_count++;
}

/* What it prints is not ours to print: it goes to stderr. */
static bool prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes)
{
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    return posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_adddup2(files, STDERR_FILENO, STDOUT_FILENO) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &defaults) == 0 &&
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF) == 0;
}

static pid_t start(const char *command, const char *count, const char *names)
{
    char *argv[] = {xstrdup("sh"), xstrdup("-c"), xstrdup(command), xstrdup("patchcord"), xstrdup(count),
        xstrdup(names), NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    if (posix_spawn_file_actions_init(&files) != 0 || posix_spawnattr_init(&attributes) != 0)
        alloc_failed();
    if (!prepare(&files, &attributes))
        alloc_failed();
    int error = posix_spawn(&pid, "/bin/sh", &files, &attributes, argv, environ);
    if (error != 0)
        log_warn("exec_failed", LOG_STR("error", strerror(error)));
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    for (char **word = argv; *word; word++)
        free(*word);
    return error == 0 ? pid : 0;
}

void wake_up_step(struct wake_up *wake)
{
    if (wake->running != 0 && waitpid(wake->running, NULL, WNOHANG) != 0)
        wake->running = 0;
    if (wake->running != 0 || wake->count == 0 || !wake->command)
        return;
    char count[24];
    snprintf(count, sizeof count, "%zu", wake->count);
    wake->running = start(wake->command, count, buf_text(&wake->names));
    wake->count = 0;
    wake->names_count = 0;
    buf_reset(&wake->names);
}

void wake_up_free(struct wake_up *wake)
{
    buf_free(&wake->names);
    *wake = (struct wake_up){0};
}
