#include "../../common/compiler.h"
#include "commands.h"
#include "request.h"

static const struct request_arg args[] = {
    {.option = "timeout", .name = "timeout_seconds", .kind = REQUEST_SECONDS},
    REQUEST_JSON,
};

static const struct request_spec spec = {
    .command = &command_wait,
    .tool = "wait_for_message",
    .args = args,
    .args_count = LENGTH_OF(args),
};

static int run(const struct config_options *options, int argc, char **argv)
{
    return request_run(&spec, options, argc, argv);
}

const struct command command_wait = {
    .name = "wait",
    .usage = "patchcord wait [--timeout TIME] [--json]",
    .summary = "wait for the next message and take it",
    .help = "Returns as soon as there is a pending message, and takes it: once it is printed it counts as\n"
            "read. A relay that restarts meanwhile is waited for.\n"
            "\n"
            "OPTIONS\n"
            "  --timeout TIME  how long: seconds, or 10m, or 1h (1 second to 1 hour; default 240 seconds)\n"
            "  --json          one JSON object: pending is the list of messages, timed_out tells why it "
            "ended\n" REQUEST_EXIT_CODES_AND("  3  the time ran out and nothing came\n"),
    .run = run,
};
