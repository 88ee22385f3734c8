/* json_edit.h: changes in JSON files that people write, too: with comments, trailing commas, a byte order
 * mark, either kind of line ends (JSONC, as editors' settings have it). What is not changed stays byte for
 * byte, and what is put in follows the indentation around it. Pure.
 *
 * A path is a list of names from the root on, NULL-ended. Every change is checked: the text's new meaning is
 * the old one with that change, or the text is left alone. */
#ifndef BRIDGE_JSON_EDIT_H
#define BRIDGE_JSON_EDIT_H

#include <stdbool.h>

#include "../common/json.h"

enum { JSON_EDIT_MAX_BYTES = 16 * 1024 * 1024 };

/* What the text says: an object (json_object_put), which is empty for a text of white space and comments.
 * NULL: why has the rule that the text breaks. */
struct json_object *json_edit_parse(const struct buf *text, struct buf *why);
/* Whether the text has nothing but blanks, or one object without members: what our changes leave of a file
 * that has nothing else. */
bool json_edit_is_hollow(const struct buf *text);
/* How many of the path's names are there. */
size_t json_edit_depth(struct json_object *root, const char *const *path);
/* The value at path, borrowed; NULL: none. */
struct json_object *json_edit_find(struct json_object *root, const char *const *path);

/* All change the text in place; it stays as it was where it means that already. False: why has one line, and
 * the text is what it was. */

/* Sets the member, making the objects above it. The value is borrowed. */
MUST_CHECK bool json_edit_set(
    struct buf *text, const char *const *path, struct json_object *value, struct buf *why);
/* Removes the member, and then each object or array above it that is empty, but for the first keep ones. */
MUST_CHECK bool json_edit_remove(struct buf *text, const char *const *path, size_t keep, struct buf *why);
/* Puts the item at the end of the array at path, making it, unless an equal one is in it. */
MUST_CHECK bool json_edit_add_item(
    struct buf *text, const char *const *path, struct json_object *item, struct buf *why);
/* Removes the items that equal this one, and what is empty then, as json_edit_remove. */
MUST_CHECK bool json_edit_remove_item(
    struct buf *text, const char *const *path, struct json_object *item, size_t keep, struct buf *why);

#endif
