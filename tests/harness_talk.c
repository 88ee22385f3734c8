#include "harness_talk.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/json.h"

int64_t talk_begin(
    struct bridge_process *bridge, const char *tool, const char *key, const char *value, const char *content)
{
    struct json_object *args = json_new_object();
    struct buf text = {0};
    json_add_text(args, key, value);
    json_add_text(args, "content", content);
    json_write(args, &text);
    int64_t id = bridge_call_begin(bridge, tool, buf_text(&text));
    json_object_put(args);
    buf_free(&text);
    return id;
}

/* The fenced lines below a header. Returns where they end. */
static const char *read_fenced(const char *at, struct buf *content)
{
    for (bool first = true; strncmp(at, "> ", 2) == 0 || strncmp(at, ">\n", 2) == 0; first = false) {
        size_t len = strcspn(at, "\n");
        if (!first)
            buf_putc(content, '\n');
        if (len > 2)
            buf_append(content, at + 2, len - 2);
        at += len + (at[len] == '\n');
    }
    return at;
}

void talk_heard_free(struct talk_heard *heard)
{
    free(heard->header);
    free(heard->id);
    buf_free(&heard->content);
    *heard = (struct talk_heard){0};
}

bool talk_hear(const char **at, struct talk_heard *heard)
{
    talk_heard_free(heard);
    while (**at && !heard->header) {
        size_t len = strcspn(*at, "\n");
        if (strncmp(*at, "From a", 6) == 0)
            heard->header = xmemdup_text(*at, len);
        *at += len + ((*at)[len] == '\n');
    }
    if (!heard->header)
        return false;
    heard->id = id_of_sent(heard->header);
    *at = read_fenced(*at, &heard->content);
    return true;
}
