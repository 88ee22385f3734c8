#include <string.h>

#include "../../common/clock.h"
#include "../../common/compiler.h"
#include "commands.h"
#include "request.h"
#include "terminal.h"

/* One value of an agent, after separator where anything is before it. */
static void append_value(struct buf *out, struct json_object *agent, const char *key, const char **separator)
{
    const char *value = json_text_or(agent, key, "");
    if (!*value)
        return;
    buf_puts(out, *separator);
    terminal_word(out, value);
    *separator = ", ";
}

static void append_seen(struct buf *out, struct json_object *agent)
{
    bool online = false;
    if (json_get_bool(agent, "online", &online) == JSON_FIELD_FOUND && online) {
        buf_puts(out, "  online");
        return;
    }
    int64_t seen_ms = clock_parse_rfc3339(json_text_or(agent, "last_seen", ""));
    char age[AGE_TEXT_LEN];
    if (seen_ms < 0) {
        buf_puts(out, "  never seen");
        return;
    }
    clock_age_text(clock_wall_ms() - seen_ms, age);
    buf_printf(out, "  last seen %s", age);
}

/* frontend@myproject  online  (laptop, claude_code) */
static void append_agent(struct buf *out, struct json_object *agent)
{
    const char *separator = "  (";
    terminal_word(out, json_text_or(agent, "agent", ""));
    buf_putc(out, '@');
    terminal_word(out, json_text_or(agent, "namespace", ""));
    append_seen(out, agent);
    append_value(out, agent, "machine", &separator);
    append_value(out, agent, "client_type", &separator);
    buf_puts(out, strcmp(separator, ", ") == 0 ? ")\n" : "\n");
}

static void format(struct json_object *structured, struct buf *out)
{
    struct json_object *agents = NULL;
    size_t count = json_get_array(structured, "agents", &agents) == JSON_FIELD_FOUND
                       ? json_object_array_length(agents)
                       : 0;
    if (count == 0)
        buf_puts(out, "Nobody else was seen lately. (--all lists everybody who has a token.)\n");
    for (size_t i = 0; i < count; i++)
        append_agent(out, json_object_array_get_idx(agents, i));
}

static struct json_object *select_agents(struct json_object *structured)
{
    struct json_object *agents = NULL, *selected = json_new_object();
    if (json_get_array(structured, "agents", &agents) == JSON_FIELD_FOUND)
        json_add(selected, "agents", json_object_get(agents));
    return selected;
}

static const struct request_arg args[] = {
    {.option = "all", .name = "all_agents", .kind = REQUEST_FLAG},
    REQUEST_JSON,
};

static const struct request_spec spec = {
    .command = &command_agents,
    .tool = "inbox",
    .peeks = true,
    .args = args,
    .args_count = LENGTH_OF(args),
    .format = format,
    .select = select_agents,
};

static int run(const struct config_options *options, int argc, char **argv)
{
    return request_run(&spec, options, argc, argv);
}

const struct command command_agents = {
    .name = "agents",
    .usage = "patchcord agents [--all] [--json]",
    .summary = "list the agents of your namespace",
    .help = "Lists the agents of your namespace that were seen lately, with machine and program. An agent\n"
            "need not be online to get messages.\n"
            "\n"
            "OPTIONS\n"
            "  --all   also those that have been away for long\n"
            "  --json  one JSON object: agents is its list\n" REQUEST_EXIT_CODES,
    .run = run,
};
