/* statusline: one line on who the agent is and what waits for it, drawn from what is known: the relay is
 * asked in the background, so that no terminal waits for it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../common/clock.h"
#include "../../common/fence.h"
#include "../../common/secret.h"
#include "../git_branch.h"
#include "../hook_input.h"
#include "../listener_lock.h"
#include "../status_cache.h"
#include "../status_line.h"
#include "commands.h"
#include "terminal.h"

/* What the first line of an agent that has no name yet may take, and what nobody waits for. */
enum { INPUT_MS = 300, FIRST_LOOK_MS = 500, BACKGROUND_LOOK_MS = 5000 };

/* ---- asking ---- */

static void ask(const struct config *config, int64_t timeout_ms)
{
    struct inbox_look pending;
    inbox_look(config, timeout_ms, &pending, NULL);
    status_note(config, &pending);
    inbox_look_free(&pending);
}

/* Nothing of the host's may be kept open, or it would wait for us. */
static bool let_go_of_host(void)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    return nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDOUT_FILENO) >= 0 &&
           dup2(nothing, STDERR_FILENO) >= 0 && setsid() >= 0;
}

static void ask_in_background(const struct config *config, struct status *status)
{
    /* Before, so that the next line does not ask as well. */
    status->asked_ms = clock_wall_ms();
    status_save(config, status);
    fflush(stdout);
    if (fork() != 0)
        return;
    if (let_go_of_host())
        ask(config, BACKGROUND_LOOK_MS);
    _exit(0);
}

/* ---- the line ---- */

/* The name without its domain. */
static void append_machine(struct buf *out)
{
    struct utsname host;
    if (uname(&host) < 0)
        host.nodename[0] = '\0';
    host.nodename[strcspn(host.nodename, ".")] = '\0';
    fence_word(out, host.nodename, FENCE_WORD_MAX);
}

static void append_agent(struct buf *out, const struct config *config, const struct status *status)
{
    struct buf machine = {0}, part = {0};
    const char *agent = *status->agent ? status->agent : config->agent;
    append_machine(&machine);
    status_line_agent(&part, &(struct status_view){.status = status,
                                 .agent = config->agent,
                                 .machine = buf_text(&machine),
                                 .listens = agent && listener_lock_held(config->url, agent),
                                 .now_ms = clock_wall_ms()});
    status_line_join(out, &part);
    buf_free(&part);
    buf_free(&machine);
}

static void append_branch(struct buf *out, const char *folder)
{
    struct buf branch = {0};
    if (folder && folder[0] == '/' && git_branch(folder, &branch))
        status_line_join(out, &branch);
    buf_free(&branch);
}

static void print_line(struct buf *line)
{
    if (line->len == 0)
        return;
    buf_putc(line, '\n');
    (void)!terminal_print(line);
}

static void draw(const struct config *config, struct buf *line)
{
    struct status status;
    status_load(config, &status);
    bool due = status_is_due(&status, clock_wall_ms());
    if (status.asked_ms == 0 && !config->agent) {
        ask(config, FIRST_LOOK_MS);
        status_load(config, &status);
        due = false;
    }
    append_agent(line, config, &status);
    print_line(line);
    if (due)
        ask_in_background(config, &status);
}

/* ---- the host ---- */

static const char *folder_of(struct json_object *host, const char *key)
{
    struct json_object *workspace;
    if (json_get_object(host, "workspace", &workspace) != JSON_FIELD_FOUND)
        return NULL;
    return json_text_or(workspace, key, NULL);
}

static void go_to_project(struct json_object *host)
{
    const char *project = folder_of(host, "project_dir");
    if (!project)
        project = getenv("CLAUDE_PROJECT_DIR");
    if (!project)
        project = json_text_or(host, "cwd", NULL);
    if (project)
        (void)!chdir(project);
}

static int run(const struct config_options *options, int argc, char **argv)
{
    bool full = argc == 2 && strcmp(argv[1], "--full") == 0;
    if (argc > 1 && !full)
        return command_usage_error(&command_statusline, "it takes nothing but --full");
    secret_init();
    struct json_object *host = hook_object_read(STDIN_FILENO, clock_mono_ms() + INPUT_MS);
    struct buf line = {0}, why = {0};
    struct config config;
    if (full) {
        status_line_session(&line, host);
        append_branch(&line, folder_of(host, "current_dir"));
    }
    go_to_project(host);
    if (config_load(options, &config, &why)) {
        draw(&config, &line);
        config_free(&config);
    } else {
        print_line(&line);
    }
    buf_free(&why);
    buf_free(&line);
    json_object_put(host);
    return COMMAND_DONE;
}

const struct command command_statusline = {
    .name = "statusline",
    .usage = "patchcord statusline [--full] [--client NAME]",
    .summary = "the status line of Claude Code",
    .help =
        "Reads the JSON that Claude Code gives its status line, and prints one line:\n"
        "\n"
        "  backend@myproject (laptop) 2 msg " STATUS_LISTENS "\n"
        "\n"
        "with " STATUS_LISTENS
        " while `patchcord subscribe` runs, and BAD TOKEN where the relay does not accept\n"
        "the token. It prints nothing where no agent is set up. The number is what the relay said within\n"
        "the last five minutes; it is asked in the background.\n"
        "\n"
        "OPTIONS\n"
        "  --full  before that the model, how much of its context is used, and the git branch, which are\n"
        "          shown without an agent, too\n"
        "\n"
        "EXIT STATUS\n"
        "  0  always, but for wrong usage (2)\n",
    .run = run,
};
