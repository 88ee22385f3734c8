#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/env.h"
#include "../../common/log.h"
#include "../auth/typed_code.h"
#include "../store/data_folder.h"

#define PROGRAM "patchcord-relay"

enum { OPTION_ENV_FILE = 256, OPTION_HELP, OPTION_OWN };

PRINTF_LIKE(3, 0)
static int complain(const struct command *command, int code, const char *format, va_list args)
{
    struct buf text = {0};
    (void)fprintf(stderr, PROGRAM ": ");
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, "\n");
    if (command) {
        command_usage(command, &text);
        (void)fputs(buf_text(&text), stderr);
    }
    buf_free(&text);
    return code;
}

int command_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int code = complain(NULL, EXIT_FAILURE, format, args);
    va_end(args);
    return code;
}

int command_misuse(const struct command_line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int code = complain(line->command, EXIT_USAGE, format, args);
    va_end(args);
    return code;
}

/* ---- help ---- */

static const struct command_option common_options[] = {
    {"env-file", "FILE", "read settings from FILE; the environment wins"},
    {"help", NULL, "show this help"},
};

void command_usage(const struct command *command, struct buf *out)
{
    buf_printf(out, "Usage: " PROGRAM " %s [--env-file FILE]", command->name);
    for (const struct command_option *o = command->options; o->name; o++)
        buf_printf(out, o->value ? " [--%s %s]" : " [--%s]", o->name, o->value);
    buf_printf(out, "%s%s\n", *command->operands ? " " : "", command->operands);
}

static void write_option(const struct command_option *option, struct buf *out)
{
    char flag[64];
    (void)snprintf(flag, sizeof flag, option->value ? "--%s %s" : "--%s", option->name, option->value);
    buf_printf(out, "  %-18s %s\n", flag, option->help);
}

void command_help(const struct command *command, struct buf *out)
{
    buf_printf(out, "%s\nOPTIONS\n", command->help);
    for (const struct command_option *o = command->options; o->name; o++)
        write_option(o, out);
    for (size_t i = 0; i < LENGTH_OF(common_options); i++)
        write_option(&common_options[i], out);
    buf_puts(out, "\nEXIT STATUS\n  0  done\n  1  an error, said on standard error\n  2  wrong usage\n");
}

static int print_help(const struct command *command)
{
    struct buf text = {0};
    command_usage(command, &text);
    buf_putc(&text, '\n');
    command_help(command, &text);
    const int written = fputs(buf_text(&text), stdout);
    buf_free(&text);
    return written < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- reading ---- */

static void list_options(const struct command *command, struct option out[static COMMAND_OPTIONS_MAX + 3])
{
    size_t count = 0;
    out[count++] = (struct option){"env-file", required_argument, NULL, OPTION_ENV_FILE};
    out[count++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    for (const struct command_option *o = command->options; o->name; o++)
        out[count++] = (struct option){o->name, o->value ? required_argument : no_argument, NULL,
            OPTION_OWN + (int)(o - command->options)};
    out[count] = (struct option){0};
}

static bool take_option(struct command_line *line, int option)
{
    if (line->given_count == COMMAND_GIVEN_MAX)
        return false;
    line->given[line->given_count].name = line->command->options[option - OPTION_OWN].name;
    line->given[line->given_count++].value = optarg ? optarg : "";
    return true;
}

int command_main(const struct command *command, int argc, char **argv)
{
    struct command_line line = {.command = command};
    struct option options[COMMAND_OPTIONS_MAX + 3];
    list_options(command, options);
    opterr = 0;
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (option == 'h' || option == OPTION_HELP)
            return print_help(command);
        if (option == '?' || option == ':')
            return command_misuse(
                &line, option == ':' ? "%s needs a value" : "unknown option %s", argv[optind - 1]);
        if (option == OPTION_ENV_FILE)
            line.env_file = optarg;
        else if (!take_option(&line, option))
            return command_misuse(&line, "too many options");
    }
    line.operands = argv + optind;
    line.operands_count = argc - optind;
    if (line.operands_count < command->operands_min)
        return command_misuse(&line, "%s is missing", command->operands);
    if (line.operands_count > command->operands_max)
        return command_misuse(&line, "'%s' is one argument too many", line.operands[command->operands_max]);
    return command->run(&line);
}

const char *command_value(const struct command_line *line, const char *option)
{
    for (size_t i = line->given_count; i > 0; i--)
        if (strcmp(line->given[i - 1].name, option) == 0)
            return line->given[i - 1].value;
    return NULL;
}

void command_write_day(int64_t wall_ms, struct buf *out)
{
    char text[RFC3339_LEN];
    clock_rfc3339(wall_ms, text);
    buf_printf(out, "  %-10.10s", wall_ms > 0 ? text : "-");
}

/* ---- what commands stand on ---- */

bool command_config(const struct command_line *line, struct config *config)
{
    struct buf why = {0};
    const bool fine = (!line->env_file || env_load_file(line->env_file, &why)) && config_load(config, &why);
    if (fine)
        log_configure((enum log_format)config->log_format, (enum log_level)config->log_level);
    else
        (void)command_fail("%s", buf_text(&why));
    buf_free(&why);
    return fine;
}

static bool has_database(const char *data_dir)
{
    char *path = xasprintf("%s/" DATABASE_FILE, data_dir);
    const bool is_there = access(path, F_OK) == 0 || errno != ENOENT;
    free(path);
    return is_there;
}

/* Most often that is another user's folder, or other settings than the relay's: an empty store made here
 * would look like one that lost everything. */
static bool refuse_missing(struct config *config)
{
    (void)command_fail("there is no relay's data in %s%s: run this as the relay's user and with its settings "
                       "(PATCHCORD_DATA_DIR, --env-file); serve and migrate begin a new one",
        config->data_dir, config->data_dir_is_default ? ", and PATCHCORD_DATA_DIR is not set" : "");
    config_free(config);
    return false;
}

struct store_options command_store_options(const struct config *config, enum store_role role)
{
    return (struct store_options){
        .data_dir = config->data_dir,
        .database_url = config->database_url,
        .supabase = {.url = config->supabase_url,
            .key = config->supabase_key,
            .ca_file = config->ca_file,
            .breaker_ms = config->circuit_breaker_seconds * MS_PER_SECOND,
            .poll_ms = config->poll_seconds * MS_PER_SECOND},
        .encryption_key = config->encryption_key,
        .role = role,
    };
}

static bool begins_store(const struct command *command, const struct config *config)
{
    return command->begins_store == BEGINS_STORE ||
           (command->begins_store == BEGINS_NAMED_STORE && !config->data_dir_is_default);
}

/* It is not in the data folder. */
static bool is_shared(const struct store_options *options)
{
    return options->database_url != NULL || options->supabase.url != NULL;
}

bool command_store_open(
    const struct command_line *line, struct config *config, enum store_role role, struct store **store)
{
    const struct store_options options = command_store_options(config, role);
    if (!is_shared(&options) && !begins_store(line->command, config) && !has_database(config->data_dir))
        return refuse_missing(config);
    struct buf why = {0};
    secret_init();
    *store = store_open(&options, &why);
    if (!*store) {
        (void)command_fail("%s", buf_text(&why));
        config_free(config);
    }
    buf_free(&why);
    return *store != NULL;
}

bool command_store(const struct command_line *line, struct config *config, struct store **store)
{
    return command_config(line, config) && command_store_open(line, config, STORE_ROLE_ADMIN, store);
}

/* Relays that share a store must agree, so a file in the folder of each will not do there. */
struct typed_code_key *command_code_key(const struct config *config, struct buf *why)
{
    const struct store_options options = command_store_options(config, STORE_ROLE_ADMIN);
    char *credential = config->code_key ? xstrdup(config->code_key) : store_credential(&options);
    struct typed_code_key *key = NULL;
    if (credential || !is_shared(&options))
        key = typed_code_key_open(config->data_dir, credential, why);
    else
        buf_puts(why,
            "PATCHCORD_DATABASE_URL has no password that keys could be made of: set PATCHCORD_CODE_KEY, the "
            "same for all relays of that database, to what openssl rand -base64 32 prints");
    secret_free(credential);
    return key;
}

void command_store_end(struct config *config, struct store *store)
{
    store_close(store);
    config_free(config);
}
