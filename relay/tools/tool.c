#include "tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/fence.h"
#include "../../common/utf8.h"
#include "render.h"

enum { STORE_RETRY_AFTER_S = 2, ERROR_TEXT_MAX = 512 };

const struct tool tools[] = {
    {"inbox", tool_inbox},
    {"send_message", tool_send_message},
    {"reply", tool_reply},
    {"wait_for_message", tool_wait_for_message},
    {"unsend_message", tool_unsend_message},
    {"recall", tool_recall},
    {"upload_attachment", tool_upload_attachment},
    {"get_attachment", tool_get_attachment},
    {"relay_url", tool_relay_url},
    {"attachment", tool_older_attachment},
    {NULL, NULL},
};

const struct tool *tool_find(const char *name)
{
    for (const struct tool *tool = tools; tool->name; tool++) {
        if (strcmp(tool->name, name) == 0)
            return tool;
    }
    return NULL;
}

void tool_call_free(struct tool_call *call)
{
    buf_free(&call->text);
    json_object_put(call->structured);
    json_object_put(call->offer);
    free(call->offered);
}

enum verdict tool_fail(struct tool_call *call, const char *format, ...)
{
    char line[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_reset(&call->text);
    buf_puts(&call->text, line);
    call->is_error = true;
    return VERDICT_DONE;
}

enum verdict tool_fail_store(struct tool_call *call)
{
    call->retry_after_s = STORE_RETRY_AFTER_S;
    return tool_fail(call, "The relay could not reach its store: nothing was done. Try again in a moment.");
}

const struct store_caller *tool_caller(struct tool_call *call)
{
    call->caller_used = true;
    return &call->caller;
}

struct render tool_render(struct tool_call *call)
{
    return (struct render){.out = &call->text,
        .now_ms = clock_wall_ms(),
        .max_bytes = call->client->max_offer_bytes,
        .home = call->who->namespace_id};
}

const char *tool_text(const struct tool_call *call, const char *name)
{
    const char *text = json_text_or(call->args, name, "");
    return *text ? text : NULL;
}

bool tool_flag(const struct tool_call *call, const char *name)
{
    bool flag = false;
    return json_get_bool(call->args, name, &flag) == JSON_FIELD_FOUND && flag;
}

int64_t tool_number(const struct tool_call *call, const char *name, int64_t fallback)
{
    int64_t number;
    return json_get_int(call->args, name, &number) == JSON_FIELD_FOUND ? number : fallback;
}

bool tool_id(struct tool_call *call, const char *name, char out[static UUID_SIZE])
{
    const char *text = json_text_or(call->args, name, "");
    if (uuid_parse(text, strlen(text), out))
        return true;

    struct buf shown = {0};
    if (*text)
        fence_word(&shown, text, FENCE_WORD_MAX);
    else
        buf_puts(&shown, "it is empty");
    tool_fail(call, "%s is not a message's id (a UUID, as inbox and recall show it in brackets): %s", name,
        buf_text(&shown));
    buf_free(&shown);
    return false;
}

bool tool_thread(struct tool_call *call, char out[static NAME_SIZE])
{
    const char *slug = tool_text(call, "thread");

    out[0] = '\0';
    if (!slug || ident_name_normalize(slug, out))
        return true;
    tool_fail(call,
        "thread must be a short name of at most %d characters from a-z 0-9 . _ - that begins with a letter "
        "or a digit, "
        "like auth-migration. Nothing was sent.",
        NAME_MAX_LEN);
    return false;
}

bool tool_content(struct tool_call *call, bool required, const char **content, size_t *len)
{
    enum json_field field = json_get_text(call->args, "content", content, len);
    if (field != JSON_FIELD_FOUND || *len == 0) {
        *content = NULL;
        *len = 0;
        if (required)
            tool_fail(call,
                "content is empty: write what the recipient is to read (1 to %d characters). Nothing was "
                "sent.",
                TOOL_CONTENT_MAX);
        return !required;
    }
    size_t count = utf8_count(*content, *len);
    if (count <= TOOL_CONTENT_MAX)
        return true;
    tool_fail(call,
        "content has %zu characters; the limit is %d. Nothing was sent: split it, or send a summary.", count,
        TOOL_CONTENT_MAX);
    return false;
}
