/* progress_bar.h: how far a file is, in one line on a terminal that is drawn over again. Where standard error
 * is no terminal nothing is drawn. */
#ifndef BRIDGE_CMD_PROGRESS_BAR_H
#define BRIDGE_CMD_PROGRESS_BAR_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/buf.h"

struct progress_bar {
    const char *label; /* borrowed; a file's name */
    bool shows, drawn;
    int64_t due_ms; /* monotonic: of the next drawing */
};

void progress_bar_begin(struct progress_bar *bar, const char *label);
/* Draws, where it is time to. total 0: not known yet. */
void progress_bar_show(struct progress_bar *bar, int64_t done, int64_t total);
/* Takes the line away. */
void progress_bar_end(struct progress_bar *bar);

/* The line itself: "report.pdf  [#####---------------]  25 %  2.3 of 9.4 MB". */
void progress_bar_text(struct buf *out, const char *label, int64_t done, int64_t total);

#endif
