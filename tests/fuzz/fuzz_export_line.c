/* A line of an export: what is read as one is written and read again as the same. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../relay/cmd/export_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(const struct export_line *line, struct buf *out)
{
    switch (line->kind) {
    case EXPORT_HEADER:
        export_write_header(out);
        return;
    case EXPORT_ROW:
        export_write_row(line->row_kind, line->row, out);
        return;
    case EXPORT_FILE:
        assert(line->file.size >= 0);
        export_write_file(&line->file, out);
        return;
    case EXPORT_CHUNK:
        assert(line->bytes.len > 0 && line->bytes.len <= EXPORT_CHUNK_BYTES);
        export_write_chunk(line->bytes.data, line->bytes.len, out);
        return;
    case EXPORT_END:
        export_write_end(line->lines, out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct export_line line;
    struct buf why = {0}, text = {0}, second = {0};
    const bool is_read = export_line_read((const char *)data, size, &line, &why);
    assert(is_read == (why.len == 0));
    assert(!strchr(buf_text(&why), '\n'));
    if (is_read) {
        write_again(&line, &text);
        export_line_free(&line);
        assert(memchr(text.data, '\n', text.len) == text.data + text.len - 1);
        const bool is_read_again = export_line_read(text.data, text.len - 1, &line, &why);
        assert(is_read_again);
        write_again(&line, &second);
        export_line_free(&line);
        assert(text.len == second.len && memcmp(text.data, second.data, text.len) == 0);
    }
    buf_free(&why);
    buf_free(&text);
    buf_free(&second);
    return 0;
}
