#include "hook_input.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "../common/buf.h"
#include "../common/clock.h"
#include "../common/json.h"

enum { READ_CHUNK = 64 * 1024 };

/* ---- taking it apart ---- */

static void take_apart(struct json_object *object, struct hook_input *out)
{
    *out = (struct hook_input){.understood = object != NULL};
    out->session = xstrdup(json_text_or(object, "session_id", ""));
    out->cwd = xstrdup_or_null(json_text_or(object, "cwd", NULL));
    if (json_get_bool(object, "stop_hook_active", &out->stop_active) != JSON_FIELD_FOUND)
        out->stop_active = false;
}

static struct json_object *parse_object(const char *text, size_t len)
{
    enum json_fault fault;
    struct json_object *value = json_parse(text, len, &fault);
    if (json_object_is_type(value, json_type_object))
        return value;
    json_object_put(value);
    return NULL;
}

void hook_input_parse(const char *text, size_t len, struct hook_input *out)
{
    struct json_object *object = parse_object(text, len);
    take_apart(object, out);
    json_object_put(object);
}

/* ---- reading ---- */

/* False: that was the end, or the time is over. */
static bool read_more(int fd, int64_t deadline_ms, struct buf *text)
{
    int64_t left = deadline_ms - clock_mono_ms();
    struct pollfd input = {.fd = fd, .events = POLLIN};
    if (left <= 0 || text->len > HOOK_INPUT_MAX_BYTES)
        return false;
    int ready = poll(&input, 1, (int)left);
    if (ready <= 0)
        return ready < 0 && errno == EINTR;
    ssize_t got = read(fd, buf_reserve(text, READ_CHUNK), READ_CHUNK);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    buf_commit(text, (size_t)got);
    return got > 0;
}

struct json_object *hook_object_read(int fd, int64_t deadline_ms)
{
    struct buf text = {0};
    while (!isatty(fd) && read_more(fd, deadline_ms, &text))
        continue;
    struct json_object *object =
        text.len > HOOK_INPUT_MAX_BYTES ? NULL : parse_object(buf_text(&text), text.len);
    buf_free(&text);
    return object;
}

void hook_input_read(int fd, int64_t deadline_ms, struct hook_input *out)
{
    struct json_object *object = hook_object_read(fd, deadline_ms);
    take_apart(object, out);
    json_object_put(object);
}

void hook_input_free(struct hook_input *input)
{
    free(input->session);
    free(input->cwd);
    *input = (struct hook_input){0};
}
