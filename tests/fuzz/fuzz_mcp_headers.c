/* The first byte tells whether the value may be encoded, the rest is a header's value: what is taken is what
 * a body with the same text has, and nothing else. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../relay/mcp/mcp_headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool encoded = data[0] & 1;
    struct buf value = {0}, decoded = {0};
    char name[] = "Mcp-Name";

    buf_append(&value, data + 1, size - 1);
    struct http_field field = {name, value.data};
    if (mcp_header_decode(value.data, encoded, &decoded)) {
        assert(mcp_header_compare(&field, 1, "mcp-name", buf_text(&decoded), decoded.len, encoded) ==
               MCP_HEADER_EQUAL);
        buf_putc(&decoded, '!');
        assert(mcp_header_compare(&field, 1, "mcp-name", buf_text(&decoded), decoded.len, encoded) ==
               MCP_HEADER_DIFFERS);
    } else {
        assert(mcp_header_compare(&field, 1, "mcp-name", "", 0, encoded) == MCP_HEADER_MALFORMED);
    }
    buf_free(&value);
    buf_free(&decoded);
    return 0;
}
