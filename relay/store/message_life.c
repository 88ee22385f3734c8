#include "message_life.h"

#include <assert.h>

/* What an event leads to: a state, or one of these. */
enum outcome {
    STAYS = LIFE_STATES, /* . */
    BACK,
    REFUSED,
    ABSENT,
};

static const unsigned char outcomes[LIFE_STATES][LIFE_EVENTS] = {
    [LIFE_PENDING] = {LIFE_LEASED, STAYS, STAYS, STAYS, STAYS, LIFE_READ, LIFE_REPLIED, LIFE_DEFERRED,
        LIFE_UNSENT, LIFE_EXPIRED},
    [LIFE_LEASED] = {STAYS, LIFE_LEASED, LIFE_OFFERED, BACK, LIFE_OFFERED, LIFE_READ, LIFE_REPLIED,
        LIFE_DEFERRED, REFUSED, LIFE_EXPIRED},
    [LIFE_OFFERED] = {LIFE_LEASED, LIFE_LEASED, STAYS, BACK, LIFE_OFFERED, LIFE_READ, LIFE_REPLIED,
        LIFE_DEFERRED, REFUSED, LIFE_EXPIRED},
    [LIFE_READ] = {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, LIFE_REPLIED, LIFE_DEFERRED, REFUSED,
        LIFE_EXPIRED},
    [LIFE_DEFERRED] = {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, LIFE_REPLIED, LIFE_DEFERRED, REFUSED,
        LIFE_EXPIRED},
    [LIFE_REPLIED] = {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, LIFE_REPLIED, LIFE_DEFERRED, REFUSED,
        LIFE_EXPIRED},
    [LIFE_UNSENT] = {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, ABSENT, ABSENT, STAYS, STAYS},
    [LIFE_EXPIRED] = {STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, STAYS, REFUSED, ABSENT, STAYS},
};

enum life_verdict message_life_apply(struct message_life *life, enum life_event event)
{
    const unsigned outcome = outcomes[life->state][event];
    if (outcome == STAYS)
        return LIFE_STAYS;
    if (outcome == REFUSED)
        return LIFE_REFUSED;
    if (outcome == ABSENT)
        return LIFE_ABSENT;
    if (event == LIFE_OFFER)
        life->offers++;
    if (outcome == BACK) {
        assert(life->offers > 0);
        life->offers--;
        life->state = life->offers > 0 ? LIFE_OFFERED : LIFE_PENDING;
    } else {
        life->state = (enum life_state)outcome;
    }
    return LIFE_MOVES;
}

struct message_life message_life_begin(bool to_oneself, bool is_notice)
{
    return (struct message_life){.state = to_oneself || is_notice ? LIFE_DEFERRED : LIFE_PENDING};
}

struct message_life message_life_stored(
    enum message_status status, bool is_leased, unsigned attempts, bool is_unsent, bool is_expired)
{
    static const enum life_state settled[] = {
        [MESSAGE_READ] = LIFE_READ,
        [MESSAGE_REPLIED] = LIFE_REPLIED,
        [MESSAGE_DEFERRED] = LIFE_DEFERRED,
    };
    struct message_life life = {.offers = attempts};
    if (is_unsent)
        life.state = LIFE_UNSENT;
    else if (is_expired)
        life.state = LIFE_EXPIRED;
    else if (status != MESSAGE_PENDING)
        life.state = settled[status];
    else if (is_leased)
        life.state = LIFE_LEASED;
    else
        life.state = attempts > 0 ? LIFE_OFFERED : LIFE_PENDING;
    return life;
}

struct message_life message_life_of(const struct store_message *message)
{
    return message_life_stored(message->status, message->is_leased, message->attempt, message->unsent_ms != 0,
        message->expired_ms != 0);
}

enum message_status message_life_status(struct message_life life)
{
    static const enum message_status statuses[] = {
        [LIFE_PENDING] = MESSAGE_PENDING,
        [LIFE_LEASED] = MESSAGE_PENDING,
        [LIFE_OFFERED] = MESSAGE_PENDING,
        [LIFE_READ] = MESSAGE_READ,
        [LIFE_DEFERRED] = MESSAGE_DEFERRED,
        [LIFE_REPLIED] = MESSAGE_REPLIED,
    };
    assert(life.state < LIFE_UNSENT);
    return statuses[life.state];
}

bool message_life_is_told(struct message_life life)
{
    static const bool told[LIFE_STATES] = {
        [LIFE_PENDING] = true,
        [LIFE_LEASED] = true,
        [LIFE_OFFERED] = true,
        [LIFE_DEFERRED] = true,
    };
    return told[life.state];
}
