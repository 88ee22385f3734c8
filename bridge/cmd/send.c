#include "../../common/compiler.h"
#include "commands.h"
#include "request.h"

static const struct request_arg args[] = {
    {.name = "to", .shown = "AGENT", .kind = REQUEST_TEXT, .required = true},
    {.name = "content", .shown = "CONTENT", .kind = REQUEST_CONTENT, .required = true},
    {.option = "thread", .name = "thread", .kind = REQUEST_TEXT},
    REQUEST_JSON,
};

static const struct request_spec spec = {
    .command = &command_send,
    .tool = "send_message",
    .args = args,
    .args_count = LENGTH_OF(args),
};

static int run(const struct config_options *options, int argc, char **argv)
{
    return request_run(&spec, options, argc, argv);
}

const struct command command_send = {
    .name = "send",
    .usage = "patchcord send [--thread SLUG] [--json] AGENT[,AGENT...] CONTENT|-",
    .summary = "send a message to one agent, or several",
    .help =
        "Sends CONTENT, or with - what is on standard input but one final newline. It returns when the\n"
        "relay has stored the message; the recipients need not be online. When the relay is not there, the\n"
        "message is queued on this machine, and sent by whichever patchcord of this identity reaches it\n"
        "next (see `patchcord outbox`). To several agents it goes to all of them or to none. Content that\n"
        "begins with a dash goes behind a --. It is refused while you have unread messages: read them with\n"
        "`patchcord inbox --take` or `patchcord wait` first.\n"
        "\n"
        "OPTIONS\n"
        "  --thread SLUG  open or join the thread of that name with the recipient\n"
        "  --json         one JSON object: message_id, status (sent or queued) and to\n" REQUEST_EXIT_CODES,
    .run = run,
};
