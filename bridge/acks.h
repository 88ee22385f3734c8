/* acks.h: what the relay is still to be told about the messages that it offered: that they arrived, or that
 * they are to be offered again. POST /api/ack, repeated with back-off; the next tool call carries what could
 * not be posted yet. */
#ifndef BRIDGE_ACKS_H
#define BRIDGE_ACKS_H

#include "../common/json.h"
#include "config.h"
#include "relay_reply.h"
#include "transfer.h"

struct acks;

struct acks *acks_new(struct transfers *transfers);
void acks_free(struct acks *acks);

/* The messages of that offer arrived. The offer's ids are taken over. */
void acks_arrived(struct acks *acks, const struct config *config, struct relay_offer *offer);
/* What the lease holds is not wanted: offer it again. */
void acks_release(struct acks *acks, const struct config *config, const char *lease);

/* The ids of what is owed and not on its way, as the array of PATCHCORD_META_ACK, marked as carried by call;
 * NULL where there is nothing. Whole offers, and no more ids than PATCHCORD_ACKS_MAX: what is left goes with
 * a later call. The caller owns it. */
struct json_object *acks_ride(struct acks *acks, const void *call);
/* What the call carried arrived at the relay, or did not. */
void acks_ride_ended(struct acks *acks, const void *call, bool arrived);

/* True when nothing is owed. */
bool acks_settled(const struct acks *acks);
/* As relay_link's. */
int acks_timeout_ms(const struct acks *acks);
void acks_step(struct acks *acks, const struct config *config);

#endif
