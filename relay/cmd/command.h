/* command.h: the relay's commands: one file and one row each. Names, options and help come from the rows. */
#ifndef RELAY_CMD_COMMAND_H
#define RELAY_CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "../config.h"
#include "../store/store.h"

struct typed_code_key;

enum { EXIT_USAGE = 2 };
enum { COMMAND_OPTIONS_MAX = 4, COMMAND_GIVEN_MAX = 32 };

struct command_option {
    const char *name;  /* without dashes; NULL ends the list */
    const char *value; /* how the usage calls its value; NULL: it takes none */
    const char *help;
};

/* A command line that fits its command's row. */
struct command_line {
    const struct command *command;
    const char *env_file; /* NULL: none */
    struct {
        const char *name, *value;
    } given[COMMAND_GIVEN_MAX];
    size_t given_count;
    char **operands;
    int operands_count;
};

/* Whether command_store makes a store in the data folder where there is none yet. */
enum store_beginning {
    BEGINS_NO_STORE,
    BEGINS_NAMED_STORE, /* where a setting names the folder */
    BEGINS_STORE,
};

struct command {
    const char *name;     /* one word or two; NULL ends the table */
    const char *operands; /* as the usage shows them; "" for none */
    int operands_min, operands_max;
    const char *summary; /* one line */
    const char *help;    /* paragraphs */
    struct command_option options[COMMAND_OPTIONS_MAX];
    bool is_unlisted; /* the overview leaves it out */
    enum store_beginning begins_store;
    int (*run)(const struct command_line *line); /* the exit code: 0, EXIT_FAILURE or EXIT_USAGE */
};

extern const struct command command_serve, command_token_add, command_token_list, command_token_revoke,
    command_token_rotate, command_migrate, command_cleanup, command_backup, command_restore, command_status,
    command_health, command_tls_init, command_connect, command_invite, command_grants_list,
    command_grants_revoke, command_export, command_import, command_completion, command_man;
/* In the order of the overview; NULL-ended. */
extern const struct command *const commands[];

/* Reads argv (behind the command's name) by the row and runs it; prints help and usage errors itself. */
int command_main(const struct command *command, int argc, char **argv);
/* "Usage: patchcord-relay token add [--label TEXT] AGENT" and a newline. */
void command_usage(const struct command *command, struct buf *out);
/* What --help says below that: paragraphs, options, exit status. */
void command_help(const struct command *command, struct buf *out);

/* The option's last value ("" for one that takes none), or NULL where it was not given. */
const char *command_value(const struct command_line *line, const char *option);
/* One line on stderr behind the program's name; returns EXIT_FAILURE. */
int command_fail(const char *format, ...) PRINTF_LIKE(1, 2);
/* The same with the usage behind it; returns EXIT_USAGE. */
int command_misuse(const struct command_line *line, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends a column of a table for people: a time only as far as the day (the rest is in --json), "-" for 0.
 */
void command_write_day(int64_t wall_ms, struct buf *out);

/* Reads the settings (--env-file first). False: one line was printed. */
MUST_CHECK bool command_config(const struct command_line *line, struct config *config);
/* The store that the settings name. */
struct store_options command_store_options(const struct config *config, enum store_role role);
/* Settings and store of a command that works beside a serving relay. False: one line was printed, nothing is
 * open: also where there is no store, and the command does not begin one. */
MUST_CHECK bool command_store(const struct command_line *line, struct config *config, struct store **store);
/* The key of codes that people type, the relay's and its commands'; typed_code_key_free ends it. NULL: why
 * has one line. */
struct typed_code_key *command_code_key(const struct config *config, struct buf *why);
/* The same with settings that were read; where it fails, they are freed. */
MUST_CHECK bool command_store_open(
    const struct command_line *line, struct config *config, enum store_role role, struct store **store);
/* Closes what these two opened. */
void command_store_end(struct config *config, struct store *store);

#endif
