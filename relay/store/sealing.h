/* sealing.h: for store.c: messages pass through the store's cipher on their way in and out, whatever kind of
 * store it is. Where it has none, they go in as they are; what is sealed and cannot be opened comes out as a
 * line that says so. */
#ifndef RELAY_STORE_SEALING_H
#define RELAY_STORE_SEALING_H

#include "store_ops.h"

/* As the operations of store_ops.h. A repeat is recognised also where the first one went in under an older
 * key, or before there was one. */
enum store_status sealing_send(struct store *s, const struct store_caller *caller,
    const struct store_send *send, struct store_send_result *result);
enum store_status sealing_reply(struct store *s, const struct store_caller *caller,
    const struct store_reply *reply, struct store_reply_result *result);

/* Opens what is sealed among these. */
void sealing_open(const struct store *s, struct store_messages *messages);

#endif
