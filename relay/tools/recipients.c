#include "recipients.h"

#include <string.h>

#include "../../common/fence.h"

enum { NAMES_SHOWN_MAX = 20 };

static bool fail_with_word(struct tool_call *call, const char *before, const char *word, const char *after)
{
    struct buf shown = {0};

    fence_word(&shown, word, 2 * NAME_MAX_LEN);
    tool_fail(call, "%s%s%s", before, buf_text(&shown), after);
    buf_free(&shown);
    return false;
}

bool recipient_read(struct tool_call *call, const char *address, char name[static NAME_SIZE])
{
    struct ident ident;

    if (!ident_parse(address, &ident))
        return fail_with_word(
            call, "Not an agent's name: ", address, ". Names are like backend; inbox lists who is there.");
    if (ident.namespace_id[0] && strcmp(ident.namespace_id, call->who->namespace_id) != 0) {
        char shown[ADDRESS_SIZE];
        ident_format(ident.namespace_id, ident.agent, shown);
        tool_fail(call,
            "Out of reach: %s. Messages stay inside your own namespace; inbox lists who is there.", shown);
        return false;
    }
    memcpy(name, ident.agent, NAME_SIZE);
    return true;
}

static bool is_listed(const struct recipients *recipients, const char *name)
{
    for (size_t i = 0; i < recipients->count; i++) {
        if (strcmp(recipients->names[i], name) == 0)
            return true;
    }
    return false;
}

bool recipient_of_mail(struct tool_call *call, const char *address, char name[static NAME_SIZE])
{
    if (!recipient_read(call, address, name))
        return false;
    if (strcmp(name, RELAY_AGENT) != 0)
        return true;
    tool_fail(call, "%s is the relay itself and reads no messages. Nothing was sent.", RELAY_AGENT);
    return false;
}

static bool add(struct tool_call *call, struct recipients *out, const char *address)
{
    char name[NAME_SIZE];

    if (!recipient_of_mail(call, address, name))
        return false;
    if (is_listed(out, name))
        return true;
    if (out->count == RECIPIENTS_MAX) {
        tool_fail(call, "A message goes to at most %d agents at once. Nothing was sent.", RECIPIENTS_MAX);
        return false;
    }
    memcpy(out->names[out->count], name, NAME_SIZE);
    out->list[out->count] = (struct store_recipient){.agent = out->names[out->count]};
    out->count++;
    return true;
}

bool recipients_read(struct tool_call *call, struct recipients *out)
{
    struct json_object *to = NULL;

    out->count = 0;
    if (json_get_array(call->args, "to", &to) != JSON_FIELD_FOUND)
        to = NULL;
    size_t count = to ? json_object_array_length(to) : 0;
    for (size_t i = 0; i < count; i++) {
        if (!add(call, out, json_object_get_string(json_object_array_get_idx(to, i))))
            return false;
    }
    if (out->count > 0)
        return true;
    tool_fail(call, "to is empty: name at least one agent; inbox lists who is there. Nothing was sent.");
    return false;
}

enum verdict recipients_unknown(struct tool_call *call, const char *wanted, char **names, size_t count)
{
    struct buf line = {0};

    buf_puts(&line, "Unknown recipient ");
    fence_word(&line, wanted, NAME_MAX_LEN);
    buf_puts(&line, ": nothing was sent. Agents of ");
    fence_word(&line, call->who->namespace_id, NAME_MAX_LEN);
    buf_puts(&line, ", nearest name first: ");
    ident_sort_nearest(wanted, names, count);
    for (size_t i = 0; i < count && i < NAMES_SHOWN_MAX; i++) {
        buf_puts(&line, i ? ", " : "");
        fence_word(&line, names[i], NAME_MAX_LEN);
    }
    if (count > NAMES_SHOWN_MAX)
        buf_printf(&line, " and %zu more (inbox with all_agents=true)", count - NAMES_SHOWN_MAX);
    buf_free(&call->text);
    call->text = line;
    call->is_error = true;
    return VERDICT_DONE;
}
