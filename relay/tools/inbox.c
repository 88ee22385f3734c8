/* inbox: what is there to read, what was put off, and who is around. */
#include "offer.h"
#include "render.h"
#include "tool.h"

static void show_heading(struct tool_call *call, const struct store_offer_result *result)
{
    long long pending = (long long)result->messages.count + result->more;

    buf_puts(&call->text, call->who->address);
    for (size_t i = 0; i < call->who->also_count; i++)
        buf_printf(&call->text, "%s%s", i == 0 ? " (also " : ", ", call->who->also[i]);
    buf_printf(&call->text, "%s | %lld pending", call->who->also_count > 0 ? ")" : "", pending);
    if (result->deferred_total > 0)
        buf_printf(&call->text, ", %lld deferred", (long long)result->deferred_total);
    if (result->in_delivery > 0)
        buf_printf(
            &call->text, ", %lld in delivery to another session of yours", (long long)result->in_delivery);
    buf_putc(&call->text, '\n');
}

static void show_deferred(const struct render *r, const struct store_offer_result *result)
{
    const struct store_messages *deferred = &result->deferred;

    if (deferred->count == 0)
        return;
    buf_puts(r->out, "\nDeferred:\n");
    for (size_t i = 0; i < deferred->count; i++) {
        if (i > 0)
            buf_putc(r->out, '\n');
        render_offered(r, &deferred->items[i], deferred->count - i);
    }
    long long hidden = (long long)result->deferred_total - (long long)deferred->count;
    if (hidden > 0)
        buf_printf(r->out, "\n%lld more deferred: answer these first, or find them with recall\n", hidden);
}

enum verdict tool_inbox(struct tool_call *call)
{
    struct store_offer_result result = {0};
    bool all = tool_flag(call, "all_agents");

    if (offer_take(call, true, all, &result) == STORE_FAULT)
        return tool_fail_store(call);

    const struct render r = tool_render(call);
    show_heading(call, &result);
    offer_show_messages(call, &result);
    show_deferred(&r, &result);
    buf_putc(&call->text, '\n');
    render_agents(&r, &result.agents, call->who->agent, offer_active_since_ms(call), all);
    offer_record(call, &result, false);
    store_offer_result_free(&result);
    return VERDICT_DONE;
}
