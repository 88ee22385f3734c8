/* Whatever the scanner passes, json-c takes, writes back as what the scanner passes, and reads as the same
 * value. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "../../common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t at = SIZE_MAX;
    enum json_fault scanned = json_scan(text, size, &at);
    assert(at <= size);
    enum json_fault fault;
    struct json_object *value = json_parse(text, size, &fault);
    assert(fault == scanned);
    if (fault != JSON_FAULT_NONE) {
        assert(!value);
        return 0;
    }
    struct buf written = {0};
    json_write(value, &written);
    struct json_object *again = json_parse(buf_text(&written), written.len, &fault);
    assert(fault == JSON_FAULT_NONE);
    assert(json_object_equal(value, again));
    buf_free(&written);
    json_object_put(again);
    json_object_put(value);
    return 0;
}
