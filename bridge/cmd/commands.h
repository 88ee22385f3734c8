/* commands.h: the table of all commands, and the people's ones, one file and one row each. */
#ifndef BRIDGE_CMD_COMMANDS_H
#define BRIDGE_CMD_COMMANDS_H

#include "../command.h"

extern const struct command command_inbox, command_send, command_reply, command_wait, command_recall,
    command_unsend, command_outbox, command_agents, command_tail, command_upload, command_download,
    command_login, command_hook, command_subscribe, command_statusline, command_agent, command_init,
    command_install, command_uninstall, command_completion, command_man, command_doctor, command_test;

/* In the order of `patchcord --help`; NULL-ended. */
extern const struct command *const commands[];
/* What `patchcord --help` says of the options of every command. */
extern const char commands_options[];

#endif
