/* token.h: what the token commands share. */
#ifndef RELAY_CMD_TOKEN_H
#define RELAY_CMD_TOKEN_H

#include "../../common/ident.h"
#include "command.h"

/* Reads "agent", "agent@namespace" or "namespace:agent"; fallback is the namespace of one that names none.
 * False: one line was printed. */
MUST_CHECK bool token_agent(const char *text, const char *fallback, struct ident *out);

/* The agent that a command means: as token_agent, with --namespace as the fallback, which an address must not
 * contradict. False: one line was printed. */
MUST_CHECK bool token_agent_of(
    const struct command_line *line, const char *text, const struct config *config, struct ident *out);

/* Stores the token for the agent. Returns the exit code; a failure was printed. */
int token_store(struct store *store, const struct ident *agent, const char *token, const char *label);

/* Says on stderr what was done: to a person in words, else as a log line. hash may be NULL. */
void token_report(const char *event, const char *words, const struct ident *agent, const char *hash);

/* Says on stderr where grants let that agent in still, though its tokens do not. */
void token_report_grants(struct store *store, const struct ident *agent);

#endif
