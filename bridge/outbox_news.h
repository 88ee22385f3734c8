/* outbox_news.h: what became of queued messages, for the agent that sent them. */
#ifndef BRIDGE_OUTBOX_NEWS_H
#define BRIDGE_OUTBOX_NEWS_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/buf.h"
#include "outbox_entry.h"

enum { OUTBOX_NEWS_MAX_BYTES = 16 * 1024 };

/* Appends a note's text: that the entry was delivered (problem NULL), or why not. */
void outbox_news_write(const struct outbox_entry *entry, const char *problem, struct buf *out);

/* Notes, gathered into a line. A zeroed struct is empty. */
struct outbox_news {
    size_t delivered, refused;
    struct buf to;      /* whom the delivered ones went to */
    struct buf refusal; /* the refused ones in words */
};
/* Adds a note. What is none is passed over. Pure. */
void outbox_news_add(struct outbox_news *news, const char *text, size_t len);
/* Appends the line with its '\n' and frees. False: there was no note. */
bool outbox_news_end(struct outbox_news *news, struct buf *out);

#endif
