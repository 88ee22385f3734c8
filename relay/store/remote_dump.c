/* Rows for an export, and from one, on a remote store. */
#include <string.h>

#include "store_remote.h"

enum store_status remote_dump(
    struct store *s, enum dump_kind kind, struct json_object *after, struct json_object *rows)
{
    struct json_object *body = remote_body(), *answer = NULL, *list = NULL;
    json_add_text(body, "kind", dump_kind_names[kind]);
    json_add(body, "after", json_object_get(after));
    json_add_int(body, "limit", DUMP_PAGE_ROWS);
    const enum store_status status = remote_ask(s, "patchcord_dump", body, CALL_REPEATABLE, &answer);
    const bool is_read = status != STORE_DONE || json_get_array(answer, "rows", &list) == JSON_FIELD_FOUND;
    for (size_t i = 0; list && i < json_object_array_length(list); i++)
        json_append(rows, json_object_get(json_object_array_get_idx(list, i)));
    json_object_put(answer);
    return is_read ? status : remote_malformed("patchcord_dump");
}

/* The words of each message; of one that is sealed, or has none any more, no word. */
static struct json_object *words_of(struct json_object *rows)
{
    struct json_object *all = json_new_array();
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i), *holder = json_new_object();
        const char *content = json_text_or(row, "content", "");
        bool is_sealed = false;
        (void)json_get_bool(row, "encrypted", &is_sealed);
        remote_add_words(holder, content, is_sealed ? 0 : strlen(content));
        json_append(all, holder);
    }
    return all;
}

/* May be made again: what it has stored is passed over then, and not counted. */
enum store_status remote_load(struct store *s, enum dump_kind kind, struct json_object *rows, int64_t *taken)
{
    struct json_object *body = remote_body(), *answer = NULL;
    json_add_text(body, "kind", dump_kind_names[kind]);
    json_add(body, "rows", json_object_get(rows));
    if (kind == DUMP_MESSAGE)
        json_add(body, "words", words_of(rows));
    const enum store_status status = remote_ask(s, "patchcord_load", body, CALL_REPEATABLE, &answer);
    const bool is_read = remote_read_int(answer, "count", taken);
    json_object_put(answer);
    if (status == STORE_DONE && *taken > 0)
        remote_tell(s, NULL, NULL);
    return is_read ? status : remote_malformed("patchcord_load");
}
