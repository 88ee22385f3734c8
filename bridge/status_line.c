#include "status_line.h"

#include <inttypes.h>
#include <string.h>

#include "../common/fence.h"
#include "../common/utf8.h"

#define UNKNOWN "patchcord"

static void append_count(struct buf *out, int64_t waiting)
{
    if (waiting > 0)
        buf_printf(out, " %" PRId64 "%s msg", waiting, waiting < INBOX_LOOK_ROWS ? "" : "+");
}

void status_line_agent(struct buf *out, const struct status_view *view)
{
    const struct status *status = view->status;
    const char *agent = *status->agent ? status->agent : view->agent;
    buf_puts(out, agent ? agent : UNKNOWN);
    if (status->refused) {
        buf_puts(out, " BAD TOKEN");
        return;
    }
    buf_printf(out, " (%s)", view->machine);
    if (status_is_fresh(status, view->now_ms))
        append_count(out, status->waiting);
    if (view->listens)
        buf_puts(out, " " STATUS_LISTENS);
}

void status_line_join(struct buf *out, const struct buf *part)
{
    if (part->len == 0)
        return;
    if (out->len > 0)
        buf_puts(out, STATUS_SEPARATOR);
    buf_append(out, part->data, part->len);
}

static void append_model(struct buf *out, struct json_object *host)
{
    struct json_object *model;
    const char *name;
    size_t len;
    if (json_get_object(host, "model", &model) != JSON_FIELD_FOUND ||
        json_get_text(model, "display_name", &name, &len) != JSON_FIELD_FOUND || !fence_is_plain(name, len))
        return;
    buf_append(out, name, utf8_offset(name, len, STATUS_MODEL_MAX));
}

static void append_context(struct buf *out, struct json_object *host)
{
    struct json_object *window, *used;
    if (json_get_object(host, "context_window", &window) != JSON_FIELD_FOUND ||
        !json_object_object_get_ex(window, "used_percentage", &used))
        return;
    bool is_number = json_object_is_type(used, json_type_int) || json_object_is_type(used, json_type_double);
    double percent = is_number ? json_object_get_double(used) : -1;
    if (percent >= 0 && percent <= 100)
        buf_printf(out, "%.0f%%", percent);
}

void status_line_session(struct buf *out, struct json_object *host)
{
    struct buf model = {0}, context = {0};
    append_model(&model, host);
    append_context(&context, host);
    status_line_join(out, &model);
    status_line_join(out, &context);
    buf_free(&model);
    buf_free(&context);
}
