/* token revoke: ends tokens at once. */
#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "token.h"

enum { ID_LEN_MIN = 4 };

static bool is_id(const char *text)
{
    const size_t len = strlen(text);
    return len >= ID_LEN_MIN && len < SHA256_HEX_SIZE && strspn(text, "0123456789abcdef") == len;
}

static int report(
    struct store *store, enum store_status status, int64_t count, const struct ident *agent, const char *hash)
{
    if (*agent->agent && (status == STORE_DONE || status == STORE_ABSENT))
        token_report_grants(store, agent);
    if (status == STORE_ABSENT && !hash)
        return command_fail(
            "%s@%s has no active token: see patchcord-relay token list", agent->agent, agent->namespace_id);
    if (status == STORE_ABSENT)
        return command_fail("there is no such active token: see patchcord-relay token list");
    if (status == STORE_REFUSED)
        return command_fail("that id fits several tokens: give more digits of it");
    if (status != STORE_DONE)
        return command_fail("the store failed, nothing was revoked");
    token_report("token_revoked", "Revoked", agent, hash);
    if (printf("%lld revoked\n", (long long)count) < 0 || fflush(stdout) != 0)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

/* A token that is to be revoked, for the report. */
struct found {
    struct ident owner;
    char hash[SHA256_HEX_SIZE];
};

/* Absent ones leave *out empty. */
static void find(struct store *store, const char *prefix, struct found *out)
{
    struct store_tokens tokens = {0};
    *out = (struct found){0};
    if (store_token_list(store, &tokens) == STORE_DONE)
        for (size_t i = 0; i < tokens.count; i++) {
            const struct store_token *token = &tokens.items[i];
            if (!token->active || strncmp(token->hash, prefix, strlen(prefix)) != 0)
                continue;
            (void)strlcpy(out->owner.agent, token->agent, sizeof out->owner.agent);
            (void)strlcpy(out->owner.namespace_id, token->namespace_id, sizeof out->owner.namespace_id);
            (void)strlcpy(out->hash, token->hash, sizeof out->hash);
        }
    store_tokens_free(&tokens);
}

static enum store_status revoke_hash(
    struct store *store, const char *prefix, struct found *found, int64_t *count)
{
    find(store, prefix, found);
    return store_token_end(store, prefix, NULL, NULL, 0, count);
}

/* An id, or else the token itself. */
static int revoke_token(struct store *store, const char *given)
{
    struct found found;
    char hash[SHA256_HEX_SIZE];
    int64_t count = 0;
    enum store_status status = STORE_ABSENT;
    if (is_id(given))
        status = revoke_hash(store, given, &found, &count);
    if (status == STORE_ABSENT) {
        secret_sha256_hex(given, strlen(given), hash);
        status = revoke_hash(store, hash, &found, &count);
    }
    return report(store, status, count, &found.owner, found.hash);
}

static int revoke_from_stdin(struct store *store)
{
    char *token = secret_read(STDIN_FILENO, "Token: ");
    if (!token)
        return command_fail("no token came on stdin (one line, at most %d characters)", TOKEN_MAX_LEN);
    const int code = revoke_token(store, token);
    secret_free(token);
    return code;
}

static int revoke_agent(struct store *store, const struct config *config, const char *address)
{
    struct ident agent;
    int64_t count = 0;
    if (!token_agent(address, config->default_namespace, &agent))
        return EXIT_FAILURE;
    const enum store_status status = store_token_end(store, NULL, agent.namespace_id, agent.agent, 0, &count);
    return report(store, status, count, &agent, NULL);
}

static int run(const struct command_line *line)
{
    const char *agent = command_value(line, "agent");
    if (!agent == (line->operands_count == 0))
        return command_misuse(
            line, agent ? "give a token or --agent, not both" : "give an id, a token or --agent");
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    int code;
    if (agent)
        code = revoke_agent(store, &config, agent);
    else if (strcmp(line->operands[0], "-") == 0)
        code = revoke_from_stdin(store);
    else
        code = revoke_token(store, line->operands[0]);
    command_store_end(&config, store);
    return code;
}

const struct command command_token_revoke = {
    .name = "token revoke",
    .operands = "[ID|TOKEN|-]",
    .operands_max = 1,
    .summary = "end a token, or all tokens of an agent, at once",
    .help =
        "Ends the token with that ID (of token list; its first digits do, at least 4, where they fit no "
        "other), or\n"
        "that TOKEN, or the one that comes on stdin (-): a token on the command line is seen by others on "
        "this\n"
        "machine. A relay that serves refuses it within a second, and ends its waits and streams.\n",
    .options = {{"agent", "NAME", "end all tokens of that agent (AGENT@NAMESPACE)"}},
    .run = run,
};
