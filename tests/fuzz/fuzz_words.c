/* Words of any bytes: valid UTF-8, separated by single blanks, none too long, and the words of words are the
 * same. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../common/utf8.h"
#include "../../relay/store/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf words = {0}, again = {0};
    words_write((const char *)data, size, &words);
    assert(words.len == 0 || words.data[words.len - 1] == ' ');
    assert(utf8_valid(buf_text(&words), words.len));
    for (const char *word = buf_text(&words); *word;) {
        const size_t len = strcspn(word, " ");
        assert(len > 0 && len <= WORD_MAX_BYTES && !memchr(word, '"', len));
        word += len + 1;
    }
    words_write(buf_text(&words), words.len, &again);
    assert(words.len == again.len && memcmp(buf_text(&words), buf_text(&again), words.len) == 0);
    buf_free(&words);
    buf_free(&again);
    return 0;
}
