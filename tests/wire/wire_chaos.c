/* Chaos: 20 agents in two namespaces, each behind its own bridge, send, reply and wait at random. Every
 * message is received once, whole, in the order of its pair, and by nobody else. The agents of both
 * namespaces have the same names, so that whatever crosses the border is seen.
 *
 * CHAOS_SECONDS (5) tells how long they send, CHAOS_SEED makes them do it the same way again. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness_talk.h"

enum {
    NAMESPACES = 2,
    AGENTS = 10, /* of each namespace */
    BRIDGES = NAMESPACES * AGENTS,
    THINK_MAX_US = 120 * 1000, /* between an agent's sends */
    CONTENT_MAX = 900,         /* bytes of noise in a message */
    REPLY_ONE_IN = 3,
    DRAIN_MS = 60 * 1000,
    MARGIN_S = 240, /* of the test's limit beyond the sending */
};

static const char *const namespaces[NAMESPACES] = {"red", "blue"};

/* A message under way; of one pair they are in the order in which they were sent. */
struct expected {
    char *content;
    int64_t sent_us;
    TAILQ_ENTRY(expected) entries;
};
TAILQ_HEAD(expected_list, expected);

enum op { OP_NONE, OP_SEND, OP_REPLY };

struct agent {
    size_t space, number;
    struct bridge_process *bridge;
    int64_t wait_id;
    enum op op; /* one at a time, so that the order of each pair is known */
    int64_t op_id, next_op_us;
    size_t op_to;
    char *reply_id; /* a message to reply to next, from agent reply_to */
    size_t reply_to;
};

struct chaos {
    uint64_t random;
    struct agent agents[BRIDGES];
    struct expected_list under_way[NAMESPACES][AGENTS][AGENTS]; /* [from][to] */
    bool sending;
    uint64_t counter;
    size_t sent, replied, received, redelivered, gated, waits;
    int64_t *latencies_us;
};

static uint64_t draw(struct chaos *chaos, uint64_t below)
{
    return chance(&chaos->random, below);
}

/* Several lines of letters, blanks and what JSON has to escape, told apart by a number. */
static char *noise(struct chaos *chaos, const struct agent *from, size_t to)
{
    static const char *const letters[] = {
        "a", "b", " ", "\n", "\"", "\\", "\u00e9", "\u6f22", "\U0001f680", "> ", "/", "\t", "[", "From "};
    struct buf text = {0};
    buf_printf(&text, "%s/a%zu to a%zu number %llu: ", namespaces[from->space], from->number, to,
        (unsigned long long)++chaos->counter);
    for (uint64_t len = draw(chaos, CONTENT_MAX); text.len < len;)
        buf_puts(&text, letters[draw(chaos, LENGTH_OF(letters))]);
    buf_puts(&text, "$");
    return buf_take(&text);
}

/* ---- sending ---- */

static struct expected_list *pair_of(struct chaos *chaos, const struct agent *from, size_t to)
{
    return &chaos->under_way[from->space][from->number][to];
}

static void op_begin(struct chaos *chaos, struct agent *agent)
{
    agent->op = agent->reply_id ? OP_REPLY : OP_SEND;
    agent->op_to = agent->reply_id ? agent->reply_to : (agent->number + 1 + draw(chaos, AGENTS - 1)) % AGENTS;
    struct expected *message = xcalloc(1, sizeof *message);
    message->content = noise(chaos, agent, agent->op_to);
    message->sent_us = now_us();
    TAILQ_INSERT_TAIL(pair_of(chaos, agent, agent->op_to), message, entries);
    char to[8];
    snprintf(to, sizeof to, "a%zu", agent->op_to);
    if (agent->op == OP_REPLY)
        agent->op_id = talk_begin(agent->bridge, "reply", "message_id", agent->reply_id, message->content);
    else
        agent->op_id = talk_begin(agent->bridge, "send_message", "to", to, message->content);
}

static void expected_free(struct expected *message)
{
    free(message->content);
    free(message);
}

/* A send that the inbox gate refused never arrives. */
static void op_take_back(struct chaos *chaos, struct agent *agent)
{
    struct expected_list *list = pair_of(chaos, agent, agent->op_to);
    struct expected *last = TAILQ_LAST(list, expected_list);
    ck_assert_ptr_nonnull(last);
    TAILQ_REMOVE(list, last, entries);
    expected_free(last);
    chaos->gated++;
}

static void op_end(struct chaos *chaos, struct agent *agent, const char *text, bool is_error)
{
    if (is_error) {
        ck_assert_msg(agent->op == OP_SEND && strstr(text, "unread"), "a%zu in %s: %s", agent->number,
            namespaces[agent->space], text);
        op_take_back(chaos, agent);
    }
    chaos->sent += !is_error && agent->op == OP_SEND;
    chaos->replied += !is_error && agent->op == OP_REPLY;
    if (agent->op == OP_REPLY) {
        free(agent->reply_id);
        agent->reply_id = NULL;
    }
    agent->op = OP_NONE;
    agent->next_op_us = now_us() + (int64_t)draw(chaos, THINK_MAX_US);
}

/* ---- receiving ---- */

static void message_receive(
    struct chaos *chaos, struct agent *agent, const char *header, const char *id, const char *content)
{
    struct agent from = {.space = agent->space};
    ck_assert_msg(
        sscanf(header, "From a%zu (", &from.number) == 1 && from.number < AGENTS, "no sender: %s", header);
    if (strstr(header, "attempt"))
        chaos->redelivered++;
    struct expected *message = TAILQ_FIRST(pair_of(chaos, &from, agent->number));
    ck_assert_msg(message != NULL, "a%zu in %s got what nobody sent it, or got it twice: %s\n%s",
        agent->number, namespaces[agent->space], header, content);
    ck_assert_msg(strcmp(message->content, content) == 0, "a%zu in %s: %s\ngot:      %s\nexpected: %s",
        agent->number, namespaces[agent->space], header, content, message->content);
    chaos->latencies_us =
        xreallocarray(chaos->latencies_us, chaos->received + 1, sizeof *chaos->latencies_us);
    chaos->latencies_us[chaos->received++] = now_us() - message->sent_us;
    TAILQ_REMOVE(pair_of(chaos, &from, agent->number), message, entries);
    expected_free(message);
    if (chaos->sending && !agent->reply_id && draw(chaos, REPLY_ONE_IN) == 0) {
        agent->reply_id = xstrdup(id);
        agent->reply_to = from.number;
    }
}

/* Takes the messages out of a wait's answer. */
static void answer_receive(struct chaos *chaos, struct agent *agent, const char *text)
{
    struct talk_heard heard = {0};
    while (talk_hear(&text, &heard))
        message_receive(chaos, agent, heard.header, heard.id, buf_text(&heard.content));
}

static void wait_begin(struct chaos *chaos, struct agent *agent)
{
    agent->wait_id = bridge_call_begin(agent->bridge, "wait_for_message", "{\"timeout_seconds\":120}");
    chaos->waits++;
}

static void line_take(struct chaos *chaos, struct agent *agent, struct json_object *line)
{
    bool is_error = false;
    int64_t id = -1;
    (void)json_get_int(line, "id", &id);
    const char *text = mcp_result_text(line, &is_error);
    if (id == agent->op_id && agent->op != OP_NONE) {
        op_end(chaos, agent, text, is_error);
        return;
    }
    ck_assert_msg(
        id == agent->wait_id && !is_error, "a%zu in %s: %s", agent->number, namespaces[agent->space], text);
    answer_receive(chaos, agent, text);
    wait_begin(chaos, agent);
}

/* ---- the course of things ---- */

static size_t count_under_way(struct chaos *chaos)
{
    size_t count = 0;
    struct expected *message;
    for (size_t space = 0; space < NAMESPACES; space++)
        for (size_t i = 0; i < AGENTS * AGENTS; i++)
            TAILQ_FOREACH(message, &chaos->under_way[space][i / AGENTS][i % AGENTS], entries)
    count++;
    return count;
}

static void serve_bridges(struct chaos *chaos)
{
    struct pollfd fds[BRIDGES];
    for (size_t i = 0; i < BRIDGES; i++)
        fds[i] = (struct pollfd){.fd = chaos->agents[i].bridge->out, .events = POLLIN};
    poll(fds, BRIDGES, 5);
    for (size_t i = 0; i < BRIDGES; i++) {
        struct json_object *line;
        while (fds[i].revents && (line = bridge_read(chaos->agents[i].bridge, 0))) {
            line_take(chaos, &chaos->agents[i], line);
            json_object_put(line);
        }
    }
}

static bool op_pending(const struct chaos *chaos)
{
    for (size_t i = 0; i < BRIDGES; i++)
        if (chaos->agents[i].op != OP_NONE)
            return true;
    return false;
}

static void send_at_random(struct chaos *chaos, int64_t until_us)
{
    chaos->sending = true;
    while (now_us() < until_us) {
        for (size_t i = 0; i < BRIDGES; i++)
            if (chaos->agents[i].op == OP_NONE && now_us() >= chaos->agents[i].next_op_us)
                op_begin(chaos, &chaos->agents[i]);
        serve_bridges(chaos);
    }
    chaos->sending = false;
}

static void chaos_start(struct chaos *chaos, struct relay_process *relay)
{
    for (size_t i = 0; i < BRIDGES; i++) {
        struct agent *agent = &chaos->agents[i];
        agent->space = i / AGENTS;
        agent->number = i % AGENTS;
        char *address = xasprintf("a%zu@%s", agent->number, namespaces[agent->space]);
        char *token = relay_token(relay, address);
        agent->bridge = bridge_start(relay, token, NULL);
        free(address);
        free(token);
        for (size_t to = 0; to < AGENTS; to++)
            TAILQ_INIT(pair_of(chaos, agent, to));
    }
    for (size_t i = 0; i < BRIDGES; i++)
        wait_begin(chaos, &chaos->agents[i]);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void chaos_report(struct chaos *chaos, int64_t took_us, uint64_t seed)
{
    qsort(chaos->latencies_us, chaos->received, sizeof *chaos->latencies_us, by_size);
    size_t last = chaos->received - 1;
    printf("chaos: %d agents in %d namespaces, %.1f s, seed %llu\n", BRIDGES, NAMESPACES,
        (double)took_us / 1e6, (unsigned long long)seed);
    printf("chaos: %zu sent, %zu replied, %zu received once and in order, %zu redelivered, %zu lost; %zu "
           "refused by the "
           "inbox gate; %zu waits\n",
        chaos->sent, chaos->replied, chaos->received, chaos->redelivered, count_under_way(chaos),
        chaos->gated, chaos->waits);
    printf("chaos: send to received: median %.1f ms, p99 %.1f ms, longest %.1f ms\n",
        (double)chaos->latencies_us[last / 2] / 1000, (double)chaos->latencies_us[last * 99 / 100] / 1000,
        (double)chaos->latencies_us[last] / 1000);
    fflush(stdout);
}

/* What the relay itself holds in the end: nothing is left over for anybody. */
static void inboxes_are_empty(struct chaos *chaos)
{
    for (size_t i = 0; i < BRIDGES; i++) {
        struct agent *agent = &chaos->agents[i];
        bool is_error = false;
        char *text = bridge_tool(agent->bridge, "inbox", NULL, &is_error);
        char *heading = xasprintf("a%zu@%s | 0 pending", agent->number, namespaces[agent->space]);
        ck_assert_msg(!is_error && strncmp(text, heading, strlen(heading)) == 0, "%s", text);
        free(heading);
        free(text);
    }
}

static void chaos_free(struct chaos *chaos)
{
    for (size_t i = 0; i < BRIDGES; i++)
        free(chaos->agents[i].reply_id);
    free(chaos->latencies_us);
}

static int seconds_of_chaos(void)
{
    const char *text = getenv("CHAOS_SECONDS");
    return text ? atoi(text) : 5;
}

START_TEST(every_message_arrives_once_and_in_order)
{
    static struct chaos chaos;
    const char *given = getenv("CHAOS_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    chaos = (struct chaos){.random = seed * 2 + 1};
    printf("chaos: seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    chaos_start(&chaos, relay_start(NULL, NULL));

    int64_t began_us = now_us();
    send_at_random(&chaos, began_us + (int64_t)seconds_of_chaos() * 1000000);
    int64_t deadline_us = now_us() + (int64_t)DRAIN_MS * 1000;
    while ((op_pending(&chaos) || count_under_way(&chaos) > 0) && now_us() < deadline_us)
        serve_bridges(&chaos);

    ck_assert_uint_gt(chaos.received, 0);
    chaos_report(&chaos, now_us() - began_us, seed);
    ck_assert_uint_eq(count_under_way(&chaos), 0);
    ck_assert_uint_eq(chaos.redelivered, 0);
    ck_assert_uint_eq(chaos.received, chaos.sent + chaos.replied);
    inboxes_are_empty(&chaos);
    chaos_free(&chaos);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chaos");
    TCase *tcase = harness_case(suite, "chaos");
    tcase_set_timeout(tcase, seconds_of_chaos() + MARGIN_S);
    tcase_add_test(tcase, every_message_arrives_once_and_in_order);
    return run_suite(suite);
}
