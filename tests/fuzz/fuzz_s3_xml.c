/* A server's XML: reading it ends, stays within it, and gives C strings. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../relay/blob/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool check_key(void *arg, const char *key, int64_t size)
{
    size_t *count = arg;
    assert(key[0] && size >= 0);
    return ++*count < 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size ? (const char *)data : "";
    struct buf found = {0}, leaf = {0};
    size_t count = 0, events = 0;
    struct s3_page page = {.each = check_key, .arg = &count};
    struct s3_xml xml;
    enum s3_xml_event event;

    s3_xml_begin(&xml, text, size);
    while ((event = s3_xml_next(&xml, &leaf)) == S3_XML_TEXT || event == S3_XML_CLOSE) {
        assert(leaf.len <= size && strlen(xml.name) < S3_XML_NAME_SIZE);
        assert(++events <= size);
    }
    if (s3_xml_find(text, size, "Code", &found))
        assert(found.len <= size);
    if (!s3_xml_page(text, size, &page))
        assert(count <= 3);
    assert(page.has_stopped == (count == 3));
    buf_free(&page.next);
    buf_free(&found);
    buf_free(&leaf);
    return 0;
}
