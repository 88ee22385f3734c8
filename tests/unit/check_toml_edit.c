/* Changes of a table in TOML that people write, and the reading of TOML that they stand on. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../bridge/toml_edit.h"
#include "../../bridge/toml_text.h"
#include "../../common/compiler.h"
#include "edit_rig.h"
#include "unit.h"

static const char *const table[] = {"mcp_servers", "patchcord", NULL};

/* ---- reading ---- */

static const struct {
    const char *text, *json;
} readings[] = {
    {"", "{}"},
    {"\xEF\xBB\xBF# only\r\n", "{}"},
    {"a = 1\nb.c = true # x\n\"d e\" = 'f\\'\n", "{\"a\":1,\"b\":{\"c\":true},\"d e\":\"f\\\\\"}"},
    {"[a]\nx = \"\\u00e4\\t\\\"\"\n[a.b]\n[[c]]\ny = 1\n[[c]]\n[c.d]\n",
        "{\"a\":{\"x\":\"\xc3\xa4\\t\\\"\",\"b\":{}},\"c\":[{\"y\":1},{\"d\":{}}]}"},
    {"a = [ 1, # one\n 2,\n]\nb = { c = [], \"d\".e = 'x' }\n",
        "{\"a\":[1,2],\"b\":{\"c\":[],\"d\":{\"e\":\"x\"}}}"},
    {"a = \"\"\"\nb\\\n   c\"\"\"\"\nd = '''\n'e''''\n", "{\"a\":\"bc\\\"\",\"d\":\"'e'\"}"},
    {"a = 1979-05-27 07:32:00Z\nb = 1_000.5e-3\nc = -inf\nd = 0xFF\n",
        "{\"a\":\"1979-05-27 07:32:00Z\",\"b\":\"1_000.5e-3\",\"c\":\"-inf\",\"d\":\"0xFF\"}"},
    {"[ a . \"b.c\" ]\n", "{\"a\":{\"b.c\":{}}}"},
};

START_TEST(a_text_is_read)
{
    struct buf text = text_of(readings[_i].text), why = {0};
    struct json_object *root = toml_edit_parse(&text, &why), *wanted = value_of(readings[_i].json);
    ck_assert_msg(root != NULL, "%s: %s", readings[_i].text, buf_text(&why));
    ck_assert_msg(
        json_object_equal(root, wanted), "%s: %s", readings[_i].text, json_object_to_json_string(root));
    json_object_put(root);
    json_object_put(wanted);
    buf_free(&text);
}
END_TEST

static const char *const malformed[] = {"a", "a =", "= 1", "a = 1 b = 2", "a = \"x", "a = \"x\ny\"", "a = 'x",
    "a = \"\\q\"", "a = \"\\ud800\"", "a = \"\\u00\"", "a = [1", "a = [1 2]", "a = {b = 1", "a = {b = 1,}",
    "a = {\nb = 1}", "[a", "[a]]", "[[a]", "[]", "[a]\n[a]", "a = 1\na = 2", "a = 1\n[a]", "a = 1\na.b = 2",
    "[[a]]\n[a.b]\n[a.b]", "a = [1]\n[[a.b]]x", "a = x", "a = \"\"\"x", "# \x01", "a = \"\x01\"",
    "a = '\xFF'", "a = 1\r b = 2", "a = {b = 1}\na.b = 2"};

START_TEST(a_malformed_text_is_refused)
{
    struct buf text = text_of(malformed[_i]), why = {0};
    ck_assert_msg(!toml_edit_parse(&text, &why), "%s", malformed[_i]);
    ck_assert_msg(strncmp(buf_text(&why), "line ", 5) == 0, "%s", buf_text(&why));
    buf_free(&why);
    buf_free(&text);
}
END_TEST

static bool nests(size_t depth)
{
    struct buf text = {0}, why = {0};
    buf_puts(&text, "a = ");
    for (size_t i = 0; i < depth; i++)
        buf_putc(&text, '[');
    for (size_t i = 0; i < depth; i++)
        buf_putc(&text, ']');
    struct json_object *root = toml_edit_parse(&text, &why);
    json_object_put(root);
    buf_free(&text);
    buf_free(&why);
    return root != NULL;
}

static bool names(size_t depth)
{
    struct buf text = {0}, why = {0};
    for (size_t i = 0; i < depth; i++)
        buf_puts(&text, i ? ".a" : "a");
    buf_puts(&text, " = 1");
    struct json_object *root = toml_edit_parse(&text, &why);
    json_object_put(root);
    buf_free(&text);
    buf_free(&why);
    return root != NULL;
}

START_TEST(depth_is_bounded)
{
    ck_assert(nests(TOML_MAX_DEPTH + 1));
    ck_assert(!nests(TOML_MAX_DEPTH + 2));
    ck_assert(names(TOML_MAX_DEPTH));
    ck_assert(!names(TOML_MAX_DEPTH + 1));
}
END_TEST

static bool fits(size_t size)
{
    struct buf text = {0}, why = {0};
    memset(buf_reserve(&text, size), '\n', size);
    buf_commit(&text, size);
    struct json_object *root = toml_edit_parse(&text, &why);
    json_object_put(root);
    buf_free(&text);
    buf_free(&why);
    return root != NULL;
}

START_TEST(the_size_is_bounded)
{
    ck_assert(fits(TOML_MAX_BYTES));
    ck_assert(!fits(TOML_MAX_BYTES + 1));
}
END_TEST

/* ---- changing ---- */

#define OURS                                                                                                 \
    "[mcp_servers.patchcord]\ncommand = \"patchcord\"\nargs = [\"mcp\", \"--client\"]\nrequired = false\n"

/* back: what the removal leaves; NULL: what was there before. */
static const struct {
    const char *what, *before, *after, *back;
} puts_[] = {
    {"nothing", "", OURS, NULL},
    {"other tables", "# mine\nmodel = \"x\"\n\n[mcp_servers.other]\ncommand = 'y' # z\n",
        "# mine\nmodel = \"x\"\n\n[mcp_servers.other]\ncommand = 'y' # z\n\n" OURS, NULL},
    {"no newline at the end", "a = 1",
        "a = 1\n\n[mcp_servers.patchcord]\ncommand = \"patchcord\"\nargs = [\"mcp\", "
        "\"--client\"]\nrequired = false",
        NULL},
    {"a blank line at the end", "a = 1\n\n", "a = 1\n\n\n" OURS, NULL},
    {"CRLF",
        "\xEF\xBB\xBF"
        "a = 1\r\n",
        "\xEF\xBB\xBF"
        "a = 1\r\n\r\n[mcp_servers.patchcord]\r\ncommand = \"patchcord\"\r\nargs = [\"mcp\", "
        "\"--client\"]\r\nrequired = false\r\n",
        NULL},
    {"an entry of the original",
        "[mcp_servers.patchcord] # theirs\nurl = \"https://x/mcp\"\n# patience\ntool_timeout_sec = 600\n"
        "http_headers = { \"X\" = \"codex\" }\n\n# next\n[tui]\nx = 1\n",
        "[mcp_servers.patchcord] # theirs\n# patience\ntool_timeout_sec = 600\n"
        "http_headers = { \"X\" = \"codex\" }\ncommand = \"patchcord\"\nargs = [\"mcp\", "
        "\"--client\"]\nrequired = "
        "false\n\n# next\n[tui]\nx = 1\n",
        "\n# next\n[tui]\nx = 1\n"},
    {"an entry of ours, changed",
        "x = 1\n\n[mcp_servers.patchcord]\n  command = \"old\" # mine\nargs = [\n  \"a\",\n]\nrequired = "
        "false\n"
        "[mcp_servers.patchcord.env]\nA = \"1\"\n[other]\n",
        "x = 1\n\n[mcp_servers.patchcord]\n  command = \"patchcord\" # mine\nargs = [\"mcp\", "
        "\"--client\"]\nrequired = "
        "false\n[mcp_servers.patchcord.env]\nA = \"1\"\n[other]\n",
        "x = 1\n\n[other]\n"},
    {"a member as a table", "[mcp_servers.patchcord]\n[mcp_servers.patchcord.args]\nx = 1\n",
        "[mcp_servers.patchcord]\ncommand = \"patchcord\"\nargs = [\"mcp\", \"--client\"]\nrequired = "
        "false\n",
        ""},
    {"a name in quotes", "[ \"mcp_servers\".'patchcord' ]\n",
        "[ \"mcp_servers\".'patchcord' ]\ncommand = \"patchcord\"\nargs = [\"mcp\", \"--client\"]\nrequired "
        "= false\n",
        ""},
    {"what only looks like it", "x = '''\n[mcp_servers.patchcord]\n'''\n",
        "x = '''\n[mcp_servers.patchcord]\n'''\n\n" OURS, NULL},
};

START_TEST(a_table_is_put_and_removed)
{
    struct json_object *entry = value_of(
        "{\"command\":\"patchcord\",\"args\":[\"mcp\",\"--client\"],\"required\":false,\"url\":null}");
    struct buf text = text_of(puts_[_i].before), why = {0};
    ck_assert_msg(toml_edit_put(&text, table, entry, &why), "%s: %s", puts_[_i].what, buf_text(&why));
    expect_text(&text, puts_[_i].after, puts_[_i].what);
    ck_assert(toml_edit_put(&text, table, entry, &why));
    expect_text(&text, puts_[_i].after, puts_[_i].what);
    ck_assert_msg(toml_edit_remove(&text, table, &why), "%s: %s", puts_[_i].what, buf_text(&why));
    expect_text(&text, puts_[_i].back ? puts_[_i].back : puts_[_i].before, puts_[_i].what);
    ck_assert(toml_edit_remove(&text, table, &why));
    ck_assert_uint_eq(why.len, 0);
    buf_free(&text);
    json_object_put(entry);
}
END_TEST

START_TEST(values_are_printed_as_toml)
{
    struct json_object *entry =
        value_of("{\"env\":{\"A B\":\"q\\\"\\u007f\\n\",\"C\":[]},\"none\":{},\"n\":-5}");
    struct buf text = {0}, why = {0};
    ck_assert_msg(toml_edit_put(&text, table, entry, &why), "%s", buf_text(&why));
    expect_text(&text,
        "[mcp_servers.patchcord]\nenv = { \"A B\" = \"q\\\"\\u007F\\n\", C = [] }\nnone = {}\nn = -5\n",
        "values");
    buf_free(&text);
    json_object_put(entry);
}
END_TEST

static const char *const other_forms[] = {"mcp_servers = { patchcord = { command = \"x\" } }\n",
    "mcp_servers = 3\n", "[mcp_servers]\npatchcord.command = \"x\"\n",
    "[mcp_servers]\npatchcord = { command = \"x\" }\n", "[[mcp_servers.patchcord]]\n", "[[mcp_servers]]\n",
    "[mcp_servers.patchcord.env]\nA = \"1\"\n"};

START_TEST(another_form_is_left_alone)
{
    struct json_object *entry = value_of("{\"command\":\"patchcord\"}");
    struct buf text = text_of(other_forms[_i]), why = {0};
    ck_assert_msg(!toml_edit_put(&text, table, entry, &why), "%s", other_forms[_i]);
    ck_assert_msg(strstr(buf_text(&why), "write it as [mcp_servers.patchcord]"), "%s", buf_text(&why));
    expect_text(&text, other_forms[_i], "refused");
    ck_assert(!toml_edit_remove(&text, table, &why));
    expect_text(&text, other_forms[_i], "refused");
    buf_free(&text);
    buf_free(&why);
    json_object_put(entry);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("toml_edit", &tests);
    tcase_add_loop_test(tests, a_text_is_read, 0, (int)LENGTH_OF(readings));
    tcase_add_loop_test(tests, a_malformed_text_is_refused, 0, (int)LENGTH_OF(malformed));
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, the_size_is_bounded);
    tcase_add_loop_test(tests, a_table_is_put_and_removed, 0, (int)LENGTH_OF(puts_));
    tcase_add_test(tests, values_are_printed_as_toml);
    tcase_add_loop_test(tests, another_form_is_left_alone, 0, (int)LENGTH_OF(other_forms));
    return run_unit(suite);
}
