/* Torture: agents of two namespaces, each behind its own bridge, send, reply and wait at random, while the
 * relay and the bridges are killed, stopped and ended, the network between them is bad (proxy.h), and time
 * passes in leaps, so that leases run out. On a store that several relays can share there are two, and its
 * server falls over, too (server.h). Then everything is healed, and what senders were told is compared
 * with what recipients got and with what the store holds (ledger.h).
 *
 * TORTURE_SECONDS (20) tells how long it lasts, TORTURE_SEED begins the same chances again. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness_faults.h"
#include "../harness_process.h"
#include "../harness_store.h"
#include "../harness_talk.h"
#include "ledger.h"
#include "proxy.h"
#include "server.h"

enum {
    BRIDGES = LEDGER_SPACES * LEDGER_AGENTS,
    RELAYS_MAX = PROXY_TARGETS_MAX,
    THINK_MAX_US = 120 * 1000, /* between an agent's sends */
    REPLY_ONE_IN = 3,
    BLOW_MAX_US = 700 * 1000, /* between two blows */
    STOPPED_MAX_MS = 1500,
    CUT_MAX_MS = 1200,
    AWAY_MAX_MS = 500, /* between a relay's end and its return */
    ENDING_MAX_MS = 5000,
    DRAIN_MS = 90 * 1000,
    LEASE_LEAP_MS = 61 * 1000,   /* past a first lease */
    DRAIN_LEAP_MS = 3601 * 1000, /* past any */
    DRAIN_LEAP_EVERY_MS = 2000,
    MARGIN_S = 300, /* of the test's limit beyond the blows */
};

struct agent {
    struct party self;
    char *token, *state_dir;
    struct bridge_process *bridge;
    int64_t wait_id, op_id; /* 0: none under way */
    size_t op_number;
    int64_t next_op_us, stopped_until_us, deaf_until_us;
    bool dies_deaf;
    char *reply_id; /* a message to reply to next, from agent reply_to */
    size_t reply_to;
};

enum relay_state { RELAY_UP, RELAY_STOPPED, RELAY_ENDING, RELAY_AWAY };

struct target {
    struct relay_process *relay;
    enum relay_state state;
    int64_t until_us;
};

enum blow {
    BLOW_RELAY_KILL,
    BLOW_RELAY_STOP,
    BLOW_RELAY_END,
    BLOW_SERVER,
    BLOW_BRIDGE_KILL,
    BLOW_BRIDGE_STOP,
    BLOW_BRIDGE_END,
    BLOW_AGENT_DEAF,
    BLOW_CUT,
    BLOW_TIME,
    BLOWS,
};

struct torture {
    uint64_t random;
    struct agent agents[BRIDGES];
    struct target targets[RELAYS_MAX];
    size_t relays;
    int64_t next_blow_us;
    struct server *server;
    struct relay_process door; /* a relay as the bridges see it: the proxy */
    struct proxy *proxy;
    struct faults *faults;
    struct ledger *ledger;
    bool sending;
    int64_t blows[BLOWS], gated, waits, wait_errors, refused_late;
};

static uint64_t draw(struct torture *t, uint64_t below)
{
    return chance(&t->random, below);
}

/* ---- an agent's calls ---- */

static void op_begin(struct torture *t, struct agent *agent)
{
    const bool is_reply = agent->reply_id != NULL;
    const size_t to =
        is_reply ? agent->reply_to : (agent->self.number + 1 + draw(t, LEDGER_AGENTS - 1)) % LEDGER_AGENTS;
    const char *content = ledger_add(t->ledger, agent->self, to, draw(t, UINT32_MAX), &agent->op_number);
    char name[8];
    snprintf(name, sizeof name, "a%zu", to);
    agent->op_id = is_reply ? talk_begin(agent->bridge, "reply", "message_id", agent->reply_id, content)
                            : talk_begin(agent->bridge, "send_message", "to", name, content);
    free(agent->reply_id);
    agent->reply_id = NULL;
}

/* What an answer tells its agent of a send, by how one of its lines begins. */
static const struct {
    const char *begins;
    enum told told;
} answers[] = {
    {"Sent to ", TOLD_SENT}, {"Queued ", TOLD_QUEUED}, {"Not sent", TOLD_REFUSED},
    {"You have ", TOLD_REFUSED}, /* unread messages */
};

static enum told read_answer(const char *text, char **id)
{
    for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        for (size_t i = 0; i < LENGTH_OF(answers); i++) {
            if (strncmp(at, answers[i].begins, strlen(answers[i].begins)) != 0)
                continue;
            *id = answers[i].told == TOLD_REFUSED ? NULL : id_of_sent(at);
            return answers[i].told;
        }
    }
    if (!strstr(text, "may have been sent"))
        harness_fail("an answer that nobody understands: %s", text);
    return TOLD_NOTHING;
}

static void op_end(struct torture *t, struct agent *agent, const char *text, bool is_error)
{
    char *id = NULL;
    const enum told told = read_answer(text, &id);
    ck_assert_msg(is_error == (id == NULL), "%s", text);
    t->gated += told == TOLD_REFUSED && strstr(text, "unread");
    ledger_told(t->ledger, agent->op_number, told, id);
    agent->op_id = 0;
    agent->next_op_us = now_us() + (int64_t)draw(t, THINK_MAX_US);
    free(id);
}

/* What was queued is not refused later: these are sends that the relay takes. */
static void news_read(struct torture *t, const char *text)
{
    if (strncmp(text, "Outbox:", 7) != 0 || !strstr(text, " Refused: "))
        return;
    t->refused_late++;
    printf("torture: %.*s\n", (int)strcspn(text, "\n"), text);
}

static void wait_begin(struct torture *t, struct agent *agent)
{
    agent->wait_id = bridge_call_begin(agent->bridge, "wait_for_message", "{\"timeout_seconds\":600}");
    t->waits++;
}

/* ---- what it reads ---- */

static void message_read(struct torture *t, struct agent *agent, const struct talk_heard *heard)
{
    const char *header = heard->header, *marked = strstr(header, ", attempt ");
    size_t from = 0;
    ck_assert_msg(sscanf(header, "From a%zu (", &from) == 1 && from < LEDGER_AGENTS, "no sender: %s", header);
    ledger_seen(t->ledger, agent->self, from, heard->id, buf_text(&heard->content),
        marked ? (unsigned)strtoul(marked + strlen(", attempt "), NULL, 10) : 1);
    if (t->sending && !agent->reply_id && draw(t, REPLY_ONE_IN) == 0) {
        agent->reply_id = xstrdup(heard->id);
        agent->reply_to = from;
    }
}

static void messages_read(struct torture *t, struct agent *agent, const char *text)
{
    struct talk_heard heard = {0};
    while (talk_hear(&text, &heard))
        message_read(t, agent, &heard);
}

static void line_read(struct torture *t, struct agent *agent, struct json_object *line)
{
    bool is_error = false;
    int64_t id = -1;
    (void)json_get_int(line, "id", &id);
    const char *text = mcp_result_text(line, &is_error);
    news_read(t, text);
    if (id == agent->op_id) {
        op_end(t, agent, text, is_error);
        return;
    }
    ck_assert_int_eq(id, agent->wait_id);
    t->wait_errors += is_error;
    if (is_error)
        printf("torture: a wait failed: %s\n", text);
    messages_read(t, agent, text);
    wait_begin(t, agent);
}

static void serve_bridges(struct torture *t)
{
    struct pollfd fds[BRIDGES];
    for (size_t i = 0; i < BRIDGES; i++)
        fds[i] = (struct pollfd){
            .fd = t->agents[i].deaf_until_us ? -1 : t->agents[i].bridge->out, .events = POLLIN};
    poll(fds, BRIDGES, 5);
    for (size_t i = 0; i < BRIDGES; i++) {
        struct json_object *line;
        while (fds[i].revents && (line = bridge_read(t->agents[i].bridge, 0))) {
            line_read(t, &t->agents[i], line);
            json_object_put(line);
        }
        ck_assert_msg(!(fds[i].revents & POLLHUP), "the bridge of a%zu in %s ended by itself",
            t->agents[i].self.number, ledger_spaces[t->agents[i].self.space]);
    }
}

static void ops_begin(struct torture *t)
{
    for (size_t i = 0; i < BRIDGES; i++)
        if (t->agents[i].op_id == 0 && now_us() >= t->agents[i].next_op_us)
            op_begin(t, &t->agents[i]);
}

/* ---- bridges ---- */

static void agent_start(struct torture *t, struct agent *agent)
{
    char *state = xasprintf("XDG_STATE_HOME=%s", agent->state_dir);
    agent->bridge = bridge_start(&t->door, agent->token, (const char *const[]){state, NULL});
    agent->stopped_until_us = agent->deaf_until_us = 0;
    wait_begin(t, agent);
    free(state);
}

/* What it did not answer any more has an unknown outcome; what it wrote and nobody read is gone with its
 * pipe. */
static void agent_restart(struct torture *t, struct agent *agent)
{
    if (agent->op_id != 0)
        ledger_told(t->ledger, agent->op_number, TOLD_NOTHING, NULL);
    agent->op_id = 0;
    agent_start(t, agent);
}

static void agent_go_on(struct agent *agent)
{
    if (agent->stopped_until_us != 0)
        kill(agent->bridge->pid, SIGCONT);
    agent->stopped_until_us = 0;
}

/* ---- the relays ---- */

static bool relay_has_ended(struct target *target)
{
    int exit_code = 0;
    if (!process_wait(target->relay->pid, 0, &exit_code))
        return false;
    ck_assert_msg(exit_code == 0, "the relay ended with %d after SIGTERM", exit_code);
    target->relay->pid = 0;
    return true;
}

static void relay_goes(struct torture *t, struct target *target)
{
    target->state = RELAY_AWAY;
    target->until_us = now_us() + (int64_t)draw(t, AWAY_MAX_MS) * 1000;
}

/* Moves it on to its next state when it is time. */
static void relay_turn(struct torture *t, struct target *target)
{
    const bool is_time = now_us() >= target->until_us;
    if (target->state == RELAY_STOPPED && is_time) {
        kill(target->relay->pid, SIGCONT);
        target->state = RELAY_UP;
    } else if (target->state == RELAY_ENDING && relay_has_ended(target)) {
        relay_goes(t, target);
    } else if (target->state == RELAY_ENDING && is_time) {
        relay_kill(target->relay);
        relay_goes(t, target);
    } else if (target->state == RELAY_AWAY && is_time && server_turn(t->server, false)) {
        relay_restart(target->relay, NULL);
        target->state = RELAY_UP;
    }
}

static bool relays_are_up(const struct torture *t)
{
    for (size_t i = 0; i < t->relays; i++) {
        if (t->targets[i].state != RELAY_UP)
            return false;
    }
    return true;
}

/* ---- blows ---- */

static const struct {
    enum blow blow;
    unsigned share; /* in parts of a hundred */
    const char *name;
} blows[BLOWS] = {
    {BLOW_RELAY_KILL, 20, "relay killed"},
    {BLOW_RELAY_STOP, 8, "relay stopped for a while"},
    {BLOW_RELAY_END, 4, "relay ended with SIGTERM"},
    {BLOW_SERVER, 4, "store's server fell over"},
    {BLOW_BRIDGE_KILL, 26, "bridges killed"},
    {BLOW_BRIDGE_STOP, 8, "bridges stopped for a while"},
    {BLOW_BRIDGE_END, 6, "bridges ended at the end of input"},
    {BLOW_AGENT_DEAF, 8, "agents that did not read for a while"},
    {BLOW_CUT, 8, "network cut off"},
    {BLOW_TIME, 8, "leaps of a minute"},
};

/* What can be struck; another is a bridge. */
static bool is_possible(const struct torture *t, enum blow blow, const struct target *target)
{
    if (blow == BLOW_SERVER)
        return server_can_fall(t->server);
    return blow > BLOW_RELAY_END || target->state == RELAY_UP;
}

static enum blow choose_blow(struct torture *t, const struct target *target)
{
    uint64_t at = draw(t, 100);
    size_t i = 0;
    while (i + 1 < BLOWS && at >= blows[i].share)
        at -= blows[i++].share;
    return is_possible(t, blows[i].blow, target) ? blows[i].blow : BLOW_BRIDGE_KILL;
}

static void strike_relay(struct torture *t, struct target *target, enum blow blow)
{
    if (blow == BLOW_RELAY_KILL) {
        relay_kill(target->relay);
        relay_goes(t, target);
        return;
    }
    kill(target->relay->pid, blow == BLOW_RELAY_STOP ? SIGSTOP : SIGTERM);
    target->state = blow == BLOW_RELAY_STOP ? RELAY_STOPPED : RELAY_ENDING;
    const int64_t ms = blow == BLOW_RELAY_STOP ? (int64_t)draw(t, STOPPED_MAX_MS) : ENDING_MAX_MS;
    target->until_us = now_us() + ms * 1000;
}

static void strike_bridge(struct torture *t, enum blow blow)
{
    struct agent *agent = &t->agents[draw(t, BRIDGES)];
    if (blow == BLOW_AGENT_DEAF) {
        agent->deaf_until_us = now_us() + (int64_t)draw(t, STOPPED_MAX_MS) * 1000;
        agent->dies_deaf = draw(t, 2) == 0;
        return;
    }
    if (blow == BLOW_BRIDGE_STOP) {
        kill(agent->bridge->pid, SIGSTOP);
        agent->stopped_until_us = now_us() + (int64_t)draw(t, STOPPED_MAX_MS) * 1000;
        return;
    }
    if (blow == BLOW_BRIDGE_KILL) {
        bridge_kill(agent->bridge);
    } else {
        agent_go_on(agent);
        ck_assert_int_eq(bridge_end(agent->bridge), 0);
    }
    agent_restart(t, agent);
}

static void strike_server(struct torture *t)
{
    const int64_t now = now_us();
    if (server_fall(t->server, (int)draw(t, AWAY_MAX_MS)))
        ledger_leases_lost(t->ledger, now);
}

static void strike(struct torture *t)
{
    struct target *target = &t->targets[draw(t, t->relays)];
    const enum blow blow = choose_blow(t, target);
    t->blows[blow]++;
    t->next_blow_us = now_us() + (int64_t)draw(t, BLOW_MAX_US);
    if (blow == BLOW_CUT)
        proxy_cut(t->proxy, (int)draw(t, CUT_MAX_MS));
    else if (blow == BLOW_TIME)
        faults_pass_time(t->faults, LEASE_LEAP_MS);
    else if (blow == BLOW_SERVER)
        strike_server(t);
    else if (blow <= BLOW_RELAY_END)
        strike_relay(t, target, blow);
    else
        strike_bridge(t, blow);
}

/* ---- the course of things ---- */

static void setup_agents(struct torture *t)
{
    for (size_t i = 0; i < BRIDGES; i++) {
        struct agent *agent = &t->agents[i];
        agent->self = (struct party){i / LEDGER_AGENTS, i % LEDGER_AGENTS};
        char *address = xasprintf("a%zu@%s", agent->self.number, ledger_spaces[agent->self.space]);
        agent->token = relay_token(t->targets[0].relay, address);
        agent->state_dir = xstrdup(temp_folder());
        free(address);
    }
    for (size_t i = 0; i < BRIDGES; i++)
        agent_start(t, &t->agents[i]);
}

/* The others have folders of their own, and the database of the first. */
static void start_relays(struct torture *t)
{
    enum { SETTINGS_MAX = 16 };
    const char *settings[SETTINGS_MAX + 1] = {NULL};
    size_t n = 0;
    for (const char *const *at = faults_env(t->faults); *at; at++)
        settings[n++] = *at;
    t->relays = harness_store_is("sqlite") ? 1 : RELAYS_MAX;
    t->targets[0].relay = relay_start(NULL, settings);
    char **shared = harness_store_settings(t->targets[0].relay->data_dir);
    for (size_t i = 0; shared[i] && n < SETTINGS_MAX; i++)
        settings[n++] = shared[i];
    for (size_t i = 1; i < t->relays; i++)
        t->targets[i].relay = relay_start(NULL, settings);
    process_env_free(shared);
}

static void start_proxy(struct torture *t, uint64_t seed)
{
    int ports[RELAYS_MAX];
    for (size_t i = 0; i < t->relays; i++)
        ports[i] = t->targets[i].relay->port;
    t->proxy = proxy_start(ports, t->relays, seed);
    t->door.port = proxy_port(t->proxy);
    t->door.url = xasprintf("http://127.0.0.1:%d", t->door.port);
}

static void torture_start(struct torture *t, uint64_t seed)
{
    *t = (struct torture){.random = seed * 2 + 1, .sending = true};
    t->faults = faults_new();
    t->ledger = ledger_new();
    start_relays(t);
    t->server = server_new(t->targets[0].relay->data_dir);
    start_proxy(t, seed);
    setup_agents(t);
}

static void agent_turn(struct torture *t, struct agent *agent)
{
    if (agent->stopped_until_us != 0 && now_us() >= agent->stopped_until_us)
        agent_go_on(agent);
    if (agent->deaf_until_us == 0 || now_us() < agent->deaf_until_us)
        return;
    agent->deaf_until_us = 0;
    if (agent->dies_deaf) {
        bridge_kill(agent->bridge);
        agent_restart(t, agent);
        t->blows[BLOW_BRIDGE_KILL]++;
    }
}

static void turn(struct torture *t)
{
    (void)server_turn(t->server, !t->sending);
    for (size_t i = 0; i < t->relays; i++)
        relay_turn(t, &t->targets[i]);
    for (size_t i = 0; i < BRIDGES; i++)
        agent_turn(t, &t->agents[i]);
    serve_bridges(t);
}

static void batter(struct torture *t, int64_t until_us)
{
    while (now_us() < until_us) {
        ops_begin(t);
        if (now_us() >= t->next_blow_us)
            strike(t);
        turn(t);
    }
    t->sending = false;
}

static bool op_pending(const struct torture *t)
{
    for (size_t i = 0; i < BRIDGES; i++)
        if (t->agents[i].op_id != 0)
            return true;
    return false;
}

/* No more blows: whatever is held by a lease of the dead comes free, and everything arrives. */
static void heal(struct torture *t)
{
    proxy_heal(t->proxy);
    for (size_t i = 0; i < BRIDGES; i++)
        agent_go_on(&t->agents[i]);
    const int64_t deadline_us = now_us() + (int64_t)DRAIN_MS * 1000;
    int64_t next_leap_us = now_us();
    while ((!relays_are_up(t) || op_pending(t) || ledger_missing(t->ledger) > 0) && now_us() < deadline_us) {
        if (now_us() >= next_leap_us) {
            faults_pass_time(t->faults, DRAIN_LEAP_MS);
            next_leap_us = now_us() + (int64_t)DRAIN_LEAP_EVERY_MS * 1000;
        }
        turn(t);
    }
}

static void torture_end(struct torture *t)
{
    for (size_t i = 0; i < BRIDGES; i++)
        ck_assert_int_eq(bridge_end(t->agents[i].bridge), 0);
    proxy_stop(t->proxy);
    for (size_t i = 0; i < t->relays; i++)
        ck_assert_int_eq(relay_stop(t->targets[i].relay), 0);
}

static void torture_free(struct torture *t)
{
    for (size_t i = 0; i < BRIDGES; i++) {
        free(t->agents[i].token);
        free(t->agents[i].state_dir);
        free(t->agents[i].reply_id);
    }
    free(t->door.url);
    server_free(t->server);
    ledger_free(t->ledger);
    faults_free(t->faults);
}

/* ---- the table ---- */

static void row(const char *name, int64_t number)
{
    printf("torture: %10lld  %s\n", (long long)number, name);
}

static void report(
    struct torture *t, const struct proxy_counts *network, double seconds, int64_t healed_us, uint64_t seed)
{
    struct ledger_counts counts;
    ledger_counts(t->ledger, &counts);
    printf("torture: %s, %zu relays, %d agents in %d namespaces, %.0f s, seed %llu\n", harness_store(),
        t->relays, BRIDGES, LEDGER_SPACES, seconds, (unsigned long long)seed);
    for (size_t i = 0; i < BLOWS; i++)
        row(blows[i].name, t->blows[i]);
    row("kills in all", t->blows[BLOW_RELAY_KILL] + t->blows[BLOW_BRIDGE_KILL]);
    row("connections", network->connections);
    row("  of them delayed", network->delayed);
    row("  cut short", network->truncated);
    row("  reset", network->reset);
    row("  left hanging", network->hung);
    row("sends acknowledged", counts.told[TOLD_SENT] + counts.told[TOLD_QUEUED]);
    row("  of them queued", counts.told[TOLD_QUEUED]);
    row("sends refused", counts.told[TOLD_REFUSED]);
    row("  of them by the inbox gate", t->gated);
    row("sends of unknown outcome", counts.told[TOLD_NOTHING]);
    row("messages stored", counts.stored);
    row("messages seen", counts.seen_first);
    row("redelivered, and marked so", counts.redelivered);
    row("seen twice", counts.seen_again);
    row("  unmarked, as PostgreSQL had just fallen", counts.forgotten);
    row("waits", t->waits);
    row("ms until all had arrived", healed_us / 1000);
    for (size_t i = 0; i < WRONGS; i++)
        row(wrong_names[i], counts.wrong[i]);
    row("queued, and then refused", t->refused_late);
    row("waits that failed", t->wait_errors);
    fflush(stdout);
}

static int seconds_of_torture(void)
{
    const char *text = getenv("TORTURE_SECONDS");
    return text ? atoi(text) : 20;
}

START_TEST(nothing_is_lost_under_fire)
{
    static struct torture torture;
    struct torture *t = &torture;
    const char *given = getenv("TORTURE_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("torture: seed %llu\n", (unsigned long long)seed);
    fflush(stdout);

    torture_start(t, seed);
    const int64_t began_us = now_us();
    batter(t, began_us + (int64_t)seconds_of_torture() * 1000000);
    const int64_t ended_us = now_us();
    const double seconds = (double)(ended_us - began_us) / 1e6;
    heal(t);
    const int64_t healed_us = now_us() - ended_us;
    struct proxy_counts network;
    proxy_counts(t->proxy, &network);
    torture_end(t);
    ledger_audit(t->ledger, t->targets[0].relay->data_dir);
    report(t, &network, seconds, healed_us, seed);

    struct ledger_counts counts;
    ledger_counts(t->ledger, &counts);
    ck_assert_int_gt(counts.told[TOLD_SENT], 0);
    for (size_t i = 0; i < WRONGS; i++)
        ck_assert_msg(counts.wrong[i] == 0, "%s: %lld", wrong_names[i], (long long)counts.wrong[i]);
    ck_assert_int_eq(t->refused_late, 0);
    ck_assert_int_eq(t->wait_errors, 0);
    torture_free(t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torture");
    TCase *tests = harness_case(suite, "torture");
    tcase_set_timeout(tests, seconds_of_torture() + MARGIN_S);
    tcase_add_test(tests, nothing_is_lost_under_fire);
    return run_suite(suite);
}
