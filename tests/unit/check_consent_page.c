/* The pages that people see: text of others is text, whatever it holds. */
#include <string.h>

#include "../../common/compiler.h"
#include "../../relay/oauth/consent_page.h"
#include "../../relay/oauth/html.h"
#include "unit.h"

static struct buf out;

static void teardown(void)
{
    buf_free(&out);
}

static void has(const char *text)
{
    ck_assert_msg(strstr(buf_text(&out), text) != NULL, "no %s in:\n%s", text, buf_text(&out));
}

static void lacks(const char *text)
{
    ck_assert_msg(strstr(buf_text(&out), text) == NULL, "%s is in:\n%s", text, buf_text(&out));
}

START_TEST(text_is_escaped)
{
    html_escape(&out, "<a href=\"x\" b='y'>&amp;");
    ck_assert_str_eq(buf_text(&out), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
}
END_TEST

static const struct {
    const char *name, *shown;
} names[] = {
    {"Claude", "Claude"},
    {"", ""},
    {"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
    {"one\ntwo\r\n\tthree", "onetwothree"},
    {"a\xe2\x80\xae"
     "b",
        "ab"}, /* right-to-left override */
    {"a\xe2\x80\xa8"
     "b\xe2\x80\x8b"
     "c",
        "abc"}, /* line separator, zero-width space */
    {"M\xc3\xbcller \xe6\xbc\xa2", "M\xc3\xbcller \xe6\xbc\xa2"},
    {"cut\xffhere", "cut"},
};

START_TEST(names_are_one_line_of_what_is_seen)
{
    html_name(&out, names[_i].name);
    ck_assert_str_eq(buf_text(&out), names[_i].shown);
}
END_TEST

START_TEST(long_names_are_cut)
{
    char name[2 * HTML_NAME_MAX + 3] = "";
    for (int i = 0; i < HTML_NAME_MAX; i++)
        memcpy(name + strlen(name), "\xc3\xa4", 3);
    html_name(&out, name);
    ck_assert_str_eq(buf_text(&out), name);
    buf_reset(&out);
    memcpy(name + strlen(name), "b", 2);
    html_name(&out, name);
    ck_assert_uint_eq(out.len, strlen(name) - 1 + strlen("…"));
    has("…");
    lacks("b");
}
END_TEST

static struct redirect_uri parse(const char *text)
{
    struct redirect_uri uri;
    const char *problem;
    ck_assert_msg(redirect_uri_parse(text, &uri, &problem), "%s", text);
    return uri;
}

START_TEST(the_consent_page_tells_who_asks_and_where_access_goes)
{
    struct redirect_uri redirect = parse("https://claude.ai/api/mcp/auth_callback");
    const struct consent_page page = {
        .relay_name = "<i>Relay</i>",
        .relay_url = "https://relay.example.org",
        .client_name = "\"><img src=x onerror=alert(1)>",
        .client_host = "claude.ai",
        .redirect = &redirect,
        .state = "a.b\"c",
        .problem = "No <such> code.",
    };
    consent_page_write(&out, &page);
    has("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;");
    has("&lt;i&gt;Relay&lt;/i&gt;");
    has("<strong>claude.ai</strong>");
    has("Described by");
    has("value=\"a.b&quot;c\"");
    has("No &lt;such&gt; code.");
    has("role=\"alert\"");
    has("aria-invalid=\"true\"");
    lacks("<img");
    lacks("<script");
    lacks("http-equiv");
    redirect_uri_free(&redirect);
}
END_TEST

START_TEST(the_page_is_one_that_assistive_programs_read)
{
    struct redirect_uri redirect = parse("http://127.0.0.1:4711/cb");
    const struct consent_page page = {.relay_name = "R",
        .relay_url = "http://localhost:8000",
        .client_name = "",
        .redirect = &redirect,
        .state = "s"};
    consent_page_write(&out, &page);
    has("<html lang=\"en\">");
    has("<title>Allow this application?</title>");
    has("width=device-width");
    has("<main>");
    has("<label for=\"code\">");
    has("<input id=\"code\" name=\"code\"");
    has("aria-describedby=\"code-hint\"");
    has("id=\"code-hint\"");
    has("127.0.0.1:4711</strong>: a program on the computer in front of you");
    has("(it has no name)");
    lacks("Described by");
    lacks("role=\"alert\"");
    redirect_uri_free(&redirect);
}
END_TEST

START_TEST(the_device_page_tells_where_it_was_asked_from)
{
    const struct device_page page = {
        .relay_name = "R",
        .relay_url = "http://localhost:8000",
        .user_code = "ABCD-1234",
        .machine = "lap<top>",
        .address = "192.0.2.7",
        .state = "s",
    };
    device_page_write(&out, &page);
    has("lap&lt;top&gt;");
    has("192.0.2.7");
    has("ABCD-1234");
    has("only if you started this yourself");
}
END_TEST

START_TEST(a_code_in_the_url_only_fills_in)
{
    const struct device_ask_page page = {.user_code = "AB\"><b>", .state = "s"};
    device_ask_page_write(&out, &page);
    has("value=\"AB&quot;&gt;&lt;b&gt;\"");
    lacks("connect code");
    lacks("<b>");
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("consent_page", &tests);
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, text_is_escaped);
    tcase_add_loop_test(tests, names_are_one_line_of_what_is_seen, 0, LENGTH_OF(names));
    tcase_add_test(tests, long_names_are_cut);
    tcase_add_test(tests, the_consent_page_tells_who_asks_and_where_access_goes);
    tcase_add_test(tests, the_page_is_one_that_assistive_programs_read);
    tcase_add_test(tests, the_device_page_tells_where_it_was_asked_from);
    tcase_add_test(tests, a_code_in_the_url_only_fills_in);
    return run_unit(suite);
}
