/* HTTP answers of the relay, of proxies and of strangers, sorted. */
#include <check.h>
#include <string.h>

#include "../../bridge/relay_reply.h"
#include "unit.h"

#define URL   "https://r.example"
#define MSG_A "0192f0c1-0000-7000-8000-000000000001"
#define MSG_B "0192f0c1-0000-7000-8000-000000000002"
#define LEASE "6f1e1f2a-0000-4000-8000-000000000003"

static void read_text(int status, int retry_after_s, const char *body, struct relay_reply *reply)
{
    relay_reply_read(status, retry_after_s, body, strlen(body), URL, reply);
}

START_TEST(a_result_is_taken_apart)
{
    struct relay_reply reply;
    read_text(200, -1,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hello\"}],"
        "\"isError\":false,\"_meta\":{\"patchcord/offer\":{\"lease\":\"" LEASE "\",\"ids\":[\"" MSG_A
        "\",\"" MSG_B
        "\",\"no uuid\",3],\"timed_out\":false},\"io.modelcontextprotocol/serverInfo\":{\"name\":\"x\"}}}}",
        &reply);
    ck_assert_int_eq(reply.outcome, RELAY_DONE);
    ck_assert_str_eq(relay_reply_text(&reply), "hello");
    ck_assert(!relay_reply_is_error(&reply));
    ck_assert_str_eq(reply.offer.lease, LEASE);
    ck_assert_uint_eq(reply.offer.count, 2);
    ck_assert_str_eq(reply.offer.ids[1], MSG_B);
    ck_assert(!reply.offer.timed_out);
    ck_assert_ptr_null(reply.problem);
    /* What is the bridge's own is not passed on. */
    ck_assert(!json_object_object_get_ex(reply.result, "_meta", NULL));
    relay_reply_free(&reply);
}
END_TEST

START_TEST(other_meta_is_kept)
{
    struct relay_reply reply;
    read_text(200, -1,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[],\"_meta\":{\"patchcord/"
        "offer\":{\"timed_out\":true},"
        "\"x/y\":1}}}",
        &reply);
    ck_assert_int_eq(reply.outcome, RELAY_DONE);
    ck_assert_str_eq(relay_reply_text(&reply), "");
    ck_assert(reply.offer.timed_out);
    ck_assert_uint_eq(reply.offer.count, 0);
    ck_assert_str_eq(json_object_to_json_string_ext(reply.result, JSON_C_TO_STRING_PLAIN),
        "{\"content\":[],\"_meta\":{\"x\\/y\":1}}");
    relay_reply_free(&reply);
}
END_TEST

static const struct {
    int status, retry_after_s;
    const char *body;
    enum relay_outcome outcome;
    const char *problem;
} answers[] = {
    {401, -1, "{\"error\":\"unauthorized\"}", RELAY_TOKEN_REFUSED,
        "The relay at " URL " does not accept this token"},
    {403, -1, "", RELAY_TOKEN_REFUSED, "The relay at " URL " forbids"},
    {404, -1, "<html>", RELAY_REJECTED, "There is no Patchcord relay at " URL},
    {404, -1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"no such method\"}}",
        RELAY_RPC_ERROR, "no such method"},
    {400, -1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"bad\"}}",
        RELAY_RPC_ERROR, "bad"},
    {200, -1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", RELAY_RPC_ERROR, "the relay gave no reason"},
    {200, -1, "{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":{}}", RELAY_REJECTED,
        "The relay at " URL " answered with somet"},
    {200, -1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}", RELAY_REJECTED,
        "The relay at " URL " answered with somet"},
    {200, -1, "<html>hotel network login</html>", RELAY_REJECTED,
        "The relay at " URL " answered with something that"},
    {200, -1, "", RELAY_UNCERTAIN, "The relay at " URL " broke off its answer"},
    {202, -1, "", RELAY_REJECTED, "The relay at " URL " answered with something that"},
    {302, -1, "", RELAY_REJECTED, URL " redirects to another address (302)"},
    {308, -1, "", RELAY_REJECTED, URL " redirects to another address (308)"},
    {413, -1, "", RELAY_REJECTED, "The relay at " URL " refused the request: it is too large"},
    {429, 12, "", RELAY_UNREACHABLE, "The relay at " URL " limits"},
    {500, -1, "oops", RELAY_UNCERTAIN, "The relay at " URL " answered with something that"},
    {500, -1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"broke\"}}",
        RELAY_RPC_ERROR, "broke"},
    {502, -1, "", RELAY_UNCERTAIN, "A proxy in front of the relay at " URL},
    {503, 1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", RELAY_UNREACHABLE,
        "The relay at " URL " is not available"},
    {504, -1, "", RELAY_UNCERTAIN, "A proxy in front of the relay at " URL},
};

START_TEST(other_answers_are_sorted)
{
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct relay_reply reply;
        read_text(answers[i].status, answers[i].retry_after_s, answers[i].body, &reply);
        ck_assert_msg(reply.outcome == answers[i].outcome, "%d %s: outcome %d", answers[i].status,
            answers[i].body, (int)reply.outcome);
        ck_assert_msg(
            reply.problem && strncmp(reply.problem, answers[i].problem, strlen(answers[i].problem)) == 0,
            "%d %s: %s", answers[i].status, answers[i].body, reply.problem);
        ck_assert_ptr_null(reply.result);
        ck_assert_int_eq(reply.http_status, answers[i].status);
        ck_assert_int_eq(reply.retry_after_s, answers[i].retry_after_s);
        relay_reply_free(&reply);
    }
}
END_TEST

START_TEST(a_code_beyond_int_is_an_internal_error)
{
    struct relay_reply reply;
    read_text(
        200, -1, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":9999999999,\"message\":\"x\"}}", &reply);
    ck_assert_int_eq(reply.rpc_code, -32603);
    relay_reply_free(&reply);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("relay_reply", &tests);
    tcase_add_test(tests, a_result_is_taken_apart);
    tcase_add_test(tests, other_meta_is_kept);
    tcase_add_test(tests, other_answers_are_sorted);
    tcase_add_test(tests, a_code_beyond_int_is_an_internal_error);
    return run_unit(suite);
}
