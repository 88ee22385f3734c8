/* mcp_command.h: `patchcord mcp`, the bridge between an agent's program on stdio and the relay. */
#ifndef BRIDGE_MCP_COMMAND_H
#define BRIDGE_MCP_COMMAND_H

#include "command.h"

extern const struct command command_mcp;

#endif
