#include "event_stream.h"

#include <bsd/string.h>
#include <string.h>

struct sink {
    void (*take)(void *arg, const char *name, const struct buf *data);
    void *arg;
};

static void event_forget(struct event_stream *stream)
{
    buf_reset(&stream->data);
    stream->name[0] = '\0';
    stream->has_data = false;
    stream->has_id = false;
}

static void data_append(struct event_stream *stream, const char *value, size_t len)
{
    if (stream->has_data && stream->data.len < EVENT_STREAM_DATA_MAX)
        buf_putc(&stream->data, '\n');
    stream->has_data = true;
    size_t room = EVENT_STREAM_DATA_MAX - stream->data.len;
    buf_append(&stream->data, value, len < room ? len : room);
}

static void field_take(struct event_stream *stream, const char *name, const char *value, size_t len)
{
    if (strcmp(name, "data") == 0)
        data_append(stream, value, len);
    else if (strcmp(name, "event") == 0)
        strlcpy(stream->name, value, sizeof stream->name);
    else if (strcmp(name, "id") == 0 && strlen(value) == len && len < sizeof stream->next_id)
        stream->has_id = strlcpy(stream->next_id, value, sizeof stream->next_id) == len;
}

/* A whole line, without its end: an empty one completes the event. */
static void line_take(struct event_stream *stream, const struct sink *sink)
{
    if (stream->line.len == 0) {
        if (stream->has_id)
            strlcpy(stream->last_id, stream->next_id, sizeof stream->last_id);
        if (stream->has_data)
            sink->take(sink->arg, stream->name[0] ? stream->name : "message", &stream->data);
        event_forget(stream);
        return;
    }
    char *colon = memchr(stream->line.data, ':', stream->line.len);
    char *value = colon ? colon + 1 : stream->line.data + stream->line.len;
    if (colon)
        *colon = '\0';
    if (*value == ' ')
        value++;
    field_take(stream, stream->line.data, value, (size_t)(stream->line.data + stream->line.len - value));
    buf_reset(&stream->line);
}

static void byte_take(struct event_stream *stream, char c, const struct sink *sink)
{
    bool was_cr = stream->after_cr;
    stream->after_cr = c == '\r';
    if (c == '\n' && was_cr)
        return;
    if (c == '\n' || c == '\r')
        line_take(stream, sink);
    else if (stream->line.len < EVENT_STREAM_LINE_MAX)
        buf_putc(&stream->line, c);
}

void event_stream_feed(struct event_stream *stream, const char *bytes, size_t len,
    void (*take)(void *arg, const char *name, const struct buf *data), void *arg)
{
    const struct sink sink = {.take = take, .arg = arg};
    for (size_t i = 0; i < len; i++)
        byte_take(stream, bytes[i], &sink);
}

void event_stream_restart(struct event_stream *stream)
{
    buf_reset(&stream->line);
    event_forget(stream);
    stream->after_cr = false;
}

void event_stream_free(struct event_stream *stream)
{
    buf_free(&stream->line);
    buf_free(&stream->data);
}
