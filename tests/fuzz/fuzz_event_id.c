/* What clients send as Last-Event-ID: whatever is taken for a place has exactly that id. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../../relay/api/event_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[EVENT_ID_KEY_BYTES] = {1};
    secret_init();
    char *text = xmemdup_text((const char *)data, size), again[EVENT_ID_SIZE];
    int64_t seq;
    if (event_id_read(key, "bob@team", text, &seq)) {
        event_id_write(key, "bob@team", seq, again);
        if (strcasecmp(again, text) != 0)
            abort();
    }
    free(text);
    return 0;
}
