/* lines.h: the client's bytes into lines, one message each. A line may be as long as the largest attachment
 * in base64 and a little; a longer one is skipped, and only its id is kept. No descriptor here: bytes in,
 * lines out. */
#ifndef BRIDGE_LINES_H
#define BRIDGE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/buf.h"
#include "id_scan.h"

enum { LINE_MAX_BYTES = 15 * 1024 * 1024 };

/* A zeroed struct is ready; lines_free frees it. */
struct lines {
    struct buf bytes;
    size_t start;   /* of the first line that was not handed out */
    size_t scanned; /* bytes up to here hold no newline behind start */
    bool skipping;
    struct id_scan skipped; /* of the line that is being skipped */
};

enum line_kind { LINE_NONE, LINE_WHOLE, LINE_TOO_LONG };

struct line {
    const char *text; /* WHOLE: without its newline; borrowed until the next lines_feed */
    size_t len;
    struct json_object *id; /* TOO_LONG: what could be read off it, or NULL; the caller owns it */
};

void lines_feed(struct lines *lines, const char *bytes, size_t len);
enum line_kind lines_next(struct lines *lines, struct line *line);
/* What stands behind the last newline, at the end of input: as lines_next. */
enum line_kind lines_last(struct lines *lines, struct line *line);
void lines_free(struct lines *lines);

#endif
