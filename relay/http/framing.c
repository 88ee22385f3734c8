/* framing.c: checking a request's header. */
#include "framing.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { LENGTH_DIGITS_MAX = 18 }; /* fits int64_t */

/* RFC 9110 section 5.6.2. */
static bool is_token(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
            return false;
    }
    return text[0] != '\0';
}

static bool is_value(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
            return false;
    }
    return true;
}

/* Digits alone: no sign, no list, no blanks. */
static bool read_length(const char *text, int64_t *out)
{
    size_t len = strlen(text);
    if (len == 0 || len > LENGTH_DIGITS_MAX || strspn(text, "0123456789") != len)
        return false;
    *out = 0;
    for (const char *c = text; *c != '\0'; c++)
        *out = *out * 10 + (*c - '0');
    return true;
}

struct seen_fields {
    size_t content_lengths, transfer_encodings, hosts;
    int64_t content_length;
};

static const char *check_field(const struct http_field *f, struct seen_fields *seen)
{
    if (strcasecmp(f->name, "Content-Length") == 0) {
        int64_t length;
        if (!read_length(f->value, &length))
            return "Content-Length is not a whole number of bytes.";
        if (seen->content_lengths++ > 0 && length != seen->content_length)
            return "Content-Length is there twice and differs.";
        seen->content_length = length;
    } else if (strcasecmp(f->name, "Transfer-Encoding") == 0) {
        if (seen->transfer_encodings++ > 0 || strcasecmp(f->value, "chunked") != 0)
            return "Transfer-Encoding is not chunked.";
    } else if (strcasecmp(f->name, "Host") == 0 && seen->hosts++ > 0) {
        return "Host is there twice.";
    }
    return NULL;
}

const char *framing_check(const struct http_field *headers, size_t count, int64_t *body_len)
{
    struct seen_fields seen = {0};
    for (size_t i = 0; i < count; i++) {
        if (!is_token(headers[i].name))
            return "A header's name has a character that is not allowed there.";
        if (!is_value(headers[i].value))
            return "A header's value has a control character.";
        const char *problem = check_field(&headers[i], &seen);
        if (problem)
            return problem;
    }
    if (seen.content_lengths > 0 && seen.transfer_encodings > 0)
        return "Content-Length and Transfer-Encoding are both there.";
    *body_len = seen.transfer_encodings > 0 ? FRAMING_CHUNKED : seen.content_length;
    return NULL;
}
