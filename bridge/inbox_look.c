#include "inbox_look.h"

#include <bsd/string.h>
#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/fence.h"
#include "../common/json.h"
#include "transfer.h"

enum { HTTP_OK = 200, HTTP_UNAUTHORIZED = 401, HTTP_FORBIDDEN = 403 };
/* Names may be any text in older databases; no name of sane length is cut. */
enum { FROM_MAX = 256 };

/* ---- reading ---- */

static void read_row(struct json_object *message, struct inbox_look *look)
{
    struct inbox_row *row = &look->rows[look->count];
    const char *id = json_text_or(message, "message_id", ""), *from = json_text_or(message, "from", "");
    size_t len = strlen(from);
    if (!uuid_parse(id, strlen(id), row->id))
        return;
    row->from = xmemdup_text(from, len < FROM_MAX ? len : FROM_MAX);
    row->sent_ms = clock_parse_rfc3339(json_text_or(message, "sent_at", ""));
    look->count++;
}

static void read_rows(struct json_object *messages, struct inbox_look *look)
{
    size_t count = json_object_array_length(messages);
    if (count > INBOX_LOOK_ROWS)
        count = INBOX_LOOK_ROWS;
    look->rows = xcalloc(count + 1, sizeof *look->rows);
    for (size_t i = 0; i < count; i++)
        read_row(json_object_array_get_idx(messages, i), look);
}

/* False: a relay's answer has these two, and they are names. */
static bool read_agent(struct json_object *answer, struct inbox_look *look)
{
    const char *agent = json_text_or(answer, "agent_id", "");
    const char *namespace_id = json_text_or(answer, "namespace_id", "");
    if (!*agent || strlen(agent) > NAME_MAX_LEN || !*namespace_id || strlen(namespace_id) > NAME_MAX_LEN)
        return false;
    struct buf address = {0};
    fence_word(&address, agent, NAME_MAX_LEN);
    buf_putc(&address, '@');
    fence_word(&address, namespace_id, NAME_MAX_LEN);
    strlcpy(look->agent, buf_text(&address), sizeof look->agent);
    buf_free(&address);
    return true;
}

void inbox_look_read(int status, const char *body, size_t len, struct inbox_look *look)
{
    *look = (struct inbox_look){.sight = INBOX_AWAY};
    if (status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN)
        look->sight = INBOX_REFUSED;
    if (status != HTTP_OK)
        return;
    enum json_fault fault;
    struct json_object *messages, *answer = json_parse(body, len, &fault);
    if (json_get_array(answer, "messages", &messages) == JSON_FIELD_FOUND && read_agent(answer, look)) {
        look->sight = INBOX_SEEN;
        read_rows(messages, look);
    }
    json_object_put(answer);
}

void inbox_look_free(struct inbox_look *look)
{
    for (size_t i = 0; i < look->count; i++)
        free(look->rows[i].from);
    free(look->rows);
    *look = (struct inbox_look){.sight = INBOX_AWAY};
}

/* ---- asking ---- */

struct asked {
    struct inbox_look *look;
    struct transfer *transfer; /* NULL once it ended */
};

static void on_answer(void *arg, const struct transfer_result *result)
{
    struct asked *asked = arg;
    asked->transfer = NULL;
    if (result->fault == TRANSFER_ANSWERED)
        inbox_look_read(result->status, result->body, result->body_len, asked->look);
}

static void ask(struct transfers *all, const struct config *config, const char *status, int64_t timeout_ms,
    struct asked *asked)
{
    static const char *const headers[] = {"Accept: application/json", NULL};
    char *url = xasprintf("%s/api/inbox?status=%s&limit=%d", config->url, status, INBOX_LOOK_ROWS);
    asked->transfer = transfer_start(all, &(struct transfer_request){.url = url,
                                              .token = config->token,
                                              .ca_file = config->ca_file,
                                              .headers = headers,
                                              .timeout_ms = timeout_ms,
                                              .done = on_answer,
                                              .arg = asked});
    free(url);
}

void inbox_look(
    const struct config *config, int64_t timeout_ms, struct inbox_look *pending, struct inbox_look *deferred)
{
    struct asked asked[] = {{.look = pending}, {.look = deferred}};
    struct transfers *all = transfers_new();
    int64_t deadline = clock_mono_ms() + timeout_ms;
    *pending = (struct inbox_look){.sight = INBOX_AWAY};
    ask(all, config, "pending", timeout_ms, &asked[0]);
    if (deferred) {
        *deferred = (struct inbox_look){.sight = INBOX_AWAY};
        ask(all, config, "deferred", timeout_ms, &asked[1]);
    }
    int64_t left = timeout_ms;
    while ((asked[0].transfer || asked[1].transfer) && left > 0) {
        transfers_step(all);
        if (asked[0].transfer || asked[1].transfer)
            transfers_poll(all, NULL, 0, (int)left);
        left = deadline - clock_mono_ms();
    }
    transfers_free(all);
}
