#include "json_edit.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"
#include "edit_path.h"
#include "json_layout.h"

struct json_object *json_edit_parse(const struct buf *text, struct buf *why)
{
    struct json_view view = json_view_of(text);
    struct json_object *root = json_view_parse(&view, why);
    json_view_free(&view);
    return root;
}

bool json_edit_is_hollow(const struct buf *text)
{
    static const char object[] = "{}";
    size_t seen = 0;
    for (size_t i = 0; i < text->len; i++) {
        if (json_is_blank(text->data[i]))
            continue;
        if (seen == sizeof object - 1 || text->data[i] != object[seen])
            return false;
        seen++;
    }
    return seen == 0 || seen == sizeof object - 1;
}

/* ---- paths ---- */

struct json_object *json_edit_find(struct json_object *root, const char *const *path)
{
    for (; *path; path++) {
        if (!json_object_is_type(root, json_type_object) || !json_object_object_get_ex(root, *path, &root))
            return NULL;
    }
    return root;
}

size_t json_edit_depth(struct json_object *root, const char *const *path)
{
    size_t depth = 0;
    while (path[depth] && json_object_is_type(root, json_type_object) &&
           json_object_object_get_ex(root, path[depth], &root))
        depth++;
    return depth;
}

/* ---- changing the text ---- */

/* Behind the last byte before at that is no white space: a comment's end, too. */
static size_t content_end(const struct json_view *view, size_t at)
{
    while (at > 0 && json_is_blank(view->text[at - 1]))
        at--;
    return at;
}

/* The text with name (NULL: none) and value at the container's end. */
static void insert(struct buf *text, const struct json_view *view, const struct json_container *in,
    const char *name, struct json_object *value)
{
    struct json_look look = json_look_of(view, in);
    size_t end = content_end(view, in->close);
    const struct json_item *last = in->count > 0 ? &in->items[in->count - 1] : NULL;
    bool trailing = last && last->comma != JSON_NOWHERE;
    struct buf put = {0};
    if (look.newline)
        json_print_break(&look, 0, &put);
    else
        buf_putc(&put, ' ');
    if (name)
        json_print_name(name, &put);
    json_print_value(value, &look, 0, &put);
    if (trailing)
        buf_putc(&put, ',');
    size_t to = end;
    if (!last && !memchr(view->text + end, '\n', in->close - end)) {
        buf_puts(&put, look.newline);
        json_add_indent(view, in->open, &put);
        to = in->close;
    }
    buf_splice(text, end, to, put.data, put.len);
    if (last && !trailing)
        buf_splice(text, last->end, last->end, ",", 1);
    buf_free(&put);
    json_look_free(&look);
}

static void replace(struct buf *text, const struct json_view *view, const struct json_container *in,
    const struct json_item *item, struct json_object *value)
{
    struct json_look look = json_look_of(view, in);
    struct buf put = {0};
    json_print_value(value, &look, 0, &put);
    buf_splice(text, item->value, item->end, put.data, put.len);
    buf_free(&put);
    json_look_free(&look);
}

static bool all_blank(const struct json_view *view, size_t from, size_t to)
{
    return json_past_blanks(view->text, to, from) == to;
}

/* Nothing may move up behind a comment that reaches to its line's end. from: behind what is no blank. */
static bool would_hide(const struct json_view *view, size_t from, size_t to)
{
    bool behind_comment = from > 0 && view->bare[from - 1] == JSON_LINE_COMMENT;
    size_t rest = to;
    while (rest < view->len && json_is_blank(view->text[rest]) && view->text[rest] != '\n')
        rest++;
    return behind_comment && rest < view->len && view->text[rest] != '\n';
}

static void cut(struct buf *text, const struct json_view *view, const struct json_container *in, size_t index)
{
    const struct json_item *item = &in->items[index];
    size_t from = content_end(view, item->start);
    size_t to = item->comma == JSON_NOWHERE ? item->end : item->comma + 1;
    if (in->count == 1 && all_blank(view, in->open + 1, item->start) && all_blank(view, to, in->close)) {
        buf_splice(text, in->open + 1, in->close, NULL, 0);
        return;
    }
    if (would_hide(view, from, to))
        from = item->start;
    buf_splice(text, from, to, NULL, 0);
    if (item->comma == JSON_NOWHERE && index > 0)
        buf_splice(text, in->items[index - 1].comma, in->items[index - 1].comma + 1, NULL, 0);
}

/* ---- the changes, and their proof ---- */

static bool is_bom(const struct buf *text)
{
    return text->len == JSON_BOM_LEN && memcmp(text->data, JSON_BOM, JSON_BOM_LEN) == 0;
}

/* A change of a copy, which takes the text's place when it means what it should. */
struct draft {
    struct buf copy;
    struct json_view view;
    struct json_object *before; /* what the text meant */
};

static bool draft_begin(struct draft *draft, const struct buf *text, struct buf *why)
{
    *draft = (struct draft){0};
    buf_append(&draft->copy, buf_text(text), text->len);
    draft->view = json_view_of(text);
    draft->before = json_view_parse(&draft->view, why);
    if (!draft->before)
        return false;
    if (json_past_blanks(draft->view.plain, text->len, 0) < text->len)
        return true;
    /* Comments alone stand before the object. */
    if (text->len > 0 && text->data[text->len - 1] != '\n' && !is_bom(text))
        buf_puts(&draft->copy, json_newline_of(&draft->view));
    buf_puts(&draft->copy, "{}");
    buf_puts(&draft->copy, json_newline_of(&draft->view));
    json_view_free(&draft->view);
    draft->view = json_view_of(&draft->copy);
    return true;
}

static void draft_free(struct draft *draft)
{
    buf_wipe(&draft->copy);
    json_view_free(&draft->view);
    json_object_put(draft->before);
}

/* after: what the copy has to mean. */
static bool draft_commit(struct draft *draft, struct json_object *after, struct buf *text, struct buf *why)
{
    struct buf ignored = {0};
    struct json_object *found = json_edit_parse(&draft->copy, &ignored);
    bool same = found && json_object_equal(found, after);
    json_object_put(found);
    buf_free(&ignored);
    if (!same) {
        buf_puts(why, "cannot be changed without changing more than is meant");
        return false;
    }
    buf_wipe(text);
    *text = draft->copy;
    draft->copy = (struct buf){0};
    return true;
}

static void draft_look_again(struct draft *draft)
{
    json_view_free(&draft->view);
    draft->view = json_view_of(&draft->copy);
}

/* Puts value within objects of the names below depth; a new reference. */
static struct json_object *wrapped(const char *const *path, size_t depth, struct json_object *value)
{
    size_t len = edit_path_len(path);
    struct json_object *made = json_object_get(value);
    while (len > depth) {
        struct json_object *outer = json_new_object();
        json_add(outer, path[--len], made);
        made = outer;
    }
    return made;
}

/* Whether the value that depth names lead to can have members. */
static bool has_room(struct json_object *root, const char *const *path, size_t depth, struct buf *why)
{
    struct json_object *at = root;
    for (size_t i = 0; i < depth; i++)
        json_object_object_get_ex(at, path[i], &at);
    if (json_object_is_type(at, json_type_object))
        return true;
    buf_puts(why, "has something else than an object as ");
    edit_path_print(path, depth, why);
    return false;
}

/* The holder of the path's last name in root, all of which is there but perhaps that. */
static struct json_object *holder_of(struct json_object *root, const char *const *path, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        json_object_object_get_ex(root, path[i], &root);
    return root;
}

bool json_edit_set(struct buf *text, const char *const *path, struct json_object *value, struct buf *why)
{
    struct draft draft;
    struct json_object *after = NULL;
    bool ok = draft_begin(&draft, text, why);
    if (!ok)
        goto out;
    size_t depth = json_edit_depth(draft.before, path), len = edit_path_len(path);
    if (depth == len && json_object_equal(json_edit_find(draft.before, path), value))
        goto out;
    if (depth == len)
        depth--;
    ok = has_room(draft.before, path, depth, why);
    if (!ok)
        goto out;
    struct json_object *put = wrapped(path, depth + 1, value);
    after = edit_copy(draft.before);
    json_add(holder_of(after, path, depth), path[depth], json_object_get(put));
    struct json_container in = json_container_of(&draft.view, path, depth);
    size_t index = json_index_of(&draft.view, &in, path[depth]);
    if (index < in.count)
        replace(&draft.copy, &draft.view, &in, &in.items[index], put);
    else
        insert(&draft.copy, &draft.view, &in, path[depth], put);
    free(in.items);
    json_object_put(put);
    ok = draft_commit(&draft, after, text, why);
out:
    json_object_put(after);
    draft_free(&draft);
    return ok;
}

static bool is_empty(struct json_object *value)
{
    return json_object_is_type(value, json_type_object)  ? json_object_object_length(value) == 0
           : json_object_is_type(value, json_type_array) ? json_object_array_length(value) == 0
                                                         : false;
}

/* Removes the member that len names lead to from the draft and from its meaning, then those that it leaves
 * empty. */
static void draft_remove(
    struct draft *draft, struct json_object *after, const char *const *path, size_t len, size_t keep)
{
    while (len > 0) {
        struct json_container in = json_container_of(&draft->view, path, len - 1);
        cut(&draft->copy, &draft->view, &in, json_index_of(&draft->view, &in, path[len - 1]));
        free(in.items);
        draft_look_again(draft);
        struct json_object *holder = holder_of(after, path, len - 1);
        json_object_object_del(holder, path[len - 1]);
        if (len - 1 <= keep || !is_empty(holder))
            return;
        len--;
    }
}

bool json_edit_remove(struct buf *text, const char *const *path, size_t keep, struct buf *why)
{
    struct draft draft;
    struct json_object *after = NULL;
    bool ok = draft_begin(&draft, text, why);
    if (!ok || json_edit_depth(draft.before, path) < edit_path_len(path))
        goto out;
    after = edit_copy(draft.before);
    draft_remove(&draft, after, path, edit_path_len(path), keep);
    ok = draft_commit(&draft, after, text, why);
out:
    json_object_put(after);
    draft_free(&draft);
    return ok;
}

static size_t find_item(struct json_object *array, struct json_object *item)
{
    size_t count = json_object_array_length(array), i = 0;
    while (i < count && !json_object_equal(json_object_array_get_idx(array, i), item))
        i++;
    return i;
}

static bool is_array(struct json_object *value, const char *const *path, struct buf *why)
{
    if (json_object_is_type(value, json_type_array))
        return true;
    buf_puts(why, "has something else than an array as ");
    edit_path_print(path, edit_path_len(path), why);
    return false;
}

static bool set_array_of(struct buf *text, const char *const *path, struct json_object *item, struct buf *why)
{
    struct json_object *array = json_new_array();
    json_append(array, json_object_get(item));
    bool ok = json_edit_set(text, path, array, why);
    json_object_put(array);
    return ok;
}

bool json_edit_add_item(struct buf *text, const char *const *path, struct json_object *item, struct buf *why)
{
    struct draft draft;
    struct json_object *after = NULL;
    bool ok = draft_begin(&draft, text, why);
    if (!ok)
        goto out;
    if (json_edit_depth(draft.before, path) < edit_path_len(path)) {
        ok = set_array_of(text, path, item, why);
        goto out;
    }
    struct json_object *array = json_edit_find(draft.before, path);
    ok = is_array(array, path, why);
    if (!ok || find_item(array, item) < json_object_array_length(array))
        goto out;
    after = edit_copy(draft.before);
    json_append(json_edit_find(after, path), json_object_get(item));
    struct json_container in = json_container_of(&draft.view, path, edit_path_len(path));
    insert(&draft.copy, &draft.view, &in, NULL, item);
    free(in.items);
    ok = draft_commit(&draft, after, text, why);
out:
    json_object_put(after);
    draft_free(&draft);
    return ok;
}

/* Removes the equal items one after the other. */
static void draft_remove_items(
    struct draft *draft, struct json_object *array, const char *const *path, struct json_object *item)
{
    size_t index;
    while ((index = find_item(array, item)) < json_object_array_length(array)) {
        struct json_container in = json_container_of(&draft->view, path, edit_path_len(path));
        cut(&draft->copy, &draft->view, &in, index);
        free(in.items);
        draft_look_again(draft);
        json_object_array_del_idx(array, index, 1);
    }
}

bool json_edit_remove_item(
    struct buf *text, const char *const *path, struct json_object *item, size_t keep, struct buf *why)
{
    struct draft draft;
    struct json_object *after = NULL;
    bool ok = draft_begin(&draft, text, why);
    if (!ok || json_edit_depth(draft.before, path) < edit_path_len(path))
        goto out;
    after = edit_copy(draft.before);
    struct json_object *array = json_edit_find(after, path);
    ok = is_array(array, path, why);
    if (!ok || find_item(array, item) == json_object_array_length(array))
        goto out;
    draft_remove_items(&draft, array, path, item);
    if (is_empty(array) && edit_path_len(path) > keep)
        draft_remove(&draft, after, path, edit_path_len(path), keep);
    ok = draft_commit(&draft, after, text, why);
out:
    json_object_put(after);
    draft_free(&draft);
    return ok;
}
