/* MCP over HTTP, both eras: what is answered with what. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../harness.h"

#define META                                                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/"       \
    "clientCapabilities\":{}}"

enum { TOOLS_LIST_MAX = 6 * 1024, HEADERS_MAX = 8 };

static struct relay_process *relay;
static char *token, *bearer, *url;

static void setup(void)
{
    relay = relay_start(NULL, NULL);
    token = relay_token(relay, "frontend@myproject");
    bearer = xasprintf("Authorization: Bearer %s", token);
    url = xasprintf("%s/mcp", relay->url);
}

static void teardown(void)
{
    free(url);
    free(bearer);
    free(token);
    harness_cleanup();
}

/* POSTs a body with the token and these headers (NULL-ended, or NULL). */
static void post(const char *body, const char *const headers[], struct http_reply *reply)
{
    const char *list[HEADERS_MAX + 2] = {bearer};
    size_t count = 1;

    for (size_t i = 0; headers && headers[i] && count <= HEADERS_MAX; i++)
        list[count++] = headers[i];
    http_call("POST", url, list, body, reply);
}

static int64_t error_code(const struct http_reply *reply)
{
    struct json_object *error = NULL;
    int64_t code = 0;

    if (json_get_object(reply->json, "error", &error) == JSON_FIELD_FOUND)
        ck_assert(json_get_int(error, "code", &code) == JSON_FIELD_FOUND);
    return code;
}

static struct json_object *result_of(struct json_object *answer)
{
    struct json_object *result = NULL;

    ck_assert_msg(json_get_object(answer, "result", &result) == JSON_FIELD_FOUND, "no result: %s",
        json_object_to_json_string(answer));
    return result;
}

/* One exchange: status, the error's code (0: none), and the id as JSON text. */
static void expect(const char *body, const char *const headers[], int status, int64_t code, const char *id)
{
    struct http_reply reply;
    struct json_object *given = NULL;

    post(body, headers, &reply);
    ck_assert_msg(reply.status == status && error_code(&reply) == code, "%s: %d %s", body, reply.status,
        buf_text(&reply.body));
    ck_assert_msg(json_object_object_get_ex(reply.json, "id", &given), "%s: no id", body);
    ck_assert_str_eq(given ? json_object_to_json_string_ext(given, JSON_C_TO_STRING_PLAIN) : "null", id);
    http_reply_free(&reply);
}

START_TEST(modern_lists)
{
    int status;
    struct json_object *answer = mcp_request(relay, token, "server/discover", NULL, &status), *value = NULL;

    ck_assert_int_eq(status, 200);
    ck_assert_str_eq(json_text_or(result_of(answer), "resultType", ""), "complete");
    ck_assert(json_get_array(result_of(answer), "supportedVersions", &value) == JSON_FIELD_FOUND);
    json_object_put(answer);
    answer = mcp_request(relay, token, "tools/list", NULL, &status);
    ck_assert_int_eq(status, 200);
    ck_assert(json_get_array(result_of(answer), "tools", &value) == JSON_FIELD_FOUND);
    ck_assert_uint_eq(json_object_array_length(value), 9);
    ck_assert_uint_lt(strlen(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN)), TOOLS_LIST_MAX);
    json_object_put(answer);
    answer = mcp_request(relay, token, "prompts/get", "{\"name\":\"wait\"}", &status);
    ck_assert_int_eq(status, 200);
    ck_assert(json_get_array(result_of(answer), "messages", &value) == JSON_FIELD_FOUND);
    json_object_put(answer);
}
END_TEST

START_TEST(legacy_life)
{
    static const char *const version[] = {
        "MCP-Protocol-Version: 2025-06-18", "Mcp-Session-Id: whatever", NULL};
    struct http_reply reply;

    post("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-"
         "18\",\"capabilities\":{},"
         "\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
        NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(json_text_or(result_of(reply.json), "protocolVersion", ""), "2025-06-18");
    ck_assert_ptr_null(strcasestr(buf_text(&reply.headers), "mcp-session-id"));
    http_reply_free(&reply);

    post("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", version, &reply);
    ck_assert_int_eq(reply.status, 202);
    ck_assert_uint_eq(reply.body.len, 0);
    http_reply_free(&reply);

    expect("{\"jsonrpc\":\"2.0\",\"id\":\"p-1\",\"method\":\"ping\"}", version, 200, 0, "\"p-1\"");
    expect("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}", NULL, 200, 0, "2");
    expect("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"completion/complete\"}", version, 200, -32601, "3");
    expect("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"server/discover\"}", version, 200, -32601, "4");

    post("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"inbox\"}}", version,
        &reply);
    ck_assert_ptr_nonnull(strstr(mcp_result_text(reply.json, NULL), "frontend@myproject | 0 pending"));
    ck_assert_str_eq(json_text_or(result_of(reply.json), "resultType", "absent"), "absent");
    http_reply_free(&reply);
}
END_TEST

static const struct {
    const char *body, *version;
    int status;
    int64_t code;
    const char *id;
} legacy_rows[] = {
    {"", NULL, 400, -32700, "null"},
    {"{", NULL, 400, -32700, "null"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,\"method\":\"ping\"}", NULL, 400, -32700, "null"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\\u0000\"}", NULL, 400, -32700, "null"},
    {"{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"method\":\"ping\"}", NULL, 400, -32700, "null"},
    {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", NULL, 400, -32700, "null"},
    {"7", NULL, 400, -32600, "null"},
    {"{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"ping\"}", NULL, 400, -32600, "7"},
    {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", NULL, 400, -32600, "null"},
    {"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":9}", NULL, 400, -32600, "8"},
    {"{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\",\"params\":[]}", NULL, 400, -32600, "9"},
    {"{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"ping\"}", "MCP-Protocol-Version: 1999-01-01", 400, -32022,
        "10"},
    {"{\"jsonrpc\":\"2.0\",\"id\":11,\"method\":\"ping\"}", "MCP-Protocol-Version: 2026-07-28", 400, -32602,
        "11"},
    {"{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"tools/call\",\"params\":{\"name\":\"no_such_tool\"}}", NULL,
        200, -32602, "12"},
    {"{\"jsonrpc\":\"2.0\",\"id\":13,\"method\":\"tools/call\",\"params\":{\"name\":7}}", NULL, 200, -32602,
        "13"},
    {"{\"jsonrpc\":\"2.0\",\"id\":14,\"method\":\"tools/call\"}", NULL, 200, -32602, "14"},
    {"{\"jsonrpc\":\"2.0\",\"id\":15,\"method\":\"tools/"
     "call\",\"params\":{\"name\":\"inbox\",\"arguments\":[]}}",
        NULL, 200, -32602, "15"},
    {"{\"jsonrpc\":\"2.0\",\"id\":16,\"method\":\"tools/"
     "call\",\"params\":{\"name\":\"inbox\",\"_meta\":{\"patchcord/lease\":\"x\"}}}",
        NULL, 200, -32602, "16"},
    {"{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"tools/"
     "call\",\"params\":{\"name\":\"inbox\",\"_meta\":{\"patchcord/ack\":[7]}}}",
        NULL, 200, -32602, "17"},
    {"{\"jsonrpc\":\"2.0\",\"id\":18,\"method\":\"tools/"
     "call\",\"params\":{\"name\":\"inbox\",\"_meta\":{\"patchcord/peek\":1}}}",
        NULL, 200, -32602, "18"},
    {"[]", NULL, 400, -32600, "null"},
    {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", "MCP-Protocol-Version: 2025-06-18", 400, -32600,
        "null"},
};

START_TEST(bad_messages)
{
    const char *headers[] = {legacy_rows[_i].version, NULL};

    expect(legacy_rows[_i].body, headers, legacy_rows[_i].status, legacy_rows[_i].code, legacy_rows[_i].id);
    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", NULL, 200, 0, "1");
}
END_TEST

#define CALL(name)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"," META "}}"
#define LIST(meta) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" meta "}}"
#define VERSION    "MCP-Protocol-Version: 2026-07-28"

static const struct {
    const char *body, *headers[4];
    int status;
    int64_t code;
} modern_rows[] = {
    {CALL("inbox"), {VERSION, "Mcp-Method: tools/call", "Mcp-Name: inbox"}, 200, 0},
    {CALL("inbox"), {"mcp-protocol-version: 2026-07-28", "MCP-METHOD: tools/call", "mcp-name:   inbox  "},
        200, 0},
    {CALL("inbox"), {VERSION, "Mcp-Method: tools/call", "Mcp-Name: =?base64?aW5ib3g=?="}, 200, 0},
    {CALL("inbox"), {VERSION, "Mcp-Method: tools/call", "Mcp-Name: =?base64?aW5ib3g?="}, 400, -32020},
    {CALL("inbox"), {VERSION, "Mcp-Method: tools/call", "Mcp-Name: recall"}, 400, -32020},
    {CALL("inbox"), {VERSION, "Mcp-Method: tools/call", "Mcp-Name: INBOX"}, 400, -32020},
    {CALL("inbox"), {VERSION, "Mcp-Method: tools/call"}, 400, -32020},
    {CALL("inbox"), {VERSION, "Mcp-Method: tools/list", "Mcp-Name: inbox"}, 400, -32020},
    {CALL("inbox"), {VERSION, "Mcp-Method: TOOLS/CALL", "Mcp-Name: inbox"}, 400, -32020},
    {CALL("inbox"), {VERSION, "Mcp-Name: inbox"}, 400, -32020},
    {CALL("inbox"), {"Mcp-Method: tools/call", "Mcp-Name: inbox"}, 400, -32020},
    {CALL("inbox"), {"MCP-Protocol-Version: 2025-11-25", "Mcp-Method: tools/call", "Mcp-Name: inbox"}, 400,
        -32020},
    {CALL("no_such_tool"), {VERSION, "Mcp-Method: tools/call", "Mcp-Name: no_such_tool"}, 200, -32602},
    {LIST(META), {VERSION, "Mcp-Method: tools/list"}, 200, 0},
    {LIST("\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"}"),
        {VERSION, "Mcp-Method: tools/list"}, 400, -32602},
    {LIST("\"_meta\":{\"io.modelcontextprotocol/clientCapabilities\":{}}"),
        {VERSION, "Mcp-Method: tools/list"}, 400, -32602},
    {LIST("\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":7}"), {VERSION, "Mcp-Method: tools/list"},
        400, -32602},
    {LIST("\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2031-01-01\",\"io.modelcontextprotocol/"
          "clientCapabilities\":{}}"),
        {"MCP-Protocol-Version: 2031-01-01", "Mcp-Method: tools/list"}, 400, -32022},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{" META "}}",
        {VERSION, "Mcp-Method: ping"}, 404, -32601},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{" META "}}",
        {VERSION, "Mcp-Method: initialize"}, 404, -32601},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logging/setLevel\",\"params\":{" META "}}",
        {VERSION, "Mcp-Method: logging/setLevel"}, 404, -32601},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":\"x:y\"," META "}}",
        {VERSION, "Mcp-Method: resources/read", "Mcp-Name: x:y"}, 200, -32602},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":\"x:y\"," META "}}",
        {VERSION, "Mcp-Method: resources/read", "Mcp-Name: x:z"}, 400, -32020},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/templates/list\",\"params\":{" META "}}",
        {VERSION, "Mcp-Method: resources/templates/list"}, 200, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/subscribe\",\"params\":{" META "}}",
        {VERSION, "Mcp-Method: resources/subscribe"}, 404, -32601},
};

START_TEST(modern_headers)
{
    expect(modern_rows[_i].body, modern_rows[_i].headers, modern_rows[_i].status, modern_rows[_i].code, "1");
}
END_TEST

START_TEST(unsupported_version_tells_what_is_supported)
{
    static const char *const headers[] = {"MCP-Protocol-Version: 2031-01-01", "Mcp-Method: tools/list", NULL};
    struct http_reply reply;
    struct json_object *data = NULL;

    post(modern_rows[17].body, headers, &reply);
    ck_assert(json_get_object(reply.json, "error", &data) == JSON_FIELD_FOUND);
    ck_assert(json_get_object(data, "data", &data) == JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(data, "requested", ""), "2031-01-01");
    ck_assert(json_get_array(data, "supported", &data) == JSON_FIELD_FOUND);
    ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(data, 0)), "2026-07-28");
    http_reply_free(&reply);
}
END_TEST

START_TEST(batches)
{
    struct http_reply reply;

    post("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":"
         "\"notifications/x\"},"
         "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/"
         "call\",\"params\":{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":1}}},"
         "7,{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"inbox\"}}]",
        NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_uint_eq(json_object_array_length(reply.json), 4);
    ck_assert_str_eq(
        mcp_result_text(json_object_array_get_idx(reply.json, 1), NULL), "No message after 1 s.\n");
    ck_assert(json_object_object_get_ex(json_object_array_get_idx(reply.json, 2), "error", NULL));
    ck_assert_ptr_nonnull(
        strstr(mcp_result_text(json_object_array_get_idx(reply.json, 3), NULL), "| 0 pending"));
    http_reply_free(&reply);

    post("[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}]", NULL, &reply);
    ck_assert_int_eq(reply.status, 202);
    ck_assert_uint_eq(reply.body.len, 0);
    http_reply_free(&reply);

    struct buf most = {0};
    for (int i = 0; i < 20; i++)
        buf_puts(&most, i ? ",{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"
                          : "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    char *fits = xasprintf("%s]", buf_text(&most)), *over = xasprintf("%s,{}]", buf_text(&most));
    post(fits, NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_uint_eq(json_object_array_length(reply.json), 20);
    http_reply_free(&reply);
    expect(over, NULL, 400, -32600, "null");
    free(fits);
    free(over);
    buf_free(&most);
}
END_TEST

/* At most so many acknowledgements ride with a call. */
START_TEST(acks_are_bounded)
{
    enum { MOST = 1000 };
    struct buf ids = {0};

    for (int i = 0; i < MOST; i++)
        buf_puts(&ids,
            i ? ",\"0192f0c1-89ab-7cde-8123-456789abcdef\"" : "\"0192f0c1-89ab-7cde-8123-456789abcdef\"");
    for (int more = 0; more <= 1; more++) {
        char *body = xasprintf(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"inbox\","
            "\"_meta\":{\"patchcord/ack\":[%s%s]}}}",
            buf_text(&ids), more ? ",\"0192f0c1-89ab-7cde-8123-456789abcdef\"" : "");
        expect(body, NULL, 200, more ? -32602 : 0, "1");
        free(body);
    }
    buf_free(&ids);
}
END_TEST

START_TEST(other_methods)
{
    static const char *const methods[] = {"GET", "DELETE", "PUT"};
    static const char *const paths[] = {"/mcp", "/mcp/bearer"};

    for (size_t i = 0; i < LENGTH_OF(paths); i++) {
        char *at = xasprintf("%s%s", relay->url, paths[i]);
        const char *headers[] = {bearer, NULL};
        struct http_reply reply;
        http_call(methods[_i], at, NULL, NULL, &reply);
        ck_assert_int_eq(reply.status, 401);
        ck_assert_ptr_nonnull(strcasestr(buf_text(&reply.headers), "www-authenticate: Bearer"));
        http_reply_free(&reply);
        http_call(methods[_i], at, headers, NULL, &reply);
        ck_assert_int_eq(reply.status, 405);
        ck_assert_ptr_nonnull(strcasestr(buf_text(&reply.headers), "allow: POST"));
        http_reply_free(&reply);
        free(at);
    }
}
END_TEST

START_TEST(credentials_come_first)
{
    struct http_reply reply;
    static const char *const wrong[] = {"Authorization: Bearer pc_wrong", NULL};

    http_call("POST", url, NULL, "{", &reply);
    ck_assert_int_eq(reply.status, 401);
    http_reply_free(&reply);
    http_call("POST", url, wrong, "{}", &reply);
    ck_assert_int_eq(reply.status, 401);
    http_reply_free(&reply);
}
END_TEST

START_TEST(subscriptions)
{
    struct open_call *call = call_begin(
        relay, token, "subscriptions/listen", "{\"notifications\":{\"toolsListChanged\":true}}", NULL);

    ck_assert(call_hears(call, "\r\nContent-Type: text/event-stream", 5000));
    ck_assert(call_hears(call,
        "data: "
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"_meta\":"
        "{\"io.modelcontextprotocol/subscriptionId\":1},\"notifications\":{}}}\n\n",
        5000));
    ck_assert_ptr_nonnull(strstr(call_heard(call), "X-Accel-Buffering: no"));
    ck_assert_int_eq(relay_stop(relay), 0);
    ck_assert(call_hears(call,
        "\"id\":1,\"result\":{\"_meta\":{\"io.modelcontextprotocol/"
        "subscriptionId\":1},\"resultType\":\"complete\"}}\n\n",
        5000));
    call_end(call);
}
END_TEST

START_TEST(subscriptions_are_bounded)
{
    enum { MOST = 16 };
    struct open_call *calls[MOST];
    int status;

    expect("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\",\"params\":{" META "}}",
        (const char *const[]){VERSION, "Mcp-Method: subscriptions/listen", NULL}, 400, -32602, "1");
    for (size_t i = 0; i < MOST; i++) {
        calls[i] = call_begin(relay, token, "subscriptions/listen", "{\"notifications\":{}}", NULL);
        ck_assert(call_hears(calls[i], "acknowledged", 5000));
    }
    json_object_put(mcp_request(relay, token, "subscriptions/listen", "{\"notifications\":{}}", &status));
    ck_assert_int_eq(status, 429);
    for (size_t i = 0; i < MOST; i++)
        call_end(calls[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mcp");
    TCase *tests = tcase_create("mcp");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, modern_lists);
    tcase_add_test(tests, legacy_life);
    tcase_add_loop_test(tests, bad_messages, 0, (int)LENGTH_OF(legacy_rows));
    tcase_add_loop_test(tests, modern_headers, 0, (int)LENGTH_OF(modern_rows));
    tcase_add_test(tests, unsupported_version_tells_what_is_supported);
    tcase_add_test(tests, batches);
    tcase_add_test(tests, acks_are_bounded);
    tcase_add_loop_test(tests, other_methods, 0, 3);
    tcase_add_test(tests, credentials_come_first);
    tcase_add_test(tests, subscriptions);
    tcase_add_test(tests, subscriptions_are_bounded);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
