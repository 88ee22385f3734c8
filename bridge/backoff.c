#include "backoff.h"

#include <sodium.h>

int64_t backoff_ms(unsigned tries, int64_t first_ms, int64_t max_ms)
{
    int64_t full = first_ms;
    for (unsigned i = 1; i < tries && full < max_ms; i++)
        full *= 2;
    if (full > max_ms)
        full = max_ms;
    int64_t half = full / 2;
    return full - half + (int64_t)randombytes_uniform((uint32_t)half + 1);
}
