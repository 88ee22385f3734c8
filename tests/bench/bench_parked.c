/* bench_parked: what the relay's memory is with many waits parked, plain and as event streams, and how long
 * until all of them have their answer: a message for each by one send after the other, and the relay's own
 * news.
 *
 * PARKED_COUNT (10000). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "load.h"
#include "raw.h"

enum { TARGET_KB = 100 * 1000, TARGET_WAKE_MS = 1000, PIECE = 4096 };

/* Event streams of the agents. */
static int *open_streams(const struct relay_process *relay, size_t count)
{
    int *fds = xcalloc(count, sizeof *fds);
    for (size_t i = 0; i < count; i++) {
        char request[256];
        snprintf(request, sizeof request,
            "GET /api/events HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer a%zu\r\nAccept: "
            "text/event-stream\r\n\r\n",
            i);
        fds[i] = load_connect(relay);
        load_send(fds[i], request);
    }
    bench_must(relay_await_parked(relay, (int64_t)count), "the streams did not park");
    return fds;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    free(fds);
}

/* The relay ends: each of its waits is answered once, without a disk in between. */
static int64_t wake_all_ms(struct relay_process *relay, const int *fds, size_t count)
{
    char piece[PIECE];
    const int64_t began_us = now_us();
    bench_must(kill(relay->pid, SIGTERM) == 0, "SIGTERM");
    for (size_t i = 0; i < count; i++)
        bench_must(recv(fds[i], piece, sizeof piece, 0) > 0, "a wait had no answer");
    return (now_us() - began_us) / 1000;
}

/* A message for each, by one sender. */
static int64_t send_all_ms(const struct relay_process *relay, const int *fds, size_t count)
{
    char token[24];
    const int sender = load_connect(relay);
    snprintf(token, sizeof token, "a%zu", count);
    const int64_t began_us = now_us();
    for (size_t i = 0; i < count; i++) {
        char args[64];
        snprintf(args, sizeof args, "{\"to\":\"a%zu\",\"content\":\"wake up\"}", i);
        char *request = load_request(token, "send_message", args);
        load_send(sender, request);
        load_answer(sender, "Sent to");
        free(request);
    }
    for (size_t i = 0; i < count; i++)
        load_answer(fds[i], "wake up");
    close(sender);
    return (now_us() - began_us) / 1000;
}

static struct relay_process *begin(size_t count)
{
    const char *data_dir = temp_folder();
    load_agents(data_dir, count + 1);
    return relay_start(data_dir, NULL);
}

static void measure_waits(size_t count)
{
    struct relay_process *relay = begin(count);
    const double before_kb = (double)process_status(relay->pid, "VmRSS");
    int *fds = load_park(relay, 0, count);
    const double with_kb = (double)process_status(relay->pid, "VmRSS");
    figures_put("resident, nothing parked", 0, "KB", before_kb);
    figures_put("resident, waits parked", (double)count, "KB", with_kb);
    const double woken_ms = (double)wake_all_ms(relay, fds, count);
    figures_put("all waits answered (the relay ends)", (double)count, "ms", woken_ms);
    figures_target("10,000 parked waits, plain HTTP: resident", "KB", with_kb, NULL, 0, "at most 100 MB",
        with_kb <= TARGET_KB);
    figures_target(
        "10,000 parked waits: all woken", "ms", woken_ms, NULL, 0, "within 1 s", woken_ms <= TARGET_WAKE_MS);
    close_all(fds, count);
    harness_cleanup();
}

static void measure_messages(size_t count)
{
    struct relay_process *relay = begin(count);
    int *fds = load_park(relay, 0, count);
    const int sync_fd = raw_sync_open();
    struct samples sync_us = {0};
    for (int i = 0; i < 200; i++)
        samples_add(&sync_us, (double)raw_sync(sync_fd));
    close(sync_fd);
    figures_put("a message for each, one after the other", (double)count, "ms",
        (double)send_all_ms(relay, fds, count));
    figures_add("one fdatasync", (double)count, "us", &sync_us);
    close_all(fds, count);
    harness_cleanup();
}

static void measure_streams(size_t count)
{
    struct relay_process *relay = begin(count);
    const double before_kb = (double)process_status(relay->pid, "VmRSS");
    int *fds = open_streams(relay, count);
    figures_put(
        "resident, event streams open", (double)count, "KB", (double)process_status(relay->pid, "VmRSS"));
    figures_put("an event stream", (double)count, "KB",
        ((double)process_status(relay->pid, "VmRSS") - before_kb) / (double)count);
    close_all(fds, count);
    harness_cleanup();
}

int main(void)
{
    bench_init("bench_parked");
    const size_t count = bench_setting("PARKED_COUNT", 10000);
    figures_begin("parked", "Many waits parked", "parked");
    measure_waits(count);
    measure_messages(count);
    measure_streams(count);
    figures_end();
    return EXIT_SUCCESS;
}
