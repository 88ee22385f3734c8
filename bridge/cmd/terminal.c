#include "terminal.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../../common/fence.h"
#include "../../common/utf8.h"

/* Characters that a terminal acts upon instead of showing them: the unseen ones, the tab and what ends a
 * line. */
static bool is_active(uint32_t c)
{
    return fence_is_unseen(c) || (c >= '\t' && c <= '\r') || c == 0x2028 || c == 0x2029;
}

static void append_shown(struct buf *out, uint32_t c)
{
    buf_printf(out, "<U+%04X>", (unsigned)c);
}

/* As JSON escapes it (RFC 8259, section 7): beyond the basic plane, a pair of surrogates. */
static void append_escaped(struct buf *out, uint32_t c)
{
    if (c < 0x10000)
        buf_printf(out, "\\u%04x", (unsigned)c);
    else
        buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
            (unsigned)(0xdc00 + (c & 0x3ff)));
}

/* Appends text with what is active, and not in plain, in another form. */
static void append_all(struct buf *out, const char *text, size_t len, const char *plain,
    void (*append_active)(struct buf *out, uint32_t c))
{
    for (size_t at = 0, size; at < len; at += size) {
        uint32_t c = 0;
        size = utf8_decode(text + at, len - at, &c);
        if (size == 0) {
            buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
            size = 1;
        } else if (is_active(c) && !(c > 0 && c < 0x80 && strchr(plain, (int)c))) {
            append_active(out, c);
        } else {
            buf_append(out, text + at, size);
        }
    }
}

void terminal_text(struct buf *out, const char *text, size_t len)
{
    append_all(out, text, len, "\n\t", append_shown);
}

void terminal_word(struct buf *out, const char *text)
{
    append_all(out, text ? text : "", text ? strlen(text) : 0, "", append_shown);
}

void terminal_json(struct buf *out, struct json_object *value)
{
    struct buf text = {0};
    json_write(value, &text);
    /* Such characters occur in strings alone, where their escapes mean the same. */
    append_all(out, buf_text(&text), text.len, "", append_escaped);
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
