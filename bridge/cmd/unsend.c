#include "../../common/compiler.h"
#include "commands.h"
#include "request.h"

static const struct request_arg args[] = {
    {.name = "message_id", .shown = "MESSAGE_ID", .kind = REQUEST_ID, .required = true},
    REQUEST_JSON,
};

static const struct request_spec spec = {
    .command = &command_unsend,
    .tool = "unsend_message",
    .args = args,
    .args_count = LENGTH_OF(args),
};

static int run(const struct config_options *options, int argc, char **argv)
{
    return request_run(&spec, options, argc, argv);
}

const struct command command_unsend = {
    .name = "unsend",
    .usage = "patchcord unsend [--json] MESSAGE_ID",
    .summary = "take back a message that nobody was shown yet",
    .help = "Takes back a message that you sent, as long as its recipient was never offered it.\n"
            "\n"
            "OPTIONS\n"
            "  --json  one JSON object: message_id and status\n" REQUEST_EXIT_CODES,
    .run = run,
};
