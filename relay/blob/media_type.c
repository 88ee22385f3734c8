#include "media_type.h"

#include <string.h>
#include <strings.h>

/* RFC 6838 section 4.2: what names of types are made of. */
static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("!#$&-^_.+", c));
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t name_len(const char *text)
{
    size_t len = 0;
    while (is_name_char(lower(text[len])))
        len++;
    return len;
}

bool media_type_parse(const char *text, char out[static MEDIA_TYPE_SIZE])
{
    out[0] = '\0';
    text += strspn(text, " \t");
    const size_t type = name_len(text);
    if (type == 0 || text[type] != '/')
        return false;
    const size_t subtype = name_len(text + type + 1), len = type + 1 + subtype;
    const char *behind = text + len + strspn(text + len, " \t");
    if (subtype == 0 || len > MEDIA_TYPE_MAX || (*behind != '\0' && *behind != ';'))
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = lower(text[i]);
    out[len] = '\0';
    return true;
}

static const struct {
    const char *extension, *type;
} by_extension[] = {
    {"txt", "text/plain"},
    {"log", "text/plain"},
    {"md", "text/markdown"},
    {"csv", "text/csv"},
    {"tsv", "text/tab-separated-values"},
    {"html", "text/html"},
    {"htm", "text/html"},
    {"css", "text/css"},
    {"js", "text/javascript"},
    {"mjs", "text/javascript"},
    {"ts", "text/plain"},
    {"tsx", "text/plain"},
    {"jsx", "text/plain"},
    {"c", "text/x-c"},
    {"h", "text/x-c"},
    {"cc", "text/x-c"},
    {"cpp", "text/x-c"},
    {"go", "text/plain"},
    {"rs", "text/plain"},
    {"py", "text/x-python"},
    {"rb", "text/plain"},
    {"java", "text/plain"},
    {"kt", "text/plain"},
    {"swift", "text/plain"},
    {"sh", "text/x-shellscript"},
    {"ini", "text/plain"},
    {"conf", "text/plain"},
    {"diff", "text/x-diff"},
    {"patch", "text/x-diff"},
    {"json", "application/json"},
    {"jsonl", "application/x-ndjson"},
    {"ndjson", "application/x-ndjson"},
    {"xml", "application/xml"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"toml", "application/toml"},
    {"sql", "application/sql"},
    {"pdf", "application/pdf"},
    {"rtf", "application/rtf"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"tgz", "application/gzip"},
    {"tar", "application/x-tar"},
    {"zst", "application/zstd"},
    {"xz", "application/x-xz"},
    {"7z", "application/x-7z-compressed"},
    {"wasm", "application/wasm"},
    {"db", "application/x-sqlite3"},
    {"sqlite", "application/x-sqlite3"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"svg", "image/svg+xml"},
    {"avif", "image/avif"},
    {"ico", "image/x-icon"},
    {"mp3", "audio/mpeg"},
    {"wav", "audio/wav"},
    {"ogg", "audio/ogg"},
    {"m4a", "audio/mp4"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"mov", "video/quicktime"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
};

const char *media_type_of_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < LENGTH_OF(by_extension); i++) {
        if (strcasecmp(dot + 1, by_extension[i].extension) == 0)
            return by_extension[i].type;
    }
    return MEDIA_TYPE_UNKNOWN;
}

/* ---- the operator's list ---- */

static const char any_type[] = "*/*";

/* The next entry behind *list, without blanks; false at the end. */
static bool next_entry(const char **list, const char **entry, size_t *len)
{
    *entry = *list + strspn(*list, ", \t");
    *len = strcspn(*entry, ", \t");
    *list = *entry + *len;
    return *len > 0;
}

bool media_type_allowed(const char *list, const char *type)
{
    const char *entry;
    size_t len;
    while (next_entry(&list, &entry, &len)) {
        if (len == strlen(any_type) && strncmp(entry, any_type, len) == 0)
            return true;
        if (entry[len - 1] == '*') {
            if (strncasecmp(entry, type, len - 1) == 0)
                return true;
        } else if (strlen(type) == len && strncasecmp(entry, type, len) == 0) {
            return true;
        }
    }
    return false;
}

/* "type/subtype", "type/begin*", or "*" and a slash and "*". */
static bool is_pattern(const char *entry, size_t len)
{
    const size_t type = name_len(entry);
    if (len == strlen(any_type) && strncmp(entry, any_type, len) == 0)
        return true;
    if (type == 0 || type >= len || entry[type] != '/')
        return false;
    const size_t subtype = name_len(entry + type + 1), whole = type + 1 + subtype;
    return (whole == len && subtype > 0) || (whole + 1 == len && entry[whole] == '*');
}

const char *media_types_wrong(const char *list, int *len)
{
    const char *entry;
    size_t entry_len;
    while (next_entry(&list, &entry, &entry_len)) {
        *len = (int)entry_len;
        if (!is_pattern(entry, entry_len))
            return entry;
    }
    return NULL;
}

bool media_type_is_text(const char *type)
{
    static const char shown[] = "text/*,application/json,application/xml,application/yaml,application/toml,"
                                "application/sql,application/x-ndjson,image/svg+xml";
    const size_t len = strlen(type);
    return media_type_allowed(shown, type) || (len > 5 && strcmp(type + len - 5, "+json") == 0) ||
           (len > 4 && strcmp(type + len - 4, "+xml") == 0);
}
