/* json_layout.h: how a JSON text that people write looks, and values printed so that they look like it. Pure.
 */
#ifndef BRIDGE_JSON_LAYOUT_H
#define BRIDGE_JSON_LAYOUT_H

#include "json_view.h"

struct json_look {
    const char *newline; /* NULL: all on one line */
    struct buf indent;   /* of the line that the value begins on */
    char *unit;          /* of one level more */
};

/* "\r\n" where the first line ends so, else "\n". */
const char *json_newline_of(const struct json_view *view);
/* Appends what the line that holds the offset begins with. */
void json_add_indent(const struct json_view *view, size_t at, struct buf *out);
/* How members of the container look. The caller frees it. */
struct json_look json_look_of(const struct json_view *view, const struct json_container *in);
void json_look_free(struct json_look *look);

/* Append: a new line (where there are lines), a member's name, a value whose members are depth levels deep.
 */
void json_print_break(const struct json_look *look, size_t depth, struct buf *out);
void json_print_name(const char *name, struct buf *out);
void json_print_value(struct json_object *value, const struct json_look *look, size_t depth, struct buf *out);

#endif
