#include "event_id.h"

#include <sodium.h>
#include <string.h>

_Static_assert((int)EVENT_ID_TAG_BYTES == (int)crypto_generichash_BYTES_MIN, "what BLAKE2b gives at least");

struct sealed {
    uint8_t tag[EVENT_ID_TAG_BYTES], place[sizeof(int64_t)];
};
_Static_assert(2 * sizeof(struct sealed) + 1 == EVENT_ID_SIZE, "without holes");

/* Of the place in clear, and of whose it is. */
static void make_tag(
    const uint8_t *key, const char *agent, int64_t seq, uint8_t tag[static EVENT_ID_TAG_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, key, EVENT_ID_KEY_BYTES, EVENT_ID_TAG_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)&seq, sizeof seq);
    crypto_generichash_update(&state, (const uint8_t *)agent, strlen(agent));
    crypto_generichash_final(&state, tag, EVENT_ID_TAG_BYTES);
}

/* Encrypts and decrypts. BLAKE2b of another length is another function than that of the tag. */
static void cover(const uint8_t *key, struct sealed *sealed)
{
    uint8_t stream[crypto_generichash_BYTES];
    crypto_generichash(stream, sizeof stream, sealed->tag, sizeof sealed->tag, key, EVENT_ID_KEY_BYTES);
    for (size_t i = 0; i < sizeof sealed->place; i++)
        sealed->place[i] ^= stream[i];
}

void event_id_write(const uint8_t key[static EVENT_ID_KEY_BYTES], const char *agent, int64_t seq,
    char out[static EVENT_ID_SIZE])
{
    struct sealed sealed;
    make_tag(key, agent, seq, sealed.tag);
    memcpy(sealed.place, &seq, sizeof seq);
    cover(key, &sealed);
    sodium_bin2hex(out, EVENT_ID_SIZE, (const uint8_t *)&sealed, sizeof sealed);
}

bool event_id_read(
    const uint8_t key[static EVENT_ID_KEY_BYTES], const char *agent, const char *id, int64_t *seq)
{
    struct sealed sealed;
    uint8_t tag[EVENT_ID_TAG_BYTES];
    size_t len = 0;
    *seq = 0;
    if (strlen(id) != EVENT_ID_SIZE - 1 ||
        sodium_hex2bin((uint8_t *)&sealed, sizeof sealed, id, EVENT_ID_SIZE - 1, NULL, &len, NULL) != 0 ||
        len != sizeof sealed)
        return false;
    cover(key, &sealed);
    int64_t place;
    memcpy(&place, sealed.place, sizeof place);
    make_tag(key, agent, place, tag);
    if (sodium_memcmp(tag, sealed.tag, sizeof tag) != 0)
        return false;
    *seq = place;
    return true;
}
