/* fingerprint.h: how a send is known again: the hash of what was sent, and the ids of its messages. No
 * database here: every store uses the same. */
#ifndef RELAY_STORE_FINGERPRINT_H
#define RELAY_STORE_FINGERPRINT_H

#include <stdint.h>

#include "store.h"

enum { FINGERPRINT_SIZE = 32 }; /* SHA-256 */

/* Of recipients, thread, and content (or what stands for it: basis). A recipient is its name, with its
 * namespace (as agent@namespace) only where one other than the caller's own was asked for: so a repeat is
 * known again whatever namespaces were granted since. */
void fingerprint_send(
    const struct store_caller *caller, const struct store_send *send, uint8_t out[static FINGERPRINT_SIZE]);
/* Of what is replied to, content and the two flags; content is not NULL. */
void fingerprint_reply(const struct store_reply *reply, uint8_t out[static FINGERPRINT_SIZE]);
/* The id of the message to the send's recipient of that index: send_id where it is the only one, else UUIDv5
 * of send_id and the recipient as in the fingerprint. */
void fingerprint_row_id(const struct store_caller *caller, const struct store_send *send,
    const char send_id[static UUID_SIZE], size_t index, char out[static UUID_SIZE]);

#endif
