#include <string.h>

#include "../../common/jsonrpc.h"
#include "unit.h"

static struct json_object *parsed(const char *text)
{
    enum json_fault fault;
    struct json_object *value = json_parse(text, strlen(text), &fault);
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    return value;
}

static const struct {
    const char *text;
    enum jsonrpc_kind kind;
    const char *id; /* as JSON; NULL: none */
} messages[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", JSONRPC_REQUEST, "1"},
    {"{\"jsonrpc\":\"2.0\",\"id\":\"\",\"method\":\"ping\",\"params\":{}}", JSONRPC_REQUEST, "\"\""},
    {"{\"jsonrpc\":\"2.0\",\"id\":18446744073709551615,\"method\":\"ping\"}", JSONRPC_REQUEST,
        "18446744073709551615"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":null}", JSONRPC_REQUEST, "1"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", JSONRPC_NOTIFICATION, NULL},
    {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}", JSONRPC_RESPONSE, "7"},
    {"{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":1,\"message\":\"\"}}", JSONRPC_RESPONSE, "7"},
    {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"\"}}", JSONRPC_RESPONSE, NULL},

    {"null", JSONRPC_INVALID, NULL},
    {"[]", JSONRPC_INVALID, NULL},
    {"\"2.0\"", JSONRPC_INVALID, NULL},
    {"{}", JSONRPC_INVALID, NULL},
    {"{\"id\":3,\"method\":\"ping\"}", JSONRPC_INVALID, "3"},
    {"{\"jsonrpc\":2.0,\"id\":3,\"method\":\"ping\"}", JSONRPC_INVALID, "3"},
    {"{\"jsonrpc\":\"1.0\",\"id\":3,\"method\":\"ping\"}", JSONRPC_INVALID, "3"},
    {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":5}", JSONRPC_INVALID, "3"},
    {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":null}", JSONRPC_INVALID, "3"},
    {"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\",\"params\":[]}", JSONRPC_INVALID, "3"},
    {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", JSONRPC_INVALID, NULL},
    {"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", JSONRPC_INVALID, NULL},
    {"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", JSONRPC_INVALID, NULL},
    {"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"ping\"}", JSONRPC_INVALID, NULL},
    {"{\"jsonrpc\":\"2.0\",\"id\":4}", JSONRPC_INVALID, "4"},
    {"{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}", JSONRPC_INVALID, NULL},
    {"{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{},\"error\":{}}", JSONRPC_INVALID, "4"},
};

START_TEST(messages_are_sorted)
{
    struct json_object *value = parsed(messages[_i].text);
    struct jsonrpc_message message;
    jsonrpc_classify(value, &message);
    ck_assert_msg(message.kind == messages[_i].kind, "%s", messages[_i].text);
    if (messages[_i].id) {
        ck_assert_str_eq(json_object_to_json_string(message.id), messages[_i].id);
    } else {
        ck_assert_ptr_null(message.id);
    }
    bool is_call = message.kind == JSONRPC_REQUEST || message.kind == JSONRPC_NOTIFICATION;
    ck_assert_int_eq(message.method != NULL, is_call);
    ck_assert_int_eq(message.problem != NULL, message.kind == JSONRPC_INVALID);
    json_object_put(value);
}
END_TEST

START_TEST(params_are_handed_on)
{
    struct json_object *value =
        parsed("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"a\":5}}");
    struct jsonrpc_message message;
    jsonrpc_classify(value, &message);
    ck_assert_str_eq(message.method, "m");
    int64_t number = 0;
    ck_assert_int_eq(json_get_int(message.params, "a", &number), JSON_FIELD_FOUND);
    ck_assert_int_eq(number, 5);
    json_object_put(value);
}
END_TEST

static void expect_text(struct json_object *message, const char *text)
{
    ck_assert_str_eq(json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN), text);
    json_object_put(message);
}

START_TEST(messages_are_built)
{
    struct json_object *id = json_object_new_string("x");
    expect_text(jsonrpc_result(id, json_new_object()), "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{}}");
    expect_text(jsonrpc_error(id, JSONRPC_INVALID_PARAMS, "no", NULL),
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"error\":{\"code\":-32602,\"message\":\"no\"}}");
    expect_text(jsonrpc_error(NULL, JSONRPC_PARSE_ERROR, "no", json_new_array()),
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"no\",\"data\":[]}}");
    expect_text(jsonrpc_request(id, "m", json_new_object()),
        "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":{},\"id\":\"x\"}");
    expect_text(jsonrpc_notification("m", NULL), "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
    /* The id was referenced by each message and belongs to us alone again. */
    ck_assert_int_eq(json_object_put(id), 1);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("jsonrpc", &tests);
    tcase_add_loop_test(tests, messages_are_sorted, 0, LENGTH_OF(messages));
    tcase_add_test(tests, params_are_handed_on);
    tcase_add_test(tests, messages_are_built);
    return run_unit(suite);
}
