#include "fence.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

static const char line_prefix[] = "> ";

enum { PREFIX_LEN = sizeof line_prefix - 1, SPELLED_SIZE = 16, REPLACEMENT = 0xFFFD };

/* What a reader would not see, or would see elsewhere than it stands. The joiners U+200C and U+200D stay:
 * scripts and emoji are written with them. */
static const struct {
    uint32_t first, last;
} unseen[] = {
    {0x0000, 0x0008},   /* C0 up to the tab */
    {0x000E, 0x001F},   /* C0 after the line ends, the escape character among them */
    {0x007F, 0x009F},   /* DEL and C1 */
    {0x00AD, 0x00AD},   /* soft hyphen */
    {0x034F, 0x034F},   /* combining grapheme joiner */
    {0x061C, 0x061C},   /* Arabic letter mark */
    {0x115F, 0x1160},   /* Hangul fillers */
    {0x17B4, 0x17B5},   /* Khmer inherent vowels */
    {0x180B, 0x180F},   /* Mongolian variation selectors, vowel separator */
    {0x200B, 0x200B},   /* zero width space */
    {0x200E, 0x200F},   /* direction marks */
    {0x202A, 0x202E},   /* embeddings and overrides */
    {0x2060, 0x206F},   /* word joiner, invisible operators, isolates */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xFE00, 0xFE0D},   /* variation selectors; the last two are part of emoji */
    {0xFEFF, 0xFEFF},   /* zero width no-break space */
    {0xFFA0, 0xFFA0},   /* Hangul filler, half the width */
    {0xFFF9, 0xFFFB},   /* interlinear annotation */
    {0x1D173, 0x1D17A}, /* musical beams, ties and phrases */
    {0xE0000, 0xE0FFF}, /* tags and more variation selectors: whole sentences can hide in them */
};

bool fence_is_unseen(uint32_t code_point)
{
    for (size_t i = 0; i < LENGTH_OF(unseen); i++) {
        if (code_point >= unseen[i].first && code_point <= unseen[i].last)
            return true;
    }
    return false;
}

static bool ends_line(uint32_t code_point)
{
    return (code_point >= '\n' && code_point <= '\r') || code_point == 0x85 || code_point == 0x2028 ||
           code_point == 0x2029;
}

bool fence_is_plain(const char *text, size_t len)
{
    uint32_t code_point;
    for (size_t at = 0, step; at < len; at += step) {
        step = utf8_decode(text + at, len - at, &code_point);
        if (step == 0 || fence_is_unseen(code_point) || ends_line(code_point))
            return false;
    }
    return true;
}

/* One character of the text: its code point, and the bytes it takes (CRLF is one). */
static size_t next_character(const char *text, size_t len, uint32_t *code_point)
{
    size_t step = utf8_decode(text, len, code_point);
    if (step == 0) {
        *code_point = REPLACEMENT;
        return 1;
    }
    if (*code_point == '\r' && len > 1 && text[1] == '\n')
        return 2;
    return step;
}

/* How a character inside a line is shown: itself, or spelled out in the caller's buffer. */
static const char *shown_as(
    const char *text, size_t step, uint32_t code_point, char spelled[static SPELLED_SIZE], size_t *len)
{
    if (code_point != REPLACEMENT && !fence_is_unseen(code_point)) {
        *len = step;
        return text;
    }
    *len = (size_t)snprintf(spelled, SPELLED_SIZE, "<U+%04X>", code_point);
    return spelled;
}

size_t fence_text(struct buf *out, const char *text, size_t len, size_t max_bytes)
{
    size_t start = out->len, at = 0;
    bool in_line = false;

    while (at < len) {
        uint32_t code_point;
        size_t step = next_character(text + at, len - at, &code_point);
        char spelled[SPELLED_SIZE];
        size_t shown_len = 0;
        const char *shown = "";
        if (!ends_line(code_point))
            shown = shown_as(text + at, step, code_point, spelled, &shown_len);
        size_t cost = (in_line ? 0 : (size_t)PREFIX_LEN) + shown_len + 1; /* the line's end is to come */
        if (at > 0 && out->len - start + cost > max_bytes)
            break;
        if (!in_line)
            buf_append(out, line_prefix, PREFIX_LEN);
        buf_append(out, shown, shown_len);
        in_line = !ends_line(code_point);
        if (!in_line)
            buf_putc(out, '\n');
        at += step;
    }
    if (in_line)
        buf_putc(out, '\n');
    return at;
}

static bool is_plain(uint32_t code_point)
{
    if (code_point > 'z')
        return false;
    return isalnum((int)code_point) || code_point == '.' || code_point == '_' || code_point == ' ' ||
           code_point == '-';
}

void fence_word(struct buf *out, const char *text, size_t max)
{
    size_t left = text ? strlen(text) : 0;
    if (left == 0) {
        buf_puts(out, "unknown");
        return;
    }
    for (size_t count = 0; left > 0 && count < max; count++) {
        uint32_t code_point;
        size_t step = next_character(text, left, &code_point);
        buf_putc(out, is_plain(code_point) ? (char)code_point : '_');
        text += step;
        left -= step;
    }
}
