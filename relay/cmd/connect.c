/* connect: a code that lets a client in which logs in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "code.h"
#include "token.h"

enum { CONNECT_CODE_MS = 10 * MS_PER_MINUTE };

static bool exists(const struct store_agents *agents, const char *namespace_id, const char *agent)
{
    for (size_t i = 0; i < agents->count; i++) {
        if (strcmp(agents->items[i].namespace_id, namespace_id) == 0 &&
            strcmp(agents->items[i].agent, agent) == 0)
            return true;
    }
    return false;
}

/* Somebody who is there already would share name and inbox with the client: that may be meant, or not. */
static void warn_of_namesakes(struct store *store, const struct code_agent *agent)
{
    struct store_stats stats;
    if (agent->also_count == 0 || store_stats(store, &stats) != STORE_DONE)
        return;
    for (size_t i = 0; i < agent->also_count; i++) {
        if (exists(&stats.agents, agent->also[i], agent->ident.agent))
            (void)fprintf(stderr,
                "patchcord-relay: warning: %s@%s is there already: the client becomes that agent, and reads "
                "its messages\n",
                agent->ident.agent, agent->also[i]);
    }
    store_stats_free(&stats);
}

static int hand_out(const struct config *config, struct store *store, const struct command_line *line)
{
    struct code_agent agent = {0};
    char code[TYPED_CODE_SIZE];
    if (!token_agent_of(line, command_value(line, "agent"), config, &agent.ident) ||
        !code_also_read(command_value(line, "also"), &agent))
        return EXIT_FAILURE;
    int exit_code = code_mint(config, store, CODE_CONNECT, &agent, CONNECT_CODE_MS, code);
    if (exit_code == EXIT_SUCCESS && (puts(code) < 0 || fflush(stdout) != 0))
        exit_code = command_fail("the code could not be written to stdout: make another");
    secret_wipe(code, sizeof code);
    if (exit_code == EXIT_SUCCESS)
        warn_of_namesakes(store, &agent);
    return exit_code;
}

static int run(const struct command_line *line)
{
    if (!command_value(line, "agent"))
        return command_misuse(line, "--agent says which agent the client becomes");
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    const int code = hand_out(&config, store, line);
    command_store_end(&config, store);
    return code;
}

const struct command command_connect = {
    .name = "connect",
    .operands = "",
    .summary = "make a code that lets a web client in",
    .help =
        "Prints a code, to be typed into the page on which a client (claude.ai, ChatGPT, patchcord login) "
        "asks to\n"
        "be let in. It decides which agent the client becomes, works once, and runs out after 10 minutes. "
        "With\n"
        "--also a client that logs in by OAuth sees those namespaces too, under the same name; a bridge "
        "has one.\n",
    .options =
        {
            {"agent", "AGENT", "the agent (AGENT, AGENT@NAMESPACE or NAMESPACE:AGENT)"},
            {"namespace", "NS", "its namespace (default: PATCHCORD_DEFAULT_NAMESPACE)"},
            {"also", "NS2,NS3", "further namespaces that it sees"},
        },
    .run = run,
};
