#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "harness_process.h"

struct program_entry {
    struct program program; /* first: what tests hold is a pointer to it */
    LIST_ENTRY(program_entry) entries;
};
static LIST_HEAD(, program_entry) programs = LIST_HEAD_INITIALIZER(programs);

struct program *program_start(const char *const argv[], const char *const env[])
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0)
        harness_fail("pipe: %s", strerror(errno));
    struct program_entry *entry = xcalloc(1, sizeof *entry);
    LIST_INSERT_HEAD(&programs, entry, entries);
    int log = process_log_open(&entry->program.log_path);
    struct process_options options = {.argv = argv, .env = {env}, .in = -1, .out = out[1], .err = log};
    entry->program.pid = process_start(&options);
    entry->program.out = out[0];
    close(out[1]);
    close(log);
    return &entry->program;
}

bool program_await(struct program *program, const char *text, int timeout_ms)
{
    enum { CHUNK = 16384 };
    int64_t deadline_us = now_us() + (int64_t)harness_patience(timeout_ms) * 1000;
    while (!strstr(buf_text(&program->read), text)) {
        int64_t left_us = deadline_us - now_us();
        struct pollfd fd = {.fd = program->out, .events = POLLIN};
        if (left_us <= 0)
            return false;
        if (poll(&fd, 1, (int)(left_us / 1000) + 1) <= 0)
            continue;
        char bytes[CHUNK];
        ssize_t got = read(program->out, bytes, sizeof bytes);
        if (got <= 0)
            return false;
        buf_append(&program->read, bytes, (size_t)got);
    }
    return true;
}

int program_end(struct program *program, int signal_number)
{
    int exit_code = -1;
    if (signal_number)
        kill(program->pid, signal_number);
    if (!process_wait(program->pid, harness_patience(PROCESS_END_MS), &exit_code)) {
        kill(program->pid, SIGKILL);
        waitpid(program->pid, NULL, 0);
    }
    program->pid = 0;
    process_log_check(program->log_path);
    return exit_code;
}

void programs_cleanup(void)
{
    struct program_entry *entry;
    while ((entry = LIST_FIRST(&programs))) {
        if (entry->program.pid > 0)
            program_end(&entry->program, SIGKILL);
        LIST_REMOVE(entry, entries);
        close(entry->program.out);
        buf_free(&entry->program.read);
        free(entry->program.log_path);
        free(entry);
    }
}
