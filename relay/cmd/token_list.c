/* token list: who has a token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/ident.h"
#include "../../common/json.h"
#include "command.h"

static const char *state_of(const struct store_token *token, int64_t now_ms)
{
    if (!token->active)
        return "revoked";
    return token->expires_ms > 0 && token->expires_ms <= now_ms ? "expired" : "active";
}

static struct json_object *describe(const struct store_token *token, int64_t now_ms)
{
    struct json_object *row = json_new_object();
    json_add_text_len(row, "id", token->hash, CREDENTIAL_ID_SIZE - 1);
    json_add_text(row, "namespace", token->namespace_id);
    json_add_text(row, "agent", token->agent);
    json_add_text(row, "label", token->label);
    json_add_text(row, "state", state_of(token, now_ms));
    json_add_time(row, "created_at", token->created_ms);
    json_add_time(row, "expires_at", token->expires_ms);
    json_add_time(row, "last_used_at", token->last_used_ms);
    return row;
}

static void write_json(const struct store_tokens *tokens, int64_t now_ms, struct buf *out)
{
    struct json_object *rows = json_new_array();
    for (size_t i = 0; i < tokens->count; i++)
        json_append(rows, describe(&tokens->items[i], now_ms));
    json_write(rows, out);
    buf_putc(out, '\n');
    json_object_put(rows);
}

/* A label is the operator's own text; control characters of an older one must not reach the terminal. */
static void write_label(const char *label, struct buf *out)
{
    if (label && *label)
        buf_puts(out, "  ");
    for (; label && *label; label++)
        buf_putc(out, (unsigned char)*label < ' ' || *label == 0x7f ? '?' : *label);
    buf_putc(out, '\n');
}

static void write_table(const struct store_tokens *tokens, int64_t now_ms, struct buf *out)
{
    if (tokens->count == 0) {
        buf_puts(out, "No tokens yet: `patchcord-relay token add AGENT@NAMESPACE` makes one.\n");
        return;
    }
    buf_printf(out, "%-12s  %-8s  %-32s  %-10s  %-10s  %-10s  %s\n", "ID", "STATE", "AGENT", "CREATED",
        "EXPIRES", "LAST USED", "LABEL");
    for (size_t i = 0; i < tokens->count; i++) {
        const struct store_token *token = &tokens->items[i];
        char address[ADDRESS_SIZE];
        ident_format(token->namespace_id, token->agent, address);
        buf_printf(out, "%.12s  %-8s  %-32s", token->hash, state_of(token, now_ms), address);
        command_write_day(token->created_ms, out);
        command_write_day(token->expires_ms, out);
        command_write_day(token->last_used_ms, out);
        write_label(token->label, out);
    }
}

static int run(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    struct store_tokens tokens = {0};
    struct buf text = {0};
    int code = EXIT_SUCCESS;
    if (store_token_list(store, &tokens) != STORE_DONE)
        code = command_fail("the store failed");
    else if (command_value(line, "json"))
        write_json(&tokens, clock_wall_ms(), &text);
    else
        write_table(&tokens, clock_wall_ms(), &text);
    if (fputs(buf_text(&text), stdout) < 0 || fflush(stdout) != 0)
        code = EXIT_FAILURE;
    buf_free(&text);
    store_tokens_free(&tokens);
    command_store_end(&config, store);
    return code;
}

const struct command command_token_list = {
    .name = "token list",
    .operands = "",
    .summary = "list the tokens",
    .help = "One line a token: its id (the first 12 hex digits of its hash), its state, its agent and "
            "its dates.\n"
            "The token itself is nowhere kept.\n",
    .options = {{"json", NULL, "print a JSON array"}},
    .run = run,
};
