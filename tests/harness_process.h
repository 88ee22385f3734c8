/* harness_process.h: what the harness' own files share: children with a clean environment, and how a test
 * fails. */
#ifndef TESTS_HARNESS_PROCESS_H
#define TESTS_HARNESS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "../common/compiler.h"

struct relay_process;

enum {
    PROCESS_START_MS = 20 * 1000, /* how long a child may take to come up */
    PROCESS_END_MS = 15 * 1000,   /* and to end after it was asked to */
    POLL_STEP_MS = 2,
};

/* Ends the test (see harness_on_failure). */
void harness_fail(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
/* Milliseconds as a sanitizer's build needs them: each limit on time goes through here. */
int harness_patience(int ms);

/* Lists of "K=V" (a "K" alone unsets), NULL-ended, later ones win; a NULL list is an empty one. */
enum { PROCESS_ENV_LISTS = 3 };
struct process_options {
    const char *const *argv; /* a name without a slash that is in the build folder is taken from there */
    const char *const *env[PROCESS_ENV_LISTS];
    int in, out, err; /* become 0, 1 and 2; -1: /dev/null */
};
/* Starts a child whose environment is ours without what would make a test depend on this machine: HOME and
 * the XDG folders are a new folder's, PATCHCORD_* and proxy settings are gone. It dies with the thread that
 * started it. */
pid_t process_start(const struct process_options *options);
/* Waits for the child's end. False after timeout_ms. exit_code is -1 where a signal ended it. */
bool process_wait(pid_t pid, int timeout_ms, int *exit_code);
/* A new file for a child's stderr in a new folder, open for appending; *path is the caller's to free. */
int process_log_open(char **path);
/* Fails the test where the log holds a sanitizer's report. */
void process_log_check(const char *path);
/* Copies a NULL-ended list, for a child that may be started again. Freed with process_env_free. */
char **process_env_copy(const char *const env[]);
void process_env_free(char **env);

/* A modern request's text, its _meta completed. *name (the caller's) is what Mcp-Name has to repeat, or NULL.
 */
char *mcp_request_text(const char *method, const char *params, char **name);
/* A new connection to the relay. */
int relay_connect(const struct relay_process *relay);

void programs_cleanup(void);
void bridges_cleanup(void);
void relays_cleanup(void);

#endif
