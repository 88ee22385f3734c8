/* client_type.h: the relay's word for the program that an agent runs in, from the name that MCP clients give.
 */
#ifndef BRIDGE_CLIENT_TYPE_H
#define BRIDGE_CLIENT_TYPE_H

#include <stddef.h>

enum { CLIENT_TYPE_SIZE = 41 };

/* "claude-code" is claude_code, "codex-mcp-client" is codex; an unknown name is itself in [a-z0-9_]. name may
 * be NULL (out is ""). */
void client_type_of(const char *name, char out[static CLIENT_TYPE_SIZE]);

#endif
