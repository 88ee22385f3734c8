/* invite: one line to paste on an agent's machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/url.h"
#include "code.h"
#include "token.h"

enum { INVITATION_MS = MS_PER_HOUR };

/* A URL that a shell takes as one word. */
static bool is_url(const char *text)
{
    struct url parts;
    if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:/.-_~%[]") !=
            strlen(text) ||
        !url_parse(text, &parts))
        return false;
    url_free(&parts);
    return true;
}

/* Where the agent reaches the relay; NULL: one line was printed. */
static const char *read_url(const struct command_line *line, const struct config *config)
{
    const char *url = command_value(line, "url");
    if (!url)
        return config->public_url;
    if (is_url(url))
        return url;
    (void)command_fail("'%s' is no URL of a relay", url);
    return NULL;
}

/* A guess is said to be one: whoever pastes the line elsewhere would look for the relay there. */
static void say_where(const struct config *config, const struct command_line *line)
{
    if (!command_value(line, "url") && config->public_url_is_default)
        (void)fprintf(stderr,
            "patchcord-relay: %s is a guess, good on this machine at most, because PATCHCORD_PUBLIC_URL is "
            "not "
            "set: say --url, or --env-file with the relay's settings\n",
            config->public_url);
}

static int hand_out(const struct config *config, struct store *store, const struct command_line *line)
{
    struct code_agent agent = {0};
    char code[TYPED_CODE_SIZE];
    const char *url = read_url(line, config);
    if (!url || !token_agent_of(line, line->operands[0], config, &agent.ident))
        return EXIT_FAILURE;
    int exit_code = code_mint(config, store, CODE_INVITE, &agent, INVITATION_MS, code);
    if (exit_code == EXIT_SUCCESS &&
        (printf("patchcord agent --server %s --code %s\n", url, code) < 0 || fflush(stdout) != 0))
        exit_code = command_fail("the line could not be written to stdout: make another");
    if (exit_code == EXIT_SUCCESS)
        say_where(config, line);
    secret_wipe(code, sizeof code);
    return exit_code;
}

static int run(const struct command_line *line)
{
    struct config config;
    struct store *store;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    const int code = hand_out(&config, store, line);
    command_store_end(&config, store);
    return code;
}

const struct command command_invite = {
    .name = "invite",
    .operands = "AGENT",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "make a line to paste that sets an agent up",
    .help = "Prints one line, to be pasted in the project's folder on AGENT's machine. Its code becomes the "
            "agent's\n"
            "token there, works once, and runs out after an hour. AGENT is AGENT, AGENT@NAMESPACE or\n"
            "NAMESPACE:AGENT.\n",
    .options =
        {
            {"namespace", "NS", "the namespace (default: PATCHCORD_DEFAULT_NAMESPACE)"},
            {"url", "URL", "where the agent reaches the relay (default: PATCHCORD_PUBLIC_URL)"},
        },
    .run = run,
};
