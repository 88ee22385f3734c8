/* agent: sets up an agent's program in this folder: a token that the relay knows, kept in the credentials
 * file, and the program's own configuration, which has none; and tries it out. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../client_setup.h"
#include "../older_entry.h"
#include "../project_files.h"
#include "../trial.h"
#include "agent_identity.h"
#include "commands.h"
#include "terminal.h"

enum { ARGV_MAX = 12 };

struct agent {
    const struct command *command;
    const struct client *client;
    struct agent_identity who;
    const char *ca, *pin;
    bool print, remove;
    char *folder;
    struct client_setup setup;
    struct older_entry older; /* what the client's configuration had */
};

static int fail(const struct agent *agent, int exit_code, struct buf *why)
{
    struct buf line = {0};
    terminal_word(&line, buf_text(why));
    fprintf(stderr, "patchcord %s: %s\n", agent->command->name, buf_text(&line));
    buf_free(&line);
    return exit_code;
}

/* ---- arguments ---- */

enum { CODEX = 1, SERVER, TOKEN, CODE, LOGIN, PIN, CA, PRINT, REMOVE };

static const struct option known[] = {
    {.name = "codex", .val = CODEX},
    {.name = "server", .has_arg = required_argument, .val = SERVER},
    {.name = "token", .has_arg = required_argument, .val = TOKEN},
    {.name = "code", .has_arg = required_argument, .val = CODE},
    {.name = "login", .val = LOGIN},
    {.name = "pin", .has_arg = required_argument, .val = PIN},
    {.name = "ca", .has_arg = required_argument, .val = CA},
    {.name = "print", .val = PRINT},
    {.name = "remove", .val = REMOVE},
    {0},
};

static int set_source(struct agent *agent, enum agent_source source)
{
    if (agent->who.source != AGENT_STORED)
        return command_usage_error(agent->command, "one of --token, --code and --login is enough");
    agent->who.source = source;
    return COMMAND_DONE;
}

static int take_option(struct agent *agent, int option)
{
    switch (option) {
    case CODEX:
        agent->who.options.client = "codex";
        return COMMAND_DONE;
    case SERVER:
        agent->who.server = optarg;
        return COMMAND_DONE;
    case TOKEN:
        if (strcmp(optarg, "-") != 0)
            return command_usage_error(agent->command, "a token on a command line is seen by others and kept "
                                                       "in your shell's history: say --token -, and "
                                                       "type it or pipe it in");
        return set_source(agent, AGENT_STDIN);
    case CODE:
        agent->who.code = optarg;
        return set_source(agent, AGENT_CODE);
    case LOGIN:
        return set_source(agent, AGENT_LOGIN);
    case PIN:
        agent->pin = optarg;
        return COMMAND_DONE;
    case CA:
        agent->ca = optarg;
        return COMMAND_DONE;
    case PRINT:
        agent->print = true;
        return COMMAND_DONE;
    default:
        agent->remove = true;
        return COMMAND_DONE;
    }
}

static int check_arguments(struct agent *agent, int argc)
{
    struct config_options *options = &agent->who.options;
    if (optind < argc)
        return command_usage_error(agent->command, "it takes no argument but options");
    if (options->as)
        return command_usage_error(
            agent->command, "--as does not belong here: the token decides who this folder becomes");
    if (agent->pin && !credentials_is_pin(agent->pin))
        return command_usage_error(
            agent->command, "--pin takes sha256//... as `patchcord-relay tls-init` prints it");
    if (agent->pin && agent->ca)
        return command_usage_error(agent->command, "one of --pin and --ca is enough");
    if (!options->client)
        options->client = clients[0].name;
    agent->client = client_find(options->client);
    if (agent->client)
        return COMMAND_DONE;
    struct buf names = {0};
    clients_list(&names);
    int exit_code = command_usage_error(agent->command, "--client takes one of: %s", buf_text(&names));
    buf_free(&names);
    return exit_code;
}

static int read_arguments(struct agent *agent, int argc, char **argv)
{
    int option, exit_code = COMMAND_DONE;
    opterr = 0;
    while (exit_code == COMMAND_DONE && (option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
        if (option == '?' || option == ':')
            return command_usage_error(
                agent->command, option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]);
        exit_code = take_option(agent, option);
    }
    return exit_code == COMMAND_DONE ? check_arguments(agent, argc) : exit_code;
}

/* What is trusted goes the way of the setting of that name, to the bridge that is tried out, too. */
static bool use_trust(const struct agent *agent, struct buf *why)
{
    char *file = agent->ca ? realpath(agent->ca, NULL) : NULL;
    if (agent->ca && !file) {
        buf_printf(why, "--ca %s: %s", agent->ca, strerror(errno));
        return false;
    }
    const char *trusted = agent->pin ? agent->pin : file;
    if (trusted && setenv("PATCHCORD_CA_FILE", trusted, 1) < 0)
        alloc_failed();
    free(file);
    return true;
}

/* ---- the client's configuration ---- */

static char *own_path(void)
{
    char *path = realpath("/proc/self/exe", NULL);
    return path ? path : xstrdup("patchcord");
}

/* How the client starts the bridge. A project's file is checked in: it has the bare name. A file for all
 * projects has the whole path, and names the agent and its folder, since the client may start it anywhere. */
static void bridge_argv(const struct agent *agent, const char *program, const char **argv)
{
    size_t n = 0;
    bool global = agent->setup.global;
    argv[n++] = global ? program : "patchcord";
    argv[n++] = "mcp";
    argv[n++] = "--client";
    argv[n++] = agent->client->name;
    if (agent->who.options.insecure_http)
        argv[n++] = "--insecure-http";
    if (global && agent->who.agent[0]) {
        argv[n++] = "--as";
        argv[n++] = agent->who.agent;
        argv[n++] = "--allow-path";
        argv[n++] = agent->folder;
    }
    argv[n] = NULL;
}

static bool put_entry(struct agent *agent, struct buf *why)
{
    const char *argv[ARGV_MAX];
    char *program = own_path();
    bridge_argv(agent, program, argv);
    bool ok = client_setup_put(&agent->setup, argv, why);
    free(program);
    return ok;
}

static int print_plan(struct agent *agent, struct buf *why)
{
    if (!put_entry(agent, why))
        return fail(agent, COMMAND_ERROR, why);
    struct buf out = {0};
    for (size_t i = 0; i < agent->setup.count; i++) {
        struct edited_file *file = &agent->setup.files[i];
        if (!edited_file_changed(file))
            continue;
        buf_printf(&out, "# %s\n", file->path);
        terminal_text(&out, buf_text(&file->text), file->text.len);
    }
    if (out.len == 0)
        buf_puts(&out, "Nothing would be changed.\n");
    bool ok = terminal_print(&out);
    buf_free(&out);
    return ok ? COMMAND_DONE : COMMAND_ERROR;
}

/* ---- taking it away ---- */

static int remove_all(struct agent *agent, struct buf *why)
{
    struct buf changed = {0};
    size_t count;
    char *credentials = credentials_path();
    bool ok = client_setup_remove(&agent->setup, why) && client_setup_commit(&agent->setup, &changed, why);
    if (ok && credentials)
        ok = credentials_remove(credentials, agent->folder, agent->client->name, &count, why);
    else
        count = 0;
    if (ok) {
        printf("%s", changed.len ? "Taken out of:\n" : "");
        fputs(buf_text(&changed), stdout);
        puts(count > 0
                 ? "The folder's token is no longer stored here. The relay still knows it: its operator can "
                   "revoke it (patchcord-relay token revoke)."
                 : "No token was stored for this folder and client.");
    }
    free(credentials);
    buf_free(&changed);
    return ok ? COMMAND_DONE : fail(agent, COMMAND_ERROR, why);
}

/* ---- setting it up ---- */

/* The bridge as the client starts it, but from this very program. */
static bool try_out(const struct agent *agent, struct buf *why)
{
    const char *argv[ARGV_MAX];
    char *program = own_path();
    int64_t took_ms = 0;
    bridge_argv(agent, program, argv);
    argv[0] = program;
    /* What this shell has of them the client has not, or another shell's. */
    unsetenv("PATCHCORD_URL");
    unsetenv("PATCHCORD_TOKEN");
    bool ok = trial_run((char *const *)argv, &took_ms, why);
    if (ok)
        printf("A bridge in this folder reached the relay and back in %lld ms.\n", (long long)took_ms);
    free(program);
    return ok;
}

static void say_older(const struct agent *agent)
{
    const char *file = agent->setup.files[0].path;
    if (!agent->older.token)
        return;
    printf("An older entry in %s had its token in the file; it is replaced%s.\n", file,
        agent->who.older ? ", and its relay and token are taken over" : "");
    if (git_keeps(file))
        printf("git has %s, and with it that token, in its history: have it rotated by the relay's operator "
               "(patchcord-relay token rotate).\n",
            file);
}

static void say_next(const struct agent *agent)
{
    bool claude = strcmp(agent->client->name, "claude_code") == 0;
    printf("\nNow start %s in this folder%s, and say for example:\n"
           "  \"check your patchcord inbox\"\n"
           "  \"ask NAME over patchcord how far it is, and wait for the answer\" (NAME: another agent)\n",
        agent->client->title,
        claude                                      ? " (it asks once whether you trust the folder)"
        : strcmp(agent->client->name, "codex") == 0 ? " (it has to trust the folder)"
                                                    : ", or restart it");
}

static int set_up(struct agent *agent, struct buf *why)
{
    struct buf changed = {0};
    int exit_code = agent_identity_find(&agent->who, agent->older.url, agent->older.token, why);
    if (exit_code != COMMAND_DONE)
        return why->len > 0 ? fail(agent, exit_code, why) : exit_code;
    if (!put_entry(agent, why) || !agent_identity_keep(&agent->who, why))
        return fail(agent, COMMAND_ERROR, why);
    printf(
        "This folder is %s at %s for %s: the relay knows the token, which is kept outside of the project.\n",
        agent->who.agent, agent->who.config.url, agent->client->title);
    bool written = client_setup_commit(&agent->setup, &changed, why);
    if (written && changed.len > 0)
        printf("Written:\n%s", buf_text(&changed));
    buf_free(&changed);
    if (!written)
        return fail(agent, COMMAND_ERROR, why);
    say_older(agent);
    if (getenv("PATCHCORD_TOKEN"))
        puts("PATCHCORD_TOKEN is set in this shell: a program that is started from it is that agent, not "
             "this one. Unset it.");
    fflush(stdout);
    if (!try_out(agent, why))
        return fail(agent, COMMAND_ERROR, why);
    say_next(agent);
    return COMMAND_DONE;
}

static bool find_folder(struct agent *agent, struct buf *why)
{
    agent->folder = realpath(".", NULL);
    if (!agent->folder)
        buf_puts(why, "the current folder is gone");
    else if (!project_is_folder(agent->folder))
        buf_printf(
            why, "%s is no project's folder: go to the project's own, and run it there", agent->folder);
    else
        return true;
    return false;
}

static int run_as(const struct command *command, const struct config_options *options, int argc, char **argv)
{
    struct agent agent = {.command = command, .who.options = *options};
    struct buf why = {0};
    int exit_code = read_arguments(&agent, argc, argv);
    if (exit_code != COMMAND_DONE)
        goto out;
    if (!use_trust(&agent, &why) || !find_folder(&agent, &why) ||
        !client_setup_open(agent.client, agent.folder, &agent.setup, &why)) {
        exit_code = fail(&agent, COMMAND_ERROR, &why);
        goto out;
    }
    if (!older_entry_read(agent.setup.old_entry, &agent.older))
        agent.older = (struct older_entry){0};
    exit_code = agent.print    ? print_plan(&agent, &why)
                : agent.remove ? remove_all(&agent, &why)
                               : set_up(&agent, &why);
out:
    older_entry_free(&agent.older);
    client_setup_free(&agent.setup);
    agent_identity_free(&agent.who);
    free(agent.folder);
    buf_free(&why);
    return exit_code;
}

static int run_agent(const struct config_options *options, int argc, char **argv)
{
    return run_as(&command_agent, options, argc, argv);
}

static int run_init(const struct config_options *options, int argc, char **argv)
{
    return run_as(&command_init, options, argc, argv);
}

#define OPTIONS_USAGE                                                                                        \
    "[--client NAME] [--server URL] [--token - | --code CODE | --login]\n"                                   \
    "                       [--pin PIN | --ca FILE] [--print] [--remove]"

const struct command command_agent = {
    .name = "agent",
    .usage = "patchcord agent " OPTIONS_USAGE,
    .summary = "set up an agent's program in this folder",
    .help =
        "Asks the relay whose the token is, keeps it for this folder and program in the credentials file,\n"
        "bound to that relay, and enters the bridge into the program's configuration, in which there is no\n"
        "secret; then calls the relay once through a bridge. Once again with nothing else, it renews the\n"
        "configuration from what is stored.\n"
        "\n"
        "OPTIONS\n"
        "  --client NAME  claude_code (default), codex, gemini, cursor, vscode, windsurf, zed, opencode,\n"
        "                 antigravity\n"
        "  --codex        the same as --client codex\n"
        "  --server URL   the relay\n"
        "  --token -      read the token from standard input, unseen on a terminal\n"
        "  --code CODE    an invitation's code instead of a token (patchcord-relay invite)\n"
        "  --login        approve a code on the relay's page instead (see patchcord login --help)\n"
        "  --pin PIN      trust the server with this key: sha256//..., as patchcord-relay tls-init prints\n"
        "  --ca FILE      trust these certificate authorities beside the system's\n"
        "  --print        only show what would be written\n"
        "  --remove       take our entry out of the program's configuration, and the token out of the\n"
        "                 credentials file\n"
        "\n"
        "EXIT STATUS\n"
        "  0  done\n"
        "  1  an error, said on standard error\n"
        "  2  wrong usage\n"
        "  4  the relay refused the token or the code\n",
    .run = run_agent,
};

const struct command command_init = {
    .name = "init",
    .usage = "patchcord init " OPTIONS_USAGE,
    .summary = "the same as agent",
    .help = "The same as patchcord agent; see patchcord agent --help.\n"
            "\n"
            "OPTIONS\n"
            "  --codex  as there, like all the others\n",
    .run = run_init,
};
