/* A trailer that is taken says what it would be written as. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../relay/blob/file_trailer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { FILE_BYTES = 1000 };
    struct blob_info info = {0}, again = {0};
    char bytes[FILE_TRAILER_BYTES];
    if (size > FILE_TRAILER_BYTES - 2)
        size = FILE_TRAILER_BYTES - 2;
    memset(bytes, ' ', sizeof bytes);
    bytes[0] = bytes[sizeof bytes - 1] = '\n';
    if (size > 0)
        memcpy(bytes + 1, data, size);
    if (!file_trailer_read(bytes, FILE_BYTES, &info))
        return 0;
    assert(info.size == FILE_BYTES - FILE_TRAILER_BYTES);
    file_trailer_write(&info, bytes);
    assert(file_trailer_read(bytes, FILE_BYTES, &again) && memcmp(&info, &again, sizeof info) == 0);
    return 0;
}
