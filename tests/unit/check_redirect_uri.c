/* Redirect URIs: which may be registered, and which given one is a registered one. */
#include <string.h>

#include "../../common/alloc.h"
#include "../../relay/oauth/redirect_uri.h"
#include "unit.h"

static const struct {
    const char *text;
    enum redirect_kind kind;
    const char *shown, *source;
} good[] = {
    {"https://claude.ai/api/mcp/auth_callback", REDIRECT_WEB, "claude.ai", "https://claude.ai"},
    {"https://claude.ai", REDIRECT_WEB, "claude.ai", "https://claude.ai"},
    {"https://app.example.org:8443/cb?a=b&c=d", REDIRECT_WEB, "app.example.org:8443",
        "https://app.example.org:8443"},
    {"https://chatgpt.com/connector/oauth/abc_123", REDIRECT_WEB, "chatgpt.com", "https://chatgpt.com"},
    {"https://10.0.0.1/cb", REDIRECT_WEB, "10.0.0.1", "https://10.0.0.1"},
    {"http://localhost/callback", REDIRECT_LOOPBACK, "localhost", "http://localhost"},
    {"http://localhost:3118/callback", REDIRECT_LOOPBACK, "localhost:3118", "http://localhost:3118"},
    {"http://127.0.0.1:9", REDIRECT_LOOPBACK, "127.0.0.1:9", "http://127.0.0.1:9"},
    {"http://[::1]:9/cb", REDIRECT_LOOPBACK, "[::1]:9", "http:"},
    {"com.example.app:/callback", REDIRECT_APP, "com.example.app:", "com.example.app:"},
    {"cursor://anysphere.cursor-mcp/oauth/callback", REDIRECT_APP, "cursor:", "cursor:"},
    {"vscode://vscode.github-authentication/did-authenticate", REDIRECT_APP, "vscode:", "vscode:"},
};

START_TEST(good_ones)
{
    struct redirect_uri uri;
    const char *problem;
    ck_assert_msg(redirect_uri_parse(good[_i].text, &uri, &problem), "%s %s", good[_i].text, problem);
    ck_assert_int_eq((int)uri.kind, (int)good[_i].kind);
    ck_assert_str_eq(uri.shown, good[_i].shown);
    ck_assert_str_eq(uri.source, good[_i].source);
    ck_assert(redirect_uri_matches(good[_i].text, good[_i].text));
    redirect_uri_free(&uri);
}
END_TEST

static const struct {
    const char *text, *said;
} bad[] = {
    {"", "scheme"},
    {"/callback", "scheme"},
    {"//claude.ai/cb", "scheme"},
    {"claude.ai/cb", "scheme"},
    {"HTTPS://claude.ai/cb", "scheme"},
    {"https:claude.ai/cb", "URL"},
    {"https:/claude.ai/cb", "URL"},
    {"https:///cb", "URL"},
    {"https://claude.ai/cb#fragment", "fragment"},
    {"https://claude.ai/cb#", "fragment"},
    {"com.example.app:/cb#x", "fragment"},
    {"https://user@claude.ai/cb", "user name"},
    {"https://claude.ai:pass@evil.example/cb", "user name"},
    {"https://claude.ai%40evil.example/cb", "user name"},
    {"https://claude.ai\\@evil.example/cb", "characters"},
    {"https://claude.ai/\\evil", "characters"},
    {"https://claude.ai/a b", "characters"},
    {"https://claude.ai/\ncb", "characters"},
    {"https://claude.ai/\"x", "characters"},
    {"https://claude.ai/<x>", "characters"},
    {"https://cl\xc3\xa4ude.ai/cb", "characters"},
    {"https://claude.ai:0/cb", "URL"},
    {"https://claude.ai:99999/cb", "URL"},
    {"https://claude.ai/%zz", "URL"},
    {"http://claude.ai/cb", "https"},
    {"http://localhost.evil.example/cb", "https"},
    {"http://127.0.0.1.evil.example/cb", "https"},
    {"http://127.0.0.2/cb", "https"},
    {"http://10.0.0.1/cb", "https"},
    {"http://[::2]/cb", "https"},
    {"javascript:alert(1)", "scheme of one program"},
    {"data:text/html,x", "scheme of one program"},
    {"vbscript:x", "scheme of one program"},
    {"file:///etc/passwd", "scheme of one program"},
    {"blob:https://claude.ai/x", "scheme of one program"},
    {"about:blank", "scheme of one program"},
    {"ws://localhost/x", "scheme of one program"},
    {"urn:ietf:wg:oauth:2.0:oob", "scheme of one program"},
    {"cursor:", "scheme of one program"},
    {".x:/cb", "scheme"},
    {"1a.b:/cb", "scheme"},
};

START_TEST(bad_ones)
{
    struct redirect_uri uri;
    const char *problem = NULL;
    ck_assert_msg(!redirect_uri_parse(bad[_i].text, &uri, &problem), "%s", bad[_i].text);
    ck_assert_msg(strstr(problem, bad[_i].said) != NULL, "%s: %s", bad[_i].text, problem);
    ck_assert_ptr_null(uri.shown);
}
END_TEST

START_TEST(length_is_bounded)
{
    struct redirect_uri uri;
    const char *problem;
    char text[REDIRECT_URI_MAX + 2] = "https://claude.ai/";
    memset(text + strlen(text), 'a', REDIRECT_URI_MAX - strlen(text));
    ck_assert(redirect_uri_parse(text, &uri, &problem));
    redirect_uri_free(&uri);
    text[REDIRECT_URI_MAX] = 'a';
    ck_assert(!redirect_uri_parse(text, &uri, &problem));
}
END_TEST

static const struct {
    const char *registered, *given;
    bool fits;
} pairs[] = {
    {"https://claude.ai/cb", "https://claude.ai/cb", true},
    {"https://claude.ai/cb", "https://claude.ai/cb/", false},
    {"https://claude.ai/cb", "https://claude.ai/cb/../evil", false},
    {"https://claude.ai/cb", "https://claude.ai/cb?x=1", false},
    {"https://claude.ai/cb", "https://claude.ai/cbx", false},
    {"https://claude.ai/cb", "https://claude.ai/CB", false},
    {"https://claude.ai/cb", "https://claude.ai/c%62", false},
    {"https://claude.ai/cb", "https://CLAUDE.ai/cb", false},
    {"https://claude.ai/cb", "https://claude.ai:443/cb", false},
    {"https://claude.ai/cb", "https://claude.ai:8443/cb", false},
    {"https://claude.ai/cb", "https://claude.ai.evil.example/cb", false},
    {"https://claude.ai/cb", "https://evil.example/https://claude.ai/cb", false},
    {"https://claude.ai/cb", "http://claude.ai/cb", false},
    {"https://claude.ai", "https://claude.ai/", false},
    {"http://localhost/callback", "http://localhost:3118/callback", true},
    {"http://localhost:1/callback", "http://localhost:2/callback", true},
    {"http://localhost:1/callback", "http://localhost/callback", true},
    {"http://127.0.0.1/callback", "http://127.0.0.1:50000/callback", true},
    {"http://[::1]/callback", "http://[::1]:50000/callback", true},
    {"http://localhost?x", "http://localhost:3?x", true},
    {"http://localhost/callback", "http://127.0.0.1:3118/callback", false},
    {"http://localhost/callback", "http://localhost:3118/callback/x", false},
    {"http://localhost/callback", "http://localhost:3118/", false},
    {"http://localhost/callback", "https://localhost:3118/callback", false},
    {"https://localhost/callback", "https://localhost:3118/callback", false},
    {"com.example.app:/cb", "com.example.app:/cb2", false},
};

START_TEST(what_matches)
{
    struct redirect_uri uri;
    const char *problem;
    if (redirect_uri_parse(pairs[_i].given, &uri, &problem)) {
        ck_assert_msg(redirect_uri_matches(pairs[_i].registered, pairs[_i].given) == pairs[_i].fits,
            "%s for %s", pairs[_i].given, pairs[_i].registered);
        redirect_uri_free(&uri);
    } else {
        ck_assert(!pairs[_i].fits);
    }
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("redirect_uri", &tests);
    tcase_add_loop_test(tests, good_ones, 0, LENGTH_OF(good));
    tcase_add_loop_test(tests, bad_ones, 0, LENGTH_OF(bad));
    tcase_add_test(tests, length_is_bounded);
    tcase_add_loop_test(tests, what_matches, 0, LENGTH_OF(pairs));
    return run_unit(suite);
}
