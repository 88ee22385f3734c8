#include "line_writer.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "host_watch.h"

enum { LOOK_FIRST_MS = 1, LOOK_MAX_MS = 1000 };

struct out_line {
    TAILQ_ENTRY(out_line) link;
    struct buf bytes;         /* empty once written */
    uint64_t end;             /* of the line, in bytes ever written */
    struct json_object *id;   /* of the answered request; NULL: no answer that carries messages */
    struct relay_offer offer; /* count 0: nothing is followed */
};
TAILQ_HEAD(out_lines, out_line);

struct line_writer {
    int fd;
    line_writer_fate_fn *fate;
    void *arg;
    struct out_lines queued, followed; /* to be written; written, and not known to be read */
    size_t offset;                     /* of the first queued line: bytes already written */
    size_t pending;
    uint64_t written;
    int look_every_ms;
    int64_t look_at_ms;
};

struct line_writer *line_writer_new(int fd, line_writer_fate_fn *fate, void *arg)
{
    struct line_writer *writer = xcalloc(1, sizeof *writer);
    writer->fd = fd;
    writer->fate = fate;
    writer->arg = arg;
    TAILQ_INIT(&writer->queued);
    TAILQ_INIT(&writer->followed);
    return writer;
}

static void line_free(struct out_lines *list, struct out_line *line)
{
    TAILQ_REMOVE(list, line, link);
    buf_free(&line->bytes);
    json_object_put(line->id);
    free(line->offer.ids);
    free(line);
}

void line_writer_free(struct line_writer *writer)
{
    while (!TAILQ_EMPTY(&writer->queued))
        line_free(&writer->queued, TAILQ_FIRST(&writer->queued));
    while (!TAILQ_EMPTY(&writer->followed))
        line_free(&writer->followed, TAILQ_FIRST(&writer->followed));
    free(writer);
}

/* ---- queueing ---- */

void line_writer_add_answer(struct line_writer *writer, struct json_object *message, struct json_object *id,
    struct relay_offer *offer)
{
    struct out_line *line = xcalloc(1, sizeof *line);
    json_write(message, &line->bytes);
    buf_putc(&line->bytes, '\n');
    writer->pending += line->bytes.len;
    if (id)
        line->id = json_object_get(id);
    if (offer) {
        line->offer = *offer;
        *offer = (struct relay_offer){0};
    }
    TAILQ_INSERT_TAIL(&writer->queued, line, link);
}

void line_writer_add(struct line_writer *writer, struct json_object *message)
{
    line_writer_add_answer(writer, message, NULL, NULL);
}

static void settle(struct line_writer *writer, struct out_line *line, bool arrived)
{
    if (line->offer.count > 0)
        writer->fate(writer->arg, &line->offer, arrived);
    free(line->offer.ids);
    line->offer = (struct relay_offer){0};
}

static bool answers(const struct out_line *line, struct json_object *id)
{
    return line->id && json_object_equal(line->id, id);
}

void line_writer_cancel(struct line_writer *writer, struct json_object *id)
{
    struct out_line *line, *next;
    TAILQ_FOREACH_SAFE(line, &writer->followed, link, next)
    {
        if (!answers(line, id))
            continue;
        settle(writer, line, false);
        line_free(&writer->followed, line);
    }
    TAILQ_FOREACH_SAFE(line, &writer->queued, link, next)
    {
        if (!answers(line, id))
            continue;
        settle(writer, line, false);
        /* A line that was begun has to be ended, or it would swallow the next one. */
        if (line == TAILQ_FIRST(&writer->queued) && writer->offset > 0)
            continue;
        writer->pending -= line->bytes.len;
        line_free(&writer->queued, line);
    }
}

/* ---- writing ---- */

size_t line_writer_pending(const struct line_writer *writer)
{
    return writer->pending;
}

bool line_writer_follows(const struct line_writer *writer)
{
    return !TAILQ_EMPTY(&writer->followed);
}

static void line_written(struct line_writer *writer, struct out_line *line)
{
    writer->offset = 0;
    line->end = writer->written;
    if (line->offer.count == 0) {
        line_free(&writer->queued, line);
        return;
    }
    TAILQ_REMOVE(&writer->queued, line, link);
    buf_free(&line->bytes);
    TAILQ_INSERT_TAIL(&writer->followed, line, link);
    writer->look_every_ms = LOOK_FIRST_MS;
    writer->look_at_ms = clock_mono_ms();
}

static bool takes_more(int fd)
{
    struct pollfd out = {.fd = fd, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & (POLLOUT | POLLERR | POLLHUP)) != 0;
}

bool line_writer_flush(struct line_writer *writer)
{
    while (writer->pending > 0 && takes_more(writer->fd)) {
        struct out_line *line = TAILQ_FIRST(&writer->queued);
        size_t left = line->bytes.len - writer->offset;
        ssize_t put = write(writer->fd, line->bytes.data + writer->offset, left < PIPE_BUF ? left : PIPE_BUF);
        if (put < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (put < 0)
            return false;
        writer->offset += (size_t)put;
        writer->pending -= (size_t)put;
        writer->written += (uint64_t)put;
        if (writer->offset == line->bytes.len)
            line_written(writer, line);
    }
    line_writer_look(writer);
    return true;
}

/* ---- following ---- */

void line_writer_look(struct line_writer *writer)
{
    if (!line_writer_follows(writer) || clock_mono_ms() < writer->look_at_ms)
        return;
    size_t unread = host_unread(writer->fd);
    struct out_line *line, *next;
    TAILQ_FOREACH_SAFE(line, &writer->followed, link, next)
    {
        if (line->end + unread > writer->written)
            break;
        settle(writer, line, true);
        line_free(&writer->followed, line);
    }
    writer->look_at_ms = clock_mono_ms() + writer->look_every_ms;
    writer->look_every_ms = writer->look_every_ms * 2 > LOOK_MAX_MS ? LOOK_MAX_MS : writer->look_every_ms * 2;
}

int line_writer_timeout_ms(const struct line_writer *writer)
{
    if (!line_writer_follows(writer))
        return -1;
    int64_t left = writer->look_at_ms - clock_mono_ms();
    return left > 0 ? (int)left : 0;
}

void line_writer_abandon(struct line_writer *writer)
{
    struct out_line *line;
    while ((line = TAILQ_FIRST(&writer->followed)) != NULL) {
        settle(writer, line, false);
        line_free(&writer->followed, line);
    }
    while ((line = TAILQ_FIRST(&writer->queued)) != NULL) {
        settle(writer, line, false);
        line_free(&writer->queued, line);
    }
    writer->pending = 0;
    writer->offset = 0;
}
