#include <string.h>

#include "../../common/mcp.h"
#include "../../common/tool_spec.h"
#include "unit.h"

static struct json_object *parsed(const char *text)
{
    enum json_fault fault;
    struct json_object *value = json_parse(text, strlen(text), &fault);
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    return value;
}

static const struct {
    const char *tool, *args;
    const char *checked; /* what comes out */
} accepted[] = {
    {"inbox", "{}", "{}"},
    {"inbox", "{\"all_agents\":true,\"unknown\":[1,2]}", "{\"all_agents\":true}"},
    {"inbox", "{\"all_agents\":null}", "{}"},
    {"send_message", "{\"to\":\"backend\",\"content\":\"hi\"}", "{\"to\":[\"backend\"],\"content\":\"hi\"}"},
    {"send_message", "{\"to\":\" a , b,, c \",\"content\":\"\"}",
        "{\"to\":[\"a\",\"b\",\"c\"],\"content\":\"\"}"},
    {"send_message", "{\"to\":[\"a\",\" b \",\"\"],\"content\":\"x\"}",
        "{\"to\":[\"a\",\"b\"],\"content\":\"x\"}"},
    {"send_message", "{\"to\":[\"a,b\"],\"content\":\"x\"}", "{\"to\":[\"a\",\"b\"],\"content\":\"x\"}"},
    {"send_message", "{\"to_agent\":\"a\",\"content\":\"x\",\"thread_id\":\"t\"}",
        "{\"content\":\"x\",\"to\":[\"a\"],\"thread\":\"t\"}"},
    {"send_message", "{\"to_agent\":\"old\",\"to\":\"new\",\"content\":\"x\"}",
        "{\"to\":[\"new\"],\"content\":\"x\"}"},
    {"reply", "{\"message_id\":\"m\",\"defer\":true}", "{\"message_id\":\"m\",\"defer\":true}"},
    {"wait_for_message", "{\"timeout_seconds\":1}", "{\"timeout_seconds\":1}"},
    {"wait_for_message", "{\"timeout_seconds\":3600}", "{\"timeout_seconds\":3600}"},
    {"unsend", "{\"message_id\":\"m\"}", "{\"message_id\":\"m\"}"},
    {"recall", "{\"limit\":1,\"offset\":0,\"query\":\"a b\"}",
        "{\"limit\":1,\"query\":\"a b\",\"offset\":0}"},
    {"recall", "{\"limit\":100,\"thread_id\":\"t\"}", "{\"limit\":100,\"thread\":\"t\"}"},
};

START_TEST(good_arguments_come_out_by_their_current_names)
{
    struct json_object *args = parsed(accepted[_i].args);
    struct buf why = {0};
    struct json_object *checked = tool_spec_check(tool_spec_find(accepted[_i].tool), args, &why);
    ck_assert_msg(checked != NULL, "%s: %s", accepted[_i].args, buf_text(&why));
    ck_assert_str_eq(json_object_to_json_string_ext(checked, JSON_C_TO_STRING_PLAIN), accepted[_i].checked);
    ck_assert_uint_eq(why.len, 0);
    json_object_put(checked);
    json_object_put(args);
}
END_TEST

static const struct {
    const char *tool, *args;
    const char *why;
} refused[] = {
    {"inbox", "[]", "arguments must be an object, not []"},
    {"inbox", "{\"all_agents\":\"true\"}", "all_agents must be true or false, not \"true\""},
    {"inbox", "{\"all_agents\":1}", "all_agents must be true or false, not 1"},
    {"send_message", "{\"content\":\"x\"}",
        "send_message needs to: an agent's name, or several: \"a, b\" or [\"a\", \"b\"]"},
    {"send_message", "{\"to\":\"a\"}", "send_message needs content: a string"},
    {"send_message", "{\"to\":\"a\",\"content\":null}", "send_message needs content: a string"},
    {"send_message", "{\"to\":\"a\",\"content\":{\"b\":1}}", "content must be a string, not {\"b\":1}"},
    {"send_message", "{\"to\":\" , \",\"content\":\"x\"}",
        "to must be an agent's name, or several: \"a, b\" or [\"a\", \"b\"], not \" , \""},
    {"send_message", "{\"to\":[],\"content\":\"x\"}",
        "to must be an agent's name, or several: \"a, b\" or [\"a\", \"b\"], not []"},
    {"send_message", "{\"to\":[\"a\",5],\"content\":\"x\"}",
        "to must be an agent's name, or several: \"a, b\" or [\"a\", \"b\"], not [\"a\",5]"},
    {"send_message", "{\"to_agent\":7,\"content\":\"x\"}",
        "to_agent must be an agent's name, or several: \"a, b\" or [\"a\", \"b\"], not 7"},
    {"wait_for_message", "{\"timeout_seconds\":0}",
        "timeout_seconds must be an integer from 1 to 3600, not 0"},
    {"wait_for_message", "{\"timeout_seconds\":3601}",
        "timeout_seconds must be an integer from 1 to 3600, not 3601"},
    {"wait_for_message", "{\"timeout_seconds\":\"240\"}",
        "timeout_seconds must be an integer from 1 to 3600, not \"240\""},
    {"wait_for_message", "{\"timeout_seconds\":240.0}",
        "timeout_seconds must be an integer from 1 to 3600, not 240.0"},
    {"wait_for_message", "{\"timeout_seconds\":18446744073709551615}",
        "timeout_seconds must be an integer from 1 to 3600, not 18446744073709551615"},
    {"recall", "{\"limit\":101}", "limit must be an integer from 1 to 100, not 101"},
    {"recall", "{\"offset\":-1}", "offset must be an integer from 0 to 50000, not -1"},
    {"recall", "{\"query\":[\"a\"]}", "query must be a string, not [\"a\"]"},
};

START_TEST(bad_arguments_are_told_their_rule)
{
    struct json_object *args = parsed(refused[_i].args);
    struct buf why = {0};
    ck_assert_ptr_null(tool_spec_check(tool_spec_find(refused[_i].tool), args, &why));
    ck_assert_str_eq(buf_text(&why), refused[_i].why);
    buf_free(&why);
    json_object_put(args);
}
END_TEST

START_TEST(no_arguments_are_an_empty_object)
{
    struct buf why = {0};
    struct json_object *checked = tool_spec_check(tool_spec_find("inbox"), NULL, &why);
    ck_assert_int_eq(json_object_object_length(checked), 0);
    json_object_put(checked);
    ck_assert_ptr_null(tool_spec_check(tool_spec_find("reply"), NULL, &why));
    ck_assert_str_eq(buf_text(&why), "reply needs message_id: a string");
    buf_free(&why);
}
END_TEST

START_TEST(what_was_given_is_cut)
{
    struct buf text = {0};
    buf_puts(&text, "{\"limit\":\"");
    for (int i = 0; i < 1000; i++) {
        buf_puts(&text, "\xF0\x9F\x98\x80");
    }
    buf_puts(&text, "\"}");
    struct json_object *args = parsed(buf_text(&text));
    struct buf why = {0};
    ck_assert_ptr_null(tool_spec_check(tool_spec_find("recall"), args, &why));
    ck_assert_uint_lt(why.len, 500);
    ck_assert_ptr_nonnull(strstr(buf_text(&why), "\xF0\x9F\x98\x80…"));
    json_object_put(args);
    buf_free(&text);
    buf_free(&why);
}
END_TEST

START_TEST(tools_are_found_by_either_name)
{
    ck_assert_str_eq(tool_spec_find("unsend")->name, "unsend_message");
    ck_assert_str_eq(tool_spec_find("recall")->name, "recall");
    ck_assert_ptr_null(tool_spec_find("Recall"));
    ck_assert_ptr_null(tool_spec_find(""));
    ck_assert_ptr_null(tool_spec_find("recall "));
}
END_TEST

static struct json_object *listed(struct json_object *list, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *tool = json_object_array_get_idx(list, i);
        if (strcmp(json_text_or(tool, "name", ""), name) == 0) {
            return tool;
        }
    }
    return NULL;
}

START_TEST(the_list_is_small)
{
    enum { LIST_MAX = 6 * 1024 };
    struct json_object *list = tool_spec_list(true);
    struct buf text = {0};
    json_write(list, &text);
    ck_assert_uint_le(text.len, LIST_MAX);
    buf_free(&text);
    json_object_put(list);
}
END_TEST

START_TEST(every_row_is_sound)
{
    struct json_object *list = tool_spec_list(true);
    size_t count = 0;
    for (const struct tool_spec *spec = tool_specs; spec->name; spec++) {
        bool unlisted = spec->hints & TOOL_UNLISTED;
        count += !unlisted;
        ck_assert_ptr_eq(tool_spec_find(spec->name), spec);
        ck_assert_int_eq(listed(list, spec->name) == NULL, unlisted);
        ck_assert_str_ne(spec->title, "");
        ck_assert_str_ne(spec->help, "");
        /* The last place is for the end of the list. */
        ck_assert_ptr_null(spec->args[TOOL_ARGS_MAX - 1].name);
        for (const struct tool_arg *arg = spec->args; arg->name; arg++) {
            ck_assert_int_eq(arg->alias_of != NULL, (arg->flags & TOOL_ARG_UNLISTED) != 0);
            ck_assert(arg->kind == TOOL_ARG_INTEGER ? arg->max > arg->min : arg->max == 0);
        }
    }
    ck_assert_uint_eq(json_object_array_length(list), count);
    json_object_put(list);
}
END_TEST

START_TEST(schemas_come_from_the_rows)
{
    struct json_object *list = tool_spec_list(false);
    ck_assert_str_eq(
        json_object_to_json_string_ext(
            json_object_object_get(listed(list, "wait_for_message"), "inputSchema"), JSON_C_TO_STRING_PLAIN),
        "{\"type\":\"object\",\"properties\":{\"timeout_seconds\":{\"type\":\"integer\",\"minimum\":1,"
        "\"maximum\":3600,"
        "\"default\":240}}}");
    struct json_object *send = json_object_object_get(listed(list, "send_message"), "inputSchema");
    ck_assert_str_eq(
        json_object_to_json_string_ext(json_object_object_get(send, "required"), JSON_C_TO_STRING_PLAIN),
        "[\"to\",\"content\"]");
    struct json_object *properties = json_object_object_get(send, "properties");
    ck_assert_int_eq(json_object_object_length(properties), 3);
    ck_assert(!json_object_object_get_ex(properties, "to_agent", NULL));
    json_object_put(list);
}
END_TEST

START_TEST(hints_are_the_protocols)
{
    static const struct {
        const char *tool, *annotations;
    } rows[] = {
        {"inbox", "{\"readOnlyHint\":true,\"openWorldHint\":false}"},
        {"send_message", "{\"destructiveHint\":false,\"openWorldHint\":true}"},
        {"unsend_message", "{\"destructiveHint\":true,\"openWorldHint\":false}"},
    };
    struct json_object *list = tool_spec_list(false);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct json_object *annotations = json_object_object_get(listed(list, rows[i].tool), "annotations");
        ck_assert_str_eq(
            json_object_to_json_string_ext(annotations, JSON_C_TO_STRING_PLAIN), rows[i].annotations);
    }
    json_object_put(list);
}
END_TEST

START_TEST(the_default_wait_is_the_protocols)
{
    struct json_object *fallback = parsed(tool_spec_find("wait_for_message")->args[0].fallback);
    ck_assert_int_eq(json_object_get_int64(fallback), MCP_WAIT_DEFAULT_S);
    json_object_put(fallback);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("tool_spec", &tests);
    tcase_add_loop_test(tests, good_arguments_come_out_by_their_current_names, 0, LENGTH_OF(accepted));
    tcase_add_loop_test(tests, bad_arguments_are_told_their_rule, 0, LENGTH_OF(refused));
    tcase_add_test(tests, no_arguments_are_an_empty_object);
    tcase_add_test(tests, what_was_given_is_cut);
    tcase_add_test(tests, tools_are_found_by_either_name);
    tcase_add_test(tests, the_list_is_small);
    tcase_add_test(tests, every_row_is_sound);
    tcase_add_test(tests, schemas_come_from_the_rows);
    tcase_add_test(tests, hints_are_the_protocols);
    tcase_add_test(tests, the_default_wait_is_the_protocols);
    return run_unit(suite);
}
