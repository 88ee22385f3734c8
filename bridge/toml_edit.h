/* toml_edit.h: changes of one table in a TOML file that people write, too; what is not changed stays byte for
 * byte. Pure.
 *
 * A path is a list of names from the root on, NULL-ended. The table has to be written as one of its own,
 * "[a.b]", or not be there. Every change is checked: the text's new meaning is the old one with that change,
 * or the text is left alone. */
#ifndef BRIDGE_TOML_EDIT_H
#define BRIDGE_TOML_EDIT_H

#include <stdbool.h>

#include "../common/json.h"

/* What the text says (toml_text.h), as an object (json_object_put). NULL: why has one line. */
struct json_object *toml_edit_parse(const struct buf *text, struct buf *why);

/* Both change the text in place. False: why has one line, and the text is what it was. */

/* Sets the entry's members (texts, whole numbers, truth values, arrays and objects of them) in the table,
 * making it at the text's end where it is missing; a null takes a member out. Others stay. */
MUST_CHECK bool toml_edit_put(
    struct buf *text, const char *const *path, struct json_object *entry, struct buf *why);
/* Removes the table and those below it. */
MUST_CHECK bool toml_edit_remove(struct buf *text, const char *const *path, struct buf *why);

#endif
