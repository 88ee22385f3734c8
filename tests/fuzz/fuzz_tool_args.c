/* The first byte picks a tool, the rest is its arguments: what the table lets through has every required
 * argument, is let through again unchanged, and what it refuses is told in one line of bounded length. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/tool_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WHY_MAX = 1024 };

static void expect_stable(const struct tool_spec *spec, struct json_object *checked)
{
    for (const struct tool_arg *arg = spec->args; arg->name; arg++) {
        assert(!(arg->flags & TOOL_ARG_REQUIRED) || json_object_object_get(checked, arg->name));
    }
    struct buf why = {0};
    struct json_object *again = tool_spec_check(spec, checked, &why);
    assert(again && why.len == 0);
    assert(json_object_equal(again, checked));
    json_object_put(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    size_t tools = 0;
    while (tool_specs[tools].name) {
        tools++;
    }
    const struct tool_spec *spec = &tool_specs[data[0] % tools];
    enum json_fault fault;
    struct json_object *args = json_parse((const char *)data + 1, size - 1, &fault);
    if (fault != JSON_FAULT_NONE) {
        return 0;
    }
    struct buf why = {0};
    struct json_object *checked = tool_spec_check(spec, args, &why);
    if (checked) {
        expect_stable(spec, checked);
    } else {
        assert(why.len > 0 && why.len <= WHY_MAX && !strchr(buf_text(&why), '\n'));
    }
    buf_free(&why);
    json_object_put(checked);
    json_object_put(args);
    return 0;
}
