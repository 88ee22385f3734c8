/* utf8.h: RFC 3629 UTF-8 by code point. Parsers without state: bytes in, code point and length out. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at text (len > 0 bytes are there). Returns its length, 1 to 4, or 0 where the bytes
 * are not UTF-8 (overlong forms, surrogates and values over U+10FFFF included). */
size_t utf8_decode(const char *text, size_t len, uint32_t *code_point);
bool utf8_valid(const char *text, size_t len);
/* Code points in valid UTF-8. */
size_t utf8_count(const char *text, size_t len);
/* The byte offset of code point number index in valid UTF-8; len where there are fewer. */
size_t utf8_offset(const char *text, size_t len, size_t index);

#endif
