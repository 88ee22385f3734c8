/* install: what makes Patchcord at home on a machine: skills, hooks, commands, status line and permissions
 * for the agents' programs that are found, and tokens that older set-ups left in their files moved to where
 * they belong. uninstall takes exactly that away. */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../credentials.h"
#include "../state_folder.h"
#include "commands.h"
#include "install_steps.h"

/* Prints what was done since, below a title where there is anything. */
static void report(struct install *in, const char *title)
{
    struct buf done = {0};
    installed_report(in->installed, &done);
    if (done.len > 0)
        printf("%s%s:\n", title, in->rehearse ? " (nothing is written)" : "");
    const char *before = "";
    size_t before_len = 0;
    for (const char *line = buf_text(&done); *line;) {
        size_t len = strcspn(line, "\n");
        if (len != before_len || memcmp(line, before, len) != 0)
            printf("  %.*s\n", (int)len, line);
        before = line;
        before_len = len;
        line += len + (line[len] != '\0');
    }
    fflush(stdout);
    buf_free(&done);
}

static const struct {
    const char *client;
    void (*install)(struct install *in, const struct client *client);
} own_steps[] = {{"claude_code", install_claude}, {"codex", install_codex}};

static bool install_client(struct install *in, const struct client *client)
{
    bool own_skill = false;
    if (!client_is_here(client))
        return false;
    for (size_t i = 0; i < LENGTH_OF(own_steps); i++) {
        if (strcmp(own_steps[i].client, client->name) != 0)
            continue;
        own_steps[i].install(in, client);
        own_skill = i == 0; /* in its plugin */
    }
    install_move_tokens(in, client);
    if (!own_skill && !in->has_skill)
        install_skill(in);
    in->has_skill |= !own_skill;
    report(in, client->title);
    return true;
}

static int install_all(struct install *in)
{
    size_t found = 0;
    for (const struct client *client = clients; client->name; client++)
        found += install_client(in, client);
    if (found == 0)
        puts("No agents' program that it sets up was found here (Claude Code, Codex, ...): run it again when "
             "one is there.");
    else if (in->problems == 0)
        puts(in->rehearse ? "Nothing was written." : "Everything is in place.");
    if (!in->rehearse)
        puts("\nNext: `patchcord-relay serve` runs a relay on this machine; `patchcord-relay invite "
             "AGENT@NAMESPACE` prints\na line to paste in the folder of that agent's project.");
    return in->problems ? COMMAND_ERROR : COMMAND_DONE;
}

/* ---- taking it away ---- */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

/* Links are removed, never followed. */
static void purge_folder(struct install *in, char *path)
{
    enum { OPEN_FOLDERS = 16 };
    struct buf why = {0};
    bool gone = !path || access(path, F_OK) < 0;
    if (!gone && !in->rehearse)
        gone = nftw(path, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS) == 0;
    if (!gone && in->rehearse)
        printf("  %s\n", path);
    else if (!gone)
        buf_printf(&why, "%s: %s", path, strerror(errno));
    install_attempt(in, gone || in->rehearse, &why);
    free(path);
}

static char *without_last(char *path)
{
    char *slash = path ? strrchr(path, '/') : NULL;
    if (slash)
        *slash = '\0';
    return path;
}

static void purge(struct install *in)
{
    const char *run = install_variable("XDG_RUNTIME_DIR");
    printf("Tokens, what waited to be sent, and caches %s removed.\n", in->rehearse ? "would be" : "are");
    purge_folder(in, without_last(credentials_path()));
    purge_folder(in, without_last(state_path("x")));
    purge_folder(in, run ? xasprintf("%s/patchcord", run) : NULL);
}

static int uninstall_all(struct install *in)
{
    struct buf why = {0};
    bool ok = installed_undo(in->installed, install_run, &why);
    report(in, in->rehearse ? "Would be taken away" : "Taken away");
    install_attempt(in, ok, &why);
    char *notes = state_path("install");
    if (ok && !in->rehearse && notes)
        rmdir(notes); /* not empty is as good */
    free(notes);
    if (in->purge)
        purge(in);
    else
        puts("Tokens and messages that wait to be sent stay: --purge removes them, too. So do entries in "
             "projects:\n`patchcord agent --remove` takes them out there.");
    return in->problems ? COMMAND_ERROR : COMMAND_DONE;
}

/* ---- the commands ---- */

enum { FULL = 1, DRY_RUN, UNINSTALL, PURGE };

static const struct option install_options[] = {{.name = "full", .val = FULL},
    {.name = "dry-run", .val = DRY_RUN}, {.name = "uninstall", .val = UNINSTALL}, {0}};
static const struct option uninstall_options[] = {
    {.name = "purge", .val = PURGE}, {.name = "dry-run", .val = DRY_RUN}, {0}};

static int read_arguments(struct install *in, const struct option *known, int argc, char **argv)
{
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
        if (option == '?' || option == ':')
            return command_usage_error(in->command, "unknown option %s", argv[optind - 1]);
        in->full |= option == FULL;
        in->rehearse |= option == DRY_RUN;
        in->undo |= option == UNINSTALL;
        in->purge |= option == PURGE;
    }
    return optind < argc ? command_usage_error(in->command, "it takes no argument but options")
                         : COMMAND_DONE;
}

static int run_with(struct install *in, const struct option *known, int argc, char **argv)
{
    struct buf why = {0};
    int exit_code = read_arguments(in, known, argc, argv);
    if (exit_code != COMMAND_DONE)
        return exit_code;
    in->program = realpath("/proc/self/exe", NULL);
    in->installed = in->program ? installed_load(in->rehearse, &why) : NULL;
    if (in->installed) {
        exit_code = in->undo ? uninstall_all(in) : install_all(in);
    } else {
        if (!in->program)
            buf_puts(&why, "this program does not know its own path: /proc is not there");
        install_attempt(in, false, &why);
        exit_code = COMMAND_ERROR;
    }
    installed_free(in->installed);
    free(in->program);
    buf_free(&why);
    return exit_code;
}

static int run_install(const struct config_options *options, int argc, char **argv)
{
    return run_with(
        &(struct install){.command = &command_install, .options = options}, install_options, argc, argv);
}

static int run_uninstall(const struct config_options *options, int argc, char **argv)
{
    return run_with(&(struct install){.command = &command_uninstall, .options = options, .undo = true},
        uninstall_options, argc, argv);
}

const struct command command_install = {
    .name = "install",
    .usage = "patchcord install [--full] [--dry-run] [--uninstall]",
    .summary = "set up the agents' programs of this machine",
    .help =
        "Gives Claude Code its plugin (hooks, commands, a skill), status line and permissions, Codex its\n"
        "hooks, and the other programs that are found the skill. What is in their files stays as it is;\n"
        "a file that cannot be understood is left alone. Entries of older set-ups that have a token in\n"
        "them are replaced, and their tokens moved to the credentials file.\n"
        "\n"
        "OPTIONS\n"
        "  --full       the status line shows model, use of the context and git branch, too\n"
        "  --dry-run    only say what would be done\n"
        "  --uninstall  the same as patchcord uninstall\n",
    .run = run_install,
};

const struct command command_uninstall = {
    .name = "uninstall",
    .usage = "patchcord uninstall [--purge] [--dry-run]",
    .summary = "take away what install put in place",
    .help =
        "Takes away exactly what patchcord install put into other programs' files. What somebody changed\n"
        "since stays, and is named.\n"
        "\n"
        "OPTIONS\n"
        "  --purge    remove stored tokens, messages that wait to be sent, and caches, too\n"
        "  --dry-run  only say what would be done\n",
    .run = run_uninstall,
};
