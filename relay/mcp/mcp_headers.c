#include "mcp_headers.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

static const char encoded_prefix[] = "=?base64?", encoded_suffix[] = "?=";

enum { PREFIX_LEN = sizeof encoded_prefix - 1, SUFFIX_LEN = sizeof encoded_suffix - 1 };

/* RFC 9110 section 5.5: visible ASCII, blanks and tabs. What is more is to be sent encoded. */
static bool is_plain(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < ' ' && c != '\t') || c > '~')
            return false;
    }
    return true;
}

static bool is_encoded(const char *value, size_t len)
{
    return len >= PREFIX_LEN + SUFFIX_LEN && memcmp(value, encoded_prefix, PREFIX_LEN) == 0 &&
           memcmp(value + len - SUFFIX_LEN, encoded_suffix, SUFFIX_LEN) == 0;
}

static bool decode_base64(const char *text, size_t len, struct buf *out)
{
    size_t decoded = 0;
    char *to = buf_reserve(out, len);

    if (sodium_base642bin(
            (unsigned char *)to, len, text, len, NULL, &decoded, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return false;
    out->len += decoded;
    out->data[out->len] = '\0';
    return true;
}

bool mcp_header_decode(const char *value, bool encoded, struct buf *out)
{
    value += strspn(value, " \t");
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;

    if (!is_plain(value, len))
        return false;
    if (encoded && is_encoded(value, len))
        return decode_base64(value + PREFIX_LEN, len - PREFIX_LEN - SUFFIX_LEN, out);
    buf_append(out, value, len);
    return true;
}

enum mcp_header mcp_header_compare(const struct http_field *fields, size_t count, const char *name,
    const char *wanted, size_t len, bool encoded)
{
    enum mcp_header found = MCP_HEADER_MISSING;
    struct buf value = {0};

    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(fields[i].name, name) != 0)
            continue;
        buf_reset(&value);
        if (!mcp_header_decode(fields[i].value, encoded, &value)) {
            found = MCP_HEADER_MALFORMED;
            break;
        }
        found = value.len == len && memcmp(buf_text(&value), wanted, len) == 0 ? MCP_HEADER_EQUAL
                                                                               : MCP_HEADER_DIFFERS;
        if (found == MCP_HEADER_DIFFERS)
            break;
    }
    buf_free(&value);
    return found;
}
