/* words.h: the words of a text, by which messages are searched. The same on every store: computed here, never
 * by a database.
 *
 * A word is a run of letters and digits, in lower case (ASCII, Latin, Greek, Cyrillic and full-width letters
 * fold; every other letter stands for itself). Each character of Chinese, Japanese and Korean is a word of
 * its own. */
#ifndef RELAY_STORE_WORDS_H
#define RELAY_STORE_WORDS_H

#include <stddef.h>

#include "../../common/buf.h"

/* A longer word counts by its first bytes alone (never cut within a character). */
enum { WORD_MAX_BYTES = 120 };

/* Appends the words of valid UTF-8 to out, in order, each followed by one blank. Bytes that are not UTF-8
 * separate. */
void words_write(const char *text, size_t len, struct buf *out);

#endif
