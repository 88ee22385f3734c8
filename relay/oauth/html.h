/* html.h: text of others inside a page of ours. Pure. */
#ifndef RELAY_OAUTH_HTML_H
#define RELAY_OAUTH_HTML_H

#include "../../common/buf.h"

/* Appends text so that it is text and nothing else, between tags and in a quoted attribute (WHATWG HTML,
 * section 13.3: & < > " '). */
void html_escape(struct buf *out, const char *text);

enum { HTML_NAME_MAX = 80 };
/* Appends a name that somebody chose, escaped, on one line, without characters that are not seen or change
 * the direction of text, and cut with an ellipsis behind HTML_NAME_MAX characters. Text that is no UTF-8 is
 * cut where it stops being it. */
void html_name(struct buf *out, const char *name);

#endif
