/* What people type for a code: what is read is a code, and is read again as itself. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../relay/auth/typed_code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_read(const char *typed)
{
    char code[TYPED_CODE_SIZE], again[TYPED_CODE_SIZE];
    if (!typed_code_read(typed, code)) {
        assert(*code == '\0');
        return;
    }
    assert(strlen(code) == TYPED_CODE_SIZE - 1 || strlen(code) == TYPED_CODE_SHORT + 1);
    assert(strspn(code, "0123456789ABCDEFGHJKMNPQRSTVWXYZ-") == strlen(code));
    assert(typed_code_read(code, again) && strcmp(code, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *typed = xmemdup_text((const char *)data, size);
    check_read(typed);
    free(typed);
    return 0;
}
