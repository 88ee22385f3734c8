#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "utf8.h"

static struct {
    enum log_format format;
    enum log_level threshold;
} settings = {LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_configure(enum log_format format, enum log_level threshold)
{
    settings.format = format;
    settings.threshold = threshold;
}

/* Where to cut a value: at LOG_VALUE_MAX or before, not within a code point. */
static size_t value_len(const char *text)
{
    size_t len = strnlen(text, LOG_VALUE_MAX + 1);
    if (len <= LOG_VALUE_MAX) {
        return len;
    }
    len = LOG_VALUE_MAX;
    while (len > LOG_VALUE_MAX - 3 && ((unsigned char)text[len] & 0xC0) == 0x80) {
        len--;
    }
    return len;
}

static bool is_control(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
}

/* Both formats take the same escapes: those of a JSON string. What is not UTF-8 becomes U+FFFD. */
static void append_quoted(struct buf *line, const char *text, size_t len)
{
    buf_putc(line, '"');
    for (size_t at = 0; at < len;) {
        uint32_t code_point;
        size_t step = utf8_decode(text + at, len - at, &code_point);
        if (step == 0) {
            buf_puts(line, "\\ufffd");
            step = 1;
        } else if (code_point == '"' || code_point == '\\') {
            buf_printf(line, "\\%c", (char)code_point);
        } else if (is_control(code_point)) {
            buf_printf(line, "\\u%04x", (unsigned)code_point);
        } else {
            buf_append(line, text + at, step);
        }
        at += step;
    }
    buf_putc(line, '"');
}

static bool is_bare(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\') {
            return false;
        }
    }
    return len > 0;
}

static void append_logfmt(struct buf *line, const struct log_field *field)
{
    if (line->len > 0) {
        buf_putc(line, ' ');
    }
    buf_printf(line, "%s=", field->key);
    if (!field->text) {
        buf_printf(line, "%" PRId64, field->number);
        return;
    }
    size_t len = value_len(field->text);
    if (is_bare(field->text, len)) {
        buf_append(line, field->text, len);
    } else {
        append_quoted(line, field->text, len);
    }
}

static void append_json(struct buf *line, const struct log_field *field)
{
    buf_putc(line, line->len > 0 ? ',' : '{');
    append_quoted(line, field->key, strlen(field->key));
    buf_putc(line, ':');
    if (field->text) {
        append_quoted(line, field->text, value_len(field->text));
    } else {
        buf_printf(line, "%" PRId64, field->number);
    }
}

static void append_field(struct buf *line, const struct log_field *field)
{
    static void (*const append[])(struct buf *, const struct log_field *) = {
        [LOG_FORMAT_LOGFMT] = append_logfmt,
        [LOG_FORMAT_JSON] = append_json,
    };
    append[settings.format](line, field);
}

static void write_line(const struct buf *line)
{
    ssize_t wrote;
    do {
        wrote = write(STDERR_FILENO, line->data, line->len);
    } while (wrote < 0 && errno == EINTR);
}

void log_event(enum log_level level, const char *event, ...)
{
    if (level < settings.threshold) {
        return;
    }
    int saved_errno = errno;
    char now[RFC3339_LEN];
    clock_rfc3339(clock_wall_ms(), now);

    struct buf line = {0};
    const struct log_field head[] = {
        LOG_STR("time", now),
        LOG_STR("level", level_names[level]),
        LOG_STR("event", event),
    };
    for (size_t i = 0; i < LENGTH_OF(head); i++) {
        append_field(&line, &head[i]);
    }
    va_list fields;
    va_start(fields, event);
    for (;;) {
        struct log_field field = va_arg(fields, struct log_field);
        if (!field.key) {
            break;
        }
        append_field(&line, &field);
    }
    va_end(fields);
    buf_puts(&line, settings.format == LOG_FORMAT_JSON ? "}\n" : "\n");
    write_line(&line);
    buf_free(&line);
    errno = saved_errno;
}
