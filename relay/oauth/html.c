#include "html.h"

#include <string.h>

#include "../../common/compiler.h"
#include "../../common/fence.h"
#include "../../common/utf8.h"

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static void escape_byte(struct buf *out, char c)
{
    const char *written = entity(c);
    if (written)
        buf_puts(out, written);
    else
        buf_putc(out, c);
}

void html_escape(struct buf *out, const char *text)
{
    for (; *text; text++)
        escape_byte(out, *text);
}

/* Line ends are no unseen characters for the fence, which ends lines there. */
static bool is_shown(uint32_t code_point)
{
    static const uint32_t line_ends[] = {'\n', '\r', '\t', 0x0B, 0x0C, 0x85, 0x2028, 0x2029};
    for (size_t i = 0; i < LENGTH_OF(line_ends); i++) {
        if (code_point == line_ends[i])
            return false;
    }
    return !fence_is_unseen(code_point);
}

void html_name(struct buf *out, const char *name)
{
    size_t left = strlen(name), shown = 0;
    while (left > 0) {
        uint32_t code_point;
        const size_t len = utf8_decode(name, left, &code_point);
        if (len == 0)
            return;
        if (is_shown(code_point) && shown++ == HTML_NAME_MAX) {
            buf_puts(out, "…");
            return;
        }
        for (size_t i = 0; is_shown(code_point) && i < len; i++)
            escape_byte(out, name[i]);
        name += len;
        left -= len;
    }
}
