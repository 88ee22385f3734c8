#include "lines.h"

#include <string.h>

/* A buffer that a long line made larger is not kept: an idle bridge stays small. */
enum { KEEP_BYTES = 256 * 1024 };

static void drop_used(struct lines *lines)
{
    if (lines->start == 0)
        return;
    buf_consume(&lines->bytes, lines->start);
    lines->scanned -= lines->start;
    lines->start = 0;
    if (lines->bytes.len == 0 && lines->bytes.cap > KEEP_BYTES)
        buf_free(&lines->bytes);
}

void lines_feed(struct lines *lines, const char *bytes, size_t len)
{
    drop_used(lines);
    buf_append(&lines->bytes, bytes, len);
}

/* Takes the bytes up to end out of the line that is being skipped. */
static void skip_to(struct lines *lines, size_t end)
{
    id_scan_feed(&lines->skipped, lines->bytes.data + lines->start, end - lines->start);
    lines->start = end;
    lines->scanned = end;
}

static enum line_kind end_skipped(struct lines *lines, struct line *line)
{
    line->id = id_scan_result(&lines->skipped);
    lines->skipping = false;
    lines->skipped = (struct id_scan){0};
    return LINE_TOO_LONG;
}

static enum line_kind unfinished(struct lines *lines)
{
    lines->scanned = lines->bytes.len;
    if (lines->skipping || lines->bytes.len - lines->start > LINE_MAX_BYTES) {
        lines->skipping = true;
        skip_to(lines, lines->bytes.len);
    }
    drop_used(lines);
    return LINE_NONE;
}

enum line_kind lines_next(struct lines *lines, struct line *line)
{
    *line = (struct line){0};
    const char *newline = NULL;
    if (lines->scanned < lines->bytes.len)
        newline = memchr(lines->bytes.data + lines->scanned, '\n', lines->bytes.len - lines->scanned);
    if (!newline)
        return unfinished(lines);
    size_t end = (size_t)(newline - lines->bytes.data);
    if (lines->skipping || end - lines->start > LINE_MAX_BYTES) {
        skip_to(lines, end);
        lines->start = lines->scanned = end + 1;
        return end_skipped(lines, line);
    }
    line->text = lines->bytes.data + lines->start;
    line->len = end - lines->start;
    lines->start = lines->scanned = end + 1;
    return LINE_WHOLE;
}

enum line_kind lines_last(struct lines *lines, struct line *line)
{
    *line = (struct line){0};
    if (lines->skipping)
        return end_skipped(lines, line);
    if (lines->bytes.len == lines->start)
        return LINE_NONE;
    line->text = lines->bytes.data + lines->start;
    line->len = lines->bytes.len - lines->start;
    lines->start = lines->scanned = lines->bytes.len;
    return LINE_WHOLE;
}

void lines_free(struct lines *lines)
{
    buf_free(&lines->bytes);
    *lines = (struct lines){0};
}
