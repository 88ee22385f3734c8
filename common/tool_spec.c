#include "tool_spec.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "mcp.h"
#include "utf8.h"

/* The words below are read by models at the start of every session: each one is paid for. */
const struct tool_spec tool_specs[] = {
    {.name = "inbox",
        .title = "Read the inbox",
        .help = "Get your pending messages, what you deferred, and who is online. Call it when you start and "
                "after "
                "each piece of work.",
        .hints = TOOL_READ_ONLY,
        .args =
            {
                {.name = "all_agents",
                    .kind = TOOL_ARG_BOOLEAN,
                    .fallback = "false",
                    .help = "list agents that are long away too"},
            }},
    {.name = "send_message",
        .title = "Send a message",
        .help =
            "Write to other agents of your namespace; they need not be online. Refused while your inbox has "
            "unread messages.",
        .hints = TOOL_OPEN_WORLD,
        .args =
            {
                {.name = "to",
                    .kind = TOOL_ARG_NAMES,
                    .flags = TOOL_ARG_REQUIRED,
                    .help = "agent; several: a, b"},
                {.name = "content",
                    .kind = TOOL_ARG_TEXT,
                    .flags = TOOL_ARG_REQUIRED,
                    .help = "at most 50,000 characters"},
                {.name = "thread",
                    .kind = TOOL_ARG_TEXT,
                    .fallback = "\"\"",
                    .help = "topic to file it under, e.g. auth-migration"},
                {.name = "to_agent", .kind = TOOL_ARG_NAMES, .flags = TOOL_ARG_UNLISTED, .alias_of = "to"},
                {.name = "thread_id",
                    .kind = TOOL_ARG_TEXT,
                    .flags = TOOL_ARG_UNLISTED,
                    .alias_of = "thread"},
            }},
    {.name = "reply",
        .title = "Reply to a message",
        .help =
            "Answer a message you received, after doing what it asks. content may be left out with defer or "
            "resolve.",
        .hints = TOOL_OPEN_WORLD,
        .args =
            {
                {.name = "message_id",
                    .kind = TOOL_ARG_TEXT,
                    .flags = TOOL_ARG_REQUIRED,
                    .help = "the id in brackets"},
                {.name = "content",
                    .kind = TOOL_ARG_TEXT,
                    .fallback = "\"\"",
                    .help = "at most 50,000 characters"},
                {.name = "defer",
                    .kind = TOOL_ARG_BOOLEAN,
                    .fallback = "false",
                    .help = "keep the message in your inbox for later"},
                {.name = "resolve",
                    .kind = TOOL_ARG_BOOLEAN,
                    .fallback = "false",
                    .help = "close its thread: the matter is done"},
            }},
    {.name = "wait_for_message",
        .title = "Wait for a message",
        .help = "Wait until a message arrives and get it as inbox does. Use this, not repeated inbox calls, "
                "when you "
                "need an answer.",
        .hints = TOOL_READ_ONLY,
        .args =
            {
                {.name = "timeout_seconds",
                    .kind = TOOL_ARG_INTEGER,
                    .min = 1,
                    .max = MCP_WAIT_MAX_S,
                    .fallback = "240"},
            }},
    {.name = "unsend_message",
        .title = "Take back a message",
        .help = "Take back a message you sent, while its recipient has not been shown it.",
        .hints = TOOL_DESTRUCTIVE,
        .args =
            {
                {.name = "message_id",
                    .kind = TOOL_ARG_TEXT,
                    .flags = TOOL_ARG_REQUIRED,
                    .help = "the id you got"},
            }},
    {.name = "recall",
        .title = "Look up past messages",
        .help = "Find messages you sent or received, newest first, or read one in full. Changes nothing.",
        .hints = TOOL_READ_ONLY,
        .args =
            {
                {.name = "limit", .kind = TOOL_ARG_INTEGER, .min = 1, .max = 100, .fallback = "10"},
                {.name = "from_agent", .kind = TOOL_ARG_TEXT, .help = "its sender"},
                {.name = "thread", .kind = TOOL_ARG_TEXT, .help = "name or id"},
                {.name = "query", .kind = TOOL_ARG_TEXT, .help = "words that must all occur"},
                {.name = "message_id", .kind = TOOL_ARG_TEXT, .help = "only this one"},
                {.name = "offset",
                    .kind = TOOL_ARG_INTEGER,
                    .min = 0,
                    .max = 50000,
                    .help = "with message_id: read on from this character"},
                {.name = "thread_id",
                    .kind = TOOL_ARG_TEXT,
                    .flags = TOOL_ARG_UNLISTED,
                    .alias_of = "thread"},
            }},
    {.name = "upload_attachment",
        .title = "Store a file",
        .help =
            "Store a file for other agents. Gives a path to put into a message, and without file_data the "
            "command "
            "that uploads the file, so that its bytes cost you nothing.",
        .hints = TOOL_OPEN_WORLD,
        .args =
            {
                {.name = "filename", .kind = TOOL_ARG_TEXT, .fallback = "\"\"", .help = "e.g. report.pdf"},
                {.name = "mime_type",
                    .kind = TOOL_ARG_TEXT,
                    .fallback = "\"\"",
                    .help = "default: by the name"},
                {.name = "file_data",
                    .kind = TOOL_ARG_TEXT,
                    .fallback = "\"\"",
                    .help = "the file in base64, only where you can run no command"},
                {.name = "local_path",
                    .kind = TOOL_ARG_TEXT,
                    .flags = TOOL_ARG_BRIDGE_ONLY,
                    .fallback = "\"\"",
                    .help = "a file of this project, instead of all others"},
            }},
    {.name = "get_attachment",
        .title = "Get a file",
        .help = "Get a file by the path from a message: text up to 64 KB at once, else a URL to download.",
        .hints = TOOL_READ_ONLY,
        .args =
            {
                {.name = "path", .kind = TOOL_ARG_TEXT, .flags = TOOL_ARG_REQUIRED},
                {.name = "inline",
                    .kind = TOOL_ARG_BOOLEAN,
                    .fallback = "false",
                    .help = "give it in base64, up to 1 MB"},
                {.name = "save_to",
                    .kind = TOOL_ARG_TEXT,
                    .flags = TOOL_ARG_BRIDGE_ONLY,
                    .fallback = "\"\"",
                    .help = "save it as this new file of the project"},
            }},
    {.name = "relay_url",
        .title = "Send a file from the web",
        .help = "Have the relay fetch a public https URL, store the file, and send its path to an agent.",
        .hints = TOOL_OPEN_WORLD,
        .args =
            {
                {.name = "url", .kind = TOOL_ARG_TEXT, .flags = TOOL_ARG_REQUIRED},
                {.name = "filename",
                    .kind = TOOL_ARG_TEXT,
                    .fallback = "\"\"",
                    .help = "default: by the URL"},
                {.name = "to", .kind = TOOL_ARG_TEXT, .fallback = "\"\"", .help = "agent; empty: store only"},
            }},
    {.name = "attachment",
        .title = "Store or get a file",
        .help = "The older name of three tools: upload_attachment, get_attachment, relay_url.",
        .hints = TOOL_OPEN_WORLD | TOOL_UNLISTED,
        .args =
            {
                {.name = "path_or_url", .kind = TOOL_ARG_TEXT},
                {.name = "upload", .kind = TOOL_ARG_BOOLEAN},
                {.name = "filename", .kind = TOOL_ARG_TEXT},
                {.name = "file_data", .kind = TOOL_ARG_TEXT},
                {.name = "relay", .kind = TOOL_ARG_BOOLEAN},
            }},
    {.name = NULL},
};

static const struct {
    const char *old, *name;
} older_names[] = {{"unsend", "unsend_message"}};

static const struct tool_spec *find_row(const char *name)
{
    for (const struct tool_spec *spec = tool_specs; spec->name; spec++) {
        if (strcmp(spec->name, name) == 0) {
            return spec;
        }
    }
    return NULL;
}

const struct tool_spec *tool_spec_find(const char *name)
{
    for (size_t i = 0; i < LENGTH_OF(older_names); i++) {
        if (strcmp(older_names[i].old, name) == 0) {
            return find_row(older_names[i].name);
        }
    }
    return find_row(name);
}

/* ---- checking a call ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Appends the names of "a, b" to the array. */
static void split_names(const char *text, struct json_object *names)
{
    while (*text) {
        size_t len = strcspn(text, ",");
        const char *next = text + len + (text[len] == ',');
        while (len > 0 && is_blank(*text)) {
            text++;
            len--;
        }
        while (len > 0 && is_blank(text[len - 1])) {
            len--;
        }
        if (len > 0) {
            json_append_text_len(names, text, len);
        }
        text = next;
    }
}

static struct json_object *take_text(const struct tool_arg *arg, struct json_object *value)
{
    (void)arg;
    return json_object_is_type(value, json_type_string) ? json_object_get(value) : NULL;
}

static struct json_object *take_boolean(const struct tool_arg *arg, struct json_object *value)
{
    (void)arg;
    return json_object_is_type(value, json_type_boolean) ? json_object_get(value) : NULL;
}

/* json-c cuts what is beyond int64_t to its ends, and those are in no argument's range. */
static struct json_object *take_integer(const struct tool_arg *arg, struct json_object *value)
{
    if (!json_object_is_type(value, json_type_int)) {
        return NULL;
    }
    int64_t number = json_object_get_int64(value);
    return number >= arg->min && number <= arg->max ? json_object_get(value) : NULL;
}

static bool collect_names(struct json_object *value, struct json_object *names)
{
    if (json_object_is_type(value, json_type_string)) {
        split_names(json_object_get_string(value), names);
        return true;
    }
    if (!json_object_is_type(value, json_type_array)) {
        return false;
    }
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct json_object *item = json_object_array_get_idx(value, i);
        if (!json_object_is_type(item, json_type_string)) {
            return false;
        }
        split_names(json_object_get_string(item), names);
    }
    return true;
}

static struct json_object *take_names(const struct tool_arg *arg, struct json_object *value)
{
    (void)arg;
    struct json_object *names = json_new_array();
    if (!collect_names(value, names) || json_object_array_length(names) == 0) {
        json_object_put(names);
        return NULL;
    }
    return names;
}

/* What each kind of argument is: its JSON Schema type, how it is taken (NULL: refused) and its rule in words.
 */
static const struct kind {
    const char *schema_type;
    struct json_object *(*take)(const struct tool_arg *arg, struct json_object *value);
    const char *rule;
} kinds[] = {
    [TOOL_ARG_TEXT] = {"string", take_text, "a string"},
    [TOOL_ARG_NAMES] = {"string", take_names, "an agent's name, or several: \"a, b\" or [\"a\", \"b\"]"},
    [TOOL_ARG_INTEGER] = {"integer", take_integer, "an integer"},
    [TOOL_ARG_BOOLEAN] = {"boolean", take_boolean, "true or false"},
};

static const char *current_name(const struct tool_arg *arg)
{
    return arg->alias_of ? arg->alias_of : arg->name;
}

/* The value as JSON, cut for one line. */
static void append_given(struct json_object *value, struct buf *why)
{
    enum { SHOWN_MAX = 80 };
    struct buf text = {0};
    json_write(value, &text);
    size_t shown = utf8_offset(buf_text(&text), text.len, SHOWN_MAX);
    buf_append(why, buf_text(&text), shown);
    buf_puts(why, shown < text.len ? "…" : "");
    buf_free(&text);
}

static void explain_wrong(const struct tool_arg *arg, struct json_object *value, struct buf *why)
{
    buf_printf(why, "%s must be %s", arg->name, kinds[arg->kind].rule);
    if (arg->kind == TOOL_ARG_INTEGER) {
        buf_printf(why, " from %" PRId64 " to %" PRId64, arg->min, arg->max);
    }
    buf_puts(why, ", not ");
    append_given(value, why);
}

static void explain_missing(const struct tool_spec *spec, const struct tool_arg *arg, struct buf *why)
{
    buf_printf(why, "%s needs %s: %s", spec->name, arg->name, kinds[arg->kind].rule);
}

/* Moves one argument over, where it was given. */
static bool check_arg(
    const struct tool_arg *arg, struct json_object *args, struct json_object *checked, struct buf *why)
{
    struct json_object *value = NULL;
    const char *name = current_name(arg);
    if (!json_object_object_get_ex(args, arg->name, &value) || !value) {
        return true;
    }
    struct json_object *taken = kinds[arg->kind].take(arg, value);
    if (!taken) {
        explain_wrong(arg, value, why);
        return false;
    }
    if (json_object_object_get_ex(checked, name, NULL)) {
        json_object_put(taken); /* the current name was given too, and wins */
        return true;
    }
    json_add(checked, name, taken);
    return true;
}

static bool check_args(
    const struct tool_spec *spec, struct json_object *args, struct json_object *checked, struct buf *why)
{
    for (const struct tool_arg *arg = spec->args; arg->name; arg++) {
        if (!check_arg(arg, args, checked, why)) {
            return false;
        }
    }
    for (const struct tool_arg *arg = spec->args; arg->name; arg++) {
        if ((arg->flags & TOOL_ARG_REQUIRED) && !json_object_object_get_ex(checked, arg->name, NULL)) {
            explain_missing(spec, arg, why);
            return false;
        }
    }
    return true;
}

struct json_object *tool_spec_check(const struct tool_spec *spec, struct json_object *args, struct buf *why)
{
    if (args && !json_object_is_type(args, json_type_object)) {
        buf_puts(why, "arguments must be an object, not ");
        append_given(args, why);
        return NULL;
    }
    struct json_object *checked = json_new_object();
    if (!check_args(spec, args, checked, why)) {
        json_object_put(checked);
        return NULL;
    }
    return checked;
}

/* ---- tools/list ---- */

static struct json_object *arg_schema(const struct tool_arg *arg)
{
    struct json_object *schema = json_new_object();
    json_add_text(schema, "type", kinds[arg->kind].schema_type);
    if (arg->help) {
        json_add_text(schema, "description", arg->help);
    }
    if (arg->kind == TOOL_ARG_INTEGER) {
        json_add_int(schema, "minimum", arg->min);
        json_add_int(schema, "maximum", arg->max);
    }
    if (arg->fallback) {
        enum json_fault fault;
        json_add(schema, "default", json_parse(arg->fallback, strlen(arg->fallback), &fault));
        assert(fault == JSON_FAULT_NONE);
    }
    return schema;
}

static bool is_listed(const struct tool_arg *arg, bool bridge)
{
    return !(arg->flags & TOOL_ARG_UNLISTED) && (bridge || !(arg->flags & TOOL_ARG_BRIDGE_ONLY));
}

static struct json_object *input_schema(const struct tool_spec *spec, bool bridge)
{
    struct json_object *properties = json_new_object();
    struct json_object *required = json_new_array();
    for (const struct tool_arg *arg = spec->args; arg->name; arg++) {
        if (!is_listed(arg, bridge)) {
            continue;
        }
        json_add(properties, arg->name, arg_schema(arg));
        if (arg->flags & TOOL_ARG_REQUIRED) {
            json_append_text(required, arg->name);
        }
    }
    struct json_object *schema = json_new_object();
    json_add_text(schema, "type", "object");
    json_add(schema, "properties", properties);
    if (json_object_array_length(required) > 0) {
        json_add(schema, "required", required);
    } else {
        json_object_put(required);
    }
    return schema;
}

/* The protocol's defaults for what is left out: not read-only, destructive, not idempotent, open world. */
static struct json_object *annotations(unsigned hints)
{
    struct json_object *object = json_new_object();
    if (hints & TOOL_READ_ONLY) {
        json_add_bool(object, "readOnlyHint", true);
    } else {
        json_add_bool(object, "destructiveHint", hints & TOOL_DESTRUCTIVE);
    }
    if (hints & TOOL_IDEMPOTENT) {
        json_add_bool(object, "idempotentHint", true);
    }
    json_add_bool(object, "openWorldHint", hints & TOOL_OPEN_WORLD);
    return object;
}

struct json_object *tool_spec_list(bool bridge)
{
    struct json_object *list = json_new_array();
    for (const struct tool_spec *spec = tool_specs; spec->name; spec++) {
        if (spec->hints & TOOL_UNLISTED) {
            continue;
        }
        struct json_object *tool = json_new_object();
        json_add_text(tool, "name", spec->name);
        json_add_text(tool, "title", spec->title);
        json_add_text(tool, "description", spec->help);
        json_add(tool, "inputSchema", input_schema(spec, bridge));
        json_add(tool, "annotations", annotations(spec->hints));
        json_append(list, tool);
    }
    return list;
}
