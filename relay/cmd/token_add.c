/* token add: a new credential for an agent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "token.h"

enum { TOKEN_SAFE_LEN = 20, LABEL_MAX_LEN = 200 };

/* A bearer token is visible ASCII (RFC 6750 section 2.1 allows fewer; older ones may have more). */
static bool is_sendable(const char *token)
{
    for (; *token; token++)
        if (*token <= ' ' || *token > '~')
            return false;
    return true;
}

/* The existing token from stdin, or a new one. The caller frees with secret_free; NULL: one line was printed.
 */
static char *obtain_token(bool existing)
{
    if (!existing) {
        char minted[TOKEN_TEXT_SIZE];
        secret_token_mint(minted);
        char *token = xstrdup(minted);
        secret_wipe(minted, sizeof minted);
        return token;
    }
    char *token = secret_read(STDIN_FILENO, "Token: ");
    if (!token) {
        (void)command_fail("no token came on stdin (one line, at most %d characters)", TOKEN_MAX_LEN);
        return NULL;
    }
    if (!is_sendable(token)) {
        (void)command_fail(
            "the token has characters that no HTTP header can carry: use visible ASCII without blanks");
        secret_free(token);
        return NULL;
    }
    if (strlen(token) < TOKEN_SAFE_LEN)
        (void)fprintf(stderr, "patchcord-relay: warning: a token of under %d characters can be guessed\n",
            TOKEN_SAFE_LEN);
    return token;
}

static int add(struct store *store, const struct command_line *line, const struct ident *agent)
{
    const bool existing = command_value(line, "token") != NULL;
    char *token = obtain_token(existing);
    if (!token)
        return EXIT_FAILURE;
    int code = token_store(store, agent, token, command_value(line, "label"));
    if (code == EXIT_SUCCESS) {
        char hash[SHA256_HEX_SIZE];
        secret_sha256_hex(token, strlen(token), hash);
        if (!existing && (puts(token) < 0 || fflush(stdout) != 0))
            code = command_fail("the token was added and could not be written to stdout: rotate it");
        token_report("token_added",
            existing ? "Added the token of" : "This token is shown once. It is that of", agent, hash);
    }
    secret_free(token);
    return code;
}

static int run(const struct command_line *line)
{
    const char *token = command_value(line, "token"), *label = command_value(line, "label");
    if (token && strcmp(token, "-") != 0)
        return command_misuse(line, "an existing token is read from stdin: --token -");
    if (label && strlen(label) > LABEL_MAX_LEN)
        return command_misuse(line, "a label has at most %d bytes", LABEL_MAX_LEN);
    struct config config;
    struct store *store;
    struct ident agent;
    if (!command_store(line, &config, &store))
        return EXIT_FAILURE;
    const int code =
        token_agent_of(line, line->operands[0], &config, &agent) ? add(store, line, &agent) : EXIT_FAILURE;
    command_store_end(&config, store);
    return code;
}

const struct command command_token_add = {
    .name = "token add",
    .operands = "AGENT",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "make a token for an agent",
    .help = "Prints a new token for AGENT (AGENT@NAMESPACE or NAMESPACE:AGENT) on stdout, alone and "
            "once: the\n"
            "store keeps its SHA-256. An agent exists from its first token on, and may have several.\n",
    .options =
        {
            {"namespace", "NS", "the namespace (default: PATCHCORD_DEFAULT_NAMESPACE)"},
            {"label", "TEXT", "a note, for token list"},
            {"token", "-", "take an existing token, one line on stdin, in place of a new one"},
        },
    .begins_store = BEGINS_NAMED_STORE,
    .run = run,
};
