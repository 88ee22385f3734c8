#include "terminal.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../../common/utf8.h"

/* Characters that a terminal acts upon instead of showing them: controls, line and paragraph separators, and
 * what changes the direction of text (UAX #9). */
static bool is_active(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } active[] = {
        {0x00, 0x1f}, {0x7f, 0x9f}, {0x061c, 0x061c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};
    for (size_t i = 0; i < LENGTH_OF(active); i++)
        if (c >= active[i].first && c <= active[i].last)
            return true;
    return false;
}

/* Appends the character at text, shown by format (of one unsigned) where it is active and not in plain.
 * Returns its length. */
static size_t append_character(struct buf *out, const char *text, size_t len, const char *plain, bool json)
{
    uint32_t c = 0;
    size_t size = utf8_decode(text, len, &c);
    if (size == 0)
        buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
    else if (!is_active(c) || (c < 0x80 && c > 0 && strchr(plain, (int)c)))
        buf_append(out, text, size);
    else
        buf_printf(out, json ? "\\u%04x" : "<U+%04X>", (unsigned)c);
    return size ? size : 1;
}

static void append_all(struct buf *out, const char *text, size_t len, const char *plain, bool json)
{
    for (size_t at = 0; at < len;)
        at += append_character(out, text + at, len - at, plain, json);
}

void terminal_text(struct buf *out, const char *text, size_t len)
{
    append_all(out, text, len, "\n\t", false);
}

void terminal_word(struct buf *out, const char *text)
{
    append_all(out, text ? text : "", text ? strlen(text) : 0, "", false);
}

void terminal_fenced(struct buf *out, const char *text, size_t len)
{
    do {
        const char *end = len > 0 ? memchr(text, '\n', len) : NULL;
        size_t line = end ? (size_t)(end - text) : len;
        buf_puts(out, "> ");
        append_all(out, text, line, "\t", false);
        buf_putc(out, '\n');
        line += end ? 1 : 0;
        text += line;
        len -= line;
    } while (len > 0);
}

void terminal_json(struct buf *out, struct json_object *value)
{
    struct buf text = {0};
    json_write(value, &text);
    /* Such characters occur in strings alone, where their escapes mean the same. */
    append_all(out, buf_text(&text), text.len, "", true);
    buf_putc(out, '\n');
    buf_free(&text);
}

bool terminal_print(const struct buf *out)
{
    if (fwrite(buf_text(out), 1, out->len, stdout) == out->len && fflush(stdout) == 0)
        return true;
    fprintf(stderr, "patchcord: cannot write the answer to standard output: %s\n", strerror(errno));
    return false;
}
