/* file_command.h: what `patchcord upload` and `patchcord download` have in common: the call with its
 * progress, and what is printed at its end. */
#ifndef BRIDGE_CMD_FILE_COMMAND_H
#define BRIDGE_CMD_FILE_COMMAND_H

#include "../command.h"
#include "../file_call.h"

struct file_command {
    const struct command *row;
    const char *file;   /* what the progress calls it; borrowed */
    const char *result; /* which field of the result is printed: "path" or "saved_as" */
    bool json;
    /* Starts the call; arg is start_arg. */
    struct file_call *(*start)(void *arg, struct relay_link *link, const struct file_call_end *end);
    void *start_arg;
};

/* Does it; the command's exit code. start is called at most once: what it is to take over is its owner's
 * still where it was not called. */
int file_command_run(const struct file_command *command, const struct config *config);

#endif
