#include "s3_xml.h"

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

enum { ASCII_END = 0x80 };

void s3_xml_begin(struct s3_xml *xml, const char *text, size_t len)
{
    *xml = (struct s3_xml){.at = text, .end = text + len};
}

/* ---- text ---- */

static bool decode_number(const char *digits, const char *end, struct buf *out)
{
    const bool is_hex = digits < end && *digits == 'x';
    char number[12];
    digits += is_hex;
    const size_t len = (size_t)(end - digits);
    if (len == 0 || len >= sizeof number)
        return false;
    memcpy(number, digits, len);
    number[len] = '\0';
    if (strspn(number, is_hex ? "0123456789abcdefABCDEF" : "0123456789") != len)
        return false;
    const unsigned long code = strtoul(number, NULL, is_hex ? 16 : 10);
    if (code == 0)
        return false;
    buf_putc(out, code < ASCII_END ? (char)code : '?'); /* no key or token of ours has others */
    return true;
}

static bool decode_entity(const char *name, const char *end, struct buf *out)
{
    static const struct {
        const char *name;
        char meaning;
    } entities[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    if (name < end && *name == '#')
        return decode_number(name + 1, end, out);
    for (size_t i = 0; i < LENGTH_OF(entities); i++) {
        if (strlen(entities[i].name) == (size_t)(end - name) &&
            memcmp(entities[i].name, name, (size_t)(end - name)) == 0) {
            buf_putc(out, entities[i].meaning);
            return true;
        }
    }
    return false;
}

static bool decode(const char *at, const char *end, struct buf *out)
{
    while (at < end) {
        const char *entity = memchr(at, '&', (size_t)(end - at));
        buf_append(out, at, (size_t)((entity ? entity : end) - at));
        if (!entity)
            return true;
        const char *stop = memchr(entity, ';', (size_t)(end - entity));
        if (!stop || !decode_entity(entity + 1, stop, out))
            return false;
        at = stop + 1;
    }
    return true;
}

/* ---- tags ---- */

static bool read_name(const char *at, const char *end, char name[static S3_XML_NAME_SIZE])
{
    size_t len = 0;
    while (at + len < end && !strchr(" \t\r\n/>", at[len]))
        len++;
    if (len == 0 || len >= S3_XML_NAME_SIZE || memchr(at, '\0', len))
        return false;
    memcpy(name, at, len);
    name[len] = '\0';
    return true;
}

/* At an end tag's '/'. */
static enum s3_xml_event end_tag(
    struct s3_xml *xml, const char *tag, const char *close, const char *text_end, struct buf *text)
{
    char name[S3_XML_NAME_SIZE];
    const char *open = xml->open;
    xml->open = NULL;
    if (!read_name(tag + 1, close, name))
        return S3_XML_BAD;
    if (!open) {
        memcpy(xml->name, name, sizeof name);
        return S3_XML_CLOSE;
    }
    return strcmp(name, xml->name) == 0 && decode(open, text_end, text) ? S3_XML_TEXT : S3_XML_BAD;
}

enum s3_xml_event s3_xml_next(struct s3_xml *xml, struct buf *text)
{
    buf_reset(text);
    for (;;) {
        const char *start = xml->at < xml->end ? memchr(xml->at, '<', (size_t)(xml->end - xml->at)) : NULL;
        if (!start)
            return xml->open ? S3_XML_BAD : S3_XML_END;
        const char *tag = start + 1, *close = memchr(start, '>', (size_t)(xml->end - start));
        if (!close || *tag == '!')
            return S3_XML_BAD;
        xml->at = close + 1;
        if (*tag == '/')
            return end_tag(xml, tag, close, start, text);
        if (*tag == '?')
            continue;
        if (!read_name(tag, close, xml->name))
            return S3_XML_BAD;
        xml->open = close[-1] == '/' ? NULL : close + 1;
        if (!xml->open)
            return S3_XML_TEXT;
    }
}

bool s3_xml_find(const char *document, size_t len, const char *name, struct buf *out)
{
    struct s3_xml xml;
    struct buf text = {0};
    enum s3_xml_event event;
    bool found = false;
    s3_xml_begin(&xml, document, len);
    while (!found && (event = s3_xml_next(&xml, &text)) != S3_XML_END && event != S3_XML_BAD)
        found = event == S3_XML_TEXT && strcmp(xml.name, name) == 0;
    if (found)
        buf_append(out, buf_text(&text), text.len);
    buf_free(&text);
    return found;
}

/* ---- a listing ---- */

static bool read_size(const char *text, int64_t *size)
{
    const char *problem = NULL;
    *size = strtonum(text, 0, INT64_MAX, &problem);
    return !problem;
}

/* One element's text. */
static bool take_text(
    const char *name, const struct buf *text, struct s3_page *page, struct buf *key, int64_t *size)
{
    if (strcmp(name, "Key") == 0) {
        buf_reset(key);
        buf_puts(key, buf_text(text));
    } else if (strcmp(name, "Size") == 0) {
        return read_size(buf_text(text), size);
    } else if (strcmp(name, "NextContinuationToken") == 0) {
        buf_reset(&page->next);
        buf_puts(&page->next, buf_text(text));
    }
    return true;
}

bool s3_xml_page(const char *document, size_t len, struct s3_page *page)
{
    struct s3_xml xml;
    struct buf text = {0}, key = {0};
    int64_t size = 0;
    bool is_list = false, good = true;
    buf_reset(&page->next);
    s3_xml_begin(&xml, document, len);
    while (good) {
        const enum s3_xml_event event = s3_xml_next(&xml, &text);
        if (event == S3_XML_END || event == S3_XML_BAD) {
            good = event == S3_XML_END && is_list;
            break;
        }
        if (event == S3_XML_TEXT) {
            good = take_text(xml.name, &text, page, &key, &size);
            is_list = is_list || strcmp(xml.name, "ListBucketResult") == 0;
            continue;
        }
        is_list = is_list || strcmp(xml.name, "ListBucketResult") == 0;
        if (strcmp(xml.name, "Contents") == 0 && key.len > 0 && !page->has_stopped)
            page->has_stopped = !page->each(page->arg, buf_text(&key), size);
    }
    buf_free(&text);
    buf_free(&key);
    return good;
}
