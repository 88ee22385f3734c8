/* wording.h: what tools say, in the words of the command line. The relay and the bridge speak to models, and name
 * tools and arguments; a person types commands and options. One table for all commands; pure. */
#ifndef BRIDGE_CMD_WORDING_H
#define BRIDGE_CMD_WORDING_H

#include "../../common/buf.h"

/* Appends a tool's text. Lines behind "> " are what agents wrote, and stay as they are. */
void wording_text(struct buf *out, const char *text);
/* The same for a refusal or a wrong argument, which may begin with the argument's name. */
void wording_problem(struct buf *out, const char *text);

#endif
