/* event_id.h: places in the store's order of messages, as clients of GET /api/events are given them. The order
 * is that of all agents' messages; so that an id tells nothing of others', the place is encrypted (with a
 * synthetic nonce, as in RFC 5297), and is good for its agent alone. The same place has the same id at every
 * relay of a store. Pure. */
#ifndef RELAY_API_EVENT_ID_H
#define RELAY_API_EVENT_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/compiler.h"
#include "../auth/typed_code.h"

enum {
    EVENT_ID_KEY_BYTES = TYPED_CODE_DERIVED_BYTES,
    EVENT_ID_TAG_BYTES = 16,
    EVENT_ID_SIZE = 2 * (EVENT_ID_TAG_BYTES + (int)sizeof(int64_t)) + 1, /* lower-case hex and NUL */
};
#define EVENT_ID_KEY_PURPOSE "the ids of events" /* for typed_code_key_derive */

/* The id of that place for that agent ("agent@namespace"). */
void event_id_write(const uint8_t key[static EVENT_ID_KEY_BYTES], const char *agent, int64_t seq,
    char out[static EVENT_ID_SIZE]);
/* False: it is no id of that agent's. */
MUST_CHECK bool event_id_read(
    const uint8_t key[static EVENT_ID_KEY_BYTES], const char *agent, const char *id, int64_t *seq);

#endif
