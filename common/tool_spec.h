/* tool_spec.h: the table of tools: names, arguments, hints and help. The relay's dispatch, the bridge's list,
 * the command line's help and the docs check all read these rows. */
#ifndef COMMON_TOOL_SPEC_H
#define COMMON_TOOL_SPEC_H

#include "json.h"

enum tool_arg_kind {
    TOOL_ARG_TEXT,
    TOOL_ARG_NAMES, /* one name, several separated by commas, or an array of names */
    TOOL_ARG_INTEGER,
    TOOL_ARG_BOOLEAN,
};

enum tool_arg_flag {
    TOOL_ARG_REQUIRED = 1 << 0,
    TOOL_ARG_BRIDGE_ONLY = 1 << 1, /* listed by the bridge alone, and never forwarded */
    TOOL_ARG_UNLISTED = 1 << 2,    /* accepted, not listed */
};

struct tool_arg {
    const char *name; /* NULL ends the list */
    enum tool_arg_kind kind;
    unsigned flags;
    int64_t min, max;     /* INTEGER */
    const char *fallback; /* shown as the schema's default, JSON text; NULL: none */
    const char *alias_of; /* an older name of that argument */
    const char *help;
};

enum tool_hint {
    TOOL_READ_ONLY = 1 << 0,
    TOOL_DESTRUCTIVE = 1 << 1,
    TOOL_OPEN_WORLD = 1 << 2,
    TOOL_IDEMPOTENT = 1 << 3,
    TOOL_UNLISTED = 1 << 4, /* no hint: answered where the program has it, not listed */
};

enum { TOOL_ARGS_MAX = 8 };

struct tool_spec {
    const char *name; /* NULL ends the table */
    const char *title;
    const char *help; /* the description that models read */
    unsigned hints;
    struct tool_arg args[TOOL_ARGS_MAX];
};

extern const struct tool_spec tool_specs[];

/* The row of that name, or of the older name of one ("unsend"); NULL where there is none. */
const struct tool_spec *tool_spec_find(const char *name);

/* Checks a call's arguments by table and returns a new object that holds just the known ones under their
 * current names (caller owns). Unknown arguments are dropped. Returns NULL with one line in why: which
 * argument, the rule, what was given. A NULL args object is an empty one. */
struct json_object *tool_spec_check(const struct tool_spec *spec, struct json_object *args, struct buf *why);

/* The array of tools/list. bridge: with the bridge's own arguments. */
struct json_object *tool_spec_list(bool bridge);

#endif
