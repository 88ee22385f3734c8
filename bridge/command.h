/* command.h: a verb of `patchcord`: one file, one const row.
 *
 * bridge/cmd/commands.c has the table of rows. bridge/main.c takes the options that all commands share
 * (config.h) off the command line wherever they stand before a "--", so that run sees just the command's own
 * arguments. */
#ifndef BRIDGE_COMMAND_H
#define BRIDGE_COMMAND_H

#include "config.h"

enum command_exit {
    COMMAND_DONE = 0, /* done, or queued */
    COMMAND_ERROR = 1,
    COMMAND_USAGE = 2,
    COMMAND_RAN_OUT = 3, /* the wait ran out */
    COMMAND_TOKEN_REFUSED = 4,
};

struct command {
    const char *name;    /* "inbox" */
    const char *usage;   /* "patchcord inbox [--take] [--json]" */
    const char *summary; /* one line for the overview of `patchcord --help` */
    const char
        *help; /* the text of `patchcord NAME --help` below the usage line, man-page style, ending in '\n' */
    bool is_unlisted; /* that overview leaves it out: programs' installers call it, people hardly */
    /* argv[0] is the command's name, argv[argc] is NULL; --help was dealt with. Returns an exit code. */
    int (*run)(const struct config_options *options, int argc, char **argv);
};

/* Writes "patchcord NAME: problem" and the usage line to stderr; returns COMMAND_USAGE. */
int command_usage_error(const struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
