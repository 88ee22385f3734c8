/* A type that is taken reads as itself; a list that is taken can be asked; a range that is taken lies within.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../relay/blob/media_type.h"
#include "../../relay/http/byte_range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_range(const char *text, int64_t size)
{
    int64_t first = -1, len = -1;
    if (byte_range_read(text, size, &first, &len) == BYTE_RANGE_PART)
        assert(first >= 0 && len > 0 && len <= size && first <= size - len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup_text((const char *)data, size);
    char type[MEDIA_TYPE_SIZE], again[MEDIA_TYPE_SIZE];
    int len = 0;
    if (media_type_parse(text, type)) {
        assert(media_type_parse(type, again) && strcmp(type, again) == 0);
        assert(media_type_allowed(type, type) && media_type_allowed("*/*", type));
    } else {
        assert(type[0] == '\0');
    }
    const char *wrong = media_types_wrong(text, &len);
    assert(!wrong || (wrong >= text && wrong + len <= text + strlen(text) && len > 0));
    assert(!media_type_allowed(text, "text/plain") || strlen(text) > 0);
    assert(media_type_of_name(text)[0] != '\0');
    check_range(text, 0);
    check_range(text, 1000);
    check_range(text, INT64_MAX);
    free(text);
    return 0;
}
