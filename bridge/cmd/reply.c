#include "../../common/compiler.h"
#include "commands.h"
#include "request.h"

static const struct request_arg args[] = {
    {.name = "message_id", .shown = "MESSAGE_ID", .kind = REQUEST_ID, .required = true},
    {.name = "content", .kind = REQUEST_CONTENT},
    {.option = "defer", .name = "defer", .kind = REQUEST_FLAG},
    {.option = "resolve", .name = "resolve", .kind = REQUEST_FLAG},
    REQUEST_JSON,
};

static const struct request_spec spec = {
    .command = &command_reply,
    .tool = "reply",
    .args = args,
    .args_count = LENGTH_OF(args),
};

static int run(const struct config_options *options, int argc, char **argv)
{
    return request_run(&spec, options, argc, argv);
}

const struct command command_reply = {
    .name = "reply",
    .usage = "patchcord reply [--defer] [--resolve] [--json] MESSAGE_ID [CONTENT|-]",
    .summary = "answer a message that you received",
    .help = "Sends CONTENT, or with - what is on standard input but one final newline, to whoever wrote the\n"
            "message, in its thread. With --defer or --resolve the content may be left out: then nothing is\n"
            "sent. When the relay is not there, all of that is queued on this machine (`patchcord outbox`).\n"
            "MESSAGE_ID is as `patchcord inbox` and `patchcord recall` show it.\n"
            "\n"
            "OPTIONS\n"
            "  --defer    keep the message in your inbox, as deferred\n"
            "  --resolve  close its thread; a later message opens it again\n"
            "  --json     one JSON object: message_id, status (sent or queued; deferred or\n"
            "             closed where nothing was sent) and to\n" REQUEST_EXIT_CODES,
    .run = run,
};
