/* bench_wake: from the send to the answer of a parked wait, with other agents' waits parked, over plain HTTP;
 * beside it what one fdatasync costs on the same disk, because no send is acknowledged before one.
 *
 * WAKE_PARKED (0,1000,10000) others, WAKE_ROUNDS (1000) sends one after the other. */
#include <stdlib.h>
#include <unistd.h>

#include "load.h"
#include "raw.h"

enum { LIST_MAX = 8, TARGET_PARKED = 1000, TARGET_MEDIAN_US = 1000, TARGET_P99_US = 5000 };

struct measured {
    struct samples wake_us, sync_us;
};

/* Agent a0 sends, agent a1 waits; and one fdatasync, so that both see the same load of the machine. */
static void measure(const struct relay_process *relay, size_t parked, int sync_fd, struct measured *out)
{
    const size_t rounds = bench_setting("WAKE_ROUNDS", 1000);
    const int sender = load_connect(relay), waiter = load_connect(relay);
    char *send_request = load_request("a0", "send_message", "{\"to\":\"a1\",\"content\":\"wake up\"}");
    char *wait_request = load_request("a1", "wait_for_message", "{\"timeout_seconds\":600}");
    for (size_t i = 0; i < rounds; i++) {
        samples_add(&out->sync_us, (double)raw_sync(sync_fd));
        load_send(waiter, wait_request);
        bench_must(relay_await_parked(relay, (int64_t)parked + 1), "the wait did not park");
        const int64_t began_us = now_us();
        load_send(sender, send_request);
        load_answer(waiter, "wake up");
        samples_add(&out->wake_us, (double)(now_us() - began_us));
        load_answer(sender, "Sent to a1");
    }
    close(sender);
    close(waiter);
    free(send_request);
    free(wait_request);
}

static void report_target(struct measured *m)
{
    const double sync_us = samples_median(&m->sync_us), median_us = samples_median(&m->wake_us) - sync_us,
                 p99_us = samples_at(&m->wake_us, 0.99) - sync_us;
    figures_target("send to parked wait, 1,000 others, above one fdatasync: median", "us", median_us,
        "one fdatasync", sync_us, "at most 1 ms", median_us <= TARGET_MEDIAN_US);
    figures_target("send to parked wait, 1,000 others, above one fdatasync: p99", "us", p99_us,
        "one fdatasync", sync_us, "at most 5 ms", p99_us <= TARGET_P99_US);
}

static void run(size_t parked)
{
    struct measured m = {0};
    const char *data_dir = temp_folder();
    const int sync_fd = raw_sync_open();
    load_agents(data_dir, parked + 2);
    struct relay_process *relay = relay_start(data_dir, NULL);
    int *others = load_park(relay, 2, parked);
    measure(relay, parked, sync_fd, &m);
    if (parked == TARGET_PARKED)
        report_target(&m);
    figures_add("send to answer of the wait", (double)parked, "us", &m.wake_us);
    figures_add("one fdatasync meanwhile", (double)parked, "us", &m.sync_us);
    for (size_t i = 0; i < parked; i++)
        close(others[i]);
    free(others);
    close(sync_fd);
    harness_cleanup();
}

int main(void)
{
    size_t parked[LIST_MAX];
    bench_init("bench_wake");
    const size_t count = bench_list("WAKE_PARKED", "0,1000,10000", parked, LIST_MAX);
    figures_begin("wake", "From a send to the answer of a parked wait", "parked");
    for (size_t i = 0; i < count; i++)
        run(parked[i]);
    figures_end();
    return EXIT_SUCCESS;
}
