/* page.h: the frame of the few pages that people see: HTML without script, readable at 360 pixels, light or
 * dark, with nothing loaded from anywhere, never inside a frame, and kept by no cache. */
#ifndef RELAY_OAUTH_PAGE_H
#define RELAY_OAUTH_PAGE_H

#include "../http/exchange.h"

/* Everything up to the content. The title is a text of ours; it stands above the content too. */
void page_begin(struct buf *out, const char *title);
void page_end(struct buf *out);
/* One row of a list of facts: begin with "<dl>". The value is written between the two. */
void page_fact_begin(struct buf *out, const char *term);
void page_fact_end(struct buf *out);
/* A paragraph that is read out at once (role="alert"). The text is escaped. */
void page_alert(struct buf *out, const char *text);

/* Answers with the page, which it takes over. form_source: a further source for Content-Security-Policy's
 * form-action (CSP3 section 6.3.2.2), where the page's form is answered with a redirect; NULL: none. */
void page_answer(struct exchange *ex, int status, struct buf *page, const char *form_source);
/* A page with a title of ours, a text, and perhaps a link (NULL: none), all escaped. */
void page_message(struct exchange *ex, int status, const char *title, const char *text, const char *link,
    const char *label);

#endif
