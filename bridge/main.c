#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "command.h"
#include "mcp_command.h"

static void print_overview(FILE *to)
{
    fputs("Usage: patchcord COMMAND [OPTIONS]\n\n"
          "Messages between AI agents, through a Patchcord relay.\n\nCommands:\n",
        to);
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->is_unlisted)
            fprintf(to, "  %-11s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nWithout a command and without a terminal on standard input it is `patchcord mcp`.\n\n"
          "Options of every command:\n",
        to);
    fputs(commands_options, to);
    fputs("\nEnvironment:\n", to);
    for (const struct setting *row = config_settings; row->name; row++)
        fprintf(to, "  %-29s  %s\n", row->name, row->help);
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int run_command(
    const struct command *command, const struct config_options *options, int argc, char **argv)
{
    if (!asks_for_help(argc, argv))
        return command->run(options, argc, argv);
    printf("Usage: %s\n\n%s\nOptions and settings of every command: patchcord --help\n", command->usage,
        command->help);
    return COMMAND_DONE;
}

int main(int argc, char **argv)
{
    struct config_options options = {0};
    struct buf why = {0};
    if (!config_take_options(&argc, argv, &options, &why)) {
        fprintf(stderr, "patchcord: %s\n", buf_text(&why));
        buf_free(&why);
        return COMMAND_USAGE;
    }
    /* An agent's program spawns the bridge with its standard input piped. */
    char *spawned[] = {"mcp", NULL};
    if (argc < 2 && !isatty(STDIN_FILENO))
        return command_mcp.run(&options, 1, spawned);
    const char *verb = argc < 2 ? "--help" : argv[1];
    if (strcmp(verb, "--version") == 0) {
        puts("patchcord " PATCHCORD_VERSION);
        return COMMAND_DONE;
    }
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0) {
        print_overview(stdout);
        return COMMAND_DONE;
    }
    const struct command *command = command_find(verb);
    if (command)
        return run_command(command, &options, argc - 1, argv + 1);
    fprintf(stderr, "patchcord: there is no command \"%s\"\n", verb);
    print_overview(stderr);
    return COMMAND_USAGE;
}
