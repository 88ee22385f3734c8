#include <stdio.h>
#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/manual.h"
#include "commands.h"

static struct manual manual_open(void)
{
    size_t count = 0;
    while (commands[count])
        count++;
    struct manual_command *rows = xcalloc(count, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct manual_command){
            commands[i]->name, commands[i]->usage, commands[i]->summary, commands[i]->help};
    return (struct manual){.program = "patchcord",
        .section = "1",
        .version = PATCHCORD_VERSION,
        .summary = "messages between AI agents, through a Patchcord relay",
        .options = commands_options,
        .commands = rows,
        .commands_count = count,
        .settings = config_settings};
}

static void manual_close(struct manual *manual)
{
    free((void *)manual->commands);
}

/* Prints and frees it. */
static int print(struct buf *text)
{
    const int written = fputs(buf_text(text), stdout);
    buf_free(text);
    return written < 0 || fflush(stdout) != 0 ? COMMAND_ERROR : COMMAND_DONE;
}

static int run_man(const struct config_options *options, int argc, char **argv)
{
    (void)options;
    if (argc > 1)
        return command_usage_error(&command_man, "\"%s\" is one argument too many", argv[1]);
    struct buf text = {0};
    struct manual manual = manual_open();
    manual_write_page(&manual, &text);
    manual_close(&manual);
    return print(&text);
}

static int run_completion(const struct config_options *options, int argc, char **argv)
{
    (void)options;
    if (argc != 2)
        return command_usage_error(&command_completion, "name one shell");
    struct buf text = {0};
    struct manual manual = manual_open();
    const bool is_known = manual_write_completion(&manual, argv[1], &text);
    manual_close(&manual);
    if (!is_known)
        return command_usage_error(&command_completion, "\"%s\" is no shell that it knows", argv[1]);
    return print(&text);
}

const struct command command_completion = {
    .name = "completion",
    .usage = "patchcord completion bash|zsh|fish",
    .summary = "print a shell's completions",
    .help = "Prints the script by which a shell completes the commands and options of patchcord. What make\n"
            "install puts in place needs no further step; else, for bash, in ~/.bashrc:\n\n"
            "  eval \"$(patchcord completion bash)\"\n",
    .is_unlisted = true,
    .run = run_completion,
};

const struct command command_man = {
    .name = "man",
    .usage = "patchcord man",
    .summary = "print the manual page, as roff",
    .help = "Prints patchcord(1), to be shown as here:\n\n"
            "  patchcord man | man -l -\n",
    .is_unlisted = true,
    .run = run_man,
};
