/* chance.h: xorshift64*, so that a seed means the same everywhere. */
#ifndef TESTS_TORTURE_CHANCE_H
#define TESTS_TORTURE_CHANCE_H

#include <stdint.h>

/* A number from 0 to below - 1. */
static inline uint64_t chance(uint64_t *state, uint64_t below)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (*state * UINT64_C(2685821657736338717) >> 33) % below;
}

#endif
