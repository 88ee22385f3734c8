/* recall: what was said before, and what became of it. */
#include <string.h>

#include "../../common/clock.h"
#include "../../common/fence.h"
#include "../../common/utf8.h"
#include "recipients.h"
#include "render.h"
#include "tool.h"

enum { RECALL_DEFAULT_LIMIT = 10 };

struct question {
    struct store_recall recall;
    char message_id[UUID_SIZE];
    struct ident from;
    size_t offset;
};

static bool read_question(struct tool_call *call, struct question *q)
{
    const char *from = tool_text(call, "from_agent");

    memset(q, 0, sizeof *q);
    q->recall.limit = (size_t)tool_number(call, "limit", RECALL_DEFAULT_LIMIT);
    q->recall.thread = tool_text(call, "thread");
    q->recall.query = tool_text(call, "query");
    q->offset = (size_t)tool_number(call, "offset", 0);
    if (from) {
        if (!recipient_read(call, from, &q->from))
            return false;
        q->recall.from_agent = q->from.agent;
        q->recall.namespace_id = q->from.namespace_id[0] ? q->from.namespace_id : NULL;
    }
    if (tool_text(call, "message_id")) {
        if (!tool_id(call, "message_id", q->message_id))
            return false;
        q->recall.message_id = q->message_id;
    }
    if (q->offset && !q->recall.message_id) {
        tool_fail(call, "offset reads on in one long message: give its message_id too.");
        return false;
    }
    return true;
}

static enum verdict show_nothing(struct tool_call *call, const struct question *q)
{
    if (q->recall.message_id)
        return tool_fail(call,
            "Not found: no message [%s] of yours. recall without message_id lists the latest.",
            q->message_id);
    buf_puts(&call->text, "No message fits.\n");
    if (q->recall.query && store_is_sealed(call->relay->store))
        buf_puts(&call->text,
            "This relay keeps messages encrypted, so words in them cannot be searched: leave query out, "
            "and narrow by thread or from_agent.\n");
    return VERDICT_DONE;
}

static enum verdict show(
    struct tool_call *call, const struct question *q, const struct store_messages *messages)
{
    const struct render r = tool_render(call);
    const struct store_message *first = messages->items;

    if (q->offset && q->offset >= utf8_count(first->content, first->content_len))
        return tool_fail(call, "offset %zu is past the end: [%s] has %zu characters.", q->offset,
            q->message_id, utf8_count(first->content, first->content_len));
    for (size_t i = 0; i < messages->count; i++) {
        if (i > 0)
            buf_putc(&call->text, '\n');
        render_recalled(&r, &messages->items[i], q->offset, messages->count - i);
    }
    return VERDICT_DONE;
}

enum verdict tool_recall(struct tool_call *call)
{
    struct question q;
    struct store_messages messages = {0};

    if (!read_question(call, &q))
        return VERDICT_DONE;
    enum store_status status = store_recall(call->relay->store, tool_caller(call), &q.recall, &messages);
    if (status == STORE_FAULT)
        return tool_fail_store(call);
    enum verdict verdict = messages.count ? show(call, &q, &messages) : show_nothing(call, &q);
    call->structured = json_new_object();
    json_add(call->structured, "messages", json_of_messages(&messages, call->who->namespace_id, true));
    store_messages_free(&messages);
    return verdict;
}
