/* An agent that logged in and was granted a second namespace: its tools reach both, under addresses where
 * that is needed, and who is in one of them alone sees nothing of the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../harness_visitor.h"
#include "../harness_store.h"
#include "../harness_web.h"

#define CALLBACK     "https://client.example/callback"
#define CALLBACK_ESC "https%%3A%%2F%%2Fclient.example%%2Fcallback" /* in a format */

enum { SOON_MS = 10 * 1000 };

/* A grant's token counts at the MCP path alone, which here is the one that the harness calls. */
static const char *const settings[] = {
    "PATCHCORD_MCP_PATH=/mcp/bearer", "PATCHCORD_BEARER_PATH=/bearer", NULL};

static struct relay_process *relay;
/* Tokens. There is a frontend in each of the two namespaces, and a second webapp with a token for the shop
 * alone. */
static char *webapp, *backend, *front_of_shop, *front_of_lab, *chef, *namesake;

/* As a web client does it; the operator grants it the lab beside the shop. */
static char *log_in(void)
{
    struct visitor v = {.relay = relay};
    char *connect = visitor_connect_code(&v, "--agent webapp@shop --also lab");
    ck_assert_int_eq(
        visitor_register(&v, "{\"redirect_uris\":[\"" CALLBACK "\"],\"client_name\":\"A client\","
                             "\"token_endpoint_auth_method\":\"none\"}"),
        201);
    char *client = xstrdup(visitor_json(&v, "client_id"));
    char *path = xasprintf("/authorize?response_type=code&client_id=%s&redirect_uri=" CALLBACK_ESC
                           "&code_challenge=" PKCE_CHALLENGE "&code_challenge_method=S256",
        client);
    ck_assert_int_eq(visitor_get(&v, path), 200);
    ck_assert_int_eq(visitor_allow(&v, "/authorize", connect), 303);
    char *code = visitor_located(&v, "code");
    char *form = xasprintf("grant_type=authorization_code&client_id=%s&code=%s&redirect_uri=" CALLBACK_ESC
                           "&code_verifier=" PKCE_VERIFIER,
        client, code);
    ck_assert_msg(visitor_post(&v, "/token", form) == 200, "%s", buf_text(&v.reply.body));
    char *token = xstrdup(visitor_json(&v, "access_token")), *used[] = {connect, client, path, code, form};
    for (size_t i = 0; i < LENGTH_OF(used); i++)
        free(used[i]);
    visitor_free(&v);
    return token;
}

static void start(const char *const env[])
{
    relay = relay_start(NULL, env);
    backend = relay_token(relay, "backend@shop");
    front_of_shop = relay_token(relay, "frontend@shop");
    namesake = relay_token(relay, "webapp@shop");
    front_of_lab = relay_token(relay, "frontend@lab");
    chef = relay_token(relay, "chef@lab");
    free(relay_token(relay, "nobody@elsewhere"));
    webapp = log_in();
}

static void setup(void)
{
    start(settings);
}

static void teardown(void)
{
    char *tokens[] = {webapp, backend, front_of_shop, front_of_lab, chef, namesake};
    for (size_t i = 0; i < LENGTH_OF(tokens); i++)
        free(tokens[i]);
    harness_cleanup();
}

static void says_not(const char *token, const char *tool, const char *args, const char *unwanted)
{
    char *text = tool_ok(relay, token, tool, args);
    ck_assert_msg(!strstr(text, unwanted), "did not expect \"%s\" in:\n%s", unwanted, text);
    free(text);
}

START_TEST(a_name_means_whoever_has_it)
{
    tool_says(
        relay, webapp, "send_message", "{\"to\":\"chef\",\"content\":\"for the lab\"}", "Sent to chef@lab [");
    tool_says(relay, webapp, "send_message", "{\"to\":\"backend\",\"content\":\"for the shop\"}",
        "Sent to backend [");
    tool_says(relay, chef, "inbox", "{}", "From webapp (just now)");
    tool_says(relay, backend, "inbox", "{}", "From webapp (just now)");

    tool_fails(relay, webapp, "send_message", "{\"to\":\"frontend\",\"content\":\"for whom?\"}",
        "Several of your namespaces have an agent frontend: nothing was sent. Name one by its address: "
        "frontend@shop, frontend@lab");
    tool_says(relay, webapp, "send_message", "{\"to\":\"frontend@lab\",\"content\":\"for one\"}",
        "Sent to frontend@lab [");
    tool_says(relay, webapp, "send_message",
        "{\"to\":[\"lab:frontend\",\"frontend@shop\"],\"content\":\"for both\"}", "Sent to frontend [");
    tool_says(relay, front_of_shop, "inbox", "{}", "webapp (just now)");
    char *text = tool_ok(relay, front_of_lab, "inbox", "{}");
    ck_assert_msg(
        strstr(text, "| 2 pending") && strstr(text, "> for one") && strstr(text, "> for both"), "%s", text);
    free(text);

    tool_fails(relay, webapp, "send_message", "{\"to\":\"chief\",\"content\":\"x\"}",
        "Unknown recipient chief: nothing was sent. Agents of shop, lab, nearest name first: chef@lab, ");
    tool_fails(relay, webapp, "send_message", "{\"to\":\"nobody@elsewhere\",\"content\":\"x\"}",
        "Out of reach: nobody@elsewhere.");
    tool_says(relay, webapp, "send_message", "{\"to\":\"webapp\",\"content\":\"note\"}",
        "kept in your own inbox as deferred");
}
END_TEST

START_TEST(both_inboxes_are_one)
{
    free(tool_send(relay, chef, "webapp", "first"));
    free(tool_send(relay, backend, "webapp", "second"));
    char *text = tool_ok(relay, webapp, "inbox", "{\"all_agents\":true}");
    const char *first = strstr(text, "From chef@lab ("), *second = strstr(text, "From backend (");
    ck_assert_msg(strncmp(text, "webapp@shop (also lab) | 2 pending\n", 35) == 0, "%s", text);
    ck_assert_msg(first && second && first < second, "%s", text);
    ck_assert_msg(
        strstr(text, "chef@lab, ") || strstr(text, "chef@lab\n") || strstr(text, "chef@lab ("), "%s", text);
    ck_assert_msg(!strstr(text, "nobody"), "%s", text);
    free(text);
    tool_says(relay, webapp, "recall", "{\"from_agent\":\"chef@lab\"}", "From chef@lab to webapp@lab (");
    says_not(webapp, "recall", "{\"from_agent\":\"frontend@lab\"}", "From");
    /* Seen in each of them. */
    tool_says(relay, chef, "inbox", "{}", "Online: webapp");
    tool_says(relay, backend, "inbox", "{}", "webapp");
}
END_TEST

START_TEST(a_reply_goes_back_where_it_came_from)
{
    char *sent = tool_ok(relay, front_of_lab, "send_message",
        "{\"to\":\"webapp\",\"content\":\"which salt?\",\"thread\":\"salt\"}");
    char *id = id_of_sent(sent);
    char *args = xasprintf("{\"message_id\":\"%s\",\"content\":\"sea salt\"}", id);
    tool_fails(relay, namesake, "reply", args, "Not found");
    tool_says(relay, webapp, "reply", args, "Sent to frontend@lab [");
    tool_says(relay, front_of_lab, "inbox", "{}", "> sea salt");
    tool_says(relay, front_of_shop, "inbox", "{}", "| 0 pending");
    free(args);
    free(id);
    free(sent);
}
END_TEST

START_TEST(a_wait_hears_of_each)
{
    static const char params[] =
        "{\"name\":\"wait_for_message\",\"arguments\":{\"timeout_seconds\":60},\"_meta\":{}}";
    const char *const senders[] = {chef, backend}, *const heard[] = {"From chef@lab (", "From backend ("};
    for (size_t i = 0; i < LENGTH_OF(senders); i++) {
        struct open_call *wait = call_begin(relay, webapp, "tools/call", params, NULL);
        ck_assert(relay_await_parked(relay, 1));
        tool_says(
            relay, senders[i], "send_message", "{\"to\":\"webapp\",\"content\":\"news\"}", "waiting now");
        ck_assert(call_hears(wait, heard[i], SOON_MS));
        call_end(wait);
    }
}
END_TEST

/* Who has the same name, in one of the namespaces alone. */
START_TEST(a_namesake_sees_its_own_namespace_alone)
{
    char *id = tool_send(relay, chef, "webapp", "the recipe");
    char *ack = xasprintf("{\"ids\":[\"%s\"]}", id), *recall = xasprintf("{\"message_id\":\"%s\"}", id);
    struct http_reply reply;
    relay_call(relay, "POST", "/api/ack", namesake, NULL, ack, &reply);
    ck_assert_int_eq(reply.status, 200);
    http_reply_free(&reply);
    tool_says(relay, namesake, "inbox", "{\"all_agents\":true}", "webapp@shop | 0 pending");
    says_not(namesake, "inbox", "{\"all_agents\":true}", "chef");
    says_not(namesake, "recall", "{}", "recipe");
    tool_fails(relay, namesake, "recall", recall, "Not found");
    tool_fails(relay, namesake, "send_message", "{\"to\":\"chef@lab\",\"content\":\"x\"}", "Out of reach");
    tool_fails(relay, namesake, "send_message", "{\"to\":\"chef\",\"content\":\"x\"}", "Unknown recipient");
    tool_says(relay, webapp, "inbox", "{}", "> the recipe");
    /* What is sent to that name in its namespace is for both. */
    free(tool_send(relay, backend, "webapp", "for the shop"));
    tool_says(relay, namesake, "inbox", "{}", "> for the shop");
    free(recall);
    free(ack);
    free(id);
}
END_TEST

START_TEST(files_of_each_namespace_are_there)
{
    char *stored =
        tool_ok(relay, chef, "upload_attachment", "{\"filename\":\"recipe.txt\",\"file_data\":\"c2FsdA==\"}");
    const char *path = strstr(stored, "lab/chef/");
    ck_assert_msg(path, "%s", stored);
    char *args = xasprintf("{\"path\":\"%.*s\"}", (int)strcspn(path, " \n"), path);
    tool_says(relay, webapp, "get_attachment", args, "> salt");
    tool_fails(relay, namesake, "get_attachment", args, "Not found");
    tool_fails(relay, webapp, "get_attachment", "{\"path\":\"elsewhere/nobody/1_a.txt\"}", "Not found");
    free(args);
    free(stored);
}
END_TEST

static const struct web_name names[] = {{"files.test", "93.184.216.34", NULL}, {NULL, NULL, NULL}};
static const char *const hosts[] = {"files.test", NULL};

static void serve(struct web_client *client, const char *path)
{
    (void)path;
    (void)web_puts(client, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nsalt");
}

START_TEST(fetched_files_lie_with_whom_they_are_for)
{
    char *text =
        tool_ok(relay, webapp, "relay_url", "{\"url\":\"https://files.test/recipe.txt\",\"to\":\"chef\"}");
    const char *path = strstr(text, "Stored lab/webapp/");
    ck_assert_msg(path && strstr(text, "Sent to chef@lab ["), "%s", text);
    path += strlen("Stored ");
    char *args = xasprintf("{\"path\":\"%.*s\"}", (int)strcspn(path, " \n"), path);
    tool_says(relay, chef, "get_attachment", args, "> salt");
    tool_says(relay, webapp, "get_attachment", args, "> salt");
    tool_fails(relay, backend, "get_attachment", args, "Not found");
    tool_says(
        relay, webapp, "relay_url", "{\"url\":\"https://files.test/recipe.txt\"}", "Stored shop/webapp/");
    tool_fails(relay, webapp, "relay_url", "{\"url\":\"https://files.test/recipe.txt\",\"to\":\"frontend\"}",
        "frontend@shop, frontend@lab");
    free(args);
    free(text);
}
END_TEST

static void setup_with_web(void)
{
    web_start(names, hosts, serve);
    char *ca = xasprintf("PATCHCORD_CA_FILE=%s", web_ca_file());
    const char *const env[] = {settings[0], settings[1], ca, NULL};
    start(env);
    free(ca);
}

static TCase *case_with_web(void)
{
    TCase *tests = tcase_create("web");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup_with_web, teardown);
    tcase_add_test(tests, fetched_files_lie_with_whom_they_are_for);
    return tests;
}

int main(void)
{
    if (harness_skips_supabase("the project is not in the network of these tests"))
        return EXIT_SUCCESS;
    struct buf why = {0};
    Suite *suite = suite_create("namespaces");
    TCase *tests = tcase_create("namespaces");

    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_name_means_whoever_has_it);
    tcase_add_test(tests, both_inboxes_are_one);
    tcase_add_test(tests, a_reply_goes_back_where_it_came_from);
    tcase_add_test(tests, a_wait_hears_of_each);
    tcase_add_test(tests, a_namesake_sees_its_own_namespace_alone);
    tcase_add_test(tests, files_of_each_namespace_are_there);
    suite_add_tcase(suite, tests);
    if (web_enter(&why))
        suite_add_tcase(suite, case_with_web());
    else
        printf("SKIPPED: relay_url into another namespace: %s\n", buf_text(&why));
    buf_free(&why);
    return run_suite(suite);
}
