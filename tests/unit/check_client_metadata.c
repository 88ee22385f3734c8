/* What clients say about themselves: registrations, metadata documents, and their credentials. */
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"
#include "../../relay/oauth/client_document.h"
#include "../../relay/oauth/client_metadata.h"
#include "../../relay/oauth/client_proof.h"
#include "unit.h"

static struct client_metadata metadata;
static struct buf why;

static void teardown(void)
{
    client_metadata_free(&metadata);
    buf_free(&why);
}

static enum client_metadata_fault read_text(const char *text)
{
    enum json_fault fault;
    struct json_object *object = json_parse(text, strlen(text), &fault);
    ck_assert_msg(fault == JSON_FAULT_NONE, "%s", text);
    const enum client_metadata_fault wrong = client_metadata_read(object, CLIENT_AUTH_BASIC, &metadata, &why);
    json_object_put(object);
    return wrong;
}

#define CB "\"redirect_uris\":[\"https://claude.ai/cb\"]"

START_TEST(a_registration_is_read_and_written_the_same)
{
    ck_assert_int_eq(read_text("{" CB ",\"client_name\":\"Claude\",\"token_endpoint_auth_method\":\"none\","
                               "\"logo_uri\":\"https://x\",\"grant_types\":[\"refresh_token\","
                               "\"authorization_code\"],\"response_types\":[\"code\"]}"),
        CLIENT_METADATA_FINE);
    struct json_object *written = client_metadata_write(&metadata);
    const char *text = json_object_to_json_string_ext(written, JSON_C_TO_STRING_PLAIN);
    ck_assert_ptr_null(strstr(text, "logo_uri"));
    char *copy = xstrdup(text);
    client_metadata_free(&metadata);
    ck_assert_int_eq(read_text(copy), CLIENT_METADATA_FINE);
    ck_assert_str_eq(metadata.name, "Claude");
    ck_assert_int_eq((int)metadata.auth, CLIENT_AUTH_NONE);
    ck_assert_str_eq(client_metadata_redirect(&metadata, "https://claude.ai/cb"), "https://claude.ai/cb");
    ck_assert_ptr_null(client_metadata_redirect(&metadata, "https://claude.ai/cb2"));
    json_object_put(written);
    free(copy);
}
END_TEST

START_TEST(what_is_not_said_has_its_default)
{
    ck_assert_int_eq(read_text("{" CB "}"), CLIENT_METADATA_FINE);
    ck_assert_str_eq(metadata.name, "");
    ck_assert_int_eq((int)metadata.auth, CLIENT_AUTH_BASIC);
}
END_TEST

static const struct {
    const char *text;
    enum client_metadata_fault fault;
    const char *said;
} bad[] = {
    {"null", CLIENT_METADATA_BAD, "object"},
    {"[]", CLIENT_METADATA_BAD, "object"},
    {"{}", CLIENT_METADATA_BAD_REDIRECT, "redirect_uris"},
    {"{\"redirect_uris\":[]}", CLIENT_METADATA_BAD_REDIRECT, "redirect_uris"},
    {"{\"redirect_uris\":\"https://claude.ai/cb\"}", CLIENT_METADATA_BAD_REDIRECT, "redirect_uris"},
    {"{\"redirect_uris\":[1]}", CLIENT_METADATA_BAD_REDIRECT, "text"},
    {"{\"redirect_uris\":[null]}", CLIENT_METADATA_BAD_REDIRECT, "text"},
    {"{\"redirect_uris\":[\"https://claude.ai/cb\",\"http://evil.example/\"]}", CLIENT_METADATA_BAD_REDIRECT,
        "https"},
    {"{\"redirect_uris\":[\"javascript:alert(1)\"]}", CLIENT_METADATA_BAD_REDIRECT, "scheme"},
    {"{" CB ",\"client_name\":7}", CLIENT_METADATA_BAD, "client_name"},
    {"{" CB ",\"token_endpoint_auth_method\":\"private_key_jwt\"}", CLIENT_METADATA_BAD,
        "token_endpoint_auth_method"},
    {"{" CB ",\"token_endpoint_auth_method\":1}", CLIENT_METADATA_BAD, "token_endpoint_auth_method"},
    {"{" CB ",\"grant_types\":[\"implicit\"]}", CLIENT_METADATA_BAD, "grant_types"},
    {"{" CB ",\"grant_types\":\"authorization_code\"}", CLIENT_METADATA_BAD, "grant_types"},
    {"{" CB ",\"response_types\":[\"token\"]}", CLIENT_METADATA_BAD, "response_types"},
};

START_TEST(bad_registrations)
{
    ck_assert_int_eq((int)read_text(bad[_i].text), (int)bad[_i].fault);
    ck_assert_msg(strstr(buf_text(&why), bad[_i].said) != NULL, "%s", buf_text(&why));
    ck_assert_ptr_null(metadata.redirect_uris);
}
END_TEST

START_TEST(redirects_are_bounded_in_number)
{
    struct buf text = {0};
    buf_puts(&text, "{\"redirect_uris\":[");
    for (int i = 0; i < CLIENT_REDIRECTS_MAX; i++)
        buf_printf(&text, "%s\"https://claude.ai/%d\"", i > 0 ? "," : "", i);
    char *most = xasprintf("%s]}", buf_text(&text));
    char *more = xasprintf("%s,\"https://claude.ai/x\"]}", buf_text(&text));
    ck_assert_int_eq((int)read_text(more), CLIENT_METADATA_BAD_REDIRECT);
    ck_assert_int_eq((int)read_text(most), CLIENT_METADATA_FINE);
    ck_assert_uint_eq(metadata.redirect_uris_count, CLIENT_REDIRECTS_MAX);
    free(most);
    free(more);
    buf_free(&text);
}
END_TEST

START_TEST(long_names_are_cut_between_characters)
{
    struct buf text = {0};
    buf_puts(&text, "{" CB ",\"client_name\":\"a");
    for (int i = 0; i < CLIENT_NAME_MAX; i++)
        buf_puts(&text, "\xc3\xa4");
    buf_puts(&text, "\"}");
    ck_assert_int_eq((int)read_text(buf_text(&text)), CLIENT_METADATA_FINE);
    ck_assert_uint_eq(strlen(metadata.name), CLIENT_NAME_MAX - 1);
    ck_assert_str_eq(metadata.name + CLIENT_NAME_MAX - 3, "\xc3\xa4");
    buf_free(&text);
}
END_TEST

/* ---- documents ---- */

static const struct {
    const char *client_id, *host;
} urls[] = {
    {"https://claude.ai/oauth/claude-code-client-metadata", "claude.ai"},
    {"https://chatgpt.com/oauth/codex/client.json", "chatgpt.com"},
    {"https://app.example.org:8443/client.json", "app.example.org:8443"},
    {"https://claude.ai", NULL},
    {"https://claude.ai/", NULL},
    {"http://claude.ai/client.json", NULL},
    {"HTTPS://claude.ai/client.json", NULL},
    {"https://user@claude.ai/client.json", NULL},
    {"https://claude.ai/client.json#x", NULL},
    {"https://claude.ai/client.json?x=1", NULL},
    {"https://claude.ai/a/../client.json", NULL},
    {"https://claude.ai/./client.json", NULL},
    {"https://claude.ai/a/%2E%2e/client.json", NULL},
    {"https://claude.ai/a b", NULL},
    {"https:///client.json", NULL},
};

START_TEST(urls_of_documents)
{
    char *host = client_document_host(urls[_i].client_id);
    if (urls[_i].host)
        ck_assert_str_eq(host, urls[_i].host);
    else
        ck_assert_msg(!host, "%s", urls[_i].client_id);
    free(host);
}
END_TEST

START_TEST(the_url_of_a_document_is_bounded)
{
    char url[CLIENT_DOCUMENT_URL_MAX + 2] = "https://claude.ai/";
    memset(url + strlen(url), 'a', CLIENT_DOCUMENT_URL_MAX - strlen(url));
    char *host = client_document_host(url);
    ck_assert_ptr_nonnull(host);
    free(host);
    url[CLIENT_DOCUMENT_URL_MAX] = 'a';
    ck_assert_ptr_null(client_document_host(url));
}
END_TEST

static const struct {
    const char *cache_control;
    int64_t keep_s;
} ages[] = {
    {NULL, 3600},
    {"", 3600},
    {"public", 3600},
    {"max-age=60", 60},
    {"public, max-age=60", 60},
    {"public,MAX-AGE=60,immutable", 60},
    {"max-age=0", 0},
    {"max-age=", 0},
    {"max-age=x", 0},
    {"max-age=86400", 86400},
    {"max-age=86401", 86400},
    {"max-age=99999999999999999999", 86400},
    {"no-store", 0},
    {"max-age=60, no-cache", 0},
    {"no-store-please", 3600},
    {"s-maxage=5", 3600},
};

START_TEST(documents_are_kept_as_their_headers_say)
{
    ck_assert_msg(client_document_keep_ms(ages[_i].cache_control) == ages[_i].keep_s * 1000, "%s",
        ages[_i].cache_control ? ages[_i].cache_control : "none");
}
END_TEST

#define OWN "https://claude.ai/client.json"

static const struct {
    const char *text, *said; /* NULL: fine */
} documents[] = {
    {"{\"client_id\":\"" OWN "\"," CB "}", NULL},
    {"{\"client_id\":\"" OWN "\"," CB ",\"token_endpoint_auth_method\":\"none\"}", NULL},
    {"{\"client_id\":\"https://claude.ai/other.json\"," CB "}", "not that of its client_id"},
    {"{\"client_id\":\"" OWN "/\"," CB "}", "not that of its client_id"},
    {"{\"client_id\":1," CB "}", "not that of its client_id"},
    {"{" CB "}", "not that of its client_id"},
    {"{\"client_id\":\"" OWN "\"," CB ",\"client_id\":\"x\"}", "metadata document"},
    {"{\"client_id\":\"" OWN "\"," CB ",\"token_endpoint_auth_method\":\"client_secret_post\"}", "secret"},
    {"{\"client_id\":\"" OWN "\"}", "redirect_uris"},
    {"<html>", "metadata document"},
    {"", "metadata document"},
};

START_TEST(documents_name_themselves)
{
    const char *text = documents[_i].text;
    const bool is_fine = client_document_read(OWN, text, strlen(text), &metadata, &why);
    ck_assert_msg(is_fine == !documents[_i].said, "%s: %s", text, buf_text(&why));
    if (documents[_i].said)
        ck_assert_msg(strstr(buf_text(&why), documents[_i].said) != NULL, "%s", buf_text(&why));
}
END_TEST

/* ---- credentials ---- */

static const struct {
    const char *header, *client_id, *secret;
} basics[] = {
    {"Basic YTpi", "a", "b"}, {"basic   YTpi", "a", "b"}, {"Basic YTpiOmM=", "a", "b:c"},
    {"Basic YTo=", "a", ""}, {"Basic YSUzQWI6YyUyQmQ=", "a:b", "c+d"}, /* a%3Ab:c%2Bd */
    {"Basic OmI=", NULL, NULL},                                        /* :b */
    {"Basic YWI=", NULL, NULL},                                        /* ab */
    {"Basic YSV6OmI=", NULL, NULL},                                    /* a%z:b */
    {"Basic YTpi!", NULL, NULL}, {"Basic ", NULL, NULL}, {"Bearer YTpi", NULL, NULL},
    {"Basic AGE6Yg==", NULL, NULL}, /* NUL a:b */
};

START_TEST(basic_credentials)
{
    char *client_id, *secret;
    secret_init();
    ck_assert_msg(
        client_proof_basic(basics[_i].header, &client_id, &secret) == (basics[_i].client_id != NULL), "%s",
        basics[_i].header);
    if (basics[_i].client_id) {
        ck_assert_str_eq(client_id, basics[_i].client_id);
        ck_assert_str_eq(secret, basics[_i].secret);
    }
    free(client_id);
    secret_free(secret);
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("client_metadata", &tests);
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, a_registration_is_read_and_written_the_same);
    tcase_add_test(tests, what_is_not_said_has_its_default);
    tcase_add_loop_test(tests, bad_registrations, 0, LENGTH_OF(bad));
    tcase_add_test(tests, redirects_are_bounded_in_number);
    tcase_add_test(tests, long_names_are_cut_between_characters);
    tcase_add_loop_test(tests, urls_of_documents, 0, LENGTH_OF(urls));
    tcase_add_test(tests, the_url_of_a_document_is_bounded);
    tcase_add_loop_test(tests, documents_are_kept_as_their_headers_say, 0, LENGTH_OF(ages));
    tcase_add_loop_test(tests, documents_name_themselves, 0, LENGTH_OF(documents));
    tcase_add_loop_test(tests, basic_credentials, 0, LENGTH_OF(basics));
    return run_unit(suite);
}
