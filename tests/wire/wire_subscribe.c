/* The listener: what it prints of which message, through relays that come and go. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../harness.h"

enum { SOON_MS = 20 * 1000, RESTARTS = 10, ARGS_MAX = 8 };

#define NEW "PATCHCORD: 1 new from frontend\n"

static struct relay_process *relay;
static char *frontend, *backend; /* tokens */
static char *env[4];

static void setup(void)
{
    relay = relay_start(NULL, NULL);
    frontend = relay_token(relay, "frontend@demo");
    backend = relay_token(relay, "backend@demo");
    env[0] = xasprintf("PATCHCORD_URL=%s", relay->url);
    env[1] = xasprintf("PATCHCORD_TOKEN=%s", backend);
    env[2] = xasprintf("XDG_STATE_HOME=%s", temp_folder());
}

static void teardown(void)
{
    for (size_t i = 0; env[i]; i++)
        free(env[i]);
    free(frontend);
    free(backend);
}

/* Starts `patchcord subscribe` with more arguments (NULL-ended, or NULL). */
static struct program *begin(const char *const more[])
{
    const char *argv[ARGS_MAX + 3] = {"patchcord", "subscribe"};
    for (size_t i = 0; more && more[i] && i < ARGS_MAX; i++)
        argv[2 + i] = more[i];
    return program_start(argv, (const char *const *)env);
}

static void send_to_backend(const char *content)
{
    free(tool_send(relay, frontend, "backend", content));
}

static size_t count_of(const struct program *program, const char *line)
{
    size_t count = 0;
    for (const char *at = buf_text(&program->read); (at = strstr(at, line)) != NULL; at += strlen(line))
        count++;
    return count;
}

struct expected {
    struct program *program;
    const char *line;
    size_t count;
};

static bool has_lines(void *arg)
{
    const struct expected *e = arg;
    /* Reads what is there. */
    (void)program_await(e->program, "no such line", 1);
    return count_of(e->program, e->line) >= e->count;
}

static void expect_lines(struct program *program, const char *line, size_t count)
{
    struct expected expected = {program, line, count};
    bool come = poll_until(has_lines, &expected, SOON_MS);
    ck_assert_msg(come && count_of(program, line) == count, "%zu lines %snot %zu:\n%s",
        count_of(program, line), line, count, buf_text(&program->read));
}

static char *log_of(const struct program *program)
{
    struct buf text = {0};
    FILE *file = fopen(program->log_path, "r");
    ck_assert_ptr_nonnull(file);
    for (int c; (c = getc(file)) != EOF;)
        buf_putc(&text, (char)c);
    fclose(file);
    return buf_take(&text);
}

static bool has_looked(void *arg)
{
    char *log = log_of(arg);
    bool looked = strstr(log, "listening for backend@demo") != NULL;
    free(log);
    return looked;
}

/* From then on what comes is new. */
static bool listens(struct program *listener)
{
    return poll_until(has_looked, listener, SOON_MS);
}

/* ---- what is printed ---- */

START_TEST(one_line_for_each_message)
{
    send_to_backend("before");
    send_to_backend("and this");
    struct program *listener = begin(NULL);
    expect_lines(listener, "PATCHCORD: 2 waiting in inbox\n", 1);
    ck_assert(listens(listener));
    send_to_backend("now");
    expect_lines(listener, NEW, 1);
    send_to_backend("and now");
    expect_lines(listener, NEW, 2);
    ck_assert_str_eq(buf_text(&listener->read), "PATCHCORD: 2 waiting in inbox\n" NEW NEW);
    tool_says(relay, backend, "inbox", "{}", "4 pending");
    ck_assert_int_eq(program_end(listener, SIGTERM), 0);
}
END_TEST

START_TEST(an_empty_inbox_and_ones_own_messages_ring_nobody)
{
    struct program *listener = begin(NULL);
    ck_assert(listens(listener));
    free(tool_ok(relay, backend, "send_message", "{\"to\": \"backend\", \"content\": \"note to myself\"}"));
    send_to_backend("now");
    expect_lines(listener, NEW, 1);
    ck_assert_str_eq(buf_text(&listener->read), NEW);
    ck_assert_int_eq(program_end(listener, SIGINT), 0);
}
END_TEST

static size_t restarts_wanted(void)
{
    const char *given = getenv("SUBSCRIBE_RESTARTS");
    return given ? (size_t)atoi(given) : RESTARTS;
}

START_TEST(restarts_lose_and_repeat_nothing)
{
    struct program *listener = begin(NULL);
    ck_assert(listens(listener));
    size_t sent = 0;
    for (size_t i = 0; i < restarts_wanted(); i++) {
        /* Now just before the relay goes, now while the listener may still be away, now while it listens
         * again. */
        if (i % 3 != 0)
            send_to_backend("before"), sent++;
        if (i % 2 == 0)
            relay_kill(relay);
        else
            relay_stop(relay);
        relay_restart(relay, NULL);
        send_to_backend("after"), sent++;
        if (i % 4 == 0)
            expect_lines(listener, NEW, sent);
    }
    expect_lines(listener, NEW, sent);
    send_to_backend("the last one");
    expect_lines(listener, NEW, sent + 1);
    ck_assert_int_eq(program_end(listener, SIGTERM), 0);
}
END_TEST

START_TEST(a_relay_that_comes_later_is_waited_for)
{
    send_to_backend("before");
    ck_assert_int_eq(relay_stop(relay), 0);
    struct program *listener = begin(NULL);
    ck_assert(!program_await(listener, "\n", 300));
    relay_restart(relay, NULL);
    expect_lines(listener, "PATCHCORD: 1 waiting in inbox\n", 1);
    ck_assert_int_eq(program_end(listener, SIGTERM), 0);
}
END_TEST

START_TEST(what_nobody_came_for_rings_once_more)
{
    struct program *listener = begin((const char *const[]){"--again", "1s", NULL});
    ck_assert(listens(listener));
    send_to_backend("one");
    expect_lines(listener, NEW, 1);
    expect_lines(listener, "PATCHCORD: 1 waiting in inbox\n", 1);
    ck_assert_int_eq(program_end(listener, SIGTERM), 0);
}
END_TEST

/* ---- one listener ---- */

START_TEST(a_second_listener_ends_at_once)
{
    struct program *first = begin(NULL);
    ck_assert(listens(first));
    send_to_backend("one");
    expect_lines(first, NEW, 1);
    struct program *second = begin(NULL);
    ck_assert_int_eq(program_end(second, 0), 0);
    char *log = log_of(second),
         *holder = xasprintf("process %ld listens for backend@demo already", (long)first->pid);
    ck_assert_msg(strstr(log, holder), "%s", log);
    ck_assert_str_eq(buf_text(&second->read), "");
    ck_assert_int_eq(program_end(first, SIGKILL), -1);
    struct program *third = begin(NULL);
    expect_lines(third, "PATCHCORD: 1 waiting in inbox\n", 1);
    ck_assert_int_eq(program_end(third, SIGTERM), 0);
    free(holder);
    free(log);
}
END_TEST

START_TEST(it_ends_when_its_reader_is_gone)
{
    struct program *listener = begin(NULL);
    ck_assert(listens(listener));
    close(listener->out);
    listener->out = open("/dev/null", O_RDONLY);
    ck_assert_int_eq(program_end(listener, 0), 0);
}
END_TEST

START_TEST(a_revoked_token_ends_it)
{
    struct program *listener = begin(NULL);
    ck_assert(listens(listener));
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", relay->data_dir);
    const char *const argv[] = {"patchcord-relay", "token", "revoke", "--agent", "backend@demo", NULL};
    struct program_result revoked;
    run_program(argv, (const char *const[]){data, NULL}, NULL, SOON_MS, &revoked);
    ck_assert_msg(revoked.exit_code == 0, "%s", buf_text(&revoked.err));
    program_result_free(&revoked);
    ck_assert_int_eq(program_end(listener, 0), 4);
    free(data);
}
END_TEST

/* ---- commands ---- */

START_TEST(a_command_runs_once_at_a_time)
{
    char *folder = xstrdup(temp_folder());
    /* Each run notes what it got, and the first waits to be let go. */
    char *command = xasprintf(
        "echo \"$1 $2\" >>'%s/log'; echo noise; while [ ! -e '%s/go' ]; do sleep 0.05; done", folder, folder);
    char *go = xasprintf("%s/go", folder), *path = xasprintf("%s/log", folder);
    struct program *listener = begin((const char *const[]){"--exec", command, NULL});
    ck_assert(listens(listener));
    send_to_backend("one");
    expect_lines(listener, NEW, 1);
    send_to_backend("two");
    send_to_backend("three");
    expect_lines(listener, NEW, 3);
    close(open(go, O_WRONLY | O_CREAT, 0600));
    struct program_result seen = {0};
    const char *const wait_for[] = {
        "/bin/sh", "-c", "until [ \"$(wc -l <\"$LOG\")\" -ge 2 ]; do sleep 0.05; done; cat \"$LOG\"", NULL};
    char *log = xasprintf("LOG=%s", path);
    run_program(wait_for, (const char *const[]){log, NULL}, NULL, SOON_MS, &seen);
    ck_assert_str_eq(buf_text(&seen.out), "1 frontend\n2 frontend\n");
    ck_assert_ptr_null(strstr(buf_text(&listener->read), "noise"));
    ck_assert_int_eq(program_end(listener, SIGTERM), 0);
    program_result_free(&seen);
    free(log);
    free(go);
    free(path);
    free(command);
    free(folder);
}
END_TEST

static const struct {
    const char *args[3];
} misuses[] = {{{"now", NULL}}, {{"--again", NULL}}, {{"--again", "soon"}}, {{"--nothing", NULL}}};

START_TEST(misuse_is_said)
{
    struct program *listener = begin(misuses[_i].args);
    ck_assert_int_eq(program_end(listener, 0), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subscribe");
    TCase *tcase = harness_case(suite, "subscribe");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, one_line_for_each_message);
    tcase_add_test(tcase, an_empty_inbox_and_ones_own_messages_ring_nobody);
    tcase_add_test(tcase, restarts_lose_and_repeat_nothing);
    tcase_add_test(tcase, a_relay_that_comes_later_is_waited_for);
    tcase_add_test(tcase, what_nobody_came_for_rings_once_more);
    tcase_add_test(tcase, a_second_listener_ends_at_once);
    tcase_add_test(tcase, it_ends_when_its_reader_is_gone);
    tcase_add_test(tcase, a_revoked_token_ends_it);
    tcase_add_test(tcase, a_command_runs_once_at_a_time);
    tcase_add_loop_test(tcase, misuse_is_said, 0, LENGTH_OF(misuses));
    return run_suite(suite);
}
