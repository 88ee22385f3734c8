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

bool recipient_read(struct tool_call *call, const char *address, struct ident *name)
{
    if (!ident_parse(address, name))
        return fail_with_word(
            call, "Not an agent's name: ", address, ". Names are like backend; inbox lists who is there.");
    if (name->namespace_id[0] && !identity_is_in(call->who, name->namespace_id)) {
        char shown[ADDRESS_SIZE];
        ident_format(name->namespace_id, name->agent, shown);
        tool_fail(call,
            "Out of reach: %s. Messages stay inside your own namespace; inbox lists who is there.", shown);
        return false;
    }
    if (call->who->also_count == 0)
        name->namespace_id[0] = '\0';
    return true;
}

static bool is_listed(const struct recipients *recipients, const struct ident *name)
{
    for (size_t i = 0; i < recipients->count; i++) {
        if (strcmp(recipients->names[i].agent, name->agent) == 0 &&
            strcmp(recipients->names[i].namespace_id, name->namespace_id) == 0)
            return true;
    }
    return false;
}

bool recipient_of_mail(struct tool_call *call, const char *address, struct ident *name)
{
    if (!recipient_read(call, address, name))
        return false;
    if (strcmp(name->agent, RELAY_AGENT) != 0)
        return true;
    tool_fail(call, "%s is the relay itself and reads no messages. Nothing was sent.", RELAY_AGENT);
    return false;
}

struct store_recipient recipient_of(const struct ident *name)
{
    return (struct store_recipient){
        .agent = name->agent, .namespace_id = name->namespace_id[0] ? name->namespace_id : NULL};
}

static bool add(struct tool_call *call, struct recipients *out, const char *address)
{
    struct ident name;

    if (!recipient_of_mail(call, address, &name))
        return false;
    if (is_listed(out, &name))
        return true;
    if (out->count == RECIPIENTS_MAX) {
        tool_fail(call, "A message goes to at most %d agents at once. Nothing was sent.", RECIPIENTS_MAX);
        return false;
    }
    out->names[out->count] = name;
    out->list[out->count] = recipient_of(&out->names[out->count]);
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

/* A name of the store's, or an address. */
static void put_address(struct buf *line, const char *text)
{
    struct buf agent = {0};
    const size_t len = strcspn(text, "@");

    buf_append(&agent, text, len);
    fence_word(line, buf_text(&agent), NAME_MAX_LEN);
    if (text[len]) {
        buf_putc(line, '@');
        fence_word(line, text + len + 1, NAME_MAX_LEN);
    }
    buf_free(&agent);
}

static enum verdict fail_with_names(
    struct tool_call *call, struct buf *line, char *const *names, size_t count)
{
    for (size_t i = 0; i < count && i < NAMES_SHOWN_MAX; i++) {
        buf_puts(line, i ? ", " : "");
        put_address(line, names[i]);
    }
    if (count > NAMES_SHOWN_MAX)
        buf_printf(line, " and %zu more (inbox with all_agents=true)", count - NAMES_SHOWN_MAX);
    buf_free(&call->text);
    call->text = *line;
    call->is_error = true;
    return VERDICT_DONE;
}

enum verdict recipients_unknown(struct tool_call *call, const char *wanted, char **names, size_t count)
{
    struct buf line = {0};

    buf_puts(&line, "Unknown recipient ");
    put_address(&line, wanted);
    buf_puts(&line, ": nothing was sent. Agents of ");
    fence_word(&line, call->who->namespace_id, NAME_MAX_LEN);
    for (size_t i = 0; i < call->who->also_count; i++) {
        buf_puts(&line, ", ");
        fence_word(&line, call->who->also[i], NAME_MAX_LEN);
    }
    buf_puts(&line, ", nearest name first: ");
    ident_sort_nearest(wanted, names, count);
    return fail_with_names(call, &line, names, count);
}

enum verdict recipients_ambiguous(struct tool_call *call, const char *wanted, char **names, size_t count)
{
    struct buf line = {0};

    buf_puts(&line, "Several of your namespaces have an agent ");
    put_address(&line, wanted);
    buf_puts(&line, ": nothing was sent. Name one by its address: ");
    return fail_with_names(call, &line, names, count);
}
