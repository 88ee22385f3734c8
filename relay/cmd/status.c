/* status: agents, queues and bans at a glance. */
#include <stdio.h>
#include <stdlib.h>

#include "../../common/clock.h"
#include "../../common/ident.h"
#include "../../common/json.h"
#include "command.h"

static struct json_object *describe_agent(const struct store_agent *agent)
{
    struct json_object *row = json_new_object();
    json_add_text(row, "namespace", agent->namespace_id);
    json_add_text(row, "agent", agent->agent);
    json_add_text(row, "machine", agent->machine_name);
    json_add_text(row, "client_type", agent->client_type);
    json_add_time(row, "last_seen", agent->last_seen_ms);
    json_add_int(row, "pending", agent->pending);
    json_add_int(row, "deferred", agent->deferred);
    json_add_time(row, "oldest_pending", agent->oldest_pending_ms);
    return row;
}

static void write_json(const struct store_stats *stats, struct buf *out)
{
    struct json_object *body = json_new_object(), *messages = json_new_object(), *agents = json_new_array();
    for (size_t i = 0; i < LENGTH_OF(stats->by_status); i++)
        json_add_int(messages, message_status_names[i], stats->by_status[i]);
    json_add_int(messages, "in_delivery", stats->leased);
    json_add_int(messages, "unsent", stats->unsent);
    json_add_int(messages, "expired", stats->expired);
    for (size_t i = 0; i < stats->agents.count; i++)
        json_append(agents, describe_agent(&stats->agents.items[i]));
    json_add(body, "messages", messages);
    json_add_time(body, "oldest_pending", stats->oldest_pending_ms);
    json_add_int(body, "bans", stats->bans);
    json_add(body, "agents", agents);
    json_write(body, out);
    buf_putc(out, '\n');
    json_object_put(body);
}

static void age_text(int64_t now_ms, int64_t then_ms, char out[static AGE_TEXT_LEN])
{
    if (then_ms > 0)
        clock_age_text(now_ms - then_ms, out);
    else
        (void)snprintf(out, AGE_TEXT_LEN, "-");
}

static void write_agent(const struct store_agent *agent, int64_t now_ms, struct buf *out)
{
    char address[ADDRESS_SIZE], seen[AGE_TEXT_LEN], oldest[AGE_TEXT_LEN];
    ident_format(agent->namespace_id, agent->agent, address);
    age_text(now_ms, agent->last_seen_ms, seen);
    age_text(now_ms, agent->oldest_pending_ms, oldest);
    buf_printf(out, "%-32s  %-12s  %7lld  %8lld  %s\n", address, seen, (long long)agent->pending,
        (long long)agent->deferred, oldest);
}

static void write_text(const struct store_stats *stats, int64_t now_ms, struct buf *out)
{
    char oldest[AGE_TEXT_LEN];
    age_text(now_ms, stats->oldest_pending_ms, oldest);
    buf_puts(out, "messages:");
    for (size_t i = 0; i < LENGTH_OF(stats->by_status); i++)
        buf_printf(out, " %lld %s,", (long long)stats->by_status[i], message_status_names[i]);
    buf_printf(out, " %lld in delivery\noldest pending: %s\nbans: %lld\n\n", (long long)stats->leased, oldest,
        (long long)stats->bans);
    if (stats->agents.count == 0)
        buf_puts(
            out, "No agent has an active token: `patchcord-relay token add AGENT@NAMESPACE` makes one.\n");
    else
        buf_printf(
            out, "%-32s  %-12s  %7s  %8s  %s\n", "AGENT", "LAST SEEN", "PENDING", "DEFERRED", "OLDEST");
    for (size_t i = 0; i < stats->agents.count; i++)
        write_agent(&stats->agents.items[i], now_ms, out);
}

static int run(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    struct store_stats stats = {0};
    struct buf text = {0};
    int code = EXIT_SUCCESS;
    if (store_stats(store, &stats) != STORE_DONE)
        code = command_fail("the store failed");
    else if (command_value(line, "json"))
        write_json(&stats, &text);
    else
        write_text(&stats, clock_wall_ms(), &text);
    if (fputs(buf_text(&text), stdout) < 0 || fflush(stdout) != 0)
        code = EXIT_FAILURE;
    buf_free(&text);
    store_stats_free(&stats);
    command_store_end(&config, store);
    return code;
}

const struct command command_status = {
    .name = "status",
    .operands = "",
    .summary = "show agents, queues and bans",
    .help = "Messages by status, and for each agent with an active token when it was last seen, how much "
            "waits\n"
            "for it and since when.\n",
    .options = {{"json", NULL, "print a JSON object"}},
    .run = run,
};
