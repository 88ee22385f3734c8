/* channel.h: Claude Code's channels: messages that are pushed into a session as notifications/claude/channel,
 * in place of waiting there to be asked for. They are leased and acknowledged as any delivery: a host that
 * does not read its pipe, or goes away, has not got them. */
#ifndef BRIDGE_CHANNEL_H
#define BRIDGE_CHANNEL_H

#include <stdbool.h>

#include "../common/json.h"
#include "line_writer.h"
#include "relay_link.h"

/* Bytes of a message that are shown; how to read on is said. */
enum { CHANNEL_CONTENT_MAX = 24 * 1024 };
/* Until it is tried again, after a failure that is not passing. */
enum { CHANNEL_RETRY_MS = 60 * 1000 };

struct channel_setup {
    struct relay_link *link;
    struct line_writer *writer;
    /* True once the link has a configuration. False: why has one line. */
    bool (*configure)(void *arg, struct buf *why);
    /* The relay does not accept its token: the next configure may find another. */
    void (*refused)(void *arg);
    void *arg;
};

struct channel;

/* What setup points to is borrowed until channel_free. Nothing is pushed before channel_open. */
struct channel *channel_new(const struct channel_setup *setup);
/* NULL is fine. */
void channel_free(struct channel *channel);
/* The host has initialized. */
void channel_open(struct channel *channel);
/* Nothing more is pushed; what was offered and not written goes back. */
void channel_close(struct channel *channel);

/* Milliseconds until channel_step has something to do; -1: nothing. */
int channel_timeout_ms(const struct channel *channel);
void channel_step(struct channel *channel);

/* The notification for one message of a structured result. Pure; the caller owns it. */
struct json_object *channel_notification(struct json_object *message);

#endif
