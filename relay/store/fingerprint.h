/* fingerprint.h: how a send is known again: the hash of what was sent, and the ids of its messages. No
 * database here: every store uses the same. */
#ifndef RELAY_STORE_FINGERPRINT_H
#define RELAY_STORE_FINGERPRINT_H

#include <stdint.h>

#include "store.h"

enum { FINGERPRINT_SIZE = 32 }; /* SHA-256 */

/* Of recipients, thread, and content (or what stands for it: basis). */
void fingerprint_send(const struct store_send *send, uint8_t out[static FINGERPRINT_SIZE]);
/* Of what is replied to, content and the two flags; content is not NULL. */
void fingerprint_reply(const struct store_reply *reply, uint8_t out[static FINGERPRINT_SIZE]);
/* The id of the message to one recipient: the send's own where there is one only, else UUIDv5 of it and the
 * name. */
void fingerprint_row_id(const char send_id[static UUID_SIZE], const char *recipient, size_t recipients_count,
    char out[static UUID_SIZE]);

#endif
