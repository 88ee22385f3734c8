#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "harness_process.h"
#include "harness_store.h"

enum { CASE_TIMEOUT_S = 60, PATH_SIZE = 4096, LOG_MAX = 1 << 20, DESCRIPTORS_REMOVED_AT_ONCE = 16 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWNESS = 4 };
#else
enum { SLOWNESS = 1 };
#endif

extern char **environ;

static void fail_check(const char *message)
{
    ck_abort_msg("%s", message);
}

void (*harness_on_failure)(const char *message) = fail_check;

void harness_fail(const char *format, ...)
{
    char *message = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&message, format, args) < 0)
        abort();
    va_end(args);
    harness_on_failure(message);
    abort();
}

int harness_patience(int ms)
{
    return ms * SLOWNESS;
}

/* ---- folders: all below one, which the parent of the forked tests removes even when a test aborts ---- */

static char *base_folder;
static char **folders;
static size_t folders_count;

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path) != 0 && errno != ENOENT;
}

static void folder_remove(const char *path)
{
    if (nftw(path, remove_entry, DESCRIPTORS_REMOVED_AT_ONCE, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "harness: could not remove %s: %s\n", path, strerror(errno));
}

static char *folder_make(const char *parent)
{
    char *path = xasprintf("%s/patchcord-XXXXXX", parent);
    if (!mkdtemp(path))
        harness_fail("no temporary folder %s: %s", path, strerror(errno));
    return path;
}

const char *temp_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    char *path = folder_make(base_folder ? base_folder : tmp && *tmp ? tmp : "/tmp");
    folders = xreallocarray(folders, folders_count + 1, sizeof *folders);
    folders[folders_count++] = path;
    return path;
}

static void folders_cleanup(void)
{
    for (size_t i = 0; i < folders_count; i++) {
        folder_remove(folders[i]);
        free(folders[i]);
    }
    free(folders);
    folders = NULL;
    folders_count = 0;
}

void harness_cleanup(void)
{
    programs_cleanup();
    bridges_cleanup();
    relays_cleanup();
    folders_cleanup();
}

/* ---- environment ---- */

static size_t name_len(const char *pair)
{
    return strcspn(pair, "=");
}

/* What must not leak in from the person or machine that runs the tests. */
static bool is_foreign(const char *pair)
{
    static const char *const prefixes[] = {
        "PATCHCORD_", "XDG_", "CLAUDE", "CODEX", "SUPABASE_", "HOME=", NULL};
    for (size_t i = 0; prefixes[i]; i++)
        if (strncmp(pair, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    static const char suffix[] = "_proxy";
    size_t len = name_len(pair);
    return len > sizeof suffix - 1 &&
           strncasecmp(pair + len - (sizeof suffix - 1), suffix, sizeof suffix - 1) == 0;
}

static size_t list_len(char *const list[])
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* Puts, replaces or (a name alone) removes one entry; env has room. */
static void env_set(char **env, const char *pair)
{
    size_t len = name_len(pair), n = list_len(env), at = 0;
    while (at < n && !(name_len(env[at]) == len && strncmp(env[at], pair, len) == 0))
        at++;
    if (at < n)
        free(env[at]);
    if (pair[len] == '=') {
        env[at] = xstrdup(pair);
    } else if (at < n) {
        env[at] = env[n - 1];
        env[n - 1] = NULL;
    }
}

char **process_env_copy(const char *const env[])
{
    size_t n = list_len((char *const *)env);
    char **copy = xcalloc(n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(env[i]);
    return copy;
}

void process_env_free(char **env)
{
    for (size_t i = 0; env && env[i]; i++)
        free(env[i]);
    free(env);
}

/* name: or a pair of that name. */
static const char *env_value(char *const env[], const char *name)
{
    const size_t len = name_len(name);
    for (size_t i = 0; env[i]; i++)
        if (name_len(env[i]) == len && strncmp(env[i], name, len) == 0)
            return env[i] + len + 1;
    return NULL;
}

/* A relay with a data folder has the database that belongs to it, unless the test says which. */
static void env_set_store(char **env)
{
    const char *data_dir = env_value(env, "PATCHCORD_DATA_DIR");
    if (!data_dir || env_value(env, "PATCHCORD_DATABASE_URL") || env_value(env, "SUPABASE_URL"))
        return;
    char **settings = harness_store_settings(data_dir);
    for (size_t i = 0; settings[i]; i++) {
        if (!env_value(env, settings[i]))
            env_set(env, settings[i]);
    }
    process_env_free(settings);
}

static char **env_make(const struct process_options *options)
{
    size_t room = list_len(environ) + 6; /* HOME, the store's, and the end */
    for (size_t i = 0; i < PROCESS_ENV_LISTS; i++)
        room += list_len((char *const *)options->env[i]);
    char **env = xcalloc(room, sizeof *env);
    for (size_t i = 0, n = 0; environ[i]; i++)
        if (!is_foreign(environ[i]))
            env[n++] = xstrdup(environ[i]);
    char *home = xasprintf("HOME=%s", temp_folder());
    env_set(env, home);
    free(home);
    for (size_t i = 0; i < PROCESS_ENV_LISTS; i++)
        for (size_t j = 0; options->env[i] && options->env[i][j]; j++)
            env_set(env, options->env[i][j]);
    env_set_store(env);
    return env;
}

/* ---- processes ---- */

static char *program_path(const char *name)
{
    const char *build = getenv("PATCHCORD_BUILD");
    if (strchr(name, '/'))
        return xstrdup(name);
    char *path = xasprintf("%s/%s", build && *build ? build : "build", name);
    if (access(path, X_OK) == 0) {
        char *absolute = realpath(path, NULL);
        free(path);
        return absolute;
    }
    const int error = errno;
    if (strncmp(name, "patchcord", strlen("patchcord")) == 0)
        harness_fail("cannot run %s: %s: build it first, or set PATCHCORD_BUILD", path, strerror(error));
    free(path);
    return xstrdup(name);
}

static void child_fd(int fd, int target)
{
    if (fd < 0)
        fd = open("/dev/null", O_RDWR);
    if (fd < 0 || (fd == target ? fcntl(fd, F_SETFD, 0) : dup2(fd, target)) < 0)
        _exit(126);
}

/* The errno that a child could not become the program for comes through the pipe, which exec closes. */
static int exec_error(int from)
{
    int error = 0;
    ssize_t got;
    do
        got = read(from, &error, sizeof error);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof error ? error : 0;
}

pid_t process_start(const struct process_options *options)
{
    char *path = program_path(options->argv[0]);
    char **env = env_make(options);
    int started[2];
    if (pipe2(started, O_CLOEXEC) != 0)
        harness_fail("pipe: %s", strerror(errno));
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(126);
        signal(SIGPIPE, SIG_DFL);
        child_fd(options->in, STDIN_FILENO);
        child_fd(options->out, STDOUT_FILENO);
        child_fd(options->err, STDERR_FILENO);
        execvpe(path, (char *const *)options->argv, env);
        const int error = errno;
        _exit(write(started[1], &error, sizeof error) < 0 ? 126 : 127);
    }
    if (pid < 0)
        harness_fail("fork: %s", strerror(errno));
    close(started[1]);
    const int error = exec_error(started[0]);
    close(started[0]);
    if (error != 0) {
        waitpid(pid, NULL, 0);
        harness_fail("cannot run %s: %s", path, strerror(error));
    }
    free(path);
    process_env_free(env);
    return pid;
}

struct wait_state {
    pid_t pid;
    int status;
};

static bool has_ended(void *arg)
{
    struct wait_state *state = arg;
    return waitpid(state->pid, &state->status, WNOHANG) == state->pid;
}

bool process_wait(pid_t pid, int timeout_ms, int *exit_code)
{
    struct wait_state state = {.pid = pid};
    if (!poll_until(has_ended, &state, timeout_ms))
        return false;
    *exit_code = WIFEXITED(state.status) ? WEXITSTATUS(state.status) : -1;
    return true;
}

int process_log_open(char **path)
{
    *path = xasprintf("%s/stderr", temp_folder());
    int fd = open(*path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        harness_fail("%s: %s", *path, strerror(errno));
    return fd;
}

static void file_read(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    buf_commit(out, fread(buf_reserve(out, LOG_MAX), 1, LOG_MAX, file));
    fclose(file);
}

void process_log_check(const char *path)
{
    static const char *const reports[] = {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
        "WARNING: ThreadSanitizer", "runtime error:", NULL};
    struct buf log = {0};
    file_read(path, &log);
    for (size_t i = 0; reports[i] && log.len > 0; i++) {
        const char *at = memmem(log.data, log.len, reports[i], strlen(reports[i]));
        if (at)
            harness_fail("a sanitizer reported in %s:\n%.*s", path, 6000, at);
    }
    buf_free(&log);
}

/* ---- a program run to its end ---- */

/* Reads what is there; closes at the end. */
static void pipe_drain(struct pollfd *pipe, struct buf *out)
{
    if (!(pipe->revents & (POLLIN | POLLHUP | POLLERR)))
        return;
    enum { CHUNK = 65536 };
    ssize_t got = read(pipe->fd, buf_reserve(out, CHUNK), CHUNK);
    if (got > 0) {
        buf_commit(out, (size_t)got);
    } else if (got == 0 || errno != EINTR) {
        close(pipe->fd);
        pipe->fd = -1;
    }
}

static void pipe_feed(struct pollfd *pipe, const char **text)
{
    if (pipe->fd >= 0 && pipe->revents) {
        ssize_t put = write(pipe->fd, *text, strlen(*text));
        if (put > 0)
            *text += put;
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            *text = "";
    }
    if (pipe->fd >= 0 && **text == '\0') {
        close(pipe->fd);
        pipe->fd = -1;
    }
}

static void pipes_make(int in[2], int out[2], int err[2])
{
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
        harness_fail("pipe: %s", strerror(errno));
    fcntl(in[1], F_SETFL, O_NONBLOCK);
}

void run_program(const char *const argv[], const char *const env[], const char *stdin_text, int timeout_ms,
    struct program_result *result)
{
    int in[2], out[2], err[2];
    *result = (struct program_result){.exit_code = -1};
    pipes_make(in, out, err);
    struct process_options options = {.argv = argv, .env = {env}, .in = in[0], .out = out[1], .err = err[1]};
    pid_t pid = process_start(&options);
    close(in[0]);
    close(out[1]);
    close(err[1]);

    const char *text = stdin_text ? stdin_text : "";
    struct pollfd pipes[] = {
        {.fd = out[0], .events = POLLIN}, {.fd = err[0], .events = POLLIN}, {.fd = in[1], .events = POLLOUT}};
    int64_t deadline = now_us() + (int64_t)harness_patience(timeout_ms) * 1000;
    pipe_feed(&pipes[2], &text);
    while ((pipes[0].fd >= 0 || pipes[1].fd >= 0) && now_us() < deadline) {
        if (poll(pipes, LENGTH_OF(pipes), 100) <= 0)
            continue;
        pipe_drain(&pipes[0], &result->out);
        pipe_drain(&pipes[1], &result->err);
        pipe_feed(&pipes[2], &text);
    }
    for (size_t i = 0; i < LENGTH_OF(pipes); i++)
        if (pipes[i].fd >= 0)
            close(pipes[i].fd);
    int left_ms = (int)((deadline - now_us()) / 1000);
    if (!process_wait(pid, left_ms > 0 ? left_ms : 0, &result->exit_code)) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

void program_result_free(struct program_result *result)
{
    buf_free(&result->out);
    buf_free(&result->err);
}

/* ---- waiting ---- */

int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

bool poll_until(bool (*condition)(void *arg), void *arg, int timeout_ms)
{
    int64_t deadline = now_us() + (int64_t)timeout_ms * 1000;
    while (!condition(arg)) {
        if (now_us() >= deadline)
            return condition(arg);
        poll(NULL, 0, POLL_STEP_MS);
    }
    return true;
}

/* ---- suites ---- */

TCase *harness_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, CASE_TIMEOUT_S * SLOWNESS);
    tcase_add_checked_fixture(tcase, NULL, harness_cleanup);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int run_suite(Suite *suite)
{
    signal(SIGPIPE, SIG_IGN);
    const char *tmp = getenv("TMPDIR");
    base_folder = folder_make(tmp && *tmp ? tmp : "/tmp");
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    folder_remove(base_folder);
    free(base_folder);
    base_folder = NULL;
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
