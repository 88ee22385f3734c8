/* A URL that is taken gives an origin that is taken and is its own origin; what is encoded decodes to itself.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_url(const char *text)
{
    struct url url, again;
    if (!url_parse(text, &url)) {
        return;
    }
    assert(url.port > 0 && url.port <= 65535 && url.host[0] && url.path[0] == '/');
    char *origin = url_origin(&url);
    assert(url_parse(origin, &again));
    assert(
        strcmp(url.scheme, again.scheme) == 0 && strcmp(url.host, again.host) == 0 && url.port == again.port);
    assert(strcmp(again.path, "/") == 0);
    assert(url_host_is_loopback(url.host) == url_host_is_loopback(again.host));
    free(origin);
    url_free(&again);
    url_free(&url);
}

static void check_escapes(const char *bytes, size_t size)
{
    struct buf decoded = {0}, encoded = {0}, again = {0};
    if (url_decode(&decoded, bytes, size, true)) {
        url_encode(&encoded, buf_text(&decoded), decoded.len);
        assert(url_decode(&again, buf_text(&encoded), encoded.len, true));
        assert(again.len == decoded.len && memcmp(buf_text(&again), buf_text(&decoded), again.len) == 0);
    }
    buf_free(&decoded);
    buf_free(&encoded);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup_text((const char *)data, size);
    check_url(text);
    check_escapes((const char *)data, size);
    free(text);
    return 0;
}
