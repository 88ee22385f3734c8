#include "command.h"

#include <stdarg.h>
#include <stdio.h>

int command_usage_error(const struct command *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "patchcord %s: ", command->name);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nUsage: %s\n", command->usage);
    return COMMAND_USAGE;
}
