/* terminal.h: what commands print. Whatever a relay sends, no control or bidirectional character but LF and
 * tab reaches the terminal: in text they are shown as <U+001B>, in JSON they are escaped. */
#ifndef BRIDGE_CMD_TERMINAL_H
#define BRIDGE_CMD_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "../../common/json.h"

/* Appends text that may have several lines. */
void terminal_text(struct buf *out, const char *text, size_t len);
/* Appends a value that belongs into one line: its line ends are shown too. NULL is "". */
void terminal_word(struct buf *out, const char *text);
/* Appends the value's compact text and a newline. */
void terminal_json(struct buf *out, struct json_object *value);

/* Writes all of it to stdout. False, with a line on stderr, where that failed. */
MUST_CHECK bool terminal_print(const struct buf *out);

#endif
