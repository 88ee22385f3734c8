#include "told.h"

#include <bsd/string.h>
#include <string.h>
#include <unistd.h>

#include "../common/json.h"
#include "private_folder.h"
#include "state_folder.h"

#define FOLDER "told"

static const char *const names[TOLD_WHOM_COUNT] = {
    [TOLD_MODEL] = "model",
    [TOLD_STOP] = "stop",
    [TOLD_USER] = "user",
};

/* ---- the text ---- */

static void parse_ids(struct json_object *array, struct told_ids *out)
{
    size_t count = json_object_array_length(array);
    for (size_t i = 0; i < count && out->count < LENGTH_OF(out->ids); i++) {
        struct json_object *id = json_object_array_get_idx(array, i);
        if (json_object_is_type(id, json_type_string) &&
            uuid_parse(
                json_object_get_string(id), (size_t)json_object_get_string_len(id), out->ids[out->count]))
            out->count++;
    }
}

void told_parse(const char *text, size_t len, struct told *out)
{
    enum json_fault fault;
    struct json_object *value = json_parse(text, len, &fault), *array;
    *out = (struct told){0};
    for (size_t i = 0; i < TOLD_WHOM_COUNT; i++)
        if (json_get_array(value, names[i], &array) == JSON_FIELD_FOUND)
            parse_ids(array, &out->to[i]);
    if (json_get_bool(value, "refused", &out->refused) != JSON_FIELD_FOUND)
        out->refused = false;
    json_object_put(value);
}

void told_write(const struct told *told, struct buf *out)
{
    struct json_object *value = json_new_object();
    for (size_t i = 0; i < TOLD_WHOM_COUNT; i++) {
        struct json_object *array = json_new_array();
        for (size_t n = 0; n < told->to[i].count; n++)
            json_append_text(array, told->to[i].ids[n]);
        json_add(value, names[i], array);
    }
    json_add_bool(value, "refused", told->refused);
    json_write(value, out);
    json_object_put(value);
}

/* ---- the file ---- */

void told_load(const struct config *config, const char *session, struct told *out)
{
    char name[STATE_KEY_SIZE];
    struct buf text = {0};
    *out = (struct told){0};
    int folder = state_folder_open(FOLDER, false);
    if (folder < 0)
        return;
    state_key(config->url, config->token, session, name);
    if (private_file_read(folder, name, TOLD_MAX_BYTES, &text) == PRIVATE_READ)
        told_parse(text.data, text.len, out);
    buf_free(&text);
    close(folder);
}

bool told_save(const struct config *config, const char *session, const struct told *told)
{
    char name[STATE_KEY_SIZE];
    struct buf text = {0};
    int folder = state_folder_open(FOLDER, true);
    if (folder < 0)
        return false;
    state_key(config->url, config->token, session, name);
    told_write(told, &text);
    bool kept = private_file_put(folder, name, &text, false);
    state_folder_bound(folder, TOLD_SESSIONS_MAX);
    buf_free(&text);
    close(folder);
    return kept;
}

/* ---- new or not ---- */

bool told_has(const struct told *told, enum told_whom whom, const char *id)
{
    const struct told_ids *to = &told->to[whom];
    for (size_t i = 0; i < to->count; i++)
        if (strcmp(to->ids[i], id) == 0)
            return true;
    return false;
}

size_t told_count_new(const struct told *told, enum told_whom whom, const struct inbox_look *pending)
{
    size_t count = 0;
    for (size_t i = 0; i < pending->count; i++)
        count += !told_has(told, whom, pending->rows[i].id);
    return count;
}

void told_mark(struct told *told, enum told_whom whom, const struct inbox_look *pending)
{
    struct told_ids *to = &told->to[whom];
    to->count = 0;
    for (size_t i = 0; i < pending->count && to->count < LENGTH_OF(to->ids); i++)
        strlcpy(to->ids[to->count++], pending->rows[i].id, UUID_SIZE);
}
