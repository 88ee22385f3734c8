/* json_view.h: where things stand in a JSON text with comments and trailing commas. Pure; offsets are bytes.
 */
#ifndef BRIDGE_JSON_VIEW_H
#define BRIDGE_JSON_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/json.h"

enum { JSON_BOM_LEN = 3 };
#define JSON_BOM     "\xEF\xBB\xBF"
#define JSON_NOWHERE SIZE_MAX
/* What a comment up to its line's end is blanked with, to tell it from the others. */
#define JSON_LINE_COMMENT '\t'

/* The text, and copies of the same length: offsets mean the same in all. */
struct json_view {
    const char *text;
    size_t len;
    char *bare;  /* comments are blanks */
    char *plain; /* so are trailing commas: JSON as RFC 8259 has it */
};

struct json_view json_view_of(const struct buf *text); /* the text is borrowed */
void json_view_free(struct json_view *view);
/* What the text says; NULL: why has the rule that it breaks (json_edit_parse). */
struct json_object *json_view_parse(const struct json_view *view, struct buf *why);

bool json_is_blank(char c);
/* Where the blanks of one of the view's texts that begin at at end. */
size_t json_past_blanks(const char *text, size_t len, size_t at);

/* A member or an item; what follows it is in bare, where trailing commas are. */
struct json_item {
    size_t start, value, end; /* start: of a member's name */
    size_t comma;             /* behind it; JSON_NOWHERE */
};

struct json_container {
    size_t open, close; /* of its brackets */
    bool keyed;
    size_t count;
    struct json_item *items; /* owned */
};

/* All of these are for a text that json_view_parse takes. */

/* The object or array whose opening bracket stands at at. The caller frees items. */
struct json_container json_container_at(const struct json_view *view, size_t at);
/* The one that the first depth names lead to, all of which are there. */
struct json_container json_container_of(const struct json_view *view, const char *const *path, size_t depth);
/* The member's index; in->count: none. */
size_t json_index_of(const struct json_view *view, const struct json_container *in, const char *name);

#endif
