/* bench_stored: how the cost of reading, searching, sending and cleaning up grows with what is stored.
 *
 * STORED_COUNT (1000,100000,1000000) messages between some agents, all read; STORED_LOOKS (300) of each call.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../relay/store/store.h"
#include "load.h"
#include "raw.h"

enum { LIST_MAX = 8, THREADS = 64, BATCH = 10, WRITERS = 50, CLEANED = 100000 };

static const double target_growth = 1.3;

static char *agent_name(size_t number)
{
    return xasprintf("a%zu", number);
}

static struct store *open_store(const char *data_dir)
{
    struct buf why = {0};
    const struct store_options options = {.data_dir = data_dir, .role = STORE_ROLE_RELAY};
    struct store *s = store_open_sqlite(&options, &why);
    bench_must(s != NULL, buf_text(&why));
    return s;
}

/* ---- filling ---- */

struct filler {
    struct store *s;
    pthread_t thread;
    size_t number, messages;
};

static void send_one(struct store *s, const char *from, const char *to, const char *content)
{
    char id[UUID_SIZE];
    uuid_v7(id);
    const struct store_caller caller = {.namespace_id = "bench", .agent = from};
    const struct store_send send = {.message_id = id,
        .recipients = &(struct store_recipient){.agent = to},
        .recipients_count = 1,
        .content = content,
        .content_len = strlen(content),
        .ungated = true};
    struct store_send_result result;
    bench_must(store_send(s, &caller, &send, &result) == STORE_DONE, "a send");
    store_send_result_free(&result);
}

static void take_all(struct store *s, const char *agent)
{
    char lease[UUID_SIZE];
    uuid_v4(lease);
    const struct store_caller caller = {.namespace_id = "bench", .agent = agent};
    const struct store_offer offer = {.lease = lease, .max_messages = 1000, .max_bytes = 10 * 1000 * 1000};
    struct store_offer_result result;
    bench_must(store_offer(s, &caller, &offer, &result) == STORE_DONE, "an offer");
    const char **ids = xcalloc(result.messages.count + 1, sizeof *ids);
    for (size_t i = 0; i < result.messages.count; i++)
        ids[i] = result.messages.items[i].id;
    bench_must(
        store_ack(s, &caller, lease, ids, result.messages.count, RELEASE_NONE, NULL) == STORE_DONE, "an ack");
    free(ids);
    store_offer_result_free(&result);
}

/* Each thread has a pair of agents of its own, and reads what it has written. */
static void *fill_run(void *arg)
{
    struct filler *filler = arg;
    char *from = agent_name(2 + filler->number % WRITERS), *to = agent_name(2 + WRITERS + filler->number);
    char text[RAW_CONTENT + 32];
    for (size_t i = 0; i < filler->messages; i++) {
        snprintf(text, sizeof text, "%s word%zu", raw_content(), (i * THREADS + filler->number) % 5000);
        send_one(filler->s, from, to, text);
        if (i % 500 == 499)
            take_all(filler->s, to);
    }
    take_all(filler->s, to);
    free(from);
    free(to);
    return NULL;
}

static void fill(const char *data_dir, size_t messages)
{
    static struct filler fillers[THREADS];
    struct store *s = open_store(data_dir);
    for (size_t i = 0; i < THREADS; i++) {
        fillers[i] = (struct filler){.s = s, .number = i, .messages = messages / THREADS + 1};
        bench_must(pthread_create(&fillers[i].thread, NULL, fill_run, &fillers[i]) == 0, "a thread");
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(fillers[i].thread, NULL);
    /* The agents of the measurement have a history and something to read. */
    for (size_t i = 0; i < BATCH; i++)
        send_one(s, "a0", "a1", "needle in the haystack");
    take_all(s, "a1");
    send_one(s, "a0", "a1", "two of them");
    send_one(s, "a0", "a1", "are waiting");
    store_close(s);
}

/* ---- measuring ---- */

static const struct look {
    const char *series, *tool, *args, *expect;
} looks[] = {
    {"inbox of two messages", "inbox", "{}", "are waiting"},
    {"recall of the last 10", "recall", "{\"limit\":10}", "needle"},
    {"search for a word", "recall", "{\"query\":\"needle\"}", "needle"},
};

static void measure_look(const struct relay_process *relay, const struct look *look, size_t stored)
{
    struct samples took_us = {0};
    const int fd = load_connect(relay);
    char lease[UUID_SIZE];
    uuid_v4(lease);
    char *request = load_request_leased("a1", look->tool, look->args, lease);
    for (size_t i = bench_setting("STORED_LOOKS", 300); i > 0; i--) {
        const int64_t began_us = now_us();
        load_send(fd, request);
        load_answer(fd, look->expect);
        samples_add(&took_us, (double)(now_us() - began_us));
    }
    free(request);
    close(fd);
    figures_add(look->series, (double)stored, "us", &took_us);
}

static void measure_sends(const struct relay_process *relay, size_t stored)
{
    struct samples took_us = {0};
    const int fd = load_connect(relay);
    for (size_t i = bench_setting("STORED_LOOKS", 300); i > 0; i--) {
        char args[64];
        snprintf(args, sizeof args, "{\"to\":\"a%zu\",\"content\":\"one more\"}", 2 + WRITERS + i % THREADS);
        char *request = load_request("a0", "send_message", args);
        const int64_t began_us = now_us();
        load_send(fd, request);
        load_answer(fd, "Sent to");
        samples_add(&took_us, (double)(now_us() - began_us));
        free(request);
    }
    close(fd);
    figures_add("durable send", (double)stored, "us", &took_us);
}

/* Everything is past its retention then. */
static void measure_cleanup(const char *data_dir)
{
    struct store *s = open_store(data_dir);
    struct store_cleanup_result result;
    const int64_t began_us = now_us();
    bench_must(store_cleanup(s, 0, MS_PER_HOUR, false, &result) == STORE_DONE, "a cleanup");
    const double took_ms = (double)(now_us() - began_us) / 1000;
    figures_put("cleanup: messages expired", (double)result.expired, "ms", took_ms);
    store_cleanup_result_free(&result);
    store_close(s);
}

static void run(size_t stored)
{
    const char *data_dir = temp_folder();
    load_agents(data_dir, 2 + WRITERS + THREADS);
    fill(data_dir, stored);
    const int64_t began_us = now_us();
    struct relay_process *relay = relay_start(data_dir, NULL);
    figures_put("start of the relay", (double)stored, "ms", (double)(now_us() - began_us) / 1000);
    for (size_t i = 0; i < LENGTH_OF(looks); i++)
        measure_look(relay, &looks[i], stored);
    measure_sends(relay, stored);
    relay_stop(relay);
    if (stored == CLEANED)
        measure_cleanup(data_dir);
    harness_cleanup();
}

int main(void)
{
    size_t stored[LIST_MAX];
    bench_init("bench_stored");
    const size_t count = bench_list("STORED_COUNT", "1000,100000,1000000", stored, LIST_MAX);
    figures_begin("stored", "Calls over what is stored", "messages");
    for (size_t i = 0; i < count; i++)
        run(stored[i]);
    const double few = figures_get(looks[0].series, 1000), many = figures_get(looks[0].series, 1000000);
    if (few > 0 && many > 0)
        figures_target("inbox with 1,000,000 stored messages", "us", many, "with 1,000", few,
            "at most 1.3 times", many <= target_growth * few);
    figures_end();
    return EXIT_SUCCESS;
}
