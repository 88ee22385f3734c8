/* grants list: which clients were let in. */
#include <stdio.h>
#include <stdlib.h>

#include "../../common/fence.h"
#include "../../common/ident.h"
#include "../../common/json.h"
#include "command.h"
#include "grants.h"

enum { ID_SHOWN = 13 }; /* of a grant's UUID: enough to tell it from others */

static struct json_object *describe(const struct store_grant *grant)
{
    struct json_object *row = json_new_object(), *also = json_new_array();
    json_add_text(row, "id", grant->id);
    json_add_text(row, "namespace", grant->subject.namespace_id);
    json_add_text(row, "agent", grant->subject.agent);
    for (size_t i = 0; i < grant->subject.also_count; i++)
        json_append_text(also, grant->subject.also[i]);
    json_add(row, "also", also);
    json_add_text(row, "client_id", grant->client_id);
    json_add_text(row, "client_name", grant->client_name);
    json_add_text(row, "audience", grant->audience);
    json_add_text(row, "scope", grant->scope);
    json_add_time(row, "created_at", grant->created_ms);
    json_add_time(row, "expires_at", grant->expires_ms);
    json_add_time(row, "last_used_at", grant->used_ms);
    return row;
}

static void write_json(const struct store_grants *grants, struct buf *out)
{
    struct json_object *rows = json_new_array();
    for (size_t i = 0; i < grants->count; i++)
        json_append(rows, describe(&grants->items[i]));
    json_write(rows, out);
    buf_putc(out, '\n');
    json_object_put(rows);
}

/* The client chose its name: only plain characters of it reach the terminal. */
static void write_row(const struct store_grant *grant, struct buf *out)
{
    char address[ADDRESS_SIZE];
    ident_format(grant->subject.namespace_id, grant->subject.agent, address);
    buf_printf(out, "%.*s  %-32s", ID_SHOWN, grant->id, address);
    command_write_day(grant->created_ms, out);
    command_write_day(grant->expires_ms, out);
    command_write_day(grant->used_ms, out);
    buf_puts(out, "  ");
    fence_word(out, grant->client_name, FENCE_WORD_MAX);
    for (size_t i = 0; i < grant->subject.also_count; i++)
        buf_printf(out, "%s%s", i == 0 ? "  (also " : ", ", grant->subject.also[i]);
    buf_puts(out, grant->subject.also_count > 0 ? ")\n" : "\n");
}

void grants_write(const struct store_grants *grants, struct buf *out)
{
    if (grants->count == 0) {
        buf_puts(out, "No client is let in: `patchcord-relay connect --agent AGENT` makes a code for one.\n");
        return;
    }
    buf_printf(out, "%-*s  %-32s  %-10s  %-10s  %-10s  %s\n", ID_SHOWN, "ID", "AGENT", "CREATED", "EXPIRES",
        "LAST USED", "CLIENT");
    for (size_t i = 0; i < grants->count; i++)
        write_row(&grants->items[i], out);
}

static int run(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    struct store_grants grants;
    struct buf text = {0};
    int code = EXIT_SUCCESS;
    if (store_grant_list(store, &grants) != STORE_DONE)
        code = command_fail("the store failed");
    else if (command_value(line, "json"))
        write_json(&grants, &text);
    else
        grants_write(&grants, &text);
    if (fputs(buf_text(&text), stdout) < 0 || fflush(stdout) != 0)
        code = EXIT_FAILURE;
    buf_free(&text);
    store_grants_free(&grants);
    command_store_end(&config, store);
    return code;
}

const struct command command_grants_list = {
    .name = "grants list",
    .operands = "",
    .summary = "list the clients that logged in",
    .help =
        "One line for each client that was let in by OAuth and still is: the grant's id (its first "
        "characters),\n"
        "the agent that the client is, its dates, and what the client calls itself. Bearer tokens are in\n"
        "token list.\n",
    .options = {{"json", NULL, "print a JSON array"}},
    .run = run,
};
