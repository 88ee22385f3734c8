#include "token.h"

#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/clock.h"
#include "../../common/log.h"

bool token_agent(const char *text, const char *fallback, struct ident *out)
{
    if (!ident_parse(text, out)) {
        (void)command_fail(
            "'%s' is no agent: write AGENT, AGENT@NAMESPACE or NAMESPACE:AGENT, in letters, digits, '.', "
            "'_' and '-', beginning with a letter or digit, at most %d each",
            text, NAME_MAX_LEN);
        return false;
    }
    if (strcmp(out->agent, RELAY_AGENT) == 0) {
        (void)command_fail("the name '%s' is the relay's own: choose another", RELAY_AGENT);
        return false;
    }
    if (!*out->namespace_id)
        (void)strlcpy(out->namespace_id, fallback, sizeof out->namespace_id);
    return true;
}

int token_store(struct store *store, const struct ident *agent, const char *token, const char *label)
{
    struct ident copy = *agent;
    struct store_token row = {
        .namespace_id = copy.namespace_id,
        .agent = copy.agent,
        .label = (char *)(size_t)label, /* only read */
        .active = true,
        .created_ms = clock_wall_ms(),
    };
    secret_sha256_hex(token, strlen(token), row.hash);
    enum store_refusal refusal = REFUSAL_NONE;
    const enum store_status status = store_token_add(store, &row, &refusal);
    if (status == STORE_REFUSED)
        return command_fail("that token is in the store already, active or revoked: choose another");
    if (status != STORE_DONE)
        return command_fail("the store failed, the token was not added");
    return EXIT_SUCCESS;
}

void token_report(const char *event, const char *words, const struct ident *agent, const char *hash)
{
    char address[ADDRESS_SIZE], id[CREDENTIAL_ID_SIZE] = "";
    ident_format(agent->namespace_id, agent->agent, address);
    if (hash)
        (void)strlcpy(id, hash, sizeof id);
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "%s %s%s%s%s\n", words, address, *id ? " (id " : "", id, *id ? ")" : "");
    else
        log_info(event, LOG_STR("agent", address), LOG_STR("id", id));
}
