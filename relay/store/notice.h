/* notice.h: what the relay tells a sender whose messages passed the retention unread or unanswered. */
#ifndef RELAY_STORE_NOTICE_H
#define RELAY_STORE_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"

/* One notice tells of at most that many messages to one recipient, with the first code points of each. */
enum { NOTICE_MAX_MESSAGES = 20, NOTICE_PREVIEW_CODE_POINTS = 100 };

/* Begins the text for messages to one recipient. */
void notice_begin(struct buf *text, const char *recipient, int64_t max_age_ms);
/* Adds a line for one of them: content is valid UTF-8 (NULL: it is sealed); line ends and control characters
 * in its preview become blanks. */
void notice_add(struct buf *text, const char *id, bool was_deferred, const char *content, size_t len);

#endif
