/* Changes in JSON with comments: a text that is understood can be changed, and what was put in comes out
 * again without a trace, but for the blanks of an object that was empty. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "../../bridge/json_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const member[] = {"mcpServers", "patchcord", NULL};
static const char *const list[] = {"hooks", "Stop", NULL};

/* Why a change of a text that is understood may be refused. */
static void check_reason(const struct buf *why)
{
    assert(strncmp(buf_text(why), "has something else than", 23) == 0);
}

static bool was_empty(struct json_object *root, const char *const *path)
{
    for (; json_object_is_type(root, json_type_object); path++) {
        if (json_object_object_length(root) == 0)
            return true;
        if (!*path || !json_object_object_get_ex(root, *path, &root))
            return false;
    }
    return json_object_is_type(root, json_type_array) && json_object_array_length(root) == 0;
}

static struct buf copy_of(const struct buf *text)
{
    struct buf copy = {0};
    buf_append(&copy, buf_text(text), text->len);
    return copy;
}

static void check_same(const struct buf *a, const struct buf *b)
{
    assert(a->len == b->len && memcmp(buf_text(a), buf_text(b), a->len) == 0);
}

static void check_member(const struct buf *text, struct json_object *root)
{
    struct json_object *value = json_new_object();
    json_add_text(value, "command", "patchcord");
    struct buf why = {0}, changed = copy_of(text);
    size_t depth = json_edit_depth(root, member);
    if (!json_edit_set(&changed, member, value, &why)) {
        check_reason(&why);
    } else {
        assert(json_edit_remove(&changed, member, depth < 2 ? depth : 1, &why));
        if (depth < 2 && !was_empty(root, member))
            check_same(&changed, text);
    }
    buf_free(&changed);
    buf_free(&why);
    json_object_put(value);
}

static void check_item(const struct buf *text, struct json_object *root)
{
    struct json_object *item = json_object_new_string("x");
    struct buf why = {0}, changed = copy_of(text);
    size_t depth = json_edit_depth(root, list);
    if (!json_edit_add_item(&changed, list, item, &why)) {
        check_reason(&why);
    } else {
        bool added = changed.len != text->len;
        assert(json_edit_remove_item(&changed, list, item, depth, &why));
        if (added && !was_empty(root, list))
            check_same(&changed, text);
    }
    buf_free(&changed);
    buf_free(&why);
    json_object_put(item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0}, why = {0};
    buf_append(&text, data, size);
    struct json_object *root = json_edit_parse(&text, &why);
    assert(root || why.len > 0);
    if (root) {
        check_member(&text, root);
        check_item(&text, root);
    }
    json_object_put(root);
    buf_free(&text);
    buf_free(&why);
    return 0;
}
