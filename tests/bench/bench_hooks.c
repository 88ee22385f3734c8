/* bench_hooks: what hooks and the status line take of a person's time, from spawn to exit, with a relay that
 * answers, with none, and with one that takes the connection and says nothing.
 *
 * HOOKS_ROUNDS (50) of each. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "load.h"

enum {
    BACKLOG = 1024,
    LIMIT_MS = 10 * 1000,
    TARGET_HOOK_US = 50 * 1000,
    TARGET_WORST_US = 1000 * 1000,
    TARGET_LINE_US = 20 * 1000
};

#define INPUT "{\"session_id\": \"s\", \"cwd\": \"/\", \"stop_hook_active\": false}"

static const struct {
    const char *argv[4];
    bool is_line;
} programs[] = {
    {{"patchcord", "hook", "session-start"}, false},
    {{"patchcord", "hook", "user-prompt"}, false},
    {{"patchcord", "hook", "stop"}, false},
    {{"patchcord", "hook", "notification"}, false},
    {{"patchcord", "statusline"}, true},
};

/* The kernel takes connections, and nobody ever answers on them. */
static char *hang(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_must(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, BACKLOG) == 0 &&
                   getsockname(fd, (struct sockaddr *)&address, &len) == 0,
        "a port");
    return xasprintf("http://127.0.0.1:%d", ntohs(address.sin_port));
}

static void run(const char *const argv[], const char *const env[], struct samples *took_us)
{
    struct program_result result;
    const int64_t began_us = now_us();
    run_program(argv, env, INPUT, LIMIT_MS, &result);
    samples_add(took_us, (double)(now_us() - began_us));
    bench_must(result.exit_code == 0, argv[1]);
    program_result_free(&result);
}

static void measure(const char *relay_is, const char *url, const char *token, size_t rounds)
{
    char *env_url = xasprintf("PATCHCORD_URL=%s", url), *env_token = xasprintf("PATCHCORD_TOKEN=%s", token);
    char *env_state = xasprintf("XDG_STATE_HOME=%s", temp_folder());
    const char *const env[] = {env_url, env_token, env_state, NULL};
    const bool is_up = strcmp(relay_is, "up") == 0;
    for (size_t i = 0; i < LENGTH_OF(programs); i++) {
        const char *const *argv = programs[i].argv;
        struct samples took_us = {0}, first_us = {0};
        char *series = xasprintf("%s, relay %s", argv[2] ? argv[2] : argv[1], relay_is);
        /* A status line is drawn again and again. */
        if (programs[i].is_line)
            run(argv, env, &first_us);
        for (size_t round = 0; round < rounds; round++)
            run(argv, env, &took_us);
        const double median_us = samples_median(&took_us);
        const double target_us = programs[i].is_line ? TARGET_LINE_US
                                 : is_up             ? TARGET_HOOK_US
                                                     : TARGET_WORST_US;
        char *target = xasprintf("at most %.0f ms", target_us / MS_PER_SECOND);
        figures_add(series, 1, "us", &took_us);
        figures_target(series, "us", median_us, NULL, 0, target, median_us <= target_us);
        samples_free(&first_us);
        free(target);
        free(series);
    }
    free(env_url);
    free(env_token);
    free(env_state);
}

int main(void)
{
    bench_init("bench_hooks");
    const size_t rounds = bench_setting("HOOKS_ROUNDS", 50);
    figures_begin("hooks", "Hooks and the status line", "x");
    struct relay_process *relay = relay_start(NULL, NULL);
    char *token = relay_token(relay, "backend@bench");
    measure("up", relay->url, token, rounds);
    relay_stop(relay);
    measure("down", relay->url, token, rounds);
    char *hanging = hang();
    measure("hanging", hanging, token, rounds);
    figures_end();
    free(hanging);
    free(token);
    harness_cleanup();
    return EXIT_SUCCESS;
}
