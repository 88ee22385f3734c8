#include "utf8.h"

/* What follows a lead byte: how many bytes in all, the value's lowest legal code point, and the lead's own
 * bits. */
struct form {
    unsigned char mask, lead;
    size_t len;
    uint32_t least;
};

static const struct form forms[] = {
    {0x80, 0x00, 1, 0},
    {0xE0, 0xC0, 2, 0x80},
    {0xF0, 0xE0, 3, 0x800},
    {0xF8, 0xF0, 4, 0x10000},
};

enum { CODE_POINT_MAX = 0x10FFFF, SURROGATE_FIRST = 0xD800, SURROGATE_LAST = 0xDFFF };

static const struct form *form_of(unsigned char lead)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if ((lead & forms[i].mask) == forms[i].lead) {
            return &forms[i];
        }
    }
    return NULL;
}

size_t utf8_decode(const char *text, size_t len, uint32_t *code_point)
{
    const struct form *form = form_of((unsigned char)text[0]);
    if (!form || form->len > len) {
        return 0;
    }
    uint32_t value = (unsigned char)text[0] & (unsigned char)~form->mask;
    for (size_t i = 1; i < form->len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | (byte & 0x3FU);
    }
    if (value < form->least || value > CODE_POINT_MAX) {
        return 0;
    }
    if (value >= SURROGATE_FIRST && value <= SURROGATE_LAST) {
        return 0;
    }
    *code_point = value;
    return form->len;
}

bool utf8_valid(const char *text, size_t len)
{
    uint32_t ignored;
    for (size_t at = 0; at < len;) {
        size_t step = utf8_decode(text + at, len - at, &ignored);
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

size_t utf8_count(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += !is_continuation(text[i]);
    }
    return count;
}

size_t utf8_offset(const char *text, size_t len, size_t index)
{
    size_t seen = 0;
    for (size_t i = 0; i < len; i++) {
        if (is_continuation(text[i])) {
            continue;
        }
        if (seen == index) {
            return i;
        }
        seen++;
    }
    return len;
}
