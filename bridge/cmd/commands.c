#include "commands.h"

#include "../mcp_command.h"

const struct command *const commands[] = {
    &command_agent,
    &command_init,
    &command_install,
    &command_uninstall,
    &command_mcp,
    &command_inbox,
    &command_send,
    &command_reply,
    &command_wait,
    &command_recall,
    &command_unsend,
    &command_outbox,
    &command_agents,
    &command_tail,
    &command_upload,
    &command_download,
    &command_login,
    &command_hook,
    &command_subscribe,
    &command_statusline,
    &command_doctor,
    &command_test,
    &command_completion,
    &command_man,
    NULL,
};

const char commands_options[] =
    "  --as AGENT@NAMESPACE  the stored identity to use\n"
    "  --client NAME         the client type to report (claude_code, codex, ...)\n"
    "  --allow-path FOLDER   let the agent send and save files of this folder, too (mcp)\n"
    "  --insecure-http       allow plain http to a host that is not this machine\n"
    "  --help, --version\n";
