#include "json_layout.h"

#include <stdlib.h>
#include <string.h>

#include "../common/alloc.h"

#define UNIT       "  "
#define PLAIN_TEXT (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* ---- how things look ---- */

const char *json_newline_of(const struct json_view *view)
{
    const char *first = memchr(view->text, '\n', view->len);
    return first && first > view->text && first[-1] == '\r' ? "\r\n" : "\n";
}

static size_t line_start(const struct json_view *view, size_t at)
{
    while (at > 0 && view->text[at - 1] != '\n')
        at--;
    return at;
}

static size_t line_indent(const struct json_view *view, size_t at, size_t *len)
{
    size_t start = line_start(view, at);
    *len = 0;
    while (start + *len < view->len && (view->text[start + *len] == ' ' || view->text[start + *len] == '\t'))
        ++*len;
    return start;
}

/* Whether the container's first item stands on a line below its bracket, perhaps behind a comment. */
static bool starts_below(const struct json_view *view, const struct json_container *in)
{
    return in->count > 0 && line_start(view, in->items[0].start) > in->open;
}

void json_add_indent(const struct json_view *view, size_t at, struct buf *out)
{
    size_t len, start = line_indent(view, at, &len);
    buf_append(out, view->text + start, len);
}

/* What the root's members are indented by. */
static char *unit_of(const struct json_view *view)
{
    struct json_container root = json_container_at(view, json_past_blanks(view->plain, view->len, 0));
    struct buf unit = {0};
    if (starts_below(view, &root))
        json_add_indent(view, root.items[0].start, &unit);
    if (unit.len == 0)
        buf_puts(&unit, UNIT);
    free(root.items);
    return buf_take(&unit);
}

static bool spans_lines(const struct json_view *view, const struct json_container *in)
{
    return in->count == 0 || memchr(view->text + in->open, '\n', in->close - in->open) != NULL;
}

struct json_look json_look_of(const struct json_view *view, const struct json_container *in)
{
    struct json_look look = {
        .newline = spans_lines(view, in) ? json_newline_of(view) : NULL, .unit = unit_of(view)};
    if (starts_below(view, in)) {
        json_add_indent(view, in->items[0].start, &look.indent);
    } else {
        json_add_indent(view, in->open, &look.indent);
        buf_puts(&look.indent, look.unit);
    }
    return look;
}

void json_look_free(struct json_look *look)
{
    buf_free(&look->indent);
    free(look->unit);
}

void json_print_break(const struct json_look *look, size_t depth, struct buf *out)
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

void json_print_name(const char *name, struct buf *out)
{
    struct json_object *text = json_object_new_string(name);
    if (!text)
        alloc_failed();
    print_scalar(text, out);
    buf_puts(out, ": ");
    json_object_put(text);
}

static void print_array(
    struct json_object *array, const struct json_look *look, size_t depth, struct buf *out)
{
    size_t count = json_object_array_length(array);
    bool broken = look->newline && count > 0 && is_nested(json_object_array_get_idx(array, 0));
    buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_puts(out, broken ? "," : ", ");
        if (broken)
            json_print_break(look, depth + 1, out);
        json_print_value(json_object_array_get_idx(array, i), look, depth + 1, out);
    }
    if (broken)
        json_print_break(look, depth, out);
    buf_putc(out, ']');
}

static void print_object(
    struct json_object *object, const struct json_look *look, size_t depth, struct buf *out)
{
    size_t printed = 0;
    buf_putc(out, '{');
    json_object_object_foreach(object, name, member)
    {
        if (printed++ > 0)
            buf_puts(out, look->newline ? "," : ", ");
        if (look->newline)
            json_print_break(look, depth + 1, out);
        json_print_name(name, out);
        json_print_value(member, look, depth + 1, out);
    }
    if (look->newline && printed > 0)
        json_print_break(look, depth, out);
    buf_putc(out, '}');
}

void json_print_value(struct json_object *value, const struct json_look *look, size_t depth, struct buf *out)
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
