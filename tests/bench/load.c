#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/mcp.h"
#include "../../common/secret.h"
#include "../../relay/store/store.h"
#include "../harness_store.h"
#include "raw.h"

enum { ANSWER_MAX = 64 * 1024, EVENTS = 256, PATIENCE_MS = 100 };

static void add_agents(const struct store_options *options, size_t count)
{
    struct buf why = {0};
    struct store *store = store_open(options, &why);
    bench_must(store != NULL, buf_text(&why));
    for (size_t i = 0; i < count; i++) {
        char name[24], space[] = "bench";
        snprintf(name, sizeof name, "a%zu", i);
        struct store_token token = {
            .namespace_id = space, .agent = name, .active = true, .created_ms = clock_wall_ms()};
        secret_sha256_hex(name, strlen(name), token.hash);
        enum store_refusal refusal;
        bench_must(store_token_add(store, &token, &refusal) == STORE_DONE, "cannot add a token");
    }
    store_close(store);
    buf_free(&why);
}

void load_agents(const char *data_dir, size_t count)
{
    add_agents(&(struct store_options){.data_dir = data_dir, .role = STORE_ROLE_ADMIN}, count);
}

/* The one database that is measured there is emptied. */
static struct relay_process *relay_on_supabase(size_t agents)
{
    const char *name = getenv("PATCHCORD_TEST_DIRECT");
    bench_must(name != NULL, "PATCHCORD_TEST_DIRECT is not set");
    char *database = harness_database_url_named(name),
         *project = xasprintf("SUPABASE_URL=%s/%s", getenv("PATCHCORD_TEST_SUPABASE"), name);
    harness_sql(database,
        "truncate agent_messages, message_words, agent_queues, agent_looks, agent_registry, bearer_tokens "
        "cascade",
        NULL);
    add_agents(&(struct store_options){.database_url = database, .role = STORE_ROLE_ADMIN}, agents);
    char *key = xasprintf("SUPABASE_KEY=%s", getenv("PATCHCORD_TEST_SUPABASE_KEY")),
         *ca = xasprintf("PATCHCORD_CA_FILE=%s", getenv("PATCHCORD_TEST_SUPABASE_CA"));
    struct relay_process *relay = relay_start(NULL, (const char *const[]){project, key, ca, NULL});
    free(key);
    free(ca);
    free(database);
    free(project);
    return relay;
}

struct relay_process *load_relay(size_t agents)
{
    if (harness_store_is("supabase"))
        return relay_on_supabase(agents);
    const char *data_dir = temp_folder();
    char *database = harness_store_is("postgres") ? harness_database_url(data_dir) : NULL;
    add_agents(
        &(struct store_options){.data_dir = data_dir, .database_url = database, .role = STORE_ROLE_ADMIN},
        agents);
    free(database);
    return relay_start(data_dir, NULL);
}

int load_connect(const struct relay_process *relay)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)relay->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_must(
        fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0, "cannot connect to the relay");
    return fd;
}

static char *make_request(
    const char *token, const char *tool, const char *args, const char *header, const char *meta)
{
    char *body =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\","
                  "\"arguments\":%s,\"_meta\":{\"" MCP_META_VERSION "\":\"" MCP_MODERN_VERSION
                  "\",\"" MCP_META_CAPABILITIES "\":{}%s}}}",
            tool, args, meta);
    char *request = xasprintf("POST /mcp/bearer HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer %s\r\n"
                              "Content-Type: application/json\r\nAccept: application/json\r\n"
                              "MCP-Protocol-Version: " MCP_MODERN_VERSION "\r\nMcp-Method: tools/call\r\n"
                              "Mcp-Name: %s\r\n%sContent-Length: %zu\r\n\r\n%s",
        token, tool, header, strlen(body), body);
    free(body);
    return request;
}

char *load_request(const char *token, const char *tool, const char *args)
{
    return make_request(token, tool, args, "", "");
}

char *load_request_leased(const char *token, const char *tool, const char *args, const char *lease)
{
    char *meta = xasprintf(",\"" PATCHCORD_META_LEASE "\":\"%s\"", lease);
    char *request = make_request(token, tool, args, "X-Patchcord-Ack: 1\r\n", meta);
    free(meta);
    return request;
}

void load_send(int fd, const char *request)
{
    const size_t len = strlen(request);
    bench_must(send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len, "cannot send a request");
}

/* How long the answer is whose first bytes these are; 0: not known yet. */
static size_t answer_len(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "content-length:");
    if (!end || !length || length > end)
        return 0;
    return (size_t)(end + 4 - answer) + strtoul(length + strlen("content-length:"), NULL, 10);
}

static void expect(const char *answer, const char *text)
{
    if (text)
        bench_must(strstr(answer, text) != NULL, answer);
}

void load_answer(int fd, const char *text)
{
    static char answer[ANSWER_MAX + 1];
    size_t len = 0, need = 0;
    while (need == 0 || len < need) {
        const ssize_t got = recv(fd, answer + len, ANSWER_MAX - len, 0);
        bench_must(got > 0, "the relay closed a connection");
        len += (size_t)got;
        answer[len] = '\0';
        need = answer_len(answer);
        bench_must(need <= ANSWER_MAX && len <= ANSWER_MAX, "an answer is too long");
    }
    expect(answer, text);
}

/* ---- the closed loop ---- */

struct channel {
    int fd;
    size_t number;
    int64_t began_us;
    size_t len;
    char answer[ANSWER_MAX / 4 + 1];
};

static void ask(struct load *load, struct channel *channel, size_t index)
{
    const char *answer = channel->number > 0 ? channel->answer : NULL;
    const char *request = load->next(load->arg, index, channel->number++, answer);
    channel->began_us = now_us();
    channel->len = 0;
    load_send(channel->fd, request);
}

/* True when the answer is whole. */
static bool hear(const struct load *load, struct channel *channel)
{
    const ssize_t got =
        recv(channel->fd, channel->answer + channel->len, sizeof channel->answer - 1 - channel->len, 0);
    bench_must(got > 0, "the relay closed a connection");
    channel->len += (size_t)got;
    channel->answer[channel->len] = '\0';
    const size_t need = answer_len(channel->answer);
    if (need == 0 || channel->len < need)
        return false;
    expect(channel->answer, load->expect);
    return true;
}

struct loop {
    struct load *load;
    struct channel *channels;
    size_t *idle; /* connections that may ask */
    size_t idle_count, asked, under_way;
    int64_t began_us;
};

static void loop_open(struct loop *loop, int poller)
{
    const size_t count = loop->load->connections;
    loop->channels = xcalloc(count, sizeof *loop->channels);
    loop->idle = xcalloc(count, sizeof *loop->idle);
    for (size_t i = 0; i < count; i++) {
        const bool is_other = loop->load->other && i % 2 == 1;
        loop->channels[i].fd = load_connect(is_other ? loop->load->other : loop->load->relay);
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
        bench_must(epoll_ctl(poller, EPOLL_CTL_ADD, loop->channels[i].fd, &event) == 0, "epoll");
        loop->idle[loop->idle_count++] = count - 1 - i;
    }
    loop->began_us = now_us();
}

static bool loop_has_time(const struct loop *loop)
{
    const struct load *load = loop->load;
    return (load->at_most == 0 || loop->asked < load->at_most) && now_us() - loop->began_us < load->ms * 1000;
}

/* When the next request is due. */
static int64_t loop_due_us(const struct loop *loop)
{
    const double rate = loop->load->rate;
    return loop->began_us + (rate > 0 ? (int64_t)((double)loop->asked * 1e6 / rate) : 0);
}

/* Asks what is due; how long there is nothing to ask, in milliseconds. */
static int loop_ask(struct loop *loop)
{
    while (loop->idle_count > 0 && loop_has_time(loop) && now_us() >= loop_due_us(loop)) {
        const size_t index = loop->idle[--loop->idle_count];
        ask(loop->load, &loop->channels[index], index);
        loop->asked++;
        loop->under_way++;
    }
    if (loop->idle_count == 0 || !loop_has_time(loop))
        return PATIENCE_MS;
    const int64_t left_us = loop_due_us(loop) - now_us();
    return left_us <= 0 ? 0 : (int)(left_us / 1000);
}

static void loop_hear(struct loop *loop, size_t index)
{
    struct channel *channel = &loop->channels[index];
    if (!hear(loop->load, channel))
        return;
    samples_add(&loop->load->latency_us, (double)(now_us() - channel->began_us));
    loop->load->answered++;
    loop->under_way--;
    loop->idle[loop->idle_count++] = index;
}

static bool loop_goes_on(const struct loop *loop)
{
    return loop_has_time(loop) || (loop->under_way > 0 && !loop->load->hangs_up);
}

void load_run(struct load *load)
{
    struct epoll_event events[EVENTS];
    struct loop loop = {.load = load};
    const int poller = epoll_create1(EPOLL_CLOEXEC);
    bench_must(poller >= 0, "epoll");
    loop_open(&loop, poller);
    load->answered = 0;
    while (loop_goes_on(&loop)) {
        const int patience_ms = loop_ask(&loop), count = epoll_wait(poller, events, EVENTS, patience_ms);
        for (int i = 0; i < count; i++)
            loop_hear(&loop, (size_t)events[i].data.u64);
    }
    load->took_us = now_us() - loop.began_us;
    for (size_t i = 0; i < load->connections; i++)
        close(loop.channels[i].fd);
    close(poller);
    free(loop.channels);
    free(loop.idle);
}

double load_rate(const struct load *load)
{
    return (double)load->answered * 1e6 / (double)load->took_us;
}

const char *load_next_send(void *arg, size_t connection, size_t number, const char *answer)
{
    static char *requests[LOAD_SENDERS];
    char token[24], args[RAW_CONTENT + 64];
    (void)arg, (void)answer;
    bench_must(connection < LOAD_SENDERS, "at most 256 connections can send");
    snprintf(token, sizeof token, "a%zu", connection);
    snprintf(args, sizeof args, "{\"to\":\"a%zu\",\"content\":\"%s\"}",
        LOAD_SENDERS + (connection * 31 + number) % LOAD_RECIPIENTS, raw_content());
    free(requests[connection]);
    return requests[connection] = load_request(token, "send_message", args);
}

int *load_park(const struct relay_process *relay, size_t first, size_t count)
{
    int *fds = xcalloc(count + 1, sizeof *fds);
    for (size_t i = 0; i < count; i++) {
        char token[24];
        snprintf(token, sizeof token, "a%zu", first + i);
        char *request = load_request(token, "wait_for_message", "{\"timeout_seconds\":3600}");
        fds[i] = load_connect(relay);
        load_send(fds[i], request);
        free(request);
    }
    bench_must(relay_await_parked(relay, (int64_t)count), "the waits did not park");
    return fds;
}
