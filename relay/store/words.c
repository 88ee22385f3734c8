#include "words.h"

#include <stdbool.h>
#include <stdint.h>

#include "../../common/compiler.h"
#include "../../common/utf8.h"

struct range {
    uint32_t first, last;
};

/* Beyond ASCII everything is a letter but these. Ascending. */
static const struct range separators[] = {
    {0x0080, 0x00A9}, /* controls, Latin-1 punctuation */
    {0x00AB, 0x00B1},
    {0x00B4, 0x00B4},
    {0x00B6, 0x00B8},
    {0x00BB, 0x00BB},
    {0x00BF, 0x00BF},
    {0x00D7, 0x00D7},
    {0x00F7, 0x00F7},
    {0x02C2, 0x02C5},
    {0x037E, 0x037E},
    {0x0387, 0x0387},
    {0x055A, 0x055F},
    {0x0589, 0x058F},
    {0x05BE, 0x05BE},
    {0x05C0, 0x05C0},
    {0x05C3, 0x05C3},
    {0x05F3, 0x05F4},
    {0x0600, 0x060F},
    {0x061B, 0x061F},
    {0x066A, 0x066D},
    {0x06D4, 0x06D4},
    {0x0964, 0x0965},
    {0x0E3F, 0x0E3F},
    {0x0E4F, 0x0E4F},
    {0x0E5A, 0x0E5B},
    {0x1680, 0x1680},
    {0x180E, 0x180E},
    {0x2000, 0x206F}, /* spaces, dashes, quotes, bidirectional marks */
    {0x20A0, 0x20CF}, /* currency */
    {0x2100, 0x2BFF}, /* arrows, mathematics, boxes, dingbats */
    {0x2E00, 0x2E7F},
    {0x2FF0, 0x3004}, /* ideographic space and punctuation */
    {0x3008, 0x3020},
    {0x3030, 0x3030},
    {0x3036, 0x303F},
    {0x30A0, 0x30A0},
    {0x30FB, 0x30FB},
    {0xD800, 0xF8FF}, /* private use */
    {0xFE00, 0xFE1F},
    {0xFE30, 0xFE6F},
    {0xFEFF, 0xFEFF},
    {0xFF00, 0xFF0F}, /* full-width punctuation */
    {0xFF1A, 0xFF20},
    {0xFF3B, 0xFF40},
    {0xFF5B, 0xFF65},
    {0xFFE0, 0xFFFF},
    {0x1F000, 0x1FAFF}, /* emoji */
    {0xE0000, 0x10FFFF},
};

/* Written without blanks between words. Ascending. */
static const struct range ideographs[] = {
    {0x3005, 0x3007},
    {0x3021, 0x3029},
    {0x3031, 0x3035},
    {0x3040, 0x30FF}, /* hiragana, katakana */
    {0x3105, 0x312F},
    {0x31A0, 0x31BF},
    {0x31F0, 0x31FF},
    {0x3400, 0x4DBF},
    {0x4E00, 0x9FFF},
    {0xAC00, 0xD7A3}, /* hangul */
    {0xF900, 0xFAFF},
    {0xFF66, 0xFF9F},
    {0x20000, 0x3FFFF},
};

/* Capital to small. step 1: each in the range; 2: every second one, beginning with the first. */
static const struct fold {
    struct range range;
    uint32_t step;
    int32_t distance;
} folds[] = {
    {{0x00C0, 0x00D6}, 1, 32},
    {{0x00D8, 0x00DE}, 1, 32},
    {{0x0100, 0x012E}, 2, 1},
    {{0x0132, 0x0136}, 2, 1},
    {{0x0139, 0x0147}, 2, 1},
    {{0x014A, 0x0176}, 2, 1},
    {{0x0178, 0x0178}, 1, -121},
    {{0x0179, 0x017D}, 2, 1},
    {{0x01CD, 0x01DB}, 2, 1},
    {{0x01DE, 0x01EE}, 2, 1},
    {{0x01F8, 0x021E}, 2, 1},
    {{0x0222, 0x0232}, 2, 1},
    {{0x0386, 0x0386}, 1, 38},
    {{0x0388, 0x038A}, 1, 37},
    {{0x038C, 0x038C}, 1, 64},
    {{0x038E, 0x038F}, 1, 63},
    {{0x0391, 0x03A1}, 1, 32},
    {{0x03A3, 0x03AB}, 1, 32},
    {{0x03C2, 0x03C2}, 1, 1}, /* the sigma that ends a word */
    {{0x0400, 0x040F}, 1, 80},
    {{0x0410, 0x042F}, 1, 32},
    {{0x0460, 0x0480}, 2, 1},
    {{0x048A, 0x04BE}, 2, 1},
    {{0x04C0, 0x04C0}, 1, 15},
    {{0x04C1, 0x04CD}, 2, 1},
    {{0x04D0, 0x052E}, 2, 1},
    {{0x0531, 0x0556}, 1, 48},
    {{0x1E00, 0x1E94}, 2, 1},
    {{0x1EA0, 0x1EFE}, 2, 1},
    {{0xFF21, 0xFF3A}, 1, 32},
};

static bool in_ranges(const struct range *ranges, size_t count, uint32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (c > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && c >= ranges[low].first;
}

static uint32_t lower_case(uint32_t c)
{
    for (size_t i = 0; i < LENGTH_OF(folds) && c >= folds[i].range.first; i++) {
        const struct fold *fold = &folds[i];
        if (c <= fold->range.last)
            return (c - fold->range.first) % fold->step == 0 ? (uint32_t)((int32_t)c + fold->distance) : c;
    }
    return c;
}

static size_t utf8_put(uint32_t c, char out[static 4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

enum kind { SEPARATOR, LETTER, IDEOGRAPH };

static enum kind kind_of(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? LETTER
                                                                                          : SEPARATOR;
    if (in_ranges(separators, LENGTH_OF(separators), c))
        return SEPARATOR;
    return in_ranges(ideographs, LENGTH_OF(ideographs), c) ? IDEOGRAPH : LETTER;
}

/* The word that is being written: how long it is already, and whether its end is cut off. */
struct word {
    size_t len;
    bool is_full;
};

static void word_end(struct word *word, struct buf *out)
{
    if (word->len > 0)
        buf_putc(out, ' ');
    *word = (struct word){0};
}

static void word_add(struct word *word, const char *bytes, size_t len, struct buf *out)
{
    if (word->is_full || word->len + len > WORD_MAX_BYTES) {
        word->is_full = true;
        return;
    }
    buf_append(out, bytes, len);
    word->len += len;
}

void words_write(const char *text, size_t len, struct buf *out)
{
    struct word word = {0};
    for (size_t at = 0; at < len;) {
        uint32_t c = 0;
        const size_t step = utf8_decode(text + at, len - at, &c);
        const enum kind kind = step == 0 ? SEPARATOR : kind_of(c);
        at += step == 0 ? 1 : step;
        if (kind != LETTER)
            word_end(&word, out);
        if (kind == SEPARATOR)
            continue;
        char folded[4];
        const uint32_t small = c < 0x80 ? (c >= 'A' && c <= 'Z' ? c + 32 : c) : lower_case(c);
        word_add(&word, folded, utf8_put(small, folded), out);
        if (kind == IDEOGRAPH)
            word_end(&word, out);
    }
    word_end(&word, out);
}
