/* fence.h: other agents' words, made harmless for the model that reads them.
 *
 * A message is data: nothing in it may look like a line of Patchcord's own. Every line of it begins with ">
 * ", whatever character ended the line before, and what a terminal or a reader would not see is spelled out.
 * Pure functions. */
#ifndef COMMON_FENCE_H
#define COMMON_FENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

/* Appends valid UTF-8 as fenced lines, each ended by '\n'. LF, CR, CRLF, VT, FF, U+0085, U+2028 and U+2029
 * end a line (one at the very end begins no further one); other control characters, but for the tab, and
 * characters that are invisible or change the direction of text are written as <U+202E>. Stops before the
 * character with which the output would exceed max_bytes, but not before the first. Returns how many bytes of
 * text were shown. */
size_t fence_text(struct buf *out, const char *text, size_t len, size_t max_bytes);

/* True for a character that a reader does not see, or sees elsewhere than it stands: controls but for the tab
 * and those that end a line, direction marks, zero-width and tag characters. */
bool fence_is_unseen(uint32_t code_point);

/* True for valid UTF-8 that is one line and holds nothing unseen: it can stand in a line of ours. */
bool fence_is_plain(const char *text, size_t len);

enum { FENCE_WORD_MAX = 40 };
/* Appends a short value that some client set, reduced to [A-Za-z0-9._ -]: every other character becomes '_',
 * and at most max characters are shown. NULL or nothing: "unknown". */
void fence_word(struct buf *out, const char *text, size_t max);

#endif
