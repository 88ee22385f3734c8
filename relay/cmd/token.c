#include "token.h"

#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/clock.h"
#include "../../common/log.h"
#include "../store/store_oauth.h"

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

bool token_agent_of(
    const struct command_line *line, const char *text, const struct config *config, struct ident *out)
{
    const char *wanted = command_value(line, "namespace");
    char namespace_id[NAME_SIZE];
    if (wanted && !ident_name_normalize(wanted, namespace_id)) {
        (void)command_fail("'%s' is no namespace's name", wanted);
        return false;
    }
    if (!token_agent(text, wanted ? namespace_id : config->default_namespace, out))
        return false;
    if (!wanted || strcmp(out->namespace_id, namespace_id) == 0)
        return true;
    (void)command_fail("'%s' and --namespace %s name two namespaces", text, wanted);
    return false;
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

void token_report_grants(struct store *store, const struct ident *agent)
{
    struct store_grants grants;
    int count = 0;
    if (store_grant_list(store, &grants) == STORE_DONE)
        for (size_t i = 0; i < grants.count; i++)
            count += strcmp(grants.items[i].subject.agent, agent->agent) == 0 &&
                     strcmp(grants.items[i].subject.namespace_id, agent->namespace_id) == 0;
    if (count > 0)
        (void)fprintf(stderr,
            "patchcord-relay: %d grant%s let%s it in still: patchcord-relay grants revoke --agent %s@%s\n",
            count, count == 1 ? "" : "s", count == 1 ? "s" : "", agent->agent, agent->namespace_id);
    store_grants_free(&grants);
}
