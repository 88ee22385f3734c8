/* recipients.h: to whom something goes: the names that a caller gave, made sure of as far as that needs no
 * store. */
#ifndef RELAY_TOOLS_RECIPIENTS_H
#define RELAY_TOOLS_RECIPIENTS_H

#include "tool.h"

enum { RECIPIENTS_MAX = 50 };

struct recipients {
    struct ident names[RECIPIENTS_MAX];
    struct store_recipient list[RECIPIENTS_MAX]; /* into names */
    size_t count;
};

/* Reads an agent's name or address into name, whose namespace is left out for callers of one namespace.
 * False: the call has failed already; an address outside the caller's own namespaces is refused without
 * telling whether it exists. */
MUST_CHECK bool recipient_read(struct tool_call *call, const char *address, struct ident *name);

/* The same for somebody that something is to be sent to: the relay itself is refused. */
MUST_CHECK bool recipient_of_mail(struct tool_call *call, const char *address, struct ident *name);
/* That one for the store; borrows from name. */
struct store_recipient recipient_of(const struct ident *name);

/* Reads the array of the argument "to": each once, at least one. False: the call has failed already. */
MUST_CHECK bool recipients_read(struct tool_call *call, struct recipients *out);

/* Fails the call for a recipient that does not exist: the agents that do, the nearest name first. Sorts
 * names. */
enum verdict recipients_unknown(struct tool_call *call, const char *wanted, char **names, size_t count);
/* Fails the call for a bare name that several of the caller's namespaces have: the addresses to choose from.
 */
enum verdict recipients_ambiguous(struct tool_call *call, const char *wanted, char **names, size_t count);

#endif
