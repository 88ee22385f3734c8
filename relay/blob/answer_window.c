#include "answer_window.h"

struct answer_window answer_window(struct buf *out, size_t len)
{
    return (struct answer_window){.out = out, .before = out->len, .len = len};
}

bool answer_window_take(void *arg, const void *bytes, size_t len)
{
    const struct answer_window *window = arg;
    const size_t left = window->len - (window->out->len - window->before);
    buf_append(window->out, bytes, len < left ? len : left);
    return true;
}

void answer_window_restart(void *arg)
{
    const struct answer_window *window = arg;
    window->out->len = window->before;
}
