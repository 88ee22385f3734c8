/* edit_rig.h: texts before and after a change, for the tests of what edits JSON and TOML. */
#ifndef TESTS_EDIT_RIG_H
#define TESTS_EDIT_RIG_H

#include <check.h>
#include <string.h>

#include "../../common/buf.h"
#include "../../common/json.h"

/* The caller puts it. */
static inline struct json_object *value_of(const char *text)
{
    enum json_fault fault;
    struct json_object *value = json_parse(text, strlen(text), &fault);
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    return value;
}

/* The caller frees it. */
static inline struct buf text_of(const char *text)
{
    struct buf buf = {0};
    buf_puts(&buf, text);
    return buf;
}

static inline void expect_text(const struct buf *text, const char *wanted, const char *what)
{
    ck_assert_msg(
        strcmp(buf_text(text), wanted) == 0, "%s: got\n%s\ninstead of\n%s", what, buf_text(text), wanted);
}

#endif
