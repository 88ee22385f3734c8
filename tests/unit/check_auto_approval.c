/* Whom a client becomes where the operator lets known ones in. */
#include <string.h>

#include "../../common/compiler.h"
#include "../../relay/oauth/auto_approval.h"
#include "unit.h"

static struct auto_approval *make(const char *clients, const char *known)
{
    const struct auto_approval_options options = {
        .clients = clients, .known_clients = known, .namespace_id = "home"};
    struct buf why = {0};
    struct auto_approval *approval = auto_approval_new(&options, &why);
    ck_assert_msg(approval != NULL, "%s", buf_text(&why));
    return approval;
}

static void assert_becomes(
    const struct auto_approval *approval, const char *client_id, const char *redirect, const char *address)
{
    struct ident who;
    char found[ADDRESS_SIZE] = "nobody";
    if (auto_approval_find(approval, client_id, redirect, &who))
        ident_format(who.namespace_id, who.agent, found);
    ck_assert_msg(strcmp(found, address) == 0, "%s at %s is %s", client_id, redirect, found);
}

static const struct {
    const char *redirect, *address;
} known[] = {
    {"https://claude.ai/api/mcp/auth_callback", "claudeai@home"},
    {"https://claude.com/api/mcp/auth_callback", "claudeai@home"},
    {"https://console.anthropic.com/x", "claudeai@home"},
    {"https://chatgpt.com/connector/oauth/abc?x=1", "chatgpt@home"},
    {"https://platform.openai.com/cb", "chatgpt@home"},
    {"https://gemini.google.com/cb", "gemini@home"},
    {"https://copilot.microsoft.com/cb", "copilot@home"},
    {"https://github.com/copilot/cb", "copilot@home"},
    {"https://www.cursor.com/cb", "cursor@home"},
    {"https://windsurf.com/cb", "windsurf@home"},
    {"https://github.com/copilots/cb", "nobody"},
    {"https://github.com/copilot/../evil", "nobody"},
    {"https://github.com/copilot/%2e%2e/evil", "nobody"},
    {"https://github.com/evil", "nobody"},
    {"https://google.com/cb", "nobody"},
    {"https://evilclaude.ai/cb", "nobody"},
    {"https://claude.ai.evil.example/cb", "nobody"},
    {"https://evil.example/claude.ai", "nobody"},
    {"https://evil.example/?claude.ai", "nobody"},
    {"http://localhost:3000/callback", "nobody"},
    {"com.claude.ai:/cb", "nobody"},
};

START_TEST(known_places)
{
    struct auto_approval *approval = make(NULL, NULL);
    assert_becomes(approval, "any", known[_i].redirect, known[_i].address);
    auto_approval_free(approval);
}
END_TEST

START_TEST(places_of_one_agent_are_replaced)
{
    struct auto_approval *approval =
        make(NULL, "claudeai: Example.ORG , other.example/path ; Mine:mine.example;chatgpt:");
    assert_becomes(approval, "x", "https://example.org/cb", "claudeai@home");
    assert_becomes(approval, "x", "https://sub.other.example/path/cb", "claudeai@home");
    assert_becomes(approval, "x", "https://other.example/cb", "nobody");
    assert_becomes(approval, "x", "https://claude.ai/cb", "nobody");
    assert_becomes(approval, "x", "https://mine.example/cb", "mine@home");
    assert_becomes(approval, "x", "https://chatgpt.com/cb", "nobody");
    assert_becomes(approval, "x", "https://cursor.com/cb", "cursor@home");
    auto_approval_free(approval);
}
END_TEST

START_TEST(clients_are_named)
{
    struct auto_approval *approval = make("abc=team:alice, https://claude.ai/c?x=y=team:bob", NULL);
    assert_becomes(approval, "abc", "http://localhost:1/cb", "alice@team");
    assert_becomes(approval, "https://claude.ai/c?x=y", "https://claude.ai/cb", "bob@team");
    assert_becomes(approval, "abcd", "http://localhost:1/cb", "nobody");
    assert_becomes(approval, "abcd", "https://claude.ai/cb", "claudeai@home");
    auto_approval_free(approval);
}
END_TEST

static const struct {
    const char *clients, *known, *said;
} bad[] = {
    {"abc", NULL, "PATCHCORD_OAUTH_CLIENTS"},
    {"=team:alice", NULL, "PATCHCORD_OAUTH_CLIENTS"},
    {"abc=alice", NULL, "PATCHCORD_OAUTH_CLIENTS"},
    {"abc=team:al ice", NULL, "abc=team:al ice"},
    {"abc=team:alice,x", NULL, "'x'"},
    {NULL, "claudeai", "PATCHCORD_KNOWN_OAUTH_CLIENTS"},
    {NULL, "cla ude:x.example", "PATCHCORD_KNOWN_OAUTH_CLIENTS"},
    {NULL, "a:https://x.example", "a:https://x.example"},
    {NULL, "a:x.example:443", "PATCHCORD_KNOWN_OAUTH_CLIENTS"},
    {NULL, "a:user@x.example", "PATCHCORD_KNOWN_OAUTH_CLIENTS"},
};

START_TEST(bad_settings)
{
    const struct auto_approval_options options = {
        .clients = bad[_i].clients, .known_clients = bad[_i].known, .namespace_id = "home"};
    struct buf why = {0};
    ck_assert_ptr_null(auto_approval_new(&options, &why));
    ck_assert_msg(strstr(buf_text(&why), bad[_i].said) != NULL, "%s", buf_text(&why));
    ck_assert_ptr_null(strchr(buf_text(&why), '\n'));
    buf_free(&why);
}
END_TEST

static const struct {
    const char *public_url;
    bool is_private;
} urls[] = {
    {"http://localhost:8000", true},
    {"https://relay.localhost", true},
    {"http://127.0.0.1", true},
    {"http://[::1]:8000", true},
    {"http://192.168.1.5:8000", true},
    {"http://10.1.2.3", true},
    {"http://172.31.0.1", true},
    {"http://100.64.0.7", true},
    {"http://169.254.3.3", true},
    {"http://[fd00::1]", true},
    {"https://relay.internal", true},
    {"https://Relay.HOME.arpa", true},
    {"http://box.local:8000", true},
    {"http://172.32.0.1", false},
    {"http://8.8.8.8", false},
    {"http://[2606:4700::1]", false},
    {"https://relay.example.org", false},
    {"https://local", false},
    {"https://notlocal", false},
    {"https://relay.local.example.org", false},
    {"https://localhost.example.org", false},
    {"nonsense", false},
};

START_TEST(private_urls)
{
    ck_assert_msg(
        auto_approval_is_private(urls[_i].public_url) == urls[_i].is_private, "%s", urls[_i].public_url);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("auto_approval", &tests);
    tcase_add_loop_test(tests, known_places, 0, LENGTH_OF(known));
    tcase_add_test(tests, places_of_one_agent_are_replaced);
    tcase_add_test(tests, clients_are_named);
    tcase_add_loop_test(tests, bad_settings, 0, LENGTH_OF(bad));
    tcase_add_loop_test(tests, private_urls, 0, LENGTH_OF(urls));
    return run_unit(suite);
}
