#include "json_view.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "json_edit.h"

bool json_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- from JSON with comments to JSON ---- */

static void blank_out(char *text, size_t from, size_t to, char blank)
{
    for (size_t i = from; i < to; i++) {
        if (text[i] != '\n')
            text[i] = blank;
    }
}

static size_t past_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++) {
        if (text[at] == '\\')
            at++;
    }
    return at < len ? at + 1 : len;
}

/* Where the comment that begins here ends; at itself where none does, or it has no end. */
static size_t past_comment(const char *text, size_t len, size_t at)
{
    const char *end = NULL;
    if (len - at < 2 || text[at] != '/')
        return at;
    if (text[at + 1] == '/') {
        end = memchr(text + at, '\n', len - at);
        return end ? (size_t)(end - text) : len;
    }
    if (text[at + 1] == '*')
        end = memmem(text + at + 2, len - at - 2, "*/", 2);
    return end ? (size_t)(end - text) + 2 : at;
}

/* A comma that has a value before it and a closing bracket behind it. */
static void blank_comma(char *plain, char closing, size_t last, size_t before)
{
    if (closing != '}' && closing != ']')
        return;
    if (last != JSON_NOWHERE && plain[last] == ',' && before != JSON_NOWHERE &&
        !strchr("{[,:", plain[before]))
        plain[last] = ' ';
}

static void blank_extras(struct json_view *view)
{
    size_t at = 0, last = JSON_NOWHERE, before = JSON_NOWHERE;
    if (view->len >= JSON_BOM_LEN && memcmp(view->text, JSON_BOM, JSON_BOM_LEN) == 0) {
        at = JSON_BOM_LEN;
        blank_out(view->bare, 0, at, ' ');
        blank_out(view->plain, 0, at, ' ');
    }
    while (at < view->len) {
        size_t end = past_comment(view->text, view->len, at);
        if (end > at) {
            char blank = view->text[at + 1] == '/' ? JSON_LINE_COMMENT : ' ';
            blank_out(view->bare, at, end, blank);
            blank_out(view->plain, at, end, blank);
            at = end;
            continue;
        }
        char c = view->text[at];
        if (json_is_blank(c)) {
            at++;
            continue;
        }
        blank_comma(view->plain, c, last, before);
        before = last;
        last = at;
        at = c == '"' ? past_string(view->text, view->len, at) : at + 1;
    }
}

struct json_view json_view_of(const struct buf *text)
{
    struct json_view view = {.text = buf_text(text), .len = text->len};
    view.bare = xmemdup_text(view.text, view.len);
    view.plain = xmemdup_text(view.text, view.len);
    blank_extras(&view);
    return view;
}

void json_view_free(struct json_view *view)
{
    free(view->bare);
    free(view->plain);
}

size_t json_past_blanks(const char *text, size_t len, size_t at)
{
    while (at < len && json_is_blank(text[at]))
        at++;
    return at;
}

struct json_object *json_view_parse(const struct json_view *view, struct buf *why)
{
    enum json_fault fault;
    if (view->len > JSON_EDIT_MAX_BYTES) {
        buf_printf(why, "has more than %d bytes", JSON_EDIT_MAX_BYTES);
        return NULL;
    }
    if (json_past_blanks(view->plain, view->len, 0) == view->len)
        return json_new_object();
    struct json_object *root = json_parse(view->plain, view->len, &fault);
    if (fault != JSON_FAULT_NONE) {
        buf_puts(why, json_fault_text(fault));
        return NULL;
    }
    if (json_object_is_type(root, json_type_object))
        return root;
    json_object_put(root);
    buf_puts(why, "is not a JSON object");
    return NULL;
}

/* ---- where things stand ---- */

static size_t past_value(const struct json_view *view, size_t at)
{
    size_t depth = 0;
    do {
        at = json_past_blanks(view->plain, view->len, at);
        char c = view->plain[at];
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        if (c == '"')
            at = past_string(view->plain, view->len, at);
        else if (strchr("{}[],:", c))
            at++;
        else
            at += strcspn(view->plain + at, "{}[],:\" \t\r\n");
    } while (depth > 0);
    return at;
}

static struct json_item read_item(const struct json_view *view, size_t at, bool keyed)
{
    struct json_item item = {.start = json_past_blanks(view->plain, view->len, at)};
    item.value = item.start;
    if (keyed) {
        size_t colon =
            json_past_blanks(view->plain, view->len, past_string(view->plain, view->len, item.start));
        item.value = json_past_blanks(view->plain, view->len, colon + 1);
    }
    item.end = past_value(view, item.value);
    size_t next = json_past_blanks(view->bare, view->len, item.end);
    item.comma = next < view->len && view->bare[next] == ',' ? next : JSON_NOWHERE;
    return item;
}

/* at: its opening bracket, in a text that is valid. */
struct json_container json_container_at(const struct json_view *view, size_t at)
{
    struct json_container in = {
        .open = at, .keyed = view->plain[at] == '{', .close = past_value(view, at) - 1};
    size_t room = 0;
    at++;
    while (json_past_blanks(view->plain, view->len, at) < in.close) {
        if (in.count == room) {
            room = room ? 2 * room : 8;
            in.items = xreallocarray(in.items, room, sizeof *in.items);
        }
        struct json_item item = read_item(view, at, in.keyed);
        in.items[in.count++] = item;
        at = item.comma == JSON_NOWHERE ? in.close : item.comma + 1;
    }
    return in;
}

static bool name_is(const struct json_view *view, const struct json_item *item, const char *name)
{
    enum json_fault fault;
    struct json_object *text = json_parse(
        view->plain + item->start, past_string(view->plain, view->len, item->start) - item->start, &fault);
    bool same = text && strcmp(json_object_get_string(text), name) == 0;
    json_object_put(text);
    return same;
}

/* The member's index; in->count: none. */
size_t json_index_of(const struct json_view *view, const struct json_container *in, const char *name)
{
    size_t i = 0;
    while (i < in->count && !name_is(view, &in->items[i], name))
        i++;
    return i;
}

/* The container that the first depth names lead to, all of which are there. */
struct json_container json_container_of(const struct json_view *view, const char *const *path, size_t depth)
{
    struct json_container in = json_container_at(view, json_past_blanks(view->plain, view->len, 0));
    for (size_t i = 0; i < depth; i++) {
        size_t at = in.items[json_index_of(view, &in, path[i])].value;
        free(in.items);
        in = json_container_at(view, at);
    }
    return in;
}
