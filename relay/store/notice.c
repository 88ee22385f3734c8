#include "notice.h"

#include <inttypes.h>

#include "../../common/clock.h"
#include "../../common/utf8.h"

void notice_begin(struct buf *text, const char *recipient, int64_t max_age_ms)
{
    const char *unit = "days";
    int64_t number = max_age_ms / MS_PER_DAY;
    if (max_age_ms % MS_PER_DAY != 0) {
        unit = "hours";
        number = max_age_ms / MS_PER_HOUR;
    }
    if (number == 0) {
        unit = "seconds";
        number = max_age_ms / MS_PER_SECOND;
    }
    buf_printf(text,
        "Expired after %" PRId64 " %s, no longer delivered to %s; send again what still matters:", number,
        unit, recipient);
}

void notice_add(struct buf *text, const char *id, bool was_deferred, const char *content, size_t len)
{
    if (!content) {
        buf_printf(
            text, "\n[%s] %s (encrypted)", id, was_deferred ? "deferred, never answered" : "never read");
        return;
    }
    const size_t shown = utf8_offset(content, len, NOTICE_PREVIEW_CODE_POINTS);
    buf_printf(text, "\n[%s] %s: ", id, was_deferred ? "deferred, never answered" : "never read");
    for (size_t i = 0; i < shown; i++) {
        const unsigned char byte = (unsigned char)content[i];
        buf_putc(text, byte < 0x20 || byte == 0x7F ? ' ' : content[i]);
    }
    if (shown < len)
        buf_puts(text, "…");
}
