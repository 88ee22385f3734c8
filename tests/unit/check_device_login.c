/* The answers that a device gets when it logs in: what is taken, and what is refused. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "../../bridge/device_login.h"
#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "unit.h"

static struct json_object *parse(const char *text)
{
    enum json_fault fault;
    return json_parse(text, strlen(text), &fault);
}

#define URI      "\"verification_uri\":\"https://relay.example.com/device\""
#define COMPLETE "\"verification_uri_complete\":\"https://relay.example.com/device?user_code=BCDF-GHJK\""
#define CODES    "\"device_code\":\"dc_1\",\"user_code\":\"BCDF-GHJK\""

static const struct request_case {
    const char *text;
    int expires_s, interval_s;
    bool complete;
    const char *why; /* NULL: it is taken */
} requests[] = {
    {"{" CODES "," URI "," COMPLETE ",\"expires_in\":900,\"interval\":2}", 900, 2, true, NULL},
    {"{" CODES "," URI ",\"expires_in\":900}", 900, DEVICE_INTERVAL_S, false, NULL},
    {"{" CODES "," URI ",\"expires_in\":1,\"interval\":0}", 1, 1, false, NULL},
    {"{" CODES "," URI ",\"expires_in\":86400,\"interval\":60}", DEVICE_EXPIRES_MAX_S, DEVICE_INTERVAL_MAX_S,
        false, NULL},
    {"{" CODES "," URI ",\"expires_in\":86401,\"interval\":61}", DEVICE_EXPIRES_MAX_S, DEVICE_INTERVAL_MAX_S,
        false, NULL},
    {"{" CODES "," URI ",\"expires_in\":9223372036854775807,\"interval\":-9223372036854775808}",
        DEVICE_EXPIRES_MAX_S, 1, false, NULL},
    {"{" CODES "," URI "}", 0, 0, false, "expires_in"},
    {"{" CODES "," URI ",\"expires_in\":\"900\"}", 0, 0, false, "expires_in"},
    {"{\"user_code\":\"B\"," URI ",\"expires_in\":900}", 0, 0, false, "device_code"},
    {"{\"device_code\":\"\",\"user_code\":\"B\"," URI ",\"expires_in\":900}", 0, 0, false, "device_code"},
    {"{\"device_code\":7,\"user_code\":\"B\"," URI ",\"expires_in\":900}", 0, 0, false, "device_code"},
    {"{\"device_code\":\"d\"," URI ",\"expires_in\":900}", 0, 0, false, "user_code"},
    {"{\"device_code\":\"d\",\"user_code\":\"a\\u001b[2J\"," URI ",\"expires_in\":900}", 0, 0, false,
        "user_code"},
    {"{\"device_code\":\"d\",\"user_code\":\"\xc3\xa9\"," URI ",\"expires_in\":900}", 0, 0, false,
        "user_code"},
    {"{" CODES ",\"expires_in\":900}", 0, 0, false, "verification_uri"},
    {"{" CODES ",\"verification_uri\":\"file:///etc/passwd\",\"expires_in\":900}", 0, 0, false,
        "verification_uri"},
    {"{" CODES ",\"verification_uri\":\"--help\",\"expires_in\":900}", 0, 0, false, "verification_uri"},
    {"{" CODES ",\"verification_uri\":\"https://a b\",\"expires_in\":900}", 0, 0, false, "verification_uri"},
    {"{" CODES "," URI ",\"verification_uri_complete\":\"javascript:alert(1)\",\"expires_in\":900}", 0, 0,
        false, "verification_uri"},
    {"[]", 0, 0, false, "device_code"},
    {"null", 0, 0, false, "device_code"},
};

START_TEST(a_request_is_read)
{
    const struct request_case *row = &requests[_i];
    struct json_object *answer = parse(row->text);
    struct device_request request;
    struct buf why = {0};
    bool taken = device_request_read(answer, &request, &why);
    ck_assert_msg(taken == (row->why == NULL), "%s: %s", row->text, buf_text(&why));
    ck_assert_int_eq(request.expires_s, row->expires_s);
    ck_assert_int_eq(request.interval_s, row->interval_s);
    ck_assert(taken == (request.device_code && request.user_code && request.verification_uri));
    ck_assert(row->complete == (request.verification_uri_complete != NULL));
    if (row->why)
        ck_assert_msg(strstr(buf_text(&why), row->why) != NULL, "%s: %s", row->text, buf_text(&why));
    device_request_free(&request);
    buf_free(&why);
    json_object_put(answer);
}
END_TEST

#define TOKEN "\"access_token\":\"pc_x\",\"token_type\":\"Bearer\""

static const struct token_case {
    int status;
    const char *text;
    enum device_state state;
} tokens[] = {
    {200, "{" TOKEN ",\"agent\":\"frontend\",\"namespace\":\"shop\"}", DEVICE_GRANTED},
    {200, "{" TOKEN ",\"agent\":\"frontend\"}", DEVICE_FAILED},
    {200, "{" TOKEN ",\"namespace\":\"shop\"}", DEVICE_FAILED},
    {200, "{" TOKEN ",\"agent\":\"a b\",\"namespace\":\"shop\"}", DEVICE_FAILED},
    {200, "{\"agent\":\"frontend\",\"namespace\":\"shop\"}", DEVICE_FAILED},
    {200, "{\"access_token\":\"a\\r\\nb\",\"agent\":\"frontend\",\"namespace\":\"shop\"}", DEVICE_FAILED},
    {200, "{\"error\":\"authorization_pending\"}", DEVICE_FAILED},
    {400, "{\"error\":\"authorization_pending\"}", DEVICE_PENDING},
    {400, "{\"error\":\"slow_down\"}", DEVICE_SLOW_DOWN},
    {400, "{\"error\":\"access_denied\"}", DEVICE_DENIED},
    {403, "{\"error\":\"access_denied\"}", DEVICE_DENIED},
    {400, "{\"error\":\"expired_token\"}", DEVICE_EXPIRED},
    {400, "{\"error\":\"invalid_grant\"}", DEVICE_FAILED},
    {400, "{\"error\":[\"authorization_pending\"]}", DEVICE_FAILED},
    {302, "{\"error\":\"authorization_pending\"}", DEVICE_FAILED},
    {404, "null", DEVICE_FAILED},
};

START_TEST(a_token_answer_is_sorted)
{
    const struct token_case *row = &tokens[_i];
    struct json_object *answer = parse(row->text);
    struct device_token token = {0};
    struct buf why = {0};
    ck_assert_int_eq(device_token_read(row->status, answer, &token, &why), row->state);
    if (row->state == DEVICE_GRANTED) {
        ck_assert_str_eq(token.token, "pc_x");
        ck_assert_str_eq(token.who.agent, "frontend");
        ck_assert_str_eq(token.who.namespace_id, "shop");
    } else {
        ck_assert_ptr_null(token.token);
    }
    ck_assert((why.len > 0) == (row->status == 200 && row->state == DEVICE_FAILED));
    device_token_free(&token);
    buf_free(&why);
    json_object_put(answer);
}
END_TEST

START_TEST(texts_have_a_limit)
{
    for (size_t len = TOKEN_MAX_LEN; len <= TOKEN_MAX_LEN + 1; len++) {
        char *long_text = xcalloc(len + 1, 1);
        memset(long_text, 'x', len);
        struct json_object *answer = parse("{\"agent\":\"frontend\",\"namespace\":\"shop\"}");
        json_add_text(answer, "access_token", long_text);
        struct device_token token = {0};
        struct buf why = {0};
        ck_assert_int_eq(device_token_read(200, answer, &token, &why),
            len <= TOKEN_MAX_LEN ? DEVICE_GRANTED : DEVICE_FAILED);
        device_token_free(&token);
        buf_free(&why);
        json_object_put(answer);
        free(long_text);
    }
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("device_login", &tests);
    tcase_add_loop_test(tests, a_request_is_read, 0, (int)LENGTH_OF(requests));
    tcase_add_loop_test(tests, a_token_answer_is_sorted, 0, (int)LENGTH_OF(tokens));
    tcase_add_test(tests, texts_have_a_limit);
    return run_unit(suite);
}
