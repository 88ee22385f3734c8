/* Changes in TOML: a text that is understood either has the table in another form, or takes it, and what was
 * put in comes out again without a trace. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../bridge/json_edit.h"
#include "../../bridge/toml_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const table[] = {"mcp_servers", "patchcord", NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0}, copy = {0}, why = {0};
    buf_append(&text, data, size);
    buf_append(&copy, data, size);
    struct json_object *root = toml_edit_parse(&text, &why);
    struct json_object *entry = json_new_object();
    json_add_text(entry, "command", "patchcord");
    json_add(entry, "url", NULL);
    assert(root || why.len > 0);
    if (root && toml_edit_put(&copy, table, entry, &why)) {
        assert(toml_edit_remove(&copy, table, &why));
        if (json_edit_depth(root, table) < 2)
            assert(copy.len == text.len && (text.len == 0 || memcmp(copy.data, text.data, text.len) == 0));
    } else if (root) {
        assert(strncmp(buf_text(&why), "has mcp_servers.patchcord in another form", 41) == 0);
    }
    json_object_put(entry);
    json_object_put(root);
    buf_free(&text);
    buf_free(&copy);
    buf_free(&why);
    return 0;
}
