/* export_line.h: the lines of an export: JSON, one object a line.
 *
 *     {"patchcord_export":1}                                   first: the form's version
 *     {"kind":"message", ...}                                  a row (store/store_dump.h)
 *     {"kind":"file","path":…,"type":…,"size":…,"sha256":…}    an attachment, and behind it
 *     {"kind":"chunk","base64":…}                              its content, until all of size is there
 *     {"kind":"end","lines":N}                                 last: how many lines were in between
 *
 * Pure: a line's text in, what it says out. */
#ifndef RELAY_CMD_EXPORT_LINE_H
#define RELAY_CMD_EXPORT_LINE_H

#include "../blob/blob.h"
#include "../store/store_dump.h"

enum {
    EXPORT_VERSION = 1,
    EXPORT_LINE_MAX = 4 * 1024 * 1024, /* bytes, without its end */
    EXPORT_CHUNK_BYTES = 96 * 1024,    /* of content */
};

enum export_line_kind {
    EXPORT_HEADER,
    EXPORT_ROW,
    EXPORT_FILE,
    EXPORT_CHUNK,
    EXPORT_END,
};

struct export_line {
    enum export_line_kind kind;
    enum dump_kind row_kind;
    struct json_object *row; /* of a ROW, as dump_row makes it; owned */
    struct blob_info file;   /* of a FILE: path, type, size, sha256 */
    struct buf bytes;        /* of a CHUNK: 1 to EXPORT_CHUNK_BYTES; owned */
    int64_t lines;           /* of an END */
};

/* Reads one line, without its end. False: it is none of an export, and why has a clause; nothing is to be
 * freed. */
MUST_CHECK bool export_line_read(const char *text, size_t len, struct export_line *line, struct buf *why);
void export_line_free(struct export_line *line);

/* Each appends one line with its end. */
void export_write_header(struct buf *out);
void export_write_row(enum dump_kind kind, struct json_object *row, struct buf *out);
void export_write_file(const struct blob_info *info, struct buf *out);
void export_write_chunk(const char *bytes, size_t len, struct buf *out);
void export_write_end(int64_t lines, struct buf *out);

#endif
