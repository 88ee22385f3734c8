/* What the HTTP part alone costs: requests a second over 64 connections, resident memory with 10,000 parked
 * waits, and how long until all of them are answered. The server runs in a process of its own. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../relay/http/server.h"

enum { PARKED = 10000, CLIENTS = 64, LOAD_MS = 2000, WORKERS = 64, EVENTS = 512 };

static struct http_server *server;

static enum verdict handle_hello(struct exchange *ex)
{
    exchange_answer(ex, 200, "text/plain", "hello", 5);
    return VERDICT_DONE;
}

static enum verdict handle_wait(struct exchange *ex)
{
    const char *key = exchange_query(ex, "key");
    uint64_t ticket = parking_ticket(http_server_parking(server), key);
    if (ex->wake == WAKE_START)
        return exchange_wait(ex, key, ticket, clock_mono_ms() + MS_PER_HOUR, true);
    return handle_hello(ex);
}

static enum verdict handle_wake(struct exchange *ex)
{
    parking_notify_all(http_server_parking(server));
    return handle_hello(ex);
}

static enum verdict handle_parked(struct exchange *ex)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%zu", parking_count(http_server_parking(server)));
    exchange_answer(ex, 200, "text/plain", text, (size_t)len);
    return VERDICT_DONE;
}

static const struct route routes[] = {
    {"GET", "/hello", "hello", 0, handle_hello, NULL},
    {"GET", "/wait", "wait", 0, handle_wait, NULL},
    {"GET", "/wake", "wake", 0, handle_wake, NULL},
    {"GET", "/parked", "parked", 0, handle_parked, NULL},
    {0},
};

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void serve(int report)
{
    struct buf why = {0};
    struct http_server_options options = {
        .host = "127.0.0.1", .workers = WORKERS, .routes = routes, .version = "bench"};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    server = http_server_new(&options, &why);
    if (!server) {
        fprintf(stderr, "%s\n", buf_text(&why));
        _exit(EXIT_FAILURE);
    }
    int port = http_server_port(server);
    if (write(report, &port, sizeof port) != (ssize_t)sizeof port)
        _exit(EXIT_FAILURE);
    http_server_run(server, 0);
    _exit(EXIT_SUCCESS);
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    return fd;
}

static void ask(int fd, const char *target)
{
    char request[512];
    int len = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAuthorization: Bearer "
        "pc_0123456789012345678901234567890123456789012\r\n"
        "User-Agent: bench/1.0\r\nAccept: application/json, text/event-stream\r\nContent-Type: "
        "application/json\r\n"
        "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: wait_for_message\r\n\r\n",
        target);
    if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        fail("send");
}

/* The small answers of these routes come in one piece. */
static void answer(int fd, char *out, size_t size)
{
    ssize_t len = recv(fd, out, size - 1, 0);
    if (len <= 0)
        fail("recv");
    out[len] = '\0';
}

static long resident_kb(pid_t pid)
{
    char path[64];
    long total, resident;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%ld %ld", &total, &resident) != 2)
        fail(path);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void bench_load(int port)
{
    struct epoll_event events[EVENTS];
    char text[1024];
    int poller = epoll_create1(EPOLL_CLOEXEC), fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = connect_to(port);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event);
        ask(fds[i], "/hello");
    }
    int64_t began = clock_mono_ms(), answered = 0;
    while (clock_mono_ms() - began < LOAD_MS) {
        int count = epoll_wait(poller, events, EVENTS, 100);
        for (int i = 0; i < count; i++) {
            answer(events[i].data.fd, text, sizeof text);
            ask(events[i].data.fd, "/hello");
            answered++;
        }
    }
    printf("requests over %d connections: %.0f a second\n", CLIENTS,
        (double)answered * MS_PER_SECOND / (double)(clock_mono_ms() - began));
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    close(poller);
}

static void wait_parked(int control, int wanted)
{
    char text[1024];
    int parked = -1;
    for (int tries = 0; tries < 2000 && parked != wanted; tries++) {
        ask(control, "/parked");
        answer(control, text, sizeof text);
        const char *body = strstr(text, "\r\n\r\n");
        parked = body ? atoi(body + 4) : -1;
        poll(NULL, 0, 5);
    }
    if (parked != wanted)
        fail("not all parked");
}

static void bench_parked(int port, pid_t pid)
{
    char text[1024], target[64];
    int control = connect_to(port);
    long before_kb = resident_kb(pid);
    int *fds = xcalloc(PARKED, sizeof *fds);
    for (int i = 0; i < PARKED; i++) {
        fds[i] = connect_to(port);
        snprintf(target, sizeof target, "/wait?key=agent%d@bench", i);
        ask(fds[i], target);
    }
    wait_parked(control, PARKED);
    printf("%d parked waits: %ld KB resident (%ld KB before)\n", PARKED, resident_kb(pid), before_kb);

    int64_t began = clock_mono_ms();
    ask(control, "/wake");
    for (int i = 0; i < PARKED; i++)
        answer(fds[i], text, sizeof text);
    printf("all %d answered after %lld ms\n", PARKED, (long long)(clock_mono_ms() - began));
    for (int i = 0; i < PARKED; i++)
        close(fds[i]);
    free(fds);
    close(control);
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int report[2], port = 0;
    if (pipe(report) != 0)
        fail("pipe");
    pid_t pid = fork();
    if (pid == 0)
        serve(report[1]);
    if (pid < 0 || read(report[0], &port, sizeof port) != (ssize_t)sizeof port)
        fail("server");
    bench_load(port);
    bench_parked(port, pid);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return EXIT_SUCCESS;
}
