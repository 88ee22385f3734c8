/* doctor: what is wrong with the set-up, and what helps. */
#include <getopt.h>
#include <stdlib.h>

#include "../../common/secret.h"
#include "../checkup.h"
#include "commands.h"
#include "terminal.h"

enum { FIX = 1, JSON };

static const struct option known[] = {
    {.name = "fix", .val = FIX},
    {.name = "json", .val = JSON},
    {0},
};

static bool print_json(const struct findings *findings)
{
    struct buf out = {0};
    struct json_object *whole = json_new_object(), *list = json_new_array();
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *row = &findings->rows[i];
        struct json_object *object = json_new_object();
        json_add_text(object, "check", row->check);
        json_add_text(object, "severity", checkup_severity_name(row->severity));
        json_add_text(object, "what", row->what);
        json_add_text(object, "remedy", row->remedy);
        json_add_bool(object, "fixed", row->fixed);
        json_append(list, object);
    }
    json_add_bool(whole, "ok", !findings_are_bad(findings));
    json_add(whole, "findings", list);
    terminal_json(&out, whole);
    bool printed = terminal_print(&out);
    json_object_put(whole);
    buf_free(&out);
    return printed;
}

static bool print_text(const struct findings *findings)
{
    struct buf out = {0};
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *row = &findings->rows[i];
        buf_printf(
            &out, "%-8s %-11s  ", row->fixed ? "fixed" : checkup_severity_name(row->severity), row->check);
        terminal_word(&out, row->what);
        buf_putc(&out, '\n');
        if (!row->remedy || row->fixed)
            continue;
        buf_printf(&out, "%-22s-> ", "");
        terminal_word(&out, row->remedy);
        buf_putc(&out, '\n');
    }
    bool printed = terminal_print(&out);
    buf_free(&out);
    return printed;
}

static int run(const struct config_options *options, int argc, char **argv)
{
    bool fix = false, json = false;
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
        if (option != FIX && option != JSON)
            return command_usage_error(&command_doctor, "unknown option %s", argv[optind - 1]);
        fix = fix || option == FIX;
        json = json || option == JSON;
    }
    if (optind < argc)
        return command_usage_error(&command_doctor, "it takes no argument but options");
    secret_init();
    struct findings findings;
    checkup_run(options, fix, &findings);
    bool printed = json ? print_json(&findings) : print_text(&findings);
    bool bad = findings_are_bad(&findings);
    findings_free(&findings);
    return printed && !bad ? COMMAND_DONE : COMMAND_ERROR;
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "patchcord doctor [--fix] [--json] [--as AGENT@NAMESPACE] [--client NAME]",
    .summary = "what is wrong with the set-up in this folder",
    .help =
        "Looks at the credentials file, the identity and where it comes from, the relay (time, TLS, clock),\n"
        "the token, the versions, the outbox, the agents' programs' configurations (of this folder and for\n"
        "all), and PATH. Each finding is a line: how bad, which check, what; and below it what helps.\n"
        "\n"
        "OPTIONS\n"
        "  --fix   do what can be done without harm: close the credentials file to others\n"
        "  --json  one JSON object: ok, and findings with check, severity (ok, warning, error), what, "
        "remedy,\n"
        "          fixed\n"
        "\n"
        "EXIT STATUS\n"
        "  0  all is fine, or was fixed\n"
        "  1  something is wrong\n"
        "  2  wrong usage\n",
    .run = run,
};
