#include "file_command.h"

#include <string.h>

#include "../../common/alloc.h"
#include "../relay_client.h"
#include "progress_bar.h"
#include "request.h"
#include "terminal.h"

struct run {
    const struct file_command *command;
    struct file_call *call;
    struct progress_bar bar;
    bool done;
    struct relay_reply reply;
};

static void on_done(void *arg, struct relay_reply *reply)
{
    struct run *run = arg;
    run->done = true;
    run->reply = *reply;
    *reply = (struct relay_reply){0};
}

static void on_turn(void *arg)
{
    struct run *run = arg;
    struct file_progress progress = file_call_progress(run->call);
    progress_bar_show(&run->bar, progress.done, progress.total);
}

static int print(const struct run *run)
{
    struct json_object *structured = request_structured(&run->reply);
    struct buf out = {0};
    if (run->command->json) {
        terminal_json(&out, structured);
    } else {
        terminal_word(&out, json_text_or(structured, run->command->result, ""));
        buf_putc(&out, '\n');
    }
    bool printed = terminal_print(&out);
    buf_free(&out);
    return printed ? COMMAND_DONE : COMMAND_ERROR;
}

int file_command_run(const struct file_command *command, const struct config *config)
{
    struct run run = {.command = command};
    struct relay_client *client = relay_client_new(config, request_stop_on_signals());
    const struct file_call_end end = {.done = on_done, .arg = &run, .structured = true};
    progress_bar_begin(&run.bar, command->file);
    run.call = command->start(command->start_arg, relay_client_link(client), &end);
    if (!relay_client_await(client, &run.done, on_turn, &run)) {
        file_call_cancel(run.call);
        run.reply = (struct relay_reply){.outcome = RELAY_STOPPED, .problem = xstrdup("stopped")};
    }
    progress_bar_end(&run.bar);
    int exit_code = request_failure(command->row, &run.reply);
    if (exit_code == COMMAND_DONE)
        exit_code = print(&run);
    relay_reply_free(&run.reply);
    relay_client_free(client);
    return exit_code;
}
