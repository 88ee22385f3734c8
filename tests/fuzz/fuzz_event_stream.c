/* Server-sent events: however the bytes are cut, they give the same events. The first byte says where to cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../bridge/event_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void note(void *arg, const char *name, const struct buf *data)
{
    buf_puts(arg, name);
    buf_putc(arg, '=');
    buf_append(arg, buf_text(data), data->len);
    buf_putc(arg, ';');
}

/* Feeds text in pieces of step bytes; all events, and the last id behind them. */
static void hear(const char *text, size_t len, size_t step, struct buf *events)
{
    struct event_stream stream = {0};
    for (size_t at = 0; at < len; at += step)
        event_stream_feed(&stream, text + at, len - at < step ? len - at : step, note, events);
    buf_puts(events, stream.last_id);
    event_stream_free(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2)
        return 0;
    struct buf whole = {0}, cut = {0};
    const char *text = (const char *)bytes + 1;
    hear(text, len - 1, len, &whole);
    hear(text, len - 1, (size_t)bytes[0] % 16 + 1, &cut);
    if (whole.len != cut.len || memcmp(buf_text(&whole), buf_text(&cut), whole.len) != 0)
        abort();
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
