/* bench_start: from the spawn of the relay to its first answer, with an empty store and with a large one.
 *
 * START_MB (1000) of messages, START_ROUNDS (5) starts each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../common/alloc.h"
#include "../../relay/store/store.h"
#include "load.h"

enum { MESSAGE_BYTES = 50000, TAKEN_TOGETHER = 100 };

static void fill(const char *data_dir, size_t megabytes)
{
    struct buf why = {0};
    const struct store_options options = {.data_dir = data_dir, .role = STORE_ROLE_RELAY};
    struct store *s = store_open_sqlite(&options, &why);
    bench_must(s != NULL, buf_text(&why));
    char *content = xmalloc(MESSAGE_BYTES);
    memset(content, 'm', MESSAGE_BYTES);
    const struct store_caller from = {.namespace_id = "bench", .agent = "a0"},
                              to = {.namespace_id = "bench", .agent = "a1"};
    struct store_send send = {.recipients = &(struct store_recipient){.agent = "a1"},
        .recipients_count = 1,
        .content = content,
        .content_len = MESSAGE_BYTES,
        .ungated = true};
    const char *ids[TAKEN_TOGETHER];
    char texts[TAKEN_TOGETHER][UUID_SIZE];
    for (size_t i = 0; i < megabytes * 1000 * 1000 / MESSAGE_BYTES; i++) {
        struct store_send_result result;
        uuid_v7(texts[i % TAKEN_TOGETHER]);
        ids[i % TAKEN_TOGETHER] = send.message_id = texts[i % TAKEN_TOGETHER];
        bench_must(store_send(s, &from, &send, &result) == STORE_DONE, "a send");
        store_send_result_free(&result);
        if (i % TAKEN_TOGETHER == TAKEN_TOGETHER - 1)
            bench_must(
                store_ack(s, &to, NULL, ids, TAKEN_TOGETHER, RELEASE_NONE, NULL) == STORE_DONE, "an ack");
    }
    free(content);
    store_close(s);
}

static double database_mb(const char *data_dir)
{
    struct stat info;
    char *path = xasprintf("%s/patchcord.db", data_dir);
    bench_must(stat(path, &info) == 0, path);
    free(path);
    return (double)info.st_size / 1e6;
}

static void run(size_t megabytes)
{
    struct samples took_ms = {0};
    const char *data_dir = temp_folder();
    load_agents(data_dir, 2);
    if (megabytes > 0)
        fill(data_dir, megabytes);
    for (size_t i = bench_setting("START_ROUNDS", 5); i > 0; i--) {
        const int64_t began_us = now_us();
        struct relay_process *relay = relay_start(data_dir, NULL);
        samples_add(&took_ms, (double)(now_us() - began_us) / 1000);
        relay_stop(relay);
    }
    figures_add("spawn to first answer", database_mb(data_dir), "ms", &took_ms);
    harness_cleanup();
}

int main(void)
{
    bench_init("bench_start");
    figures_begin("start", "Start of the relay", "MB stored");
    run(0);
    run(bench_setting("START_MB", 1000));
    figures_end();
    return EXIT_SUCCESS;
}
