/* Clients whose client_id is the URL of a document, against a web of the test's own in which every address
 * leads to the test: what a document may be, how long it is kept, and that nobody makes the relay look where
 * only it can. */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../harness_faults.h"
#include "../harness_store.h"
#include "../harness_visitor.h"
#include "../harness_web.h"

#define PUBLIC_V4 "93.184.216.34"
#define CALLBACK  "http%3A%2F%2Flocalhost%3A4711%2Fcallback"
#define ASK       "&code_challenge=" PKCE_CHALLENGE "&code_challenge_method=S256&response_type=code"

enum { LARGE = 10 * 1024 * 1024, MAX = 32 * 1024, QUIET_MS = 5000 };

static const char *const public_addresses[] = {PUBLIC_V4, NULL};
static const struct web_name names[] = {
    {"client.test", PUBLIC_V4, NULL},
    {"inside.test", "10.0.0.1 127.0.0.1 169.254.169.254 ::1 fd00::1", NULL},
    {"rebind.test", PUBLIC_V4, "127.0.0.1"},
    {NULL, NULL, NULL},
};
static const char *const hosts[] = {"client.test", "inside.test", "rebind.test", "10.0.0.1", "127.0.0.1",
    "169.254.169.254", "localhost", NULL};

static struct visitor v;
static struct faults *faults;
static atomic_int served;
static atomic_bool is_slow; /* what is slow is not served yet */

/* ---- the documents ---- */

static void answer(struct web_client *client, const char *headers, const char *body)
{
    char *text = xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n%s", strlen(body), headers, body);
    (void)web_puts(client, text);
    free(text);
}

#define JSON "Content-Type: application/json\r\n"

static char *document(const char *url)
{
    return xasprintf("{\"client_id\":\"%s\",\"client_name\":\"Documented\",\"redirect_uris\":"
                     "[\"http://localhost/callback\"],\"token_endpoint_auth_method\":\"none\"}",
        url);
}

/* Padded with blanks to that many bytes. */
static void serve_sized(struct web_client *client, const char *url, size_t size)
{
    char *text = document(url), *body = xmalloc(size + 1);
    memset(body, ' ', size);
    memcpy(body, text, strlen(text));
    body[size] = '\0';
    answer(client, JSON, body);
    free(text);
    free(body);
}

static const struct {
    const char *path, *headers;
} headed[] = {
    {"/default", JSON},
    {"/slow", JSON},
    {"/short", JSON "Cache-Control: public, max-age=60\r\n"},
    {"/never", JSON "Cache-Control: no-store\r\n"},
    {"/suffix", "Content-Type: application/oauth+json; charset=utf-8\r\n"},
    {"/html", "Content-Type: text/html\r\n"},
    {"/untyped", ""},
};

static bool serve_headed(struct web_client *client, const char *path, const char *url)
{
    for (size_t i = 0; i < LENGTH_OF(headed); i++) {
        if (strcmp(path, headed[i].path) != 0)
            continue;
        char *body = document(url);
        answer(client, headed[i].headers, body);
        free(body);
        return true;
    }
    return false;
}

static void serve(struct web_client *client, const char *path)
{
    char *url = xasprintf("https://client.test%s", path);
    atomic_fetch_add(&served, 1);
    while (strcmp(path, "/slow") == 0 && atomic_load(&is_slow))
        sched_yield();
    if (strcmp(path, "/large") == 0)
        serve_sized(client, url, LARGE);
    else if (strcmp(path, "/most") == 0)
        serve_sized(client, url, MAX);
    else if (strcmp(path, "/more") == 0)
        serve_sized(client, url, MAX + 1);
    else if (strcmp(path, "/moved") == 0)
        (void)web_puts(client, "HTTP/1.1 302 Found\r\nLocation: /default\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/inward") == 0)
        (void)web_puts(
            client, "HTTP/1.1 302 Found\r\nLocation: https://10.0.0.1/default\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/gone") == 0)
        (void)web_puts(client, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/broken") == 0)
        answer(client, JSON, "{\"client_id\":");
    else if (strcmp(path, "/secret") == 0)
        answer(client, JSON,
            "{\"client_id\":\"https://client.test/secret\",\"redirect_uris\":[\"http://localhost/callback\"],"
            "\"token_endpoint_auth_method\":\"client_secret_post\"}");
    else if (strcmp(path, "/thief") == 0)
        answer(client, JSON,
            "{\"client_id\":\"https://client.test/default\",\"redirect_uris\":[\"http://localhost/"
            "callback\"]}");
    else if (!serve_headed(client, path, url))
        (void)web_puts(client, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
    free(url);
}

/* ---- the relay ---- */

static void start(const char *setting)
{
    enum { ENV_MAX = 12 };
    char *ca = xasprintf("PATCHCORD_CA_FILE=%s", web_ca_file());
    const char *env[ENV_MAX] = {ca, "PATCHCORD_LOG_LEVEL=debug", setting};
    const size_t n = setting ? 3 : 2;
    for (size_t i = 0; faults_env(faults)[i]; i++)
        env[n + i] = faults_env(faults)[i];
    v.relay = relay_start(NULL, env);
    free(ca);
}

static void setup(void)
{
    faults = faults_new();
    visitor_secret(PKCE_VERIFIER);
    web_start(names, hosts, serve);
    start(NULL);
}

static void teardown(void)
{
    const char *where;
    ck_assert_msg(web_connections_elsewhere(public_addresses, &where) == 0, "%s was connected to", where);
    ck_assert_msg(web_is_quiet(QUIET_MS), "the relay keeps a connection");
    visitor_check_log(&v);
    ck_assert_int_eq(relay_stop(v.relay), 0);
    visitor_free(&v);
    faults_free(faults);
}

static int ask(const char *url)
{
    char *path = xasprintf("/authorize?client_id=%s&redirect_uri=%s%s", url, CALLBACK, ASK);
    const int status = visitor_get(&v, path);
    free(path);
    return status;
}

START_TEST(a_documented_client_logs_in)
{
    ck_assert_msg(ask("https://client.test/default") == 200, "%s", buf_text(&v.reply.body));
    ck_assert(visitor_sees(&v, "<dd><strong>Documented</strong></dd>"));
    ck_assert(visitor_sees(&v, "<dt>Described by</dt>\n<dd>client.test</dd>"));
    ck_assert(visitor_sees(&v, "<strong>localhost:4711</strong>"));
    char *connect = visitor_connect_code(&v, "--agent alice@team");
    ck_assert_int_eq(visitor_allow(&v, "/authorize", connect), 303);
    char *code = visitor_located(&v, "code");
    char *form =
        xasprintf("grant_type=authorization_code&client_id=https%%3A%%2F%%2Fclient.test%%2Fdefault&code=%s"
                  "&redirect_uri=%s&code_verifier=%s",
            code, CALLBACK, PKCE_VERIFIER);
    ck_assert_msg(visitor_post(&v, "/token", form) == 200, "%s", buf_text(&v.reply.body));
    char *refresh = xasprintf(
        "grant_type=refresh_token&client_id=https%%3A%%2F%%2Fclient.test%%2Fdefault&refresh_token=%s",
        visitor_json(&v, "refresh_token"));
    ck_assert_int_eq(visitor_post(&v, "/token", refresh), 200);
    ck_assert_int_eq(atomic_load(&served), 1); /* the document was needed for the page alone */
    free(connect);
    free(code);
    free(form);
    free(refresh);
}
END_TEST

START_TEST(documents_are_kept_as_they_say)
{
    static const struct {
        const char *url;
        int64_t pass_ms;
        int fetched; /* in all, after the second page */
    } rows[] = {
        {"https://client.test/default", 0, 1},
        {"https://client.test/default", 3601 * MS_PER_SECOND, 2},
        {"https://client.test/short", 59 * MS_PER_SECOND, 1},
        {"https://client.test/short", 61 * MS_PER_SECOND, 2},
        {"https://client.test/never", 0, 2},
        {"https://client.test/suffix", 0, 1},
    };
    ck_assert_int_eq(ask(rows[_i].url), 200);
    faults_pass_time(faults, rows[_i].pass_ms);
    ck_assert_int_eq(ask(rows[_i].url), 200);
    ck_assert_int_eq(atomic_load(&served), rows[_i].fetched);
}
END_TEST

static const struct {
    const char *url, *said;
} refused[] = {
    {"https://client.test/large", "more than 32768 bytes"},
    {"https://client.test/more", "more than 32768 bytes"},
    {"https://client.test/moved", "redirects"},
    {"https://client.test/inward", "redirects"},
    {"https://client.test/gone", "404"},
    {"https://client.test/broken", "metadata document"},
    {"https://client.test/secret", "secret"},
    {"https://client.test/thief", "not that of its client_id"},
    {"https://client.test/html", "no JSON"},
    {"https://client.test/untyped", "no JSON"},
    {"https://inside.test/default", "public address"},
    {"https://10.0.0.1/default", "public address"},
    {"https://127.0.0.1/default", "public address"},
    {"https://169.254.169.254/default", "public address"},
    {"https://localhost/default", "public address"},
    {"https://[::1]/default", "public address"},
    {"https://unknown.test/default", "public address"},
    {"https://2130706433/default", "public address"},
    {"http://client.test/default", "https URL with a path"},
    {"https://client.test/", "https URL with a path"},
    {"https://client.test/a/../default", "https URL with a path"},
    {"https://user@client.test/default", "https URL with a path"},
    {"https://client.test/default%23x", "https URL with a path"},
};

START_TEST(bad_documents_are_no_clients)
{
    ck_assert_msg(ask(refused[_i].url) == 400, "%s", refused[_i].url);
    ck_assert_msg(visitor_sees(&v, refused[_i].said), "%s: %s", refused[_i].url, buf_text(&v.reply.body));
    ck_assert(!visitor_sees(&v, "<form") && !visitor_sees(&v, "href"));
    ck_assert_str_eq(visitor_header(&v, "Location"), "");
}
END_TEST

START_TEST(the_largest_document_is_read)
{
    ck_assert_msg(ask("https://client.test/most") == 200, "%s", buf_text(&v.reply.body));
}
END_TEST

START_TEST(redirects_are_those_of_the_document)
{
    char *path =
        xasprintf("/authorize?client_id=https://client.test/default&redirect_uri=https%%3A%%2F%%2Fevil."
                  "example%%2Fcallback%s",
            ASK);
    ck_assert_int_eq(visitor_get(&v, path), 400);
    ck_assert(!visitor_sees(&v, "evil"));
    free(path);
}
END_TEST

START_TEST(strangers_fetch_no_more_than_so_often)
{
    ck_assert_int_eq(relay_stop(v.relay), 0);
    start("PATCHCORD_ANON_RATE_LIMIT_PER_MINUTE=20");
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(ask("https://client.test/gone"), 400);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(ask("https://client.test/gone"), 429);
    ck_assert_int_eq(atomic_load(&served), 20);
}
END_TEST

static bool are_asked(void *count)
{
    return atomic_load(&served) == *(int *)count;
}

/* What somebody at that address sees of a page. */
static bool sees_at(const char *address, const char *document, const char *text)
{
    struct http_reply reply;
    char *path = xasprintf(
             "/authorize?client_id=https://client.test/%s&redirect_uri=%s%s", document, CALLBACK, ASK),
         *header = xasprintf("X-Forwarded-For: %s", address);
    relay_call(v.relay, "GET", path, NULL, (const char *const[]){header, NULL}, NULL, &reply);
    const bool sees = strstr(buf_text(&reply.body), text) != NULL;
    http_reply_free(&reply);
    free(path);
    free(header);
    return sees;
}

START_TEST(an_address_keeps_some_fetches_busy_and_not_all)
{
    enum { PLACES = 4 };
    static const char *const from[] = {"X-Forwarded-For: 203.0.113.9", NULL};
    int count = PLACES;
    struct open_call *calls[PLACES];
    atomic_store(&is_slow, true);
    for (int i = 0; i < PLACES; i++)
        calls[i] = call_get(v.relay, "none",
            "/authorize?client_id=https://client.test/slow&redirect_uri=" CALLBACK ASK, from);
    ck_assert(poll_until(are_asked, &count, QUIET_MS));
    ck_assert(sees_at("203.0.113.9", "default", "Too many applications are being looked at"));
    ck_assert(sees_at("203.0.113.10", "default", "<strong>Documented</strong>"));
    atomic_store(&is_slow, false);
    for (int i = 0; i < PLACES; i++) {
        ck_assert_msg(
            call_hears(calls[i], "<strong>Documented</strong>", QUIET_MS), "%s", call_heard(calls[i]));
        call_end(calls[i]);
    }
    ck_assert(sees_at("203.0.113.9", "never", "<strong>Documented</strong>"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("oauth_documents");
    TCase *tests = harness_case(suite, "documents");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_documented_client_logs_in);
    tcase_add_loop_test(tests, documents_are_kept_as_they_say, 0, 6);
    tcase_add_loop_test(tests, bad_documents_are_no_clients, 0, LENGTH_OF(refused));
    tcase_add_test(tests, the_largest_document_is_read);
    tcase_add_test(tests, redirects_are_those_of_the_document);
    tcase_add_test(tests, strangers_fetch_no_more_than_so_often);
    tcase_add_test(tests, an_address_keeps_some_fetches_busy_and_not_all);
    return suite;
}

int main(void)
{
    if (harness_skips_supabase("the project is not in the network of these tests"))
        return EXIT_SUCCESS;
    struct buf why = {0};
    if (web_enter(&why))
        return run_suite(make_suite());
    printf("SKIPPED: clients' metadata documents: %s\n", buf_text(&why));
    buf_free(&why);
    return EXIT_SUCCESS;
}
