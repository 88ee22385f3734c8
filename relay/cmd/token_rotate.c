/* token rotate: a new token in place of an agent's old ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "token.h"

static bool is_in_force(const struct store_token *token, const struct ident *agent, int64_t now_ms)
{
    return token->active && (token->expires_ms == 0 || token->expires_ms > now_ms) &&
           strcmp(token->agent, agent->agent) == 0 && strcmp(token->namespace_id, agent->namespace_id) == 0;
}

/* Ends each that was in force before the new one came; none lives longer than it would have. */
static bool end_old(struct store *store, const struct store_tokens *old, const struct ident *agent,
    int64_t now_ms, int64_t grace_ms)
{
    bool fine = true;
    for (size_t i = 0; i < old->count; i++) {
        const struct store_token *token = &old->items[i];
        const int64_t end_ms = grace_ms > 0 ? now_ms + grace_ms : 0;
        int64_t count;
        if (!is_in_force(token, agent, now_ms) ||
            (end_ms > 0 && token->expires_ms > 0 && token->expires_ms < end_ms))
            continue;
        const enum store_status status = store_token_end(store, token->hash, NULL, NULL, end_ms, &count);
        fine = fine && (status == STORE_DONE || status == STORE_ABSENT);
    }
    return fine;
}

static const struct store_token *find_in_force(
    const struct store_tokens *tokens, const struct ident *agent, int64_t now_ms)
{
    for (size_t i = 0; i < tokens->count; i++)
        if (is_in_force(&tokens->items[i], agent, now_ms))
            return &tokens->items[i];
    return NULL;
}

/* The new token comes first, so that the agent exists all the time. */
static int rotate(
    struct store *store, const struct store_tokens *old, const struct ident *agent, int64_t grace_ms)
{
    const int64_t now_ms = clock_wall_ms();
    const struct store_token *current = find_in_force(old, agent, now_ms);
    if (!current)
        return command_fail(
            "%s@%s has no active token: use patchcord-relay token add", agent->agent, agent->namespace_id);
    char token[TOKEN_TEXT_SIZE], hash[SHA256_HEX_SIZE];
    secret_token_mint(token);
    secret_sha256_hex(token, strlen(token), hash);
    int code = token_store(store, agent, token, current->label);
    if (code == EXIT_SUCCESS && (puts(token) < 0 || fflush(stdout) != 0))
        code = command_fail("the new token could not be written to stdout; the old ones are still good");
    else if (code == EXIT_SUCCESS && !end_old(store, old, agent, now_ms, grace_ms))
        code = command_fail("the store failed: the new token is good, and so are old ones: see token list");
    if (code == EXIT_SUCCESS)
        token_report("token_rotated", "This token is shown once. It is the new one of", agent, hash);
    secret_wipe(token, sizeof token);
    return code;
}

static int run(const struct command_line *line)
{
    const char *grace = command_value(line, "grace");
    const int64_t grace_ms = grace ? clock_parse_duration(grace) : 0;
    if (grace_ms < 0)
        return command_misuse(line, "--grace must be a duration such as 90s, 15m, 1h or 7d, not '%s'", grace);
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    struct ident agent;
    struct store_tokens tokens = {0};
    int code = EXIT_FAILURE;
    if (!token_agent(line->operands[0], config.default_namespace, &agent))
        ;
    else if (store_token_list(store, &tokens) != STORE_DONE)
        code = command_fail("the store failed, nothing was changed");
    else
        code = rotate(store, &tokens, &agent, grace_ms);
    store_tokens_free(&tokens);
    command_store_end(&config, store);
    return code;
}

const struct command command_token_rotate = {
    .name = "token rotate",
    .operands = "AGENT@NAMESPACE",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "replace an agent's tokens by a new one",
    .help = "Prints a new token for the agent, alone and once, and ends the ones it had: at once, or "
            "after the\n"
            "grace in which its programs get the new one.\n",
    .options = {{"grace", "TIME", "for how long the old ones stay good: 90s, 15m, 1h (default: 0)"}},
    .run = run,
};
