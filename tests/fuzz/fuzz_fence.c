/* The first two bytes are the room, the rest is a message: whatever it holds, every line of what is shown
 * begins with the fence and ends, nothing unseen gets out, and the room is kept. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/utf8.h"
#include "../../common/fence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one character may cost where there is no room: the fence, its spelling, the line's end. */
enum { FIRST_MAX = 2 + 10 + 1 };

static void expect_fenced(const char *shown, size_t len)
{
    assert(len == 0 || shown[len - 1] == '\n');
    for (size_t at = 0; at < len;) {
        const char *end = memchr(shown + at, '\n', len - at);
        assert(end && strncmp(shown + at, "> ", 2) == 0);
        at = (size_t)(end - shown) + 1;
    }
    for (size_t i = 0; i < len; i++)
        assert((unsigned char)shown[i] >= ' ' || shown[i] == '\n' || shown[i] == '\t');
    assert(utf8_valid(shown, len));
}

static void expect_word(const char *text)
{
    struct buf word = {0};

    fence_word(&word, text, FENCE_WORD_MAX);
    assert(word.len > 0 && word.len <= FENCE_WORD_MAX);
    assert(
        strspn(word.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._ -") == word.len);
    buf_free(&word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t room = (size_t)data[0] << 8 | data[1], len = size - 2, done = 0;
    const char *text = (const char *)data + 2;
    struct buf shown = {0};

    /* Part after part, as recall reads on. */
    while (done < len) {
        buf_reset(&shown);
        size_t step = fence_text(&shown, text + done, len - done, room);
        assert(step > 0 && step <= len - done);
        assert(shown.len <= room || shown.len <= FIRST_MAX);
        expect_fenced(buf_text(&shown), shown.len);
        done += step;
    }
    buf_reset(&shown);
    buf_append(&shown, text, len);
    expect_word(buf_text(&shown));
    buf_free(&shown);
    return 0;
}
