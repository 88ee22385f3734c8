#include "../../common/compiler.h"
#include "commands.h"
#include "request.h"

static const struct request_arg args[] = {
    {.option = "take", .kind = REQUEST_SWITCH, .offset = offsetof(struct request, take)},
    {.option = "all", .name = "all_agents", .kind = REQUEST_FLAG},
    REQUEST_JSON,
};

static const struct request_spec spec = {
    .command = &command_inbox,
    .tool = "inbox",
    .peeks = true,
    .left_there = "a look only: --take takes these, and they count as read",
    .args = args,
    .args_count = LENGTH_OF(args),
};

static int run(const struct config_options *options, int argc, char **argv)
{
    return request_run(&spec, options, argc, argv);
}

const struct command command_inbox = {
    .name = "inbox",
    .usage = "patchcord inbox [--take] [--all] [--json]",
    .summary = "show what waits for you, without taking it",
    .help = "Shows pending and deferred messages and who is online. It is a peek: the messages stay\n"
            "pending, and your agent will still get them.\n"
            "\n"
            "OPTIONS\n"
            "  --take  take the messages: once they are printed they count as read\n"
            "  --all   also name agents that have been away for long\n"
            "  --json  one JSON object: pending, deferred and agents are its lists\n" REQUEST_EXIT_CODES,
    .run = run,
};
