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

void hook_input_parse(const char *text, size_t len, struct hook_input *out)
{
    enum json_fault fault;
    struct json_object *value = json_parse(text, len, &fault);
    *out = (struct hook_input){.understood = json_object_is_type(value, json_type_object)};
    out->session = xstrdup(json_text_or(value, "session_id", ""));
    out->cwd = xstrdup_or_null(json_text_or(value, "cwd", NULL));
    if (json_get_bool(value, "stop_hook_active", &out->stop_active) != JSON_FIELD_FOUND)
        out->stop_active = false;
    json_object_put(value);
}

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

void hook_input_read(int fd, int64_t deadline_ms, struct hook_input *out)
{
    struct buf text = {0};
    while (!isatty(fd) && read_more(fd, deadline_ms, &text))
        continue;
    hook_input_parse(buf_text(&text), text.len > HOOK_INPUT_MAX_BYTES ? 0 : text.len, out);
    buf_free(&text);
}

void hook_input_free(struct hook_input *input)
{
    free(input->session);
    free(input->cwd);
    *input = (struct hook_input){0};
}
