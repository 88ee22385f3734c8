#include "byte_range.h"

#include <stdbool.h>
#include <stddef.h>
#include <strings.h>

/* Reads digits; a number beyond int64_t counts as its largest. False: there are none. */
static bool read_number(const char **text, int64_t *number)
{
    const char *start = *text;
    for (*number = 0; **text >= '0' && **text <= '9'; (*text)++) {
        const int digit = **text - '0';
        *number = *number > (INT64_MAX - digit) / 10 ? INT64_MAX : *number * 10 + digit;
    }
    return *text > start;
}

/* "first-last", "first-" or "-length", with -1 for what is left out. */
static bool read_spec(const char *text, int64_t *first, int64_t *last)
{
    if (!read_number(&text, first))
        *first = -1;
    if (*text++ != '-')
        return false;
    if (!read_number(&text, last))
        *last = -1;
    return *text == '\0' && (*first >= 0 || *last >= 0) && (*first < 0 || *last < 0 || *first <= *last);
}

enum byte_range byte_range_read(const char *header, int64_t size, int64_t *first, int64_t *len)
{
    static const char unit[] = "bytes=";
    int64_t from, last;
    if (!header || strncasecmp(header, unit, sizeof unit - 1) != 0 ||
        !read_spec(header + sizeof unit - 1, &from, &last))
        return BYTE_RANGE_WHOLE;
    if (from < 0) { /* so many of the last */
        if (last == 0 || size == 0)
            return BYTE_RANGE_UNSATISFIABLE;
        from = last < size ? size - last : 0;
        last = size - 1;
    }
    if (from >= size)
        return BYTE_RANGE_UNSATISFIABLE;
    if (last < 0 || last >= size)
        last = size - 1;
    *first = from;
    *len = last - from + 1;
    return BYTE_RANGE_PART;
}
