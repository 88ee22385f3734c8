#include "uuid.h"

#include <pthread.h>
#include <sha1.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "clock.h"

enum { UUID_BYTES = 16 };

static bool is_dash_place(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool lower_canonical(const char *text, size_t len, char out[static UUID_SIZE])
{
    if (len != UUID_LEN) {
        return false;
    }
    for (size_t i = 0; i < UUID_LEN; i++) {
        out[i] = lower(text[i]);
        if (is_dash_place(i) ? out[i] != '-' : !is_hex(out[i])) {
            return false;
        }
    }
    out[UUID_LEN] = '\0';
    return true;
}

bool uuid_parse(const char *text, size_t len, char out[static UUID_SIZE])
{
    if (lower_canonical(text, len, out)) {
        return true;
    }
    out[0] = '\0';
    return false;
}

static void format(const uint8_t bytes[static UUID_BYTES], char out[static UUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (is_dash_place(at)) {
            out[at++] = '-';
        }
        out[at++] = digits[bytes[i] >> 4];
        out[at++] = digits[bytes[i] & 0x0F];
    }
    out[at] = '\0';
}

/* Sections 4.1 and 4.2: the variant 10 and the version. */
static void stamp(uint8_t bytes[static UUID_BYTES], uint8_t version)
{
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | version << 4);
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
}

void uuid_v4(char out[static UUID_SIZE])
{
    uint8_t bytes[UUID_BYTES];
    randombytes_buf(bytes, sizeof(bytes));
    stamp(bytes, 4);
    format(bytes, out);
}

/* The last time and counter handed out. Within one millisecond, and while the clock stands behind, the 12
 * bits of rand_a count up (section 6.2, method 1); when they run over, the time is moved ahead by one. */
static struct {
    pthread_mutex_t lock;
    uint64_t ms;
    uint32_t counter;
} v7_last = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum { V7_COUNTER_MAX = 0xFFF, V7_COUNTER_START_MASK = 0x3FF };

static void v7_next(uint64_t *ms, uint32_t *counter)
{
    uint64_t now = (uint64_t)clock_wall_ms();
    pthread_mutex_lock(&v7_last.lock);
    if (now > v7_last.ms) {
        v7_last.ms = now;
        v7_last.counter = randombytes_random() & V7_COUNTER_START_MASK;
    } else if (v7_last.counter < V7_COUNTER_MAX) {
        v7_last.counter++;
    } else {
        v7_last.ms++;
        v7_last.counter = 0;
    }
    *ms = v7_last.ms;
    *counter = v7_last.counter;
    pthread_mutex_unlock(&v7_last.lock);
}

void uuid_v7(char out[static UUID_SIZE])
{
    uint64_t ms;
    uint32_t counter;
    v7_next(&ms, &counter);

    uint8_t bytes[UUID_BYTES];
    randombytes_buf(bytes, sizeof(bytes));
    for (size_t i = 0; i < 6; i++) {
        bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    bytes[6] = (uint8_t)(counter >> 8);
    bytes[7] = (uint8_t)counter;
    stamp(bytes, 7);
    format(bytes, out);
}

void uuid_v5(const char space[static UUID_SIZE], const char *name, char out[static UUID_SIZE])
{
    uint8_t space_bytes[UUID_BYTES] = {0};
    size_t got = 0;
    sodium_hex2bin(space_bytes, sizeof(space_bytes), space, UUID_LEN, "-", &got, NULL);

    SHA1_CTX hash;
    SHA1Init(&hash);
    SHA1Update(&hash, space_bytes, sizeof(space_bytes));
    SHA1Update(&hash, (const uint8_t *)name, strlen(name));
    uint8_t digest[SHA1_DIGEST_LENGTH];
    SHA1Final(digest, &hash);
    stamp(digest, 5);
    format(digest, out);
}
