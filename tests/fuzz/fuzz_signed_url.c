/* A signed URL that is followed leads to the relay's origin, or to another over https. The input's first line
 * is the relay's URL, the rest what it gave. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bridge/signed_url.h"
#include "../../common/alloc.h"
#include "../../common/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_taken(const char *relay, const char *taken)
{
    struct url from, to;
    char *base = xmemdup_text(taken, strcspn(taken, "?"));
    assert(url_parse(relay, &from) && url_parse(base, &to));
    char *own = url_origin(&from), *other = url_origin(&to);
    assert(strcmp(own, other) == 0 || strcmp(to.scheme, "https") == 0);
    assert(!strpbrk(taken, " \t\r\n#"));
    free(own);
    free(other);
    url_free(&from);
    url_free(&to);
    free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup_text((const char *)data, size), *given = strchr(text, '\n');
    struct buf out = {0}, why = {0};
    if (given) {
        *given++ = '\0';
        const bool is_elsewhere = size % 2 == 1;
        if (signed_url_take(text, given, is_elsewhere, &out, &why)) {
            if (!is_elsewhere)
                check_taken(text, buf_text(&out));
            else
                assert(strcmp(buf_text(&out), given) == 0);
        } else
            assert(why.len > 0 && out.len == 0);
    }
    buf_free(&out);
    buf_free(&why);
    free(text);
    return 0;
}
