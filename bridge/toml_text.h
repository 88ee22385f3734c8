/* toml_text.h: TOML 1.0 (toml.io) read into statements, each with the bytes that it stands on, and into what
 * they mean. Pure, recursion bounded. */
#ifndef BRIDGE_TOML_TEXT_H
#define BRIDGE_TOML_TEXT_H

#include <stdbool.h>

#include "../common/json.h"

enum { TOML_MAX_BYTES = 4 * 1024 * 1024, TOML_MAX_DEPTH = 32 };

enum toml_kind { TOML_TABLE, TOML_TABLE_ARRAY, TOML_KEY };

struct toml_statement {
    enum toml_kind kind;
    size_t start, end;             /* of its lines, with the newline where there is one */
    size_t value_start, value_end; /* KEY */
    struct json_object *path;      /* names from the root on */
    struct json_object *value;     /* KEY */
};

/* Texts, whole numbers and truth values are those of JSON, inline tables are objects; other values
 * (fractions, times) are texts as they stand. */
struct toml {
    struct toml_statement *list;
    size_t count;
    struct json_object *root; /* what all of them mean */
};

/* False: why has the line and what is wrong there ("line 3: a value is missing"); *out is empty. */
MUST_CHECK bool toml_read(const struct buf *text, struct toml *out, struct buf *why);
void toml_free(struct toml *toml);

#endif
