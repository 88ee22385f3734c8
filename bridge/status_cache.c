#include "status_cache.h"

#include <bsd/string.h>
#include <string.h>
#include <unistd.h>

#include "../common/fence.h"
#include "../common/json.h"
#include "private_folder.h"
#include "state_folder.h"

#define FOLDER "status"

/* ---- the text ---- */

static int64_t number_or_zero(struct json_object *holder, const char *key)
{
    int64_t number;
    return json_get_int(holder, key, &number) == JSON_FIELD_FOUND && number > 0 ? number : 0;
}

void status_parse(const char *text, size_t len, struct status *out)
{
    enum json_fault fault;
    struct json_object *value = json_parse(text, len, &fault);
    const char *agent = json_text_or(value, "agent", "");
    *out = (struct status){0};
    if (strlen(agent) < sizeof out->agent && fence_is_plain(agent, strlen(agent)))
        strlcpy(out->agent, agent, sizeof out->agent);
    if (json_get_bool(value, "refused", &out->refused) != JSON_FIELD_FOUND)
        out->refused = false;
    out->waiting = number_or_zero(value, "waiting");
    out->answered_ms = number_or_zero(value, "answered");
    out->asked_ms = number_or_zero(value, "asked");
    json_object_put(value);
}

void status_write(const struct status *status, struct buf *out)
{
    struct json_object *value = json_new_object();
    json_add_text(value, "agent", status->agent);
    json_add_bool(value, "refused", status->refused);
    json_add_int(value, "waiting", status->waiting);
    json_add_int(value, "answered", status->answered_ms);
    json_add_int(value, "asked", status->asked_ms);
    json_write(value, out);
    json_object_put(value);
}

/* ---- the file ---- */

void status_load(const struct config *config, struct status *out)
{
    char name[STATE_KEY_SIZE];
    struct buf text = {0};
    *out = (struct status){0};
    int folder = state_folder_open(FOLDER, false);
    if (folder < 0)
        return;
    state_key(config->url, config->token, NULL, name);
    if (private_file_read(folder, name, STATUS_MAX_BYTES, &text) == PRIVATE_READ)
        status_parse(text.data, text.len, out);
    buf_free(&text);
    close(folder);
}

void status_save(const struct config *config, const struct status *status)
{
    char name[STATE_KEY_SIZE];
    struct buf text = {0};
    int folder = state_folder_open(FOLDER, true);
    if (folder < 0)
        return;
    state_key(config->url, config->token, NULL, name);
    status_write(status, &text);
    /* Where it cannot be kept, it is asked for again. */
    (void)!private_file_put(folder, name, &text, false);
    state_folder_bound(folder, STATUS_AGENTS_MAX);
    buf_free(&text);
    close(folder);
}

/* ---- answers ---- */

void status_take(struct status *status, const struct inbox_look *pending, int64_t now_ms)
{
    status->asked_ms = now_ms;
    if (pending->sight == INBOX_AWAY)
        return;
    status->answered_ms = now_ms;
    status->refused = pending->sight == INBOX_REFUSED;
    status->waiting = (int64_t)pending->count;
    if (pending->sight == INBOX_SEEN)
        strlcpy(status->agent, pending->agent, sizeof status->agent);
}

void status_note(const struct config *config, const struct inbox_look *pending)
{
    struct status status;
    status_load(config, &status);
    status_take(&status, pending, clock_wall_ms());
    status_save(config, &status);
}

static bool is_within(int64_t then_ms, int64_t now_ms, int64_t span_ms)
{
    return then_ms > 0 && then_ms <= now_ms && now_ms - then_ms < span_ms;
}

bool status_is_fresh(const struct status *status, int64_t now_ms)
{
    return is_within(status->answered_ms, now_ms, STATUS_KEEP_MS);
}

bool status_is_due(const struct status *status, int64_t now_ms)
{
    return !is_within(status->asked_ms, now_ms, STATUS_REFRESH_MS);
}
