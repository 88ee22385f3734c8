/* Changes in JSON that people write: what is put in, where, and that all the rest stays byte for byte. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../bridge/json_edit.h"
#include "../../common/compiler.h"
#include "edit_rig.h"
#include "unit.h"

static const char *const entry[] = {"mcpServers", "patchcord", NULL};
static const char *const list[] = {"permissions", "allow", NULL};

#define VALUE "{\"command\":\"patchcord\",\"args\":[\"mcp\"]}"

/* back: what the removal leaves; NULL: what was there before. */
static const struct {
    const char *what, *before, *after, *back;
} sets[] = {
    {"nothing", "",
        "{\n  \"mcpServers\": {\n    \"patchcord\": {\n      \"command\": \"patchcord\",\n      \"args\": "
        "[\"mcp\"]\n    }\n  }\n}\n",
        "{}\n"},
    {"blanks", " \n",
        " \n{\n  \"mcpServers\": {\n    \"patchcord\": {\n      \"command\": \"patchcord\",\n      \"args\": "
        "[\"mcp\"]\n    }\n  }\n}\n",
        " \n{}\n"},
    {"a comment", "// mine",
        "// mine\n{\n  \"mcpServers\": {\n    \"patchcord\": {\n      \"command\": \"patchcord\",\n      "
        "\"args\": "
        "[\"mcp\"]\n    }\n  }\n}\n",
        "// mine\n{}\n"},
    {"an empty object", "{}",
        "{\n  \"mcpServers\": {\n    \"patchcord\": {\n      \"command\": \"patchcord\",\n      \"args\": "
        "[\"mcp\"]\n    }\n  }\n}",
        NULL},
    {"one line", "{\"a\":1}",
        "{\"a\":1, \"mcpServers\": {\"patchcord\": {\"command\": \"patchcord\", \"args\": [\"mcp\"]}}}",
        NULL},
    {"one line, a comment at its end", "{\"a\":1 /* b */}",
        "{\"a\":1, /* b */ \"mcpServers\": {\"patchcord\": {\"command\": \"patchcord\", \"args\": "
        "[\"mcp\"]}}}",
        NULL},
    {"one line, a trailing comma", "{\"a\":1,}",
        "{\"a\":1, \"mcpServers\": {\"patchcord\": {\"command\": \"patchcord\", \"args\": [\"mcp\"]}},}",
        NULL},
    {"other servers", "{\n\t\"mcpServers\": {\n\t\t\"other\": {\n\t\t\t\"url\": \"x\"\n\t\t}\n\t}\n}\n",
        "{\n\t\"mcpServers\": {\n\t\t\"other\": {\n\t\t\t\"url\": \"x\"\n\t\t},\n\t\t\"patchcord\": {\n"
        "\t\t\t\"command\": \"patchcord\",\n\t\t\t\"args\": [\"mcp\"]\n\t\t}\n\t}\n}\n",
        NULL},
    {"comments and trailing commas",
        "// top\n{\n    /* a */ \"a\": \"// no comment, \\\"\", // behind\n    \"mcpServers\": {\n        // "
        "none yet\n"
        "    }, // last\n    // end\n}\n// bottom",
        "// top\n{\n    /* a */ \"a\": \"// no comment, \\\"\", // behind\n    \"mcpServers\": {\n        // "
        "none yet\n"
        "        \"patchcord\": {\n            \"command\": \"patchcord\",\n            \"args\": "
        "[\"mcp\"]\n        }\n"
        "    }, // last\n    // end\n}\n// bottom",
        NULL},
    {"a comment behind the last member", "{\n  \"a\": 1 // one\n}",
        "{\n  \"a\": 1, // one\n  \"mcpServers\": {\n    \"patchcord\": {\n      \"command\": "
        "\"patchcord\",\n      "
        "\"args\": [\"mcp\"]\n    }\n  }\n}",
        NULL},
    {"CRLF and a mark", "\xEF\xBB\xBF{\r\n  \"a\": [1, 2],\r\n}\r\n",
        "\xEF\xBB\xBF{\r\n  \"a\": [1, 2],\r\n  \"mcpServers\": {\r\n    \"patchcord\": {\r\n      "
        "\"command\": "
        "\"patchcord\",\r\n      \"args\": [\"mcp\"]\r\n    }\r\n  },\r\n}\r\n",
        NULL},
    {"unusual indentation", "{ \"a\": {\n},\n      \"b\": [\n1\n]\n      }",
        "{ \"a\": {\n},\n      \"b\": [\n1\n],\n  \"mcpServers\": {\n    \"patchcord\": {\n      "
        "\"command\": "
        "\"patchcord\",\n      \"args\": [\"mcp\"]\n    }\n  }\n      }",
        NULL},
    {"an entry of ours is replaced where it stands",
        "{\n  \"mcpServers\": {\n    \"patchcord\": {\"url\": \"x\"}, // ours\n    \"b\": {}\n  }\n}",
        "{\n  \"mcpServers\": {\n    \"patchcord\": {\n      \"command\": \"patchcord\",\n      \"args\": "
        "[\"mcp\"]\n    "
        "}, // ours\n    \"b\": {}\n  }\n}",
        "{\n  \"mcpServers\": { // ours\n    \"b\": {}\n  }\n}"},
    {"a name with an escape", "{\"mcpServers\":{\"patch\\u0063ord\":1,\"b\":2}}",
        "{\"mcpServers\":{\"patch\\u0063ord\":{\"command\": \"patchcord\", \"args\": [\"mcp\"]},\"b\":2}}",
        "{\"mcpServers\":{\"b\":2}}"},
};

START_TEST(a_member_is_set_and_removed)
{
    struct json_object *value = value_of(VALUE);
    struct buf why = {0};
    struct buf text = text_of(sets[_i].before);
    struct json_object *root = json_edit_parse(&text, &why);
    size_t keep = json_edit_depth(root, entry);
    json_object_put(root);
    ck_assert_msg(json_edit_set(&text, entry, value, &why), "%s: %s", sets[_i].what, buf_text(&why));
    expect_text(&text, sets[_i].after, sets[_i].what);
    ck_assert(json_edit_set(&text, entry, value, &why)); /* and nothing changes */
    expect_text(&text, sets[_i].after, sets[_i].what);
    ck_assert_msg(json_edit_remove(&text, entry, keep, &why), "%s: %s", sets[_i].what, buf_text(&why));
    expect_text(&text, sets[_i].back ? sets[_i].back : sets[_i].before, sets[_i].what);
    ck_assert(json_edit_remove(&text, entry, keep, &why));
    ck_assert_uint_eq(why.len, 0);
    buf_free(&text);
    json_object_put(value);
}
END_TEST

static const struct {
    const char *what, *before, *after;
} removals[] = {
    {"the first", "{\"mcpServers\": {\"patchcord\": 1, \"b\": 2}}", "{\"mcpServers\": { \"b\": 2}}"},
    {"the middle", "{\"mcpServers\": {\"a\": 1, \"patchcord\": {}, \"b\": 2}}",
        "{\"mcpServers\": {\"a\": 1, \"b\": 2}}"},
    {"the only one", "{\"mcpServers\": {\n  \"patchcord\": 1\n}, \"x\": 1}", "{ \"x\": 1}"},
    {"the only one, with a comment", "{\"mcpServers\": {\n  // mine\n  \"patchcord\": 1\n}, \"x\": 1}",
        "{ \"x\": 1}"},
    {"nothing moves behind a comment", "{\"mcpServers\": { // mine\n  \"patchcord\": 1, \"b\": 2}}",
        "{\"mcpServers\": { // mine\n   \"b\": 2}}"},
    {"nor a closing bracket", "{\"mcpServers\": { \"b\": 2, // two */\n  \"patchcord\": 1 }}",
        "{\"mcpServers\": { \"b\": 2 // two */\n   }}"},
    {"not there", "{\"mcpServers\": [] // \n}", "{\"mcpServers\": [] // \n}"},
    {"another of the name", "{\"patchcord\": 1}", "{\"patchcord\": 1}"},
};

START_TEST(a_members_removal_keeps_the_rest)
{
    struct buf why = {0};
    struct buf text = text_of(removals[_i].before);
    ck_assert_msg(json_edit_remove(&text, entry, 0, &why), "%s: %s", removals[_i].what, buf_text(&why));
    expect_text(&text, removals[_i].after, removals[_i].what);
    buf_free(&text);
}
END_TEST

static const struct {
    const char *what, *before, *after, *back;
} items[] = {
    {"nothing", "{}", "{\n  \"permissions\": {\n    \"allow\": [\"x\"]\n  }\n}", NULL},
    {"an empty array", "{\"permissions\": {\"allow\": []}}", "{\"permissions\": {\"allow\": [\n  \"x\"\n]}}",
        NULL},
    {"one line", "{\"permissions\": {\"allow\": [\"a\", \"b\"]}}",
        "{\"permissions\": {\"allow\": [\"a\", \"b\", \"x\"]}}", NULL},
    {"a line an item", "{\"permissions\": {\"allow\": [\n    \"a\", // a\n    \"b\" // b\n  ]}}",
        "{\"permissions\": {\"allow\": [\n    \"a\", // a\n    \"b\", // b\n    \"x\"\n  ]}}", NULL},
    {"there already", "{\"permissions\": {\"allow\": [\"x\", \"b\", \"x\",]}}",
        "{\"permissions\": {\"allow\": [\"x\", \"b\", \"x\",]}}",
        "{\"permissions\": {\"allow\": [ \"b\",]}}"},
};

START_TEST(an_item_is_added_and_removed)
{
    struct json_object *item = value_of("\"x\"");
    struct buf why = {0};
    struct buf text = text_of(items[_i].before);
    struct json_object *root = json_edit_parse(&text, &why);
    size_t keep = json_edit_depth(root, list);
    json_object_put(root);
    ck_assert_msg(json_edit_add_item(&text, list, item, &why), "%s: %s", items[_i].what, buf_text(&why));
    expect_text(&text, items[_i].after, items[_i].what);
    ck_assert(json_edit_add_item(&text, list, item, &why));
    expect_text(&text, items[_i].after, items[_i].what);
    ck_assert_msg(
        json_edit_remove_item(&text, list, item, keep, &why), "%s: %s", items[_i].what, buf_text(&why));
    expect_text(&text, items[_i].back ? items[_i].back : items[_i].before, items[_i].what);
    ck_assert(json_edit_remove_item(&text, list, item, keep, &why));
    buf_free(&text);
    json_object_put(item);
}
END_TEST

static const struct {
    const char *text, *why;
} refused[] = {
    {"{", "is not valid JSON"},
    {"[]", "is not a JSON object"},
    {"null", "is not a JSON object"},
    {"{\"a\": 1} x", "is not valid JSON"},
    {"{'a': 1}", "is not valid JSON"},
    {"{a: 1}", "is not valid JSON"},
    {"{,}", "is not valid JSON"},
    {"{\"a\": [,]}", "is not valid JSON"},
    {"{\"a\": 1,,}", "is not valid JSON"},
    {"{\"a\":,}", "is not valid JSON"},
    {"{\"a\": 1 /* open }", "is not valid JSON"},
    {"{\"a\": \"open // }", "is not valid JSON"},
    {"{\"a\": 1, \"a\": 2}", "has"},
    {"{\"a\": \"\xFF\"}", "is not valid UTF-8"},
    {"\xFF\xFE{\0}\0", "is not valid"},
    {"{\"mcpServers\": 3}", "has something else than an object as mcpServers"},
    {"{\"mcpServers\": null}", "has something else than an object as mcpServers"},
};

START_TEST(what_is_not_understood_is_left_alone)
{
    struct json_object *value = value_of(VALUE);
    struct buf why = {0};
    struct buf text = text_of(refused[_i].text);
    ck_assert_msg(!json_edit_set(&text, entry, value, &why), "%s", refused[_i].text);
    ck_assert_msg(strncmp(buf_text(&why), refused[_i].why, strlen(refused[_i].why)) == 0, "%s: %s",
        refused[_i].text, buf_text(&why));
    expect_text(&text, refused[_i].text, "refused");
    buf_free(&text);
    buf_free(&why);
    json_object_put(value);
}
END_TEST

START_TEST(an_array_is_not_put_in_place_of_something_else)
{
    struct json_object *item = value_of("\"x\"");
    struct buf why = {0};
    struct buf text = text_of("{\"permissions\": {\"allow\": {}}}");
    ck_assert(!json_edit_add_item(&text, list, item, &why));
    ck_assert_str_eq(buf_text(&why), "has something else than an array as permissions.allow");
    buf_reset(&why);
    ck_assert(!json_edit_remove_item(&text, list, item, 0, &why));
    expect_text(&text, "{\"permissions\": {\"allow\": {}}}", "refused");
    buf_free(&text);
    buf_free(&why);
    json_object_put(item);
}
END_TEST

/* A text of so many bytes, most of them a comment. */
static bool parses_with(size_t size)
{
    struct buf text = {0}, why = {0};
    buf_puts(&text, "{}//");
    size_t more = size - text.len;
    memset(buf_reserve(&text, more), '-', more);
    buf_commit(&text, more);
    struct json_object *root = json_edit_parse(&text, &why);
    json_object_put(root);
    buf_free(&text);
    buf_free(&why);
    return root != NULL;
}

START_TEST(the_size_is_bounded)
{
    ck_assert(parses_with(JSON_EDIT_MAX_BYTES));
    ck_assert(!parses_with(JSON_EDIT_MAX_BYTES + 1));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("json_edit", &tests);
    tcase_add_loop_test(tests, a_member_is_set_and_removed, 0, (int)LENGTH_OF(sets));
    tcase_add_loop_test(tests, a_members_removal_keeps_the_rest, 0, (int)LENGTH_OF(removals));
    tcase_add_loop_test(tests, an_item_is_added_and_removed, 0, (int)LENGTH_OF(items));
    tcase_add_loop_test(tests, what_is_not_understood_is_left_alone, 0, (int)LENGTH_OF(refused));
    tcase_add_test(tests, an_array_is_not_put_in_place_of_something_else);
    tcase_add_test(tests, the_size_is_bounded);
    return run_unit(suite);
}
