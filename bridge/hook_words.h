/* hook_words.h: what hooks say, and the form in which agents' programs take it. It goes into a model's
 * context, with Codex as a developer's word: so no content of a message is in it, and senders' names are
 * reduced (fence.h). Pure. */
#ifndef BRIDGE_HOOK_WORDS_H
#define BRIDGE_HOOK_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "../common/buf.h"
#include "inbox_look.h"
#include "told.h"

/* Senders that are named, and deferred messages. */
enum { HOOK_SENDERS_MAX = 3, HOOK_DEFERRED_MAX = 10 };

/* "2 new messages from frontend and codex": those that were not told to them yet. */
void hook_words_new(
    struct buf *out, const struct told *told, enum told_whom whom, const struct inbox_look *pending);
/* A session's start: who it is, what waits, what was deferred; some lines. */
void hook_words_start(
    struct buf *out, const struct inbox_look *pending, const struct inbox_look *deferred, int64_t now_ms);
/* How many messages wait in the outbox; nothing for none. One line. */
void hook_words_queued(struct buf *out, size_t waiting);

/* How it is said. */
enum hook_voice {
    HOOK_CONTEXT, /* to the model, beside what it reads next */
    HOOK_GO_ON,   /* to the model, which does not stop then */
    HOOK_USER,    /* to the person */
};
/* Appends the answer's line of JSON. event: "SessionStart". */
void hook_words_answer(struct buf *out, enum hook_voice voice, const char *event, const char *text);

#endif
