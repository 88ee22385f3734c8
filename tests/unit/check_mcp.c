#include <string.h>

#include "../../common/mcp.h"
#include "../../common/tool_spec.h"
#include "unit.h"

#define MODERN_META                                                                                          \
    "\"_meta\":{\"" MCP_META_VERSION "\":\"" MCP_MODERN_VERSION "\",\"" MCP_META_CAPABILITIES "\":{}}"

/* One request read and classified. */
struct asked {
    struct json_object *value;
    struct jsonrpc_message message;
    struct mcp_call call;
    const char *problem;
    struct json_object *data;
    int code;
};

static struct asked ask(const char *text)
{
    struct asked asked = {0};
    enum json_fault fault;
    asked.value = json_parse(text, strlen(text), &fault);
    ck_assert_int_eq(fault, JSON_FAULT_NONE);
    jsonrpc_classify(asked.value, &asked.message);
    asked.code = mcp_read_call(&asked.message, &asked.call, &asked.problem, &asked.data);
    return asked;
}

static void done(struct asked *asked)
{
    json_object_put(asked->data);
    json_object_put(asked->value);
}

static struct json_object *answer(const char *request, enum mcp_face face, bool channel)
{
    struct asked asked = ask(request);
    ck_assert_int_eq(asked.code, 0);
    struct json_object *reply = mcp_answer(face, &asked.call, &asked.message, channel);
    ck_assert_str_eq(json_text_or(reply, "jsonrpc", ""), "2.0");
    ck_assert_int_eq(json_object_equal(json_object_object_get(reply, "id"), asked.message.id), 1);
    done(&asked);
    return reply;
}

static struct json_object *result_of(struct json_object *reply)
{
    struct json_object *result = NULL;
    ck_assert_int_eq(json_get_object(reply, "result", &result), JSON_FIELD_FOUND);
    return result;
}

static int64_t error_of(struct json_object *reply)
{
    struct json_object *error = NULL;
    int64_t code = 0;
    ck_assert_int_eq(json_get_object(reply, "error", &error), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_int(error, "code", &code), JSON_FIELD_FOUND);
    ck_assert_str_ne(json_text_or(error, "message", ""), "");
    return code;
}

/* ---- eras ---- */

static const struct {
    const char *request;
    enum mcp_era era;
    int code;
} calls[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", MCP_LEGACY, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{}}}", MCP_LEGACY, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}", MCP_LEGACY, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{" MODERN_META "}}", MCP_MODERN, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":5}}", MCP_LEGACY,
        JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"" MCP_META_VERSION "\":5}}}",
        MCP_LEGACY, JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"" MCP_META_VERSION
     "\":\"" MCP_MODERN_VERSION "\"}}}",
        MCP_MODERN, JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"" MCP_META_VERSION
     "\":\"" MCP_MODERN_VERSION "\",\"" MCP_META_CAPABILITIES "\":[]}}}",
        MCP_MODERN, JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"" MCP_META_VERSION
     "\":\"2099-01-01\",\"" MCP_META_CAPABILITIES "\":{}}}}",
        MCP_MODERN, MCP_UNSUPPORTED_VERSION},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"" MCP_META_VERSION
     "\":\"" MCP_NEWEST_LEGACY "\"}}}",
        MCP_MODERN, MCP_UNSUPPORTED_VERSION},
    /* A notification need not say what its sender can do. */
    {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"_meta\":{\"" MCP_META_VERSION
     "\":\"" MCP_MODERN_VERSION "\"}}}",
        MCP_MODERN, 0},
};

START_TEST(era_follows_from_meta)
{
    struct asked asked = ask(calls[_i].request);
    ck_assert_int_eq(asked.call.era, calls[_i].era);
    ck_assert_int_eq(asked.code, calls[_i].code);
    ck_assert_int_eq(asked.problem != NULL, calls[_i].code != 0);
    ck_assert_int_eq(asked.data != NULL, calls[_i].code == MCP_UNSUPPORTED_VERSION);
    done(&asked);
}
END_TEST

START_TEST(an_unsupported_version_is_told_what_is_supported)
{
    struct asked asked =
        ask("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"" MCP_META_VERSION
            "\":\"2099-01-01\"}}}");
    struct json_object *supported = NULL;
    ck_assert_int_eq(json_get_array(asked.data, "supported", &supported), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(supported, 0)), MCP_MODERN_VERSION);
    ck_assert_str_eq(json_text_or(asked.data, "requested", ""), "2099-01-01");
    done(&asked);
}
END_TEST

START_TEST(progress_tokens_are_strings_or_integers)
{
    static const struct {
        const char *token;
        bool taken;
    } rows[] = {{"\"t\"", true}, {"0", true}, {"null", false}, {"{}", false}, {"true", false}};
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct buf text = {0};
        buf_printf(&text,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"progressToken\":%s}}}",
            rows[i].token);
        struct asked asked = ask(buf_text(&text));
        ck_assert_int_eq(asked.call.progress_token != NULL, rows[i].taken);
        done(&asked);
        buf_free(&text);
    }
}
END_TEST

START_TEST(versions_are_newest_first)
{
    size_t count = 0;
    for (; mcp_versions[count]; count++) {
        ck_assert(mcp_version_supported(mcp_versions[count]));
        ck_assert_int_eq(mcp_version_is_legacy(mcp_versions[count]), count > 0);
        ck_assert(count == 0 || strcmp(mcp_versions[count - 1], mcp_versions[count]) > 0);
    }
    ck_assert_uint_eq(count, 5);
    ck_assert(!mcp_version_supported("2024-11-06"));
    ck_assert(!mcp_version_is_legacy("2024-11-06"));
    ck_assert(mcp_version_is_legacy(MCP_HTTP_DEFAULT));
}
END_TEST

/* ---- answers ---- */

static const struct {
    const char *asked, *answered;
} initializations[] = {
    {"2024-11-05", "2024-11-05"},
    {"2025-03-26", "2025-03-26"},
    {"2025-06-18", "2025-06-18"},
    {"2025-11-25", "2025-11-25"},
    {"2026-07-28", "2025-11-25"},
    {"1999-01-01", "2025-11-25"},
};

START_TEST(initialize_settles_the_version)
{
    struct buf request = {0};
    buf_printf(&request,
        "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\","
        "\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}",
        initializations[_i].asked);
    struct json_object *reply = answer(buf_text(&request), MCP_FACE_BRIDGE, false);
    struct json_object *result = result_of(reply);
    struct json_object *part = NULL;
    ck_assert_str_eq(json_text_or(result, "protocolVersion", ""), initializations[_i].answered);
    ck_assert_str_eq(json_text_or(result, "instructions", ""), mcp_instructions);
    ck_assert_int_eq(json_get_object(result, "serverInfo", &part), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(part, "name", ""), "patchcord");
    ck_assert_str_eq(json_text_or(part, "version", ""), PATCHCORD_VERSION);
    ck_assert_int_eq(json_get_object(result, "capabilities", &part), JSON_FIELD_FOUND);
    ck_assert_str_eq(
        json_object_to_json_string_ext(part, JSON_C_TO_STRING_PLAIN), "{\"tools\":{},\"prompts\":{}}");
    ck_assert(!json_object_object_get_ex(result, "resultType", NULL));
    ck_assert(!json_object_object_get_ex(result, "_meta", NULL));
    json_object_put(reply);
    buf_free(&request);
}
END_TEST

START_TEST(a_channel_is_announced_in_the_legacy_era_alone)
{
    struct json_object *reply = answer("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                                       "\"protocolVersion\":\"2025-11-25\"}}",
        MCP_FACE_BRIDGE, true);
    struct json_object *part = NULL;
    ck_assert_int_eq(json_get_object(result_of(reply), "capabilities", &part), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(part, "experimental", &part), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(part, "claude/channel", &part), JSON_FIELD_FOUND);
    json_object_put(reply);

    reply =
        answer("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{" MODERN_META "}}",
            MCP_FACE_BRIDGE, true);
    ck_assert_int_eq(error_of(reply), JSONRPC_METHOD_NOT_FOUND);
    json_object_put(reply);
}
END_TEST

static void expect_modern(struct json_object *result)
{
    struct json_object *part = NULL;
    ck_assert_str_eq(json_text_or(result, "resultType", ""), "complete");
    ck_assert_int_eq(json_get_object(result, "_meta", &part), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(part, MCP_META_SERVER_INFO, &part), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(part, "version", ""), PATCHCORD_VERSION);
}

static void expect_cacheable(struct json_object *result)
{
    int64_t ttl = -1;
    ck_assert_int_eq(json_get_int(result, "ttlMs", &ttl), JSON_FIELD_FOUND);
    ck_assert_int_ge(ttl, 0);
    ck_assert_str_eq(json_text_or(result, "cacheScope", ""), "public");
}

START_TEST(discover_names_what_is_spoken)
{
    struct json_object *reply =
        answer("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{" MODERN_META "}}",
            MCP_FACE_RELAY, false);
    struct json_object *result = result_of(reply);
    struct json_object *part = NULL;
    expect_modern(result);
    expect_cacheable(result);
    ck_assert_int_eq(json_get_array(result, "supportedVersions", &part), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_object_get_string(json_object_array_get_idx(part, 0)), MCP_MODERN_VERSION);
    ck_assert_int_eq(json_get_object(result, "capabilities", &part), JSON_FIELD_FOUND);
    ck_assert_str_eq(json_text_or(result, "instructions", ""), mcp_instructions);
    json_object_put(reply);
}
END_TEST

static const char *const lists[] = {"tools", "prompts"};

START_TEST(lists_are_answered_in_both_eras)
{
    struct buf request = {0};
    struct json_object *part = NULL;
    buf_printf(&request, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s/list\"}", lists[_i]);
    struct json_object *legacy = answer(buf_text(&request), MCP_FACE_RELAY, false);
    ck_assert_int_eq(json_get_array(result_of(legacy), lists[_i], &part), JSON_FIELD_FOUND);
    ck_assert_uint_gt(json_object_array_length(part), 0);
    ck_assert_int_eq(json_object_object_length(result_of(legacy)), 1);

    buf_reset(&request);
    buf_printf(&request, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s/list\",\"params\":{" MODERN_META "}}",
        lists[_i]);
    struct json_object *modern = answer(buf_text(&request), MCP_FACE_RELAY, false);
    struct json_object *same = NULL;
    expect_modern(result_of(modern));
    expect_cacheable(result_of(modern));
    ck_assert_int_eq(json_get_array(result_of(modern), lists[_i], &same), JSON_FIELD_FOUND);
    ck_assert(json_object_equal(part, same));

    buf_reset(&request);
    buf_printf(&request,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s/list\",\"params\":{\"cursor\":\"x\"}}", lists[_i]);
    struct json_object *paged = answer(buf_text(&request), MCP_FACE_RELAY, false);
    ck_assert_int_eq(error_of(paged), JSONRPC_INVALID_PARAMS);

    json_object_put(paged);
    json_object_put(modern);
    json_object_put(legacy);
    buf_free(&request);
}
END_TEST

START_TEST(every_listed_prompt_can_be_had)
{
    struct json_object *list_reply =
        answer("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/list\"}", MCP_FACE_RELAY, false);
    struct json_object *list = NULL;
    ck_assert_int_eq(json_get_array(result_of(list_reply), "prompts", &list), JSON_FIELD_FOUND);
    ck_assert_uint_eq(json_object_array_length(list), 2);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct buf request = {0};
        buf_printf(&request,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/"
            "get\",\"params\":{\"name\":\"%s\"," MODERN_META "}}",
            json_text_or(json_object_array_get_idx(list, i), "name", ""));
        struct json_object *reply = answer(buf_text(&request), MCP_FACE_RELAY, false);
        struct json_object *messages = NULL;
        expect_modern(result_of(reply));
        ck_assert_int_eq(json_get_array(result_of(reply), "messages", &messages), JSON_FIELD_FOUND);
        struct json_object *message = json_object_array_get_idx(messages, 0);
        struct json_object *content = NULL;
        ck_assert_str_eq(json_text_or(message, "role", ""), "user");
        ck_assert_int_eq(json_get_object(message, "content", &content), JSON_FIELD_FOUND);
        ck_assert_str_eq(json_text_or(content, "type", ""), "text");
        ck_assert_str_ne(json_text_or(content, "text", ""), "");
        json_object_put(reply);
        buf_free(&request);
    }
    json_object_put(list_reply);
}
END_TEST

static const struct {
    const char *request;
    int64_t code;
} errors[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}", JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":1}}",
        JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/get\"}", JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/get\",\"params\":{\"name\":\"x\"}}",
        JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/get\",\"params\":{\"name\":5}}",
        JSONRPC_INVALID_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"completion/complete\"}", JSONRPC_METHOD_NOT_FOUND},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", JSONRPC_METHOD_NOT_FOUND},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}", JSONRPC_METHOD_NOT_FOUND},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{" MODERN_META "}}",
        JSONRPC_METHOD_NOT_FOUND},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{" MODERN_META "}}",
        JSONRPC_METHOD_NOT_FOUND},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logging/setLevel\",\"params\":{" MODERN_META "}}",
        JSONRPC_METHOD_NOT_FOUND},
};

START_TEST(errors_have_their_code)
{
    struct json_object *reply = answer(errors[_i].request, MCP_FACE_RELAY, false);
    ck_assert_msg(error_of(reply) == errors[_i].code, "%s", errors[_i].request);
    json_object_put(reply);
}
END_TEST

START_TEST(ping_is_legacy)
{
    struct json_object *reply =
        answer("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", MCP_FACE_RELAY, false);
    ck_assert_int_eq(json_object_object_length(result_of(reply)), 0);
    json_object_put(reply);
    ck_assert(mcp_answers(MCP_LEGACY, "ping"));
    ck_assert(!mcp_answers(MCP_MODERN, "ping"));
    ck_assert(!mcp_answers(MCP_LEGACY, "tools/call"));
}
END_TEST

/* ---- results ---- */

START_TEST(tool_results_change_their_era)
{
    struct json_object *result = mcp_tool_result(MCP_LEGACY, "hello world", 5, true);
    static const char legacy[] = "{\"content\":[{\"type\":\"text\",\"text\":\"hello\"}],\"isError\":true}";
    ck_assert_str_eq(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN), legacy);
    mcp_result_set_era(result, MCP_MODERN);
    expect_modern(result);
    mcp_result_set_era(result, MCP_MODERN);
    expect_modern(result);
    mcp_result_set_era(result, MCP_LEGACY);
    ck_assert_str_eq(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN), legacy);
    mcp_result_set_era(result, MCP_LEGACY);
    ck_assert_str_eq(json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN), legacy);
    json_object_put(result);
}
END_TEST

START_TEST(other_meta_survives_a_change_of_era)
{
    struct json_object *meta = json_new_object();
    json_add_bool(meta, PATCHCORD_META_OFFER, true);
    struct json_object *result = json_new_object();
    json_add(result, "_meta", meta);
    mcp_result_set_era(result, MCP_MODERN);
    expect_modern(result);
    mcp_result_set_era(result, MCP_LEGACY);
    ck_assert_str_eq(
        json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        "{\"_meta\":{\"" PATCHCORD_META_OFFER "\":true}}");
    json_object_put(result);
}
END_TEST

START_TEST(instructions_are_short)
{
    ck_assert_uint_gt(strlen(mcp_instructions), 0);
    ck_assert_uint_le(strlen(mcp_instructions), MCP_INSTRUCTIONS_MAX);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("mcp", &tests);
    tcase_add_loop_test(tests, era_follows_from_meta, 0, LENGTH_OF(calls));
    tcase_add_test(tests, an_unsupported_version_is_told_what_is_supported);
    tcase_add_test(tests, progress_tokens_are_strings_or_integers);
    tcase_add_test(tests, versions_are_newest_first);
    tcase_add_loop_test(tests, initialize_settles_the_version, 0, LENGTH_OF(initializations));
    tcase_add_test(tests, a_channel_is_announced_in_the_legacy_era_alone);
    tcase_add_test(tests, discover_names_what_is_spoken);
    tcase_add_loop_test(tests, lists_are_answered_in_both_eras, 0, LENGTH_OF(lists));
    tcase_add_test(tests, every_listed_prompt_can_be_had);
    tcase_add_loop_test(tests, errors_have_their_code, 0, LENGTH_OF(errors));
    tcase_add_test(tests, ping_is_legacy);
    tcase_add_test(tests, tool_results_change_their_era);
    tcase_add_test(tests, other_meta_survives_a_change_of_era);
    tcase_add_test(tests, instructions_are_short);
    return run_unit(suite);
}
