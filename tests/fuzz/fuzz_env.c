/* Each pair of an env file has a name and a value as the parser promises; a refused file names one of its
 * lines. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pair(void *arg, const char *key, const char *value)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t *left = arg;
    assert(key[0] && strspn(key, letters) == strlen(key));
    assert(key[0] < '0' || key[0] > '9');
    /* A pair takes at least its own bytes and a '='. */
    size_t taken = strlen(key) + 1 + strlen(value);
    assert(taken <= *left);
    *left -= taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t left = size;
    int lines = 1;
    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n';
    }
    int bad_line = env_parse((const char *)data, size, check_pair, &left);
    assert(bad_line >= 0 && bad_line <= lines);
    return 0;
}
