/* postgres_news.h: what relays that share a PostgreSQL tell each other, by NOTIFY on a connection of its own.
 *
 * A thread collects what is to be told for a moment, so that a busy relay notifies a few hundred times a
 * second rather than at each commit: PostgreSQL commits one after the other what notifies. It is told after
 * the commit, so who hears of a message finds it. What gets lost, with a connection or a process, is made up
 * for by a look every NEWS_LOOK_MS. */
#ifndef RELAY_STORE_POSTGRES_NEWS_H
#define RELAY_STORE_POSTGRES_NEWS_H

#include "postgres_link.h"
#include "store.h"

enum { NEWS_COLLECT_MS = 2, NEWS_LOOK_MS = 15 * 1000 };

struct postgres_news;

/* Begins to listen, and goes on trying while the server is away. Calls the options' arrived and changed on
 * its thread. */
struct postgres_news *postgres_news_start(const struct store_options *options);
/* NULL is fine. What was to be told and is not yet, is told no more. */
void postgres_news_stop(struct postgres_news *news);
/* From any thread, without waiting: something arrived for that agent; both NULL: something else changed. */
void postgres_news_tell(struct postgres_news *news, const char *namespace_id, const char *agent);
/* Tells on that connection at once that something changed. */
MUST_CHECK bool postgres_news_tell_all(PGconn *link, struct buf *why);

#endif
