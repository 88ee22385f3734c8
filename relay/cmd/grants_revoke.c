/* grants revoke: shuts clients out that logged in. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../store/store_oauth.h"
#include "token.h"

enum { ID_LEN_MIN = 4 };

/* Copies text in lower case; false where it is no beginning of a grant's id. */
static bool read_id(const char *text, char id[static UUID_SIZE])
{
    const size_t len = strlen(text);
    if (len < ID_LEN_MIN || len >= UUID_SIZE || strspn(text, "0123456789abcdefABCDEF-") != len)
        return false;
    for (size_t i = 0; i <= len; i++)
        id[i] = (char)tolower((unsigned char)text[i]);
    return true;
}

static int report(enum store_status status, int64_t count)
{
    if (status == STORE_ABSENT)
        return command_fail("there is no such grant: see patchcord-relay grants list");
    if (status == STORE_REFUSED)
        return command_fail("that id fits several grants: give more of it");
    if (status != STORE_DONE)
        return command_fail("the store failed, nothing was revoked");
    return printf("%lld revoked\n", (long long)count) < 0 || fflush(stdout) != 0 ? EXIT_FAILURE
                                                                                 : EXIT_SUCCESS;
}

static int revoke(struct store *store, const struct command_line *line, const struct config *config)
{
    struct store_grant_choice choice = {
        .client_id = command_value(line, "client"), .all = command_value(line, "all") != NULL};
    const char *address = command_value(line, "agent");
    struct ident agent;
    char id[UUID_SIZE];
    if (address && !token_agent(address, config->default_namespace, &agent))
        return EXIT_FAILURE;
    if (address) {
        choice.namespace_id = agent.namespace_id;
        choice.agent = agent.agent;
    }
    if (line->operands_count > 0) {
        if (!read_id(line->operands[0], id))
            return command_fail("'%s' is no grant's id: see patchcord-relay grants list", line->operands[0]);
        choice.id_prefix = id;
    }
    int64_t count = 0;
    const enum store_status status = store_grant_end(store, &choice, &count);
    return report(status, count);
}

static int run(const struct command_line *line)
{
    const int ways = (line->operands_count > 0) + (command_value(line, "client") != NULL) +
                     (command_value(line, "agent") != NULL) + (command_value(line, "all") != NULL);
    if (ways != 1)
        return command_misuse(line, "give one of an id, --client, --agent and --all");
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    const int code = revoke(store, line, &config);
    command_store_end(&config, store);
    return code;
}

const struct command command_grants_revoke = {
    .name = "grants revoke",
    .operands = "[ID]",
    .operands_max = 1,
    .summary = "shut a client out at once",
    .help =
        "Ends the grant with that ID (of grants list; its first characters do, at least 4, where they fit "
        "no\n"
        "other), or those that an option names. A relay that serves refuses their tokens within a second, "
        "and\n"
        "ends their waits and streams. Bearer tokens of the same agent stay: see token revoke.\n",
    .options =
        {
            {"client", "ID", "all grants of that client (client_id in grants list --json)"},
            {"agent", "NAME", "all grants of that agent (AGENT@NAMESPACE)"},
            {"all", NULL, "all grants"},
        },
    .run = run,
};
