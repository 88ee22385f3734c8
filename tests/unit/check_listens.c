/* Subscriptions over stdio: acknowledged, kept, ended. */
#include <check.h>
#include <string.h>

#include "../../bridge/listens.h"
#include "unit.h"

static struct json_object *open_with(struct listens *listens, int id, bool wanted)
{
    struct json_object *number = json_object_new_int(id), *params = json_new_object();
    if (wanted)
        json_add(params, "notifications", json_new_object());
    const struct jsonrpc_message message = {.kind = JSONRPC_REQUEST, .id = number, .params = params};
    struct json_object *answer = listens_open(listens, &message);
    json_object_put(number);
    json_object_put(params);
    return answer;
}

static bool opens(struct listens *listens, int id)
{
    struct json_object *answer = open_with(listens, id, true);
    bool acknowledged =
        strcmp(json_text_or(answer, "method", ""), "notifications/subscriptions/acknowledged") == 0;
    ck_assert(acknowledged != json_object_object_get_ex(answer, "error", NULL));
    json_object_put(answer);
    return acknowledged;
}

START_TEST(their_number_is_bounded)
{
    struct listens listens = {0};
    for (int i = 0; i < LISTENS_MAX; i++)
        ck_assert(opens(&listens, i));
    ck_assert(!opens(&listens, LISTENS_MAX));
    struct json_object *third = json_object_new_int(3);
    listens_cancel(&listens, third);
    ck_assert_uint_eq(listens.count, LISTENS_MAX - 1);
    ck_assert(opens(&listens, LISTENS_MAX));
    json_object_put(third);
    listens_free(&listens);
    ck_assert_uint_eq(listens.count, 0);
}
END_TEST

START_TEST(a_malformed_one_is_refused)
{
    struct listens listens = {0};
    struct json_object *answer = open_with(&listens, 1, false), *error;
    int64_t code;
    ck_assert_int_eq(json_get_object(answer, "error", &error), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_int(error, "code", &code), JSON_FIELD_FOUND);
    ck_assert_int_eq(code, JSONRPC_INVALID_PARAMS);
    ck_assert_uint_eq(listens.count, 0);
    json_object_put(answer);
}
END_TEST

START_TEST(each_is_ended_once)
{
    struct listens listens = {0};
    ck_assert(opens(&listens, 7));
    struct json_object *end = listens_close_one(&listens);
    ck_assert_str_eq(
        json_object_to_json_string_ext(end, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":7},"
        "\"resultType\":\"complete\"}}");
    json_object_put(end);
    ck_assert_ptr_null(listens_close_one(&listens));
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("listens", &tests);
    tcase_add_test(tests, their_number_is_bounded);
    tcase_add_test(tests, a_malformed_one_is_refused);
    tcase_add_test(tests, each_is_ended_once);
    return run_unit(suite);
}
