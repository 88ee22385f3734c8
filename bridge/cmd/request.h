/* request.h: a command that is one tool call: its arguments by table, the call, its answer on stdout, and the
 * acknowledgement once the answer is written. */
#ifndef BRIDGE_CMD_REQUEST_H
#define BRIDGE_CMD_REQUEST_H

#include <signal.h>
#include <stddef.h>

#include "../../common/json.h"
#include "../command.h"

enum request_arg_kind {
    REQUEST_SWITCH, /* an option for the command itself: sets the bool at offset in struct request */
    REQUEST_FLAG,   /* an option without a value: true */
    REQUEST_TEXT,
    REQUEST_ID, /* a text, also in the brackets in which messages are shown with it */
    REQUEST_NUMBER,
    REQUEST_SECONDS, /* a number of seconds, or a duration like 10m */
    REQUEST_CONTENT, /* a text, or "-": everything on stdin but one final newline */
};

/* One argument of a command, in the order in which positional ones are given. */
struct request_arg {
    const char *option; /* "thread" for --thread; NULL: positional */
    const char *name;   /* the tool's argument */
    const char *shown;  /* positional: as the usage line calls it */
    enum request_arg_kind kind;
    bool required;
    size_t offset; /* SWITCH */
};

struct request {
    bool json; /* --json */
    bool take; /* --take */
};

#define REQUEST_JSON                                                                                         \
    {                                                                                                        \
        .option = "json", .kind = REQUEST_SWITCH, .offset = offsetof(struct request, json)                   \
    }

enum { REQUEST_ARGS_MAX = 10, REQUEST_CONTENT_MAX_BYTES = 4 * 50000 };

struct request_spec {
    const struct command *command;
    const char *tool;
    bool peeks; /* takes nothing, unless --take was given */
    const char
        *left_there; /* said on stderr where pending messages were shown and not taken; NULL: nothing */
    const struct request_arg *args;
    size_t args_count;
    /* What to print instead of the tool's own words, from its structured result; both NULL: the tool's words,
     * and the whole structured result for --json. */
    void (*format)(struct json_object *structured, struct buf *out);
    struct json_object *(*select)(struct json_object *structured); /* a new reference */
};

#define REQUEST_EXIT_CODES REQUEST_EXIT_CODES_AND("")
/* own: the lines of codes below 4 that only that command has */
#define REQUEST_EXIT_CODES_AND(own)                                                                          \
    "\nEXIT STATUS\n"                                                                                        \
    "  0  done\n"                                                                                            \
    "  1  an error, said on standard error\n"                                                                \
    "  2  wrong usage\n" own "  4  the relay refused the token\n"

/* Does all of it; a command's exit code. */
int request_run(const struct request_spec *spec, const struct config_options *options, int argc, char **argv);

struct relay_reply;
/* Says on stderr why a reply brings nothing to print; the exit code, COMMAND_DONE where it does. */
int request_failure(const struct command *command, const struct relay_reply *reply);
/* The result's structuredContent, borrowed; NULL where there is none. */
struct json_object *request_structured(const struct relay_reply *reply);
/* SIGINT and SIGTERM set the flag that is returned, once; the next one ends the process. */
const volatile sig_atomic_t *request_stop_on_signals(void);

#endif
