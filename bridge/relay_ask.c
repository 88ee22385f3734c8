#include "relay_ask.h"

#include <stdlib.h>

#include "../common/alloc.h"
#include "../common/clock.h"
#include "../common/compiler.h"
#include "machine.h"

enum { ASK_TIMEOUT_MS = 30 * 1000, STOP_CHECK_MS = 500 };

struct relay_asker {
    const struct config *config;
    const volatile sig_atomic_t *stop;
    struct transfers *transfers;
    struct machine machine;
};

struct relay_asker *relay_asker_new(const struct config *config, const volatile sig_atomic_t *stop)
{
    struct relay_asker *asker = xcalloc(1, sizeof *asker);
    asker->config = config;
    asker->stop = stop;
    asker->transfers = transfers_new();
    machine_read(&asker->machine);
    return asker;
}

void relay_asker_free(struct relay_asker *asker)
{
    if (!asker)
        return;
    transfers_free(asker->transfers);
    free(asker);
}

void relay_answer_free(struct relay_answer *answer)
{
    json_object_put(answer->json);
    free(answer->reason);
    free(answer->version);
    *answer = (struct relay_answer){0};
}

static bool stopped(const struct relay_asker *asker)
{
    return asker->stop && *asker->stop;
}

bool relay_asker_pause(const struct relay_asker *asker, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;
    for (int64_t left = ms; left > 0 && !stopped(asker); left = end - clock_mono_ms())
        transfers_poll(asker->transfers, NULL, 0, left < STOP_CHECK_MS ? (int)left : STOP_CHECK_MS);
    return !stopped(asker);
}

/* ---- asking ---- */

struct asking {
    bool done;
    struct relay_answer *answer;
};

static void on_answer(void *arg, const struct transfer_result *result)
{
    struct asking *asking = arg;
    struct relay_answer *answer = asking->answer;
    enum json_fault fault;
    asking->done = true;
    answer->fault = result->fault;
    answer->retry_after_s = result->retry_after_s;
    if (result->fault != TRANSFER_ANSWERED) {
        answer->reason = xstrdup(result->reason);
        return;
    }
    answer->status = result->status;
    answer->date_s = result->date_s;
    answer->version = xstrdup_or_null(result->version);
    answer->json = json_parse(result->body, result->body_len, &fault);
    if (json_object_is_type(answer->json, json_type_object))
        return;
    json_object_put(answer->json);
    answer->json = NULL;
}

static void exchange(struct relay_asker *asker, const char *path, const char *content_type, struct buf *body,
    struct relay_answer *answer)
{
    struct asking asking = {.answer = answer};
    char *url = xasprintf("%s%s", asker->config->url, path);
    char *type = xasprintf("Content-Type: %s", content_type ? content_type : "");
    char *machine = xasprintf("X-Patchcord-Machine: %s", asker->machine.name);
    char *platform = xasprintf("X-Patchcord-Platform: %s", asker->machine.platform);
    const char *const headers[] = {"Accept: application/json", machine, platform, body ? type : NULL, NULL};
    *answer = (struct relay_answer){.retry_after_s = -1, .date_s = -1};
    struct transfer *transfer =
        transfer_start(asker->transfers, &(struct transfer_request){.url = url,
                                             .token = body ? NULL : asker->config->token,
                                             .ca_file = asker->config->ca_file,
                                             .headers = headers,
                                             .body = body,
                                             .timeout_ms = ASK_TIMEOUT_MS,
                                             .done = on_answer,
                                             .arg = &asking});
    while (!asking.done && !stopped(asker)) {
        transfers_poll(asker->transfers, NULL, 0, STOP_CHECK_MS);
        transfers_step(asker->transfers);
    }
    if (!asking.done) {
        transfer_abort(transfer);
        answer->stopped = true;
    }
    free(platform);
    free(machine);
    free(type);
    free(url);
}

void relay_ask(struct relay_asker *asker, const char *path, const char *content_type, struct buf *body,
    struct relay_answer *answer)
{
    exchange(asker, path, content_type, body, answer);
}

void relay_ask_get(struct relay_asker *asker, const char *path, struct relay_answer *answer)
{
    exchange(asker, path, NULL, NULL, answer);
}

/* ---- what went wrong ---- */

static const char *said(struct json_object *json)
{
    static const char *const fields[] = {"error_description", "message", "error"};
    const char *text = "";
    for (size_t i = 0; i < LENGTH_OF(fields) && text[0] == '\0'; i++)
        text = json_text_or(json, fields[i], "");
    return text;
}

void relay_answer_problem(const struct relay_answer *answer, const char *url, struct buf *why)
{
    const char *text = said(answer->json);
    if (answer->stopped)
        buf_puts(why, "given up");
    else if (answer->fault == TRANSFER_MISDIRECTED || answer->fault == TRANSFER_NOT_SENT)
        buf_printf(why, "the relay at %s cannot be reached: %s", url, answer->reason);
    else if (answer->fault != TRANSFER_ANSWERED)
        buf_printf(why, "the relay at %s did not answer: %s", url, answer->reason);
    else if (answer->status == 404 || answer->status == 405)
        buf_printf(why,
            "there is no Patchcord relay at %s (%d), or an older one: the URL is the relay's alone, without "
            "/mcp",
            url, answer->status);
    else if (text[0])
        buf_printf(why, "the relay at %s answers: %s", url, text);
    else
        buf_printf(why, "the relay at %s answers with status %d, and does not say why", url, answer->status);
}
