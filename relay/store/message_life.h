/* message_life.h: the life of a message: what it can be, what can happen to it, and what that makes of it.
 * One table for every kind of store: where a store decides in a statement's condition instead,
 * check_message_life proves that it decides the same.
 *
 *    state     what it is                                     how it is stored
 *    pending   nobody was ever offered it                     status pending, attempts 0
 *    leased    handed out, and nobody said yet that it came   status pending, lease_until ahead
 *    offered   was handed out and did not come: on offer      status pending, attempts over 0, lease_until past
 *              again                                          or null
 *    read, deferred, replied                                  status
 *    unsent    taken back: a tombstone                        unsent_at, whatever its status
 *    expired   outlived the retention: a tombstone            expired_at, whatever its status
 *
 *    event     what happens                                   what is stored
 *    offer     an offer takes it under a lease                attempts + 1, lease_id, lease_until, offered_at
 *    renew     the offer of the lease that it names again     lease_until
 *    lapse     its lease's time is over                       nothing: lease_until is past
 *    release   its lease ends, and nobody saw it              attempts - 1, lease_id and lease_until null
 *    lose      its lease ends, and it may have been seen      lease_id and lease_until null
 *    ack       its recipient has it                           status read, delivered_at, no lease
 *    reply     its recipient is done with it                  status replied, replied_at, delivered_at, no lease
 *    defer     its recipient replies and puts it off          status deferred, deferred_at, delivered_at, no lease
 *    unsend    its sender takes it back                       unsent_at
 *    expire    it passes the retention                        expired_at, content empty, no lease
 *
 *              offer    renew    lapse    release  lose     ack      reply    defer     unsend   expire
 *    pending   leased   .        .        .        .        read     replied  deferred  unsent   expired !
 *    leased    .        leased   offered  back     offered  read     replied  deferred  refused  expired !
 *    offered   leased   leased   .        back     offered  read     replied  deferred  refused  expired !
 *    read      .        .        .        .        .        .        replied  deferred  refused  expired
 *    deferred  .        .        .        .        .        .        replied  deferred  refused  expired !
 *    replied   .        .        .        .        .        .        replied  deferred  refused  expired
 *    unsent    .        .        .        .        .        .        absent   absent    .        .
 *    expired   .        .        .        .        .        .        .        refused   absent   .
 *
 * `.`: fine, and it stays as it is. back: pending where the offer that did not count was its only one, else
 * offered. absent: it does not exist for whoever asks. !: unless it is a notice, its sender is told. Renew,
 * release and lose concern only the messages that still name that lease: lose makes a message forget it,
 * lapse does not. The times of the first time are kept. A message to oneself, and a notice, begin deferred.
 */
#ifndef RELAY_STORE_MESSAGE_LIFE_H
#define RELAY_STORE_MESSAGE_LIFE_H

#include "store.h"

enum life_state {
    LIFE_PENDING,
    LIFE_LEASED,
    LIFE_OFFERED,
    LIFE_READ,
    LIFE_DEFERRED,
    LIFE_REPLIED,
    LIFE_UNSENT,
    LIFE_EXPIRED,
    LIFE_STATES,
};

enum life_event {
    LIFE_OFFER,
    LIFE_RENEW,
    LIFE_LAPSE,
    LIFE_RELEASE,
    LIFE_LOSE,
    LIFE_ACK,
    LIFE_REPLY,
    LIFE_DEFER,
    LIFE_UNSEND,
    LIFE_EXPIRE,
    LIFE_EVENTS,
};

enum life_verdict {
    LIFE_MOVES,   /* to be stored (the state may be the same: a lease that is renewed) */
    LIFE_STAYS,   /* nothing to store */
    LIFE_REFUSED, /* too late for that */
    LIFE_ABSENT,
};

struct message_life {
    enum life_state state;
    unsigned offers; /* attempts */
};

/* What the event makes of it. *life changes with LIFE_MOVES alone. */
MUST_CHECK enum life_verdict message_life_apply(struct message_life *life, enum life_event event);

/* Where one that is stored now begins. */
struct message_life message_life_begin(bool to_oneself, bool is_notice);
/* What a stored one is. */
struct message_life message_life_stored(
    enum message_status status, bool is_leased, unsigned attempts, bool is_unsent, bool is_expired);
struct message_life message_life_of(const struct store_message *message);
/* Under which status it is stored; not for tombstones, which keep the one that they had. */
enum message_status message_life_status(struct message_life life);
/* True where its sender is told when it expires. */
bool message_life_is_told(struct message_life life);

#endif
