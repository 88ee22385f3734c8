#include "../../common/compiler.h"
#include "commands.h"
#include "request.h"

static const struct request_arg args[] = {
    {.name = "message_id", .kind = REQUEST_ID},
    {.option = "limit", .name = "limit", .kind = REQUEST_NUMBER},
    {.option = "from", .name = "from_agent", .kind = REQUEST_TEXT},
    {.option = "thread", .name = "thread", .kind = REQUEST_TEXT},
    {.option = "query", .name = "query", .kind = REQUEST_TEXT},
    {.option = "offset", .name = "offset", .kind = REQUEST_NUMBER},
    REQUEST_JSON,
};

static const struct request_spec spec = {
    .command = &command_recall,
    .tool = "recall",
    .args = args,
    .args_count = LENGTH_OF(args),
};

static int run(const struct config_options *options, int argc, char **argv)
{
    return request_run(&spec, options, argc, argv);
}

const struct command command_recall = {
    .name = "recall",
    .usage = "patchcord recall [--limit N] [--from AGENT] [--thread SLUG] [--query WORDS] [--json]\n"
             "       patchcord recall [--offset N] [--json] MESSAGE_ID",
    .summary = "read messages again that you sent or received",
    .help = "Shows messages, newest first, with what became of them. It changes nothing.\n"
            "\n"
            "OPTIONS\n"
            "  --limit N      at most so many (1 to 100; default 10)\n"
            "  --from AGENT   only those that AGENT sent\n"
            "  --thread SLUG  only those of a thread: its name or id\n"
            "  --query WORDS  only those in which every one of the words occurs\n"
            "  --offset N     with MESSAGE_ID: read on behind that many characters\n"
            "  --json         one JSON object: messages is its list\n" REQUEST_EXIT_CODES,
    .run = run,
};
