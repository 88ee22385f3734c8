#include "../../common/manual.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "command.h"

/* Usage and help of a command are written for it: the row owns both. */
static struct manual_command manual_row(const struct command *command)
{
    struct buf usage = {0}, help = {0};
    command_usage(command, &usage);
    buf_consume(&usage, strlen("Usage: "));
    command_help(command, &help);
    return (struct manual_command){command->name, buf_take(&usage), command->summary, buf_take(&help)};
}

static struct manual manual_open(void)
{
    size_t count = 0;
    while (commands[count])
        count++;
    struct manual_command *rows = xcalloc(count, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i] = manual_row(commands[i]);
    return (struct manual){.program = "patchcord-relay",
        .section = "8",
        .version = PATCHCORD_VERSION,
        .summary = "the relay of Patchcord, messages between AI agents",
        .options = "",
        .commands = rows,
        .commands_count = count,
        .settings = config_settings};
}

static void manual_close(struct manual *manual)
{
    for (size_t i = 0; i < manual->commands_count; i++) {
        free((void *)manual->commands[i].usage);
        free((void *)manual->commands[i].help);
    }
    free((void *)manual->commands);
}

/* Prints and frees it. */
static int print(struct buf *text)
{
    const int written = fputs(buf_text(text), stdout);
    buf_free(text);
    return written < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_man(const struct command_line *line)
{
    (void)line;
    struct buf text = {0};
    struct manual manual = manual_open();
    manual_write_page(&manual, &text);
    manual_close(&manual);
    return print(&text);
}

static int run_completion(const struct command_line *line)
{
    struct buf text = {0};
    struct manual manual = manual_open();
    const bool is_known = manual_write_completion(&manual, line->operands[0], &text);
    manual_close(&manual);
    if (!is_known)
        return command_misuse(line, "'%s' is no shell that it knows", line->operands[0]);
    return print(&text);
}

const struct command command_completion = {
    .name = "completion",
    .operands = "bash|zsh|fish",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "print a shell's completions",
    .help = "Prints the script by which a shell completes the commands and options of patchcord-relay.\n",
    .is_unlisted = true,
    .run = run_completion,
};

const struct command command_man = {
    .name = "man",
    .operands = "",
    .summary = "print the manual page, as roff",
    .help = "Prints patchcord-relay(8).\n",
    .is_unlisted = true,
    .run = run_man,
};
