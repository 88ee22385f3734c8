/* The relay's answers, under any status: each becomes a result or a problem in one line. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../bridge/relay_reply.h"
#include "../../common/mcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct relay_reply reply;
    int status = data[0] < 128 ? 200 : 100 + (data[0] - 128) * 4 + data[1] % 4;
    relay_reply_read(status, (int)data[1] - 1, (const char *)data + 2, size - 2, "https://r.example", &reply);
    assert((reply.outcome == RELAY_DONE) == (reply.result != NULL));
    assert((reply.outcome == RELAY_DONE) == (reply.problem == NULL));
    assert(reply.offer.count == 0 || reply.offer.lease[0]);
    if (reply.result) {
        relay_reply_text(&reply);
        relay_reply_is_error(&reply);
        mcp_result_set_era(reply.result, MCP_LEGACY);
        assert(!json_object_object_get_ex(reply.result, "resultType", NULL));
    }
    relay_reply_free(&reply);
    return 0;
}
