#include "json_edit.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"

enum { BOM_LEN = 3 };
#define BOM     "\xEF\xBB\xBF"
#define NOWHERE SIZE_MAX
#define UNIT    "  "
/* What a comment up to its line's end is blanked with, to tell it from the others. */
#define LINE_COMMENT '\t'
#define PLAIN_TEXT   (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* The text, and copies of the same length: offsets mean the same in all. */
struct view {
    const char *text;
    size_t len;
    char *bare;  /* comments are blanks */
    char *plain; /* so are trailing commas: JSON as RFC 8259 has it */
};

static bool is_blank(char c)
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
    if (last != NOWHERE && plain[last] == ',' && before != NOWHERE && !strchr("{[,:", plain[before]))
        plain[last] = ' ';
}

static void blank_extras(struct view *view)
{
    size_t at = 0, last = NOWHERE, before = NOWHERE;
    if (view->len >= BOM_LEN && memcmp(view->text, BOM, BOM_LEN) == 0) {
        at = BOM_LEN;
        blank_out(view->bare, 0, at, ' ');
        blank_out(view->plain, 0, at, ' ');
    }
    while (at < view->len) {
        size_t end = past_comment(view->text, view->len, at);
        if (end > at) {
            char blank = view->text[at + 1] == '/' ? LINE_COMMENT : ' ';
            blank_out(view->bare, at, end, blank);
            blank_out(view->plain, at, end, blank);
            at = end;
            continue;
        }
        char c = view->text[at];
        if (is_blank(c)) {
            at++;
            continue;
        }
        blank_comma(view->plain, c, last, before);
        before = last;
        last = at;
        at = c == '"' ? past_string(view->text, view->len, at) : at + 1;
    }
}

static struct view view_of(const struct buf *text)
{
    struct view view = {.text = buf_text(text), .len = text->len};
    view.bare = xmemdup_text(view.text, view.len);
    view.plain = xmemdup_text(view.text, view.len);
    blank_extras(&view);
    return view;
}

static void view_free(struct view *view)
{
    free(view->bare);
    free(view->plain);
}

static size_t past_blanks(const char *text, size_t len, size_t at)
{
    while (at < len && is_blank(text[at]))
        at++;
    return at;
}

static struct json_object *parse_view(const struct view *view, struct buf *why)
{
    enum json_fault fault;
    if (view->len > JSON_EDIT_MAX_BYTES) {
        buf_printf(why, "has more than %d bytes", JSON_EDIT_MAX_BYTES);
        return NULL;
    }
    if (past_blanks(view->plain, view->len, 0) == view->len)
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

struct json_object *json_edit_parse(const struct buf *text, struct buf *why)
{
    struct view view = view_of(text);
    struct json_object *root = parse_view(&view, why);
    view_free(&view);
    return root;
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

static size_t path_len(const char *const *path)
{
    size_t len = 0;
    while (path[len])
        len++;
    return len;
}

static void path_print(const char *const *path, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++)
        buf_printf(out, "%s%s", i ? "." : "", path[i]);
}

/* ---- where things stand ---- */

/* A member or an item; what follows it is in bare, where trailing commas are. */
struct item {
    size_t start, value, end; /* start: of a member's name */
    size_t comma;             /* behind it; NOWHERE */
};

struct container {
    size_t open, close; /* of its brackets */
    bool keyed;
    size_t count;
    struct item *items; /* owned */
};

static size_t past_value(const struct view *view, size_t at)
{
    size_t depth = 0;
    do {
        at = past_blanks(view->plain, view->len, at);
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

static struct item read_item(const struct view *view, size_t at, bool keyed)
{
    struct item item = {.start = past_blanks(view->plain, view->len, at)};
    item.value = item.start;
    if (keyed) {
        size_t colon = past_blanks(view->plain, view->len, past_string(view->plain, view->len, item.start));
        item.value = past_blanks(view->plain, view->len, colon + 1);
    }
    item.end = past_value(view, item.value);
    size_t next = past_blanks(view->bare, view->len, item.end);
    item.comma = next < view->len && view->bare[next] == ',' ? next : NOWHERE;
    return item;
}

/* at: its opening bracket, in a text that is valid. */
static struct container container_at(const struct view *view, size_t at)
{
    struct container in = {.open = at, .keyed = view->plain[at] == '{', .close = past_value(view, at) - 1};
    size_t room = 0;
    at++;
    while (past_blanks(view->plain, view->len, at) < in.close) {
        if (in.count == room) {
            room = room ? 2 * room : 8;
            in.items = xreallocarray(in.items, room, sizeof *in.items);
        }
        struct item item = read_item(view, at, in.keyed);
        in.items[in.count++] = item;
        at = item.comma == NOWHERE ? in.close : item.comma + 1;
    }
    return in;
}

static bool name_is(const struct view *view, const struct item *item, const char *name)
{
    enum json_fault fault;
    struct json_object *text = json_parse(
        view->plain + item->start, past_string(view->plain, view->len, item->start) - item->start, &fault);
    bool same = text && strcmp(json_object_get_string(text), name) == 0;
    json_object_put(text);
    return same;
}

/* The member's index; in->count: none. */
static size_t index_of(const struct view *view, const struct container *in, const char *name)
{
    size_t i = 0;
    while (i < in->count && !name_is(view, &in->items[i], name))
        i++;
    return i;
}

/* The container that the first depth names lead to, all of which are there. */
static struct container container_of(const struct view *view, const char *const *path, size_t depth)
{
    struct container in = container_at(view, past_blanks(view->plain, view->len, 0));
    for (size_t i = 0; i < depth; i++) {
        size_t at = in.items[index_of(view, &in, path[i])].value;
        free(in.items);
        in = container_at(view, at);
    }
    return in;
}

/* ---- how things look ---- */

struct look {
    const char *newline; /* NULL: all on one line */
    struct buf indent;   /* of the line that the value begins on */
    char *unit;          /* of one level more */
};

static const char *newline_of(const struct view *view)
{
    const char *first = memchr(view->text, '\n', view->len);
    return first && first > view->text && first[-1] == '\r' ? "\r\n" : "\n";
}

static size_t line_start(const struct view *view, size_t at)
{
    while (at > 0 && view->text[at - 1] != '\n')
        at--;
    return at;
}

static size_t line_indent(const struct view *view, size_t at, size_t *len)
{
    size_t start = line_start(view, at);
    *len = 0;
    while (start + *len < view->len && (view->text[start + *len] == ' ' || view->text[start + *len] == '\t'))
        ++*len;
    return start;
}

/* Whether the container's first item stands on a line below its bracket, perhaps behind a comment. */
static bool starts_below(const struct view *view, const struct container *in)
{
    return in->count > 0 && line_start(view, in->items[0].start) > in->open;
}

static void add_indent(const struct view *view, size_t at, struct buf *out)
{
    size_t len, start = line_indent(view, at, &len);
    buf_append(out, view->text + start, len);
}

/* What the root's members are indented by. */
static char *unit_of(const struct view *view)
{
    struct container root = container_at(view, past_blanks(view->plain, view->len, 0));
    struct buf unit = {0};
    if (starts_below(view, &root))
        add_indent(view, root.items[0].start, &unit);
    if (unit.len == 0)
        buf_puts(&unit, UNIT);
    free(root.items);
    return buf_take(&unit);
}

static bool spans_lines(const struct view *view, const struct container *in)
{
    return in->count == 0 || memchr(view->text + in->open, '\n', in->close - in->open) != NULL;
}

static struct look look_of(const struct view *view, const struct container *in)
{
    struct look look = {.newline = spans_lines(view, in) ? newline_of(view) : NULL, .unit = unit_of(view)};
    if (starts_below(view, in)) {
        add_indent(view, in->items[0].start, &look.indent);
    } else {
        add_indent(view, in->open, &look.indent);
        buf_puts(&look.indent, look.unit);
    }
    return look;
}

static void look_free(struct look *look)
{
    buf_free(&look->indent);
    free(look->unit);
}

static void print_break(const struct look *look, size_t depth, struct buf *out)
{
    buf_puts(out, look->newline);
    buf_append(out, look->indent.data, look->indent.len);
    for (size_t i = 0; i < depth; i++)
        buf_puts(out, look->unit);
}

static bool is_nested(struct json_object *value)
{
    return json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array);
}

static void print_scalar(struct json_object *value, struct buf *out)
{
    size_t len;
    const char *text = json_object_to_json_string_length(value, PLAIN_TEXT, &len);
    buf_append(out, text, len);
}

static void print_name(const char *name, struct buf *out)
{
    struct json_object *text = json_object_new_string(name);
    if (!text)
        alloc_failed();
    print_scalar(text, out);
    buf_puts(out, ": ");
    json_object_put(text);
}

static void print_value(struct json_object *value, const struct look *look, size_t depth, struct buf *out);

static void print_array(struct json_object *array, const struct look *look, size_t depth, struct buf *out)
{
    size_t count = json_object_array_length(array);
    bool broken = look->newline && count > 0 && is_nested(json_object_array_get_idx(array, 0));
    buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_puts(out, broken ? "," : ", ");
        if (broken)
            print_break(look, depth + 1, out);
        print_value(json_object_array_get_idx(array, i), look, depth + 1, out);
    }
    if (broken)
        print_break(look, depth, out);
    buf_putc(out, ']');
}

static void print_object(struct json_object *object, const struct look *look, size_t depth, struct buf *out)
{
    size_t printed = 0;
    buf_putc(out, '{');
    json_object_object_foreach(object, name, member)
    {
        if (printed++ > 0)
            buf_puts(out, look->newline ? "," : ", ");
        if (look->newline)
            print_break(look, depth + 1, out);
        print_name(name, out);
        print_value(member, look, depth + 1, out);
    }
    if (look->newline && printed > 0)
        print_break(look, depth, out);
    buf_putc(out, '}');
}

static void print_value(struct json_object *value, const struct look *look, size_t depth, struct buf *out)
{
    if (json_object_is_type(value, json_type_object))
        print_object(value, look, depth, out);
    else if (json_object_is_type(value, json_type_array))
        print_array(value, look, depth, out);
    else if (value)
        print_scalar(value, out);
    else
        buf_puts(out, "null");
}

/* ---- changing the text ---- */

/* Puts what in place of the bytes from from to to. */
static void splice(struct buf *text, size_t from, size_t to, const struct buf *what)
{
    struct buf changed = {0};
    buf_append(&changed, text->data, from);
    if (what)
        buf_append(&changed, what->data, what->len);
    buf_append(&changed, text->data + to, text->len - to);
    buf_wipe(text);
    *text = changed;
}

/* Behind the last byte before at that is no white space: a comment's end, too. */
static size_t content_end(const struct view *view, size_t at)
{
    while (at > 0 && is_blank(view->text[at - 1]))
        at--;
    return at;
}

/* The text with name (NULL: none) and value at the container's end. */
static void insert(struct buf *text, const struct view *view, const struct container *in, const char *name,
    struct json_object *value)
{
    struct look look = look_of(view, in);
    size_t end = content_end(view, in->close);
    const struct item *last = in->count > 0 ? &in->items[in->count - 1] : NULL;
    bool trailing = last && last->comma != NOWHERE;
    struct buf put = {0};
    if (look.newline)
        print_break(&look, 0, &put);
    else
        buf_putc(&put, ' ');
    if (name)
        print_name(name, &put);
    print_value(value, &look, 0, &put);
    if (trailing)
        buf_putc(&put, ',');
    size_t to = end;
    if (!last && !memchr(view->text + end, '\n', in->close - end)) {
        buf_puts(&put, look.newline);
        add_indent(view, in->open, &put);
        to = in->close;
    }
    splice(text, end, to, &put);
    if (last && !trailing)
        splice(text, last->end, last->end, &(struct buf){.data = (char[]){','}, .len = 1});
    buf_free(&put);
    look_free(&look);
}

static void replace(struct buf *text, const struct view *view, const struct container *in,
    const struct item *item, struct json_object *value)
{
    struct look look = look_of(view, in);
    struct buf put = {0};
    print_value(value, &look, 0, &put);
    splice(text, item->value, item->end, &put);
    buf_free(&put);
    look_free(&look);
}

static bool all_blank(const struct view *view, size_t from, size_t to)
{
    return past_blanks(view->text, to, from) == to;
}

/* Nothing may move up behind a comment that reaches to its line's end. from: behind what is no blank. */
static bool would_hide(const struct view *view, size_t from, size_t to)
{
    bool behind_comment = from > 0 && view->bare[from - 1] == LINE_COMMENT;
    size_t rest = to;
    while (rest < view->len && is_blank(view->text[rest]) && view->text[rest] != '\n')
        rest++;
    return behind_comment && rest < view->len && view->text[rest] != '\n';
}

static void cut(struct buf *text, const struct view *view, const struct container *in, size_t index)
{
    const struct item *item = &in->items[index];
    size_t from = content_end(view, item->start);
    size_t to = item->comma == NOWHERE ? item->end : item->comma + 1;
    if (in->count == 1 && all_blank(view, in->open + 1, item->start) && all_blank(view, to, in->close)) {
        splice(text, in->open + 1, in->close, NULL);
        return;
    }
    if (would_hide(view, from, to))
        from = item->start;
    splice(text, from, to, NULL);
    if (item->comma == NOWHERE && index > 0)
        splice(text, in->items[index - 1].comma, in->items[index - 1].comma + 1, NULL);
}

/* ---- the changes, and their proof ---- */

static bool is_bom(const struct buf *text)
{
    return text->len == BOM_LEN && memcmp(text->data, BOM, BOM_LEN) == 0;
}

/* A change of a copy, which takes the text's place when it means what it should. */
struct draft {
    struct buf copy;
    struct view view;
    struct json_object *before; /* what the text meant */
};

static bool draft_begin(struct draft *draft, const struct buf *text, struct buf *why)
{
    *draft = (struct draft){0};
    buf_append(&draft->copy, buf_text(text), text->len);
    draft->view = view_of(text);
    draft->before = parse_view(&draft->view, why);
    if (!draft->before)
        return false;
    if (past_blanks(draft->view.plain, text->len, 0) < text->len)
        return true;
    /* Comments alone stand before the object. */
    if (text->len > 0 && text->data[text->len - 1] != '\n' && !is_bom(text))
        buf_puts(&draft->copy, newline_of(&draft->view));
    buf_puts(&draft->copy, "{}");
    buf_puts(&draft->copy, newline_of(&draft->view));
    view_free(&draft->view);
    draft->view = view_of(&draft->copy);
    return true;
}

static void draft_free(struct draft *draft)
{
    buf_wipe(&draft->copy);
    view_free(&draft->view);
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
    view_free(&draft->view);
    draft->view = view_of(&draft->copy);
}

/* Puts value within objects of the names below depth; a new reference. */
static struct json_object *wrapped(const char *const *path, size_t depth, struct json_object *value)
{
    size_t len = path_len(path);
    struct json_object *made = json_object_get(value);
    while (len > depth) {
        struct json_object *outer = json_new_object();
        json_add(outer, path[--len], made);
        made = outer;
    }
    return made;
}

static struct json_object *copy_of(struct json_object *value)
{
    struct json_object *copy = NULL;
    if (json_object_deep_copy(value, &copy, NULL) != 0)
        alloc_failed();
    return copy;
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
    path_print(path, depth, why);
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
    size_t depth = json_edit_depth(draft.before, path), len = path_len(path);
    if (depth == len && json_object_equal(json_edit_find(draft.before, path), value))
        goto out;
    if (depth == len)
        depth--;
    ok = has_room(draft.before, path, depth, why);
    if (!ok)
        goto out;
    struct json_object *put = wrapped(path, depth + 1, value);
    after = copy_of(draft.before);
    json_add(holder_of(after, path, depth), path[depth], json_object_get(put));
    struct container in = container_of(&draft.view, path, depth);
    size_t index = index_of(&draft.view, &in, path[depth]);
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
        struct container in = container_of(&draft->view, path, len - 1);
        cut(&draft->copy, &draft->view, &in, index_of(&draft->view, &in, path[len - 1]));
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
    if (!ok || json_edit_depth(draft.before, path) < path_len(path))
        goto out;
    after = copy_of(draft.before);
    draft_remove(&draft, after, path, path_len(path), keep);
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
    path_print(path, path_len(path), why);
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
    if (json_edit_depth(draft.before, path) < path_len(path)) {
        ok = set_array_of(text, path, item, why);
        goto out;
    }
    struct json_object *array = json_edit_find(draft.before, path);
    ok = is_array(array, path, why);
    if (!ok || find_item(array, item) < json_object_array_length(array))
        goto out;
    after = copy_of(draft.before);
    json_append(json_edit_find(after, path), json_object_get(item));
    struct container in = container_of(&draft.view, path, path_len(path));
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
        struct container in = container_of(&draft->view, path, path_len(path));
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
    if (!ok || json_edit_depth(draft.before, path) < path_len(path))
        goto out;
    after = copy_of(draft.before);
    struct json_object *array = json_edit_find(after, path);
    ok = is_array(array, path, why);
    if (!ok || find_item(array, item) == json_object_array_length(array))
        goto out;
    draft_remove_items(&draft, array, path, item);
    if (is_empty(array) && path_len(path) > keep)
        draft_remove(&draft, after, path, path_len(path), keep);
    ok = draft_commit(&draft, after, text, why);
out:
    json_object_put(after);
    draft_free(&draft);
    return ok;
}
