/* bench_wake: from the send to the answer of a parked wait, with WAKE_PARKED (1,000) other agents' waits
 * parked, over plain HTTP; beside it what one fdatasync costs on the same disk, because no send is
 * acknowledged before one.
 *
 * WAKE_ROUNDS (1,000) sends one after the other. Prints the numbers and whether the target is met. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/log.h"
#include "../../common/mcp.h"
#include "../../common/secret.h"
#include "../../relay/store/store.h"
#include "../harness.h"

enum {
    SYNC_BYTES = 4096,
    TARGET_MEDIAN_US = 1000, /* both above one fdatasync */
    TARGET_P99_US = 5000,
    ANSWER_MAX = 64 * 1024,
};

static void failed(const char *message)
{
    static bool failing;
    fprintf(stderr, "bench_wake: %s\n", message);
    if (!failing) {
        failing = true;
        harness_cleanup();
    }
    exit(EXIT_FAILURE);
}

static void must(bool happened, const char *what)
{
    if (!happened)
        failed(what);
}

static size_t setting(const char *name, size_t fallback)
{
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : fallback;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* ---- what a fdatasync costs ---- */

static int sync_file_open(const char *folder)
{
    char *path = xasprintf("%s/sync", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    must(fd >= 0, "cannot write into the temporary folder");
    free(path);
    return fd;
}

static int64_t sync_us(int fd)
{
    static const char block[SYNC_BYTES];
    int64_t began_us = now_us();
    must(write(fd, block, sizeof block) == sizeof block && fdatasync(fd) == 0, "fdatasync failed");
    return now_us() - began_us;
}

/* ---- agents ---- */

/* Puts agents a0 … into the store that the relay will open; their tokens are their names. */
static void agents_add(const char *data_dir, size_t count)
{
    struct buf why = {0};
    struct store_options options = {.data_dir = data_dir, .role = STORE_ROLE_ADMIN};
    struct store *store = store_open_sqlite(&options, &why);
    must(store != NULL, buf_text(&why));
    for (size_t i = 0; i < count; i++) {
        char name[24], space[] = "bench";
        snprintf(name, sizeof name, "a%zu", i);
        struct store_token token = {
            .namespace_id = space, .agent = name, .active = true, .created_ms = clock_wall_ms()};
        secret_sha256_hex(name, strlen(name), token.hash);
        enum store_refusal refusal;
        must(store_token_add(store, &token, &refusal) == STORE_DONE, "cannot add a token");
    }
    store_close(store);
}

/* ---- HTTP by hand: one connection, kept open, no time lost in a library ---- */

static int connect_to(const struct relay_process *relay)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)relay->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "cannot connect to the relay");
    return fd;
}

/* A tools/call as one block of bytes; the caller frees. */
static char *request_make(const char *token, const char *tool, const char *args)
{
    char *body =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\","
                  "\"arguments\":%s,\"_meta\":{\"" MCP_META_VERSION "\":\"" MCP_MODERN_VERSION
                  "\",\"" MCP_META_CAPABILITIES "\":{}}}}",
            tool, args);
    char *request = xasprintf("POST /mcp/bearer HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer %s\r\n"
                              "Content-Type: application/json\r\nAccept: application/json\r\n"
                              "MCP-Protocol-Version: " MCP_MODERN_VERSION "\r\nMcp-Method: tools/call\r\n"
                              "Mcp-Name: %s\r\nContent-Length: %zu\r\n\r\n%s",
        token, tool, strlen(body), body);
    free(body);
    return request;
}

static void request_send(int fd, const char *request)
{
    size_t len = strlen(request);
    must(send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len, "cannot send a request");
}

/* Reads one answer with a Content-Length; it must hold text. */
static void answer_read(int fd, const char *text)
{
    static char answer[ANSWER_MAX + 1];
    size_t len = 0, need = ANSWER_MAX;
    while (len < need) {
        ssize_t got = recv(fd, answer + len, ANSWER_MAX - len, 0);
        must(got > 0, "the relay closed a connection");
        len += (size_t)got;
        answer[len] = '\0';
        const char *end = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "content-length:");
        if (end && length && length < end)
            need = (size_t)(end + 4 - answer) + strtoul(length + strlen("content-length:"), NULL, 10);
        must(need <= ANSWER_MAX, "an answer is too long");
    }
    if (!strstr(answer, text))
        failed(answer);
}

/* ---- the measurement ---- */

static int *park_others(const struct relay_process *relay, size_t count)
{
    int *fds = xcalloc(count + 1, sizeof *fds);
    for (size_t i = 0; i < count; i++) {
        char token[24];
        snprintf(token, sizeof token, "a%zu", i + 2);
        char *request = request_make(token, "wait_for_message", "{\"timeout_seconds\":3600}");
        fds[i] = connect_to(relay);
        request_send(fds[i], request);
        free(request);
    }
    must(relay_await_parked(relay, (int64_t)count), "the waits did not park");
    return fds;
}

struct measured {
    size_t rounds;
    int64_t *wake_us, *sync_us; /* of each round */
};

/* Agent a0 sends, agent a1 waits; and one fdatasync, so that both see the same load of the machine. */
static void measure(const struct relay_process *relay, size_t parked, int sync_fd, struct measured *out)
{
    int sender = connect_to(relay), waiter = connect_to(relay);
    char *send_request = request_make("a0", "send_message", "{\"to\":\"a1\",\"content\":\"wake up\"}");
    char *wait_request = request_make("a1", "wait_for_message", "{\"timeout_seconds\":600}");
    for (size_t i = 0; i < out->rounds; i++) {
        out->sync_us[i] = sync_us(sync_fd);
        request_send(waiter, wait_request);
        must(relay_await_parked(relay, (int64_t)parked + 1), "the wait did not park");
        int64_t began_us = now_us();
        request_send(sender, send_request);
        answer_read(waiter, "wake up");
        out->wake_us[i] = now_us() - began_us;
        answer_read(sender, "Sent to a1");
    }
    close(sender);
    close(waiter);
    free(send_request);
    free(wait_request);
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void report(struct measured *m, size_t parked)
{
    size_t middle = m->rounds / 2, p99 = m->rounds * 99 / 100;
    qsort(m->wake_us, m->rounds, sizeof *m->wake_us, by_size);
    qsort(m->sync_us, m->rounds, sizeof *m->sync_us, by_size);
    int64_t median_us = m->wake_us[middle] - m->sync_us[middle],
            p99_us = m->wake_us[p99] - m->sync_us[middle];
    printf("wake: %zu rounds with %zu others parked: median %.2f ms, p99 %.2f ms\n", m->rounds, parked,
        (double)m->wake_us[middle] / 1000, (double)m->wake_us[p99] / 1000);
    printf("wake: one fdatasync of the same disk meanwhile: median %.2f ms, p99 %.2f ms\n",
        (double)m->sync_us[middle] / 1000, (double)m->sync_us[p99] / 1000);
    printf("wake: above its median: median %.2f ms (target %.2f), p99 %.2f ms (target %.2f): %s\n",
        (double)median_us / 1000, TARGET_MEDIAN_US / 1000.0, (double)p99_us / 1000, TARGET_P99_US / 1000.0,
        median_us <= TARGET_MEDIAN_US && p99_us <= TARGET_P99_US ? "met" : "missed");
}

int main(void)
{
    size_t parked = setting("WAKE_PARKED", 1000);
    struct measured measured = {.rounds = setting("WAKE_ROUNDS", 1000)};
    harness_on_failure = failed;
    signal(SIGPIPE, SIG_IGN);
    secret_init();
    allow_descriptors();
    log_configure(LOG_FORMAT_LOGFMT, LOG_LEVEL_WARN);
    must(measured.rounds > 0, "WAKE_ROUNDS is a number over 0");

    const char *data_dir = temp_folder();
    int sync_fd = sync_file_open(temp_folder());
    agents_add(data_dir, parked + 2);
    struct relay_process *relay = relay_start(data_dir, NULL);
    int *others = park_others(relay, parked);
    measured.wake_us = xcalloc(measured.rounds, sizeof *measured.wake_us);
    measured.sync_us = xcalloc(measured.rounds, sizeof *measured.sync_us);
    measure(relay, parked, sync_fd, &measured);
    report(&measured, parked);
    for (size_t i = 0; i < parked; i++)
        close(others[i]);
    close(sync_fd);
    free(others);
    free(measured.wake_us);
    free(measured.sync_us);
    harness_cleanup();
    return EXIT_SUCCESS;
}
