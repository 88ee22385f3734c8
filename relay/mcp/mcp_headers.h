/* mcp_headers.h: the headers in which a modern request repeats parts of its body (MCP 2026-07-28, Streamable
 * HTTP, "Request Metadata"), so that what reads only headers cannot be told something else than what reads
 * the body. Pure. */
#ifndef RELAY_MCP_MCP_HEADERS_H
#define RELAY_MCP_MCP_HEADERS_H

#include "../http/exchange.h"

enum mcp_header {
    MCP_HEADER_EQUAL,
    MCP_HEADER_MISSING,
    MCP_HEADER_DIFFERS,   /* or is there twice with different values */
    MCP_HEADER_MALFORMED, /* holds what a header may not, or base64 that is none */
};

/* Compares every field of that name (names ignore case, values do not; blanks around them are none of theirs)
 * with the len bytes of wanted. encoded: the value may be =?base64?…?=. */
enum mcp_header mcp_header_compare(const struct http_field *fields, size_t count, const char *name,
    const char *wanted, size_t len, bool encoded);

/* Appends what a header's value stands for: the bytes inside =?base64?…?=, else the value itself, without the
 * blanks around it. False where it is malformed. */
MUST_CHECK bool mcp_header_decode(const char *value, bool encoded, struct buf *out);

#endif
