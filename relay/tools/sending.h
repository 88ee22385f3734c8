/* sending.h: what became of a send, as its sender reads it. For every tool that sends. */
#ifndef RELAY_TOOLS_SENDING_H
#define RELAY_TOOLS_SENDING_H

#include "tool.h"

/* Fails the call for a send that was refused: why, and what to do. Sorts the names in the result. */
enum verdict sending_refuse(struct tool_call *call, struct store_send_result *result);

/* Wakes the recipient, and appends that it was sent, and whether an answer is near (of whom, where it is not
 * the only one). */
void sending_show_one(struct tool_call *call, const struct store_sent *sent, bool is_only);
/* The same for each: wakes the recipients, and appends for each that it was sent, and whether an answer is
 * near. */
void sending_show(struct tool_call *call, const struct store_send_result *result);

#endif
