/* patchcord-relay: finds the command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "cmd/command.h"

/* True for the first word of commands that have two. */
static bool is_group(const char *word, const struct command *command)
{
    const size_t len = strlen(word);
    return strncmp(command->name, word, len) == 0 && command->name[len] == ' ';
}

/* group: only those commands; NULL: all. */
static void write_overview(const char *group, struct buf *out)
{
    if (group)
        buf_printf(out, "Usage: patchcord-relay %s COMMAND [OPTIONS]\n\nCommands:\n", group);
    else
        buf_puts(out,
            "Usage: patchcord-relay COMMAND [OPTIONS]\n\nThe relay of Patchcord, messages between AI "
            "agents, and its operator's commands.\n\nCommands:\n");
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->is_unlisted && (!group || is_group(group, commands[i])))
            buf_printf(out, "  %-14s %s\n", commands[i]->name, commands[i]->summary);
    buf_puts(out, "\npatchcord-relay COMMAND --help tells more about one, patchcord-relay --version which "
                  "version this is.\n");
}

static int overview(FILE *stream, int code, const char *group)
{
    struct buf text = {0};
    write_overview(group, &text);
    const int written = fputs(buf_text(&text), stream);
    buf_free(&text);
    return written < 0 || fflush(stream) != 0 ? EXIT_FAILURE : code;
}

/* How many words of the command line name that command; 0: they do not. */
static int matches(const struct command *command, int argc, char **argv)
{
    if (strcmp(command->name, argv[0]) == 0)
        return 1;
    if (argc < 2)
        return 0;
    char *two = xasprintf("%s %s", argv[0], argv[1]);
    const bool same = strcmp(command->name, two) == 0;
    free(two);
    return same ? 2 : 0;
}

/* The first of two words, without the second of a command: word is NULL, or something else. */
static int group_main(const char *group, const char *word)
{
    if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0))
        return overview(stdout, EXIT_SUCCESS, group);
    if (word)
        (void)fprintf(stderr, "patchcord-relay: there is no command '%s %s'\n", group, word);
    return overview(stderr, EXIT_USAGE, group);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return overview(stderr, EXIT_USAGE, NULL);
    if (strcmp(argv[1], "--version") == 0)
        return puts("patchcord-relay " PATCHCORD_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return overview(stdout, EXIT_SUCCESS, NULL);
    for (size_t i = 0; commands[i]; i++) {
        const int words = matches(commands[i], argc - 1, argv + 1);
        if (words > 0)
            return command_main(commands[i], argc - words, argv + words);
    }
    for (size_t i = 0; commands[i]; i++)
        if (is_group(argv[1], commands[i]))
            return group_main(argv[1], argv[2]);
    (void)fprintf(stderr, "patchcord-relay: there is no command '%s'\n", argv[1]);
    return overview(stderr, EXIT_USAGE, NULL);
}
