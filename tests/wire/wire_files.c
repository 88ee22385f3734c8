/* Attachments: signed URLs with curl and by hand, the tools, limits, and what is left after a kill. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../../common/json.h"
#include "../../common/secret.h"
#include "../harness.h"
#include "../harness_store.h"

enum { SOON_MS = 10 * 1000, MAX_BYTES = 100 * 1000, CURL_MS = 30 * 1000 };

static struct relay_process *relay;
static char *alice, *bob, *foreign;
static struct http_reply reply;

static void start(const char *const env[])
{
    relay = relay_start(NULL, env);
    alice = relay_token(relay, "alice@team");
    bob = relay_token(relay, "bob@team");
    foreign = relay_token(relay, "bob@elsewhere");
}

static void setup(void)
{
    start((const char *const[]){"PATCHCORD_ATTACHMENT_MAX_BYTES=100000", NULL});
}

static void setup_defaults(void)
{
    start((const char *const[]){"PATCHCORD_CLEANUP_TOKEN=operator", NULL});
}

static void teardown(void)
{
    http_reply_free(&reply);
    free(alice);
    free(bob);
    free(foreign);
}

/* ---- calls ---- */

/* A tool's structured result; the caller puts it. Its text goes to *text (may be NULL; the caller frees). */
static struct json_object *tool_json(const char *token, const char *tool, const char *args, char **text)
{
    char *params =
        xasprintf("{\"name\":\"%s\",\"arguments\":%s,\"_meta\":{\"patchcord/structured\":true}}", tool, args);
    struct json_object *answer = mcp_request(relay, token, "tools/call", params, NULL), *result, *structured;
    bool is_error = false;
    const char *shown = mcp_result_text(answer, &is_error);
    ck_assert_msg(!is_error, "%s: %s", tool, shown);
    if (text)
        *text = xstrdup(shown);
    ck_assert_int_eq(json_get_object(answer, "result", &result), JSON_FIELD_FOUND);
    ck_assert_int_eq(json_get_object(result, "structuredContent", &structured), JSON_FIELD_FOUND);
    json_object_get(structured);
    json_object_put(answer);
    free(params);
    return structured;
}

struct place {
    char *path, *url, *type;
};

static struct place new_place(const char *filename)
{
    char *args = xasprintf("{\"filename\":\"%s\"}", filename);
    struct json_object *granted = tool_json(alice, "upload_attachment", args, NULL);
    struct place place = {.path = xstrdup(json_text_or(granted, "path", "")),
        .url = xstrdup(json_text_or(granted, "upload_url", "")),
        .type = xstrdup(json_text_or(granted, "mime_type", ""))};
    json_object_put(granted);
    free(args);
    return place;
}

static void place_free(struct place *place)
{
    free(place->path);
    free(place->url);
    free(place->type);
}

static int call(const char *method, const char *url, const char *header, const char *body)
{
    http_reply_free(&reply);
    http_call(method, url, (const char *const[]){header ? header : "X-None: 1", NULL}, body, &reply);
    return reply.status;
}

static int put(const char *url, const char *body)
{
    return call("PUT", url, "Content-Type: text/plain", body);
}

/* The signed URL of what alice stored at that path. The caller frees. */
static char *download_url(const char *path)
{
    char *args = xasprintf("{\"path\":\"%s\"}", path);
    struct json_object *got = tool_json(bob, "get_attachment", args, NULL);
    char *url = xstrdup(json_text_or(got, "url", ""));
    json_object_put(got);
    free(args);
    return url;
}

/* Stores the text and returns its path. The caller frees. */
static char *stored(const char *filename, const char *text)
{
    struct place place = new_place(filename);
    char *type = xasprintf("Content-Type: %s", place.type);
    ck_assert_int_eq(call("PUT", place.url, type, text), 201);
    free(type);
    free(place.type);
    free(place.url);
    return place.path;
}

static bool header_is(const char *line)
{
    char *wanted = xasprintf("\r\n%s\r\n", line);
    const bool found = strcasestr(buf_text(&reply.headers), wanted) != NULL;
    free(wanted);
    return found;
}

/* The text with the first occurrence of from replaced. The caller frees. */
static char *changed(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "no %s in %s", from, text);
    return xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

/* How many files there are in and below a folder of the data folder. */
static int files_below(const char *folder)
{
    char *command = xasprintf("find '%s/%s' -type f | wc -l", relay->data_dir, folder);
    struct program_result result;
    run_program((const char *const[]){"sh", "-c", command, NULL}, NULL, NULL, SOON_MS, &result);
    const int count = atoi(buf_text(&result.out));
    program_result_free(&result);
    free(command);
    return count;
}

static bool nothing_is_incoming(void *arg)
{
    (void)arg;
    return files_below("files.incoming") == 0;
}

/* ---- with curl, from one folder to another ---- */

/* The line of a tool's text that begins with (or holds) "curl". The caller frees. */
static char *curl_line(const char *text)
{
    const char *line = strstr(text, "curl ");
    ck_assert_msg(line != NULL, "no curl line in %s", text);
    return xmemdup_text(line, strcspn(line, "\n"));
}

static int shell(const char *folder, const char *command, struct buf *out)
{
    char *line = xasprintf("cd '%s' && %s", folder, command);
    struct program_result result;
    run_program((const char *const[]){"sh", "-c", line, NULL}, NULL, NULL, CURL_MS, &result);
    if (out)
        buf_puts(out, buf_text(&result.out));
    const int exit_code = result.exit_code;
    program_result_free(&result);
    free(line);
    return exit_code;
}

static long resident_kb(pid_t pid)
{
    char *path = xasprintf("/proc/%ld/status", (long)pid);
    char line[200];
    long kb = -1;
    FILE *status = fopen(path, "r");
    ck_assert_ptr_nonnull(status);
    while (fgets(line, sizeof line, status)) {
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    }
    (void)fclose(status);
    free(path);
    return kb;
}

START_TEST(nine_megabytes_go_from_folder_to_folder_with_curl)
{
    enum { GROWTH_KB = 2 * 1024 };
    char *from = xstrdup(temp_folder()), *to = xstrdup(temp_folder());
    char *upload_text, *download_text, *args;
    struct buf out = {0};

    /* Threads and their memory are there beforehand. */
    for (int i = 0; i < 8; i++)
        free(stored("warm.txt", "warm"));
    ck_assert_int_eq(shell(from, "head -c 9000000 /dev/urandom > data.bin", NULL), 0);
    const long before_kb = resident_kb(relay->pid);

    struct json_object *granted =
        tool_json(alice, "upload_attachment", "{\"filename\":\"data.bin\"}", &upload_text);
    char *line = curl_line(upload_text);
    ck_assert_int_eq(shell(from, line, &out), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\"status\":\"stored\""));
    const char *path = json_text_or(granted, "path", "");
    args = xasprintf("{\"path\":\"%s\"}", path);
    struct json_object *got = tool_json(bob, "get_attachment", args, &download_text);
    free(line);
    line = curl_line(download_text);
    ck_assert_int_eq(shell(to, line, NULL), 0);

    const long growth_kb = resident_kb(relay->pid) - before_kb;
    char *compare = xasprintf("cmp '%s/data.bin' data.bin", from);
    ck_assert_int_eq(shell(to, compare, NULL), 0);
    buf_reset(&out);
    ck_assert_int_eq(shell(to, "sha256sum data.bin", &out), 0);
    ck_assert_int_eq(strncmp(buf_text(&out), json_text_or(got, "sha256", "?"), SHA256_HEX_SIZE - 1), 0);
    ck_assert_uint_lt(strlen(upload_text) + strlen(download_text), 2048);
    printf("9,000,000 bytes there and back; the relay grew by %ld KB\n", growth_kb);
    if (!getenv("SAN") || !*getenv("SAN"))
        ck_assert_int_lt(growth_kb, GROWTH_KB);
    json_object_put(granted);
    json_object_put(got);
    free(compare);
    free(line);
    free(args);
    free(upload_text);
    free(download_text);
    free(from);
    free(to);
    buf_free(&out);
}
END_TEST

/* The library encrypts what it reads from the file, and refusals go past it. */
START_TEST(files_pass_over_tls)
{
    char *folder = xstrdup(temp_folder()), *text;
    char *data = xasprintf("PATCHCORD_DATA_DIR=%s", folder),
         *cert = xasprintf("PATCHCORD_TLS_CERT=%s/tls-cert.pem", folder),
         *key = xasprintf("PATCHCORD_TLS_KEY=%s/tls-key.pem", folder);
    struct program_result result;
    struct buf out = {0};
    run_program((const char *const[]){"patchcord-relay", "tls-init", NULL}, (const char *const[]){data, NULL},
        NULL, CURL_MS, &result);
    ck_assert_int_eq(result.exit_code, 0);
    program_result_free(&result);
    relay =
        relay_start(folder, (const char *const[]){cert, key, "PATCHCORD_ATTACHMENT_MAX_BYTES=1000000", NULL});
    alice = relay_token(relay, "alice@team");
    bob = relay_token(relay, "bob@team");

    ck_assert_int_eq(
        shell(folder, "head -c 1000000 /dev/urandom > data.bin && cat data.bin data.bin > twice.bin", NULL),
        0);
    for (int again = 0; again < 2; again++) {
        struct json_object *granted =
            tool_json(alice, "upload_attachment", "{\"filename\":\"data.bin\"}", &text);
        char *line = curl_line(text),
             *trusting = xasprintf("CURL_CA_BUNDLE=%s/tls-cert.pem %s", folder, line);
        char *chunked = changed(trusting, "-fsS", "-sS -H 'Transfer-Encoding: chunked'");
        char *twice = changed(chunked, "'data.bin'", "'twice.bin'");
        buf_reset(&out);
        ck_assert_int_eq(shell(folder, twice, &out), 0);
        ck_assert_ptr_nonnull(strstr(buf_text(&out), "payload_too_large"));
        ck_assert_int_eq(shell(folder, again ? chunked : trusting, NULL), 0);
        free(twice);
        free(chunked);
        free(trusting);
        free(line);
        free(text);

        char *args = xasprintf("{\"path\":\"%s\"}", json_text_or(granted, "path", ""));
        json_object_put(granted);
        granted = tool_json(bob, "get_attachment", args, &text);
        line = curl_line(text);
        trusting = xasprintf(
            "mkdir -p got && cd got && CURL_CA_BUNDLE=%s/tls-cert.pem %s && cmp data.bin ../data.bin", folder,
            line);
        ck_assert_int_eq(shell(folder, trusting, NULL), 0);
        json_object_put(granted);
        free(args);
        free(trusting);
        free(line);
        free(text);
    }
    free(folder);
    free(data);
    free(cert);
    free(key);
    buf_free(&out);
}
END_TEST

/* ---- refusals ---- */

static const char *error_code(void)
{
    return json_text_or(reply.json, "error", "");
}

START_TEST(an_upload_url_grants_just_that)
{
    static const char *const tampered[][2] = {
        {"/files/team/", "/files/elsewhere/"},
        {"/alice/", "/bob/"},
        {"_note.txt", "_other.txt"},
        {"max=1", "max=9"},
        {"type=text%2Fplain", "type=text%2Fhtml"},
        {"expires=1", "expires=2"},
        {"signature=", "signature=0"},
    };
    struct place place = new_place("note.txt");
    for (size_t i = 0; i < LENGTH_OF(tampered); i++) {
        char *url = changed(place.url, tampered[i][0], tampered[i][1]);
        ck_assert_int_eq(put(url, "x"), 403);
        ck_assert_str_eq(error_code(), "bad_signature");
        free(url);
    }
    /* Each digit of the signature counts. */
    char *last = place.url + strlen(place.url) - 1;
    const char digit = *last;
    *last = digit == '0' ? '1' : '0';
    ck_assert_int_eq(put(place.url, "x"), 403);
    *last = digit;

    char *bare = changed(place.url, "?", "#");
    ck_assert_int_eq(put(bare, "x"), 400);
    ck_assert_str_eq(error_code(), "malformed_url");
    free(bare);
    ck_assert_int_eq(call("GET", place.url, NULL, NULL), 405);
    ck_assert(header_is("Allow: PUT"));
    ck_assert_int_eq(call("POST", place.url, "Content-Type: text/plain", "x"), 405);
    ck_assert_int_eq(call("DELETE", place.url, NULL, NULL), 405);
    ck_assert_int_eq(call("PUT", place.url, "Content-Type: image/png", "x"), 415);
    ck_assert_int_eq(call("PUT", place.url, "Content-Range: bytes 0-0/2", "x"), 400);
    ck_assert_int_eq(files_below("files"), 0);

    ck_assert_int_eq(put(place.url, "first"), 201);
    ck_assert_str_eq(json_text_or(reply.json, "path", ""), place.path);
    ck_assert_int_eq(put(place.url, "second"), 409);
    ck_assert_str_eq(error_code(), "exists");
    char *url = download_url(place.path);
    ck_assert_int_eq(call("GET", url, NULL, NULL), 200);
    ck_assert_str_eq(buf_text(&reply.body), "first");
    ck_assert_int_eq(put(url, "third"), 405);
    ck_assert_str_eq(error_code(), "method_not_allowed");
    ck_assert(header_is("Allow: GET, HEAD"));
    free(url);
    place_free(&place);
}
END_TEST

/* Paths as nobody's client library sends them: nothing is found, and nothing of the machine is shown. */
START_TEST(hostile_targets_lead_nowhere)
{
    static const char *const targets[] = {
        "/files/../../../../etc/passwd",
        "/files/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/files/..%2f..%2f..%2fetc%2fpasswd",
        "/files//etc/passwd",
        "/files/%2fetc%2fpasswd",
        "/files/files.key",
        "/files/../files.key",
        "/files/../patchcord.db",
        "/files/team/alice/..%2f..%2f..%2ffiles.key",
        "/files/team/alice/1700000000000_a.txt%00.png",
        "/files/team%5calice%5c1700000000000_a.txt",
        "/files/team/alice/.env",
        "/files/team/alice/1700000000000_%e2%80%aefdp.exe",
        "/files/team/alice/1700000000000_CON",
        "/files/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
        "/files/",
        "/files/team",
        "http://other.test/files/../../etc/passwd",
    };
    static const char query[] = "?expires=4000000000&signature="
                                "0000000000000000000000000000000000000000000000000000000000000000";
    struct buf answer = {0}, request = {0};
    for (size_t i = 0; i < 2 * LENGTH_OF(targets); i++) {
        const char *method = i % 2 ? "PUT" : "GET";
        buf_reset(&request);
        buf_reset(&answer);
        buf_printf(&request,
            "%s %s%s%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", method,
            targets[i / 2], query, i % 2 ? "&max=10&type=text%2Fplain" : "", i % 2, i % 2 ? "x" : "");
        (void)http_raw(relay, request.data, request.len, SOON_MS, &answer);
        int status = 0;
        ck_assert_int_eq(sscanf(buf_text(&answer), "HTTP/1.1 %d", &status), 1);
        ck_assert_msg(status == 400 || status == 404 || status == 405, "%s: %d", targets[i / 2], status);
        ck_assert_ptr_null(strstr(buf_text(&answer), "root:"));
        ck_assert_ptr_null(strstr(buf_text(&answer), relay->data_dir));
    }
    ck_assert_int_eq(files_below("files"), 0);
    buf_free(&request);
    buf_free(&answer);
}
END_TEST

/* A PUT of len bytes without a length, or with one; the status. */
static int put_raw(const char *url, size_t len, bool chunked, struct buf *answer)
{
    struct buf request = {0};
    buf_printf(
        &request, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n", strstr(url, "/files/"));
    if (chunked)
        buf_printf(&request, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", len);
    else
        buf_printf(&request, "Content-Length: %zu\r\n\r\n", len);
    for (size_t i = 0; i < len; i++)
        buf_putc(&request, 'x');
    if (chunked)
        buf_puts(&request, "\r\n0\r\n\r\n");
    buf_reset(answer);
    (void)http_raw(relay, request.data, request.len, 1000, answer);
    buf_free(&request);
    int status = 0;
    ck_assert_int_eq(sscanf(buf_text(answer), "HTTP/1.1 %d", &status), 1);
    return status;
}

START_TEST(a_file_that_is_too_large_is_refused)
{
    struct buf answer = {0};
    for (int chunked = 0; chunked < 2; chunked++) {
        struct place place = new_place("note.txt");
        ck_assert_int_eq(put_raw(place.url, MAX_BYTES + 1, chunked, &answer), 413);
        ck_assert_ptr_nonnull(strstr(buf_text(&answer), "payload_too_large"));
        ck_assert(poll_until(nothing_is_incoming, NULL, SOON_MS));
        ck_assert_int_eq(files_below("files"), chunked);
        ck_assert_int_eq(put_raw(place.url, MAX_BYTES, chunked, &answer), 201);
        place_free(&place);
    }
    buf_free(&answer);
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
    char *path = stored("empty.txt", "");
    char *url = download_url(path);
    ck_assert_int_eq(call("GET", url, NULL, NULL), 200);
    ck_assert_uint_eq(reply.body.len, 0);
    ck_assert_int_eq(call("GET", url, "Range: bytes=0-0", NULL), 416);
    free(url);
    free(path);
}
END_TEST

static bool is_expired(void *arg)
{
    return call("GET", arg, NULL, NULL) == 403;
}

START_TEST(a_download_url_expires)
{
    char *path = stored("note.txt", "hello");
    char *url = download_url(path);
    ck_assert(poll_until(is_expired, url, SOON_MS));
    ck_assert_str_eq(error_code(), "expired");
    free(url);
    free(path);
}
END_TEST

static void setup_short(void)
{
    start((const char *const[]){"PATCHCORD_ATTACHMENT_URL_EXPIRY_SECONDS=1", NULL});
}

/* ---- downloads ---- */

START_TEST(a_download_is_safe_for_browsers_and_can_be_continued)
{
    struct place place = new_place("page.html");
    ck_assert_int_eq(call("PUT", place.url, "Content-Type: text/html; charset=utf-8", "0123456789"), 201);
    char *url = download_url(place.path), *hash = xstrdup(json_text_or(reply.json, "sha256", "")), *line;

    ck_assert_int_eq(call("GET", url, NULL, NULL), 200);
    ck_assert_str_eq(buf_text(&reply.body), "0123456789");
    ck_assert(header_is("Content-Type: text/html"));
    ck_assert(header_is("X-Content-Type-Options: nosniff"));
    ck_assert(header_is("Content-Disposition: attachment; filename=\"page.html\""));
    ck_assert(header_is("Content-Security-Policy: sandbox; default-src 'none'"));
    ck_assert(header_is("Accept-Ranges: bytes"));
    ck_assert(header_is("Content-Length: 10"));
    line = xasprintf("ETag: \"%s\"", hash);
    ck_assert(header_is(line));
    ck_assert_int_eq(call("HEAD", url, NULL, NULL), 200);
    ck_assert(header_is("Content-Length: 10"));
    ck_assert_uint_eq(reply.body.len, 0);

    static const struct {
        const char *range;
        int status;
        const char *body, *content_range;
    } rows[] = {
        {"Range: bytes=2-4", 206, "234", "Content-Range: bytes 2-4/10"},
        {"Range: bytes=7-", 206, "789", "Content-Range: bytes 7-9/10"},
        {"Range: bytes=-3", 206, "789", "Content-Range: bytes 7-9/10"},
        {"Range: bytes=0-99", 206, "0123456789", "Content-Range: bytes 0-9/10"},
        {"Range: bytes=10-", 416, NULL, "Content-Range: bytes */10"},
        {"Range: bytes=2-3,4-5", 200, "0123456789", NULL},
        {"Range: bytes=5-4", 200, "0123456789", NULL},
        {"Range: lines=0-1", 200, "0123456789", NULL},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        ck_assert_int_eq(call("GET", url, rows[i].range, NULL), rows[i].status);
        if (rows[i].body)
            ck_assert_str_eq(buf_text(&reply.body), rows[i].body);
        if (rows[i].content_range)
            ck_assert(header_is(rows[i].content_range));
    }
    free(line);
    line = xasprintf("If-None-Match: W/\"x\", \"%s\"", hash);
    ck_assert_int_eq(call("GET", url, line, NULL), 304);
    ck_assert_uint_eq(reply.body.len, 0);
    ck_assert_int_eq(call("GET", url, "If-None-Match: \"other\"", NULL), 200);
    http_reply_free(&reply);
    http_call(
        "GET", url, (const char *const[]){"Range: bytes=0-1", "If-Range: \"other\"", NULL}, NULL, &reply);
    ck_assert_int_eq(reply.status, 200);
    free(line);
    free(hash);
    free(url);
    place_free(&place);
}
END_TEST

/* ---- the tools ---- */

START_TEST(a_text_is_shown_behind_marks)
{
    char *path = stored("note.md", "# hello\nFrom backend [id]\n"), *text,
         *args = xasprintf("{\"path\":\"%s\"}", path);
    struct json_object *got = tool_json(bob, "get_attachment", args, &text);
    ck_assert_ptr_nonnull(strstr(text, " | 26 bytes, text/markdown, SHA-256 "));
    ck_assert_ptr_nonnull(strstr(text, "\n> # hello\n> From backend [id]\n"));
    ck_assert_ptr_null(strstr(text, "curl"));
    ck_assert_str_eq(json_text_or(got, "text", ""), "# hello\nFrom backend [id]\n");
    json_object_put(got);
    free(text);
    free(args);
    args = xasprintf("{\"path\":\" %s\\n\",\"inline\":true}", path);
    got = tool_json(bob, "get_attachment", args, &text);
    ck_assert_ptr_nonnull(strstr(text, "base64: IyBoZWxsbwpGcm9tIGJhY2tlbmQgW2lkXQo=\n"));
    ck_assert_str_eq(json_text_or(got, "base64", ""), "IyBoZWxsbwpGcm9tIGJhY2tlbmQgW2lkXQo=");
    json_object_put(got);
    free(text);
    free(args);
    free(path);
}
END_TEST

START_TEST(a_text_of_64_kb_is_shown_and_a_longer_one_is_not)
{
    enum { SHOWN = 64 * 1024 };
    char *long_text = xmalloc(SHOWN + 2);
    memset(long_text, 'a', SHOWN + 1);
    for (size_t i = 80; i < SHOWN; i += 80)
        long_text[i] = '\n';
    for (size_t len = SHOWN; len <= SHOWN + 1; len++) {
        long_text[len] = '\0';
        char *path = stored("long.txt", long_text), *args = xasprintf("{\"path\":\"%s\"}", path);
        tool_says(relay, bob, "get_attachment", args, len == SHOWN ? "\n> aaaa" : "\nDownload it: curl ");
        free(args);
        free(path);
        long_text[len] = 'a';
    }
    free(long_text);
}
END_TEST

START_TEST(what_is_no_text_is_given_as_a_url)
{
    char *text;
    struct json_object *put_there =
        tool_json(alice, "upload_attachment", "{\"filename\":\"x.txt\",\"file_data\":\"AP/+gA==\"}", &text);
    ck_assert_ptr_nonnull(strstr(text, "4 bytes, text/plain, SHA-256 "));
    char *args = xasprintf("{\"path\":\"%s\"}", json_text_or(put_there, "path", ""));
    tool_says(relay, bob, "get_attachment", args, "\nDownload it: curl -fsS -o 'x.txt' 'http");
    json_object_put(put_there);
    free(args);
    free(text);
}
END_TEST

START_TEST(two_megabytes_come_in_base64)
{
    enum { BYTES = 2 * 1000 * 1000, CHARACTERS = BYTES / 3 * 4 + 4 };
    char *args = xmalloc(CHARACTERS + 100), *text;
    int at = sprintf(args, "{\"filename\":\"zeros.bin\",\"file_data\":\"");
    memset(args + at, 'A', CHARACTERS - 4);
    strcpy(args + at + CHARACTERS - 4, "AAA=\"}");
    struct json_object *there = tool_json(alice, "upload_attachment", args, &text);
    int64_t size = 0;
    ck_assert_int_eq(json_get_int(there, "size", &size), JSON_FIELD_FOUND);
    ck_assert_int_eq(size, (CHARACTERS - 4) / 4 * 3 + 2);
    json_object_put(there);
    free(args);
    free(text);
}
END_TEST

START_TEST(uploads_that_cannot_be_are_refused)
{
    tool_fails(relay, alice, "upload_attachment", "{}", "filename is missing");
    tool_fails(relay, alice, "upload_attachment", "{\"filename\":\"x\",\"mime_type\":\"text\"}",
        "mime_type must be");
    tool_fails(relay, alice, "upload_attachment", "{\"filename\":\"x\",\"mime_type\":\"application/x-evil\"}",
        "does not take files of the type application/x-evil");
    tool_fails(relay, alice, "upload_attachment", "{\"filename\":\"x\",\"file_data\":\"%%%\"}", "not base64");
    tool_says(relay, alice, "upload_attachment", "{\"filename\":\"../../.env\"}", "_env\n");
    tool_says(relay, alice, "upload_attachment", "{\"filename\":\"it's\\n.pdf\"}", "-T 'it_s_.pdf'");
    tool_says(relay, alice, "upload_attachment", "{\"filename\":\"a b.pdf\"}", "-T 'a b.pdf'");
    ck_assert_int_eq(files_below("files"), 0);
}
END_TEST

START_TEST(paths_that_are_none_are_refused)
{
    static const struct {
        const char *path, *says;
    } rows[] = {
        {"", "is empty"},
        {"/etc/passwd", "must not be absolute"},
        {"../../etc/passwd", "must not have '..'"},
        {"team/alice/../alice/1_x", "must not have '..'"},
        {"team%2Falice%2F1_x", "must not be encoded"},
        {"https://evil.test/files/team/alice/1_x", "must not be absolute"},
        {"team/alice", "must be namespace/agent/number_name"},
        {"team/alice/1_x", "Not found"},
        {"elsewhere/bob/1_x", "Not found"},
    };
    char *path = stored("secret.txt", "secret");
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char *args = xasprintf("{\"path\":\"%s\"}", rows[i].path);
        tool_fails(relay, alice, "get_attachment", args, rows[i].says);
        free(args);
    }
    char *args = xasprintf("{\"path\":\"%s\"}", path);
    tool_fails(relay, foreign, "get_attachment", args, "Not found");
    free(args);
    /* A signed URL is understood, but no licence to cross a namespace. */
    char *url = download_url(path);
    args = xasprintf("{\"path\":\"%s\"}", url);
    tool_says(relay, bob, "get_attachment", args, "> secret");
    tool_fails(relay, foreign, "get_attachment", args, "Not found");
    free(args);
    free(url);
    free(path);
}
END_TEST

START_TEST(the_older_tool_goes_on_working)
{
    struct json_object *there = tool_json(
        alice, "attachment", "{\"upload\":true,\"filename\":\"x.txt\",\"file_data\":\"aGVsbG8=\"}", NULL);
    char *args = xasprintf("{\"path_or_url\":\"%s\"}", json_text_or(there, "path", ""));
    tool_says(relay, bob, "attachment", args, "> hello");
    free(args);
    json_object_put(there);
    tool_says(relay, alice, "attachment", "{\"upload\":true,\"filename\":\"y.txt\"}", "curl -fsS -T 'y.txt'");
    tool_fails(
        relay, alice, "attachment", "{\"relay\":true,\"path_or_url\":\"http://files.test/x\"}", "https");
    tool_fails(relay, alice, "attachment", "{}", "path is empty");
}
END_TEST

/* ---- quota ---- */

enum { UPLOADS = 20, QUOTA_FILES = 7 };
static atomic_int accepted, over_quota;
static struct place places[UPLOADS];

static void *put_one(void *arg)
{
    struct http_reply answer;
    char *body = xmalloc(MAX_BYTES + 1);
    memset(body, 'q', MAX_BYTES);
    body[MAX_BYTES] = '\0';
    http_call("PUT", arg, (const char *const[]){"Content-Type: text/plain", NULL}, body, &answer);
    atomic_fetch_add(
        answer.status == 201 ? &accepted : &over_quota, answer.status == 201 || answer.status == 507);
    http_reply_free(&answer);
    free(body);
    return NULL;
}

START_TEST(the_quota_holds_under_uploads_at_the_same_time)
{
    pthread_t threads[UPLOADS];
    accepted = over_quota = 0;
    for (size_t i = 0; i < UPLOADS; i++)
        places[i] = new_place("note.txt");
    for (size_t i = 0; i < UPLOADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, put_one, places[i].url), 0);
    for (size_t i = 0; i < UPLOADS; i++) {
        pthread_join(threads[i], NULL);
        place_free(&places[i]);
    }
    ck_assert_int_eq(accepted, QUOTA_FILES);
    ck_assert_int_eq(over_quota, UPLOADS - QUOTA_FILES);
    ck_assert_int_eq(files_below("files"), QUOTA_FILES);
    ck_assert(poll_until(nothing_is_incoming, NULL, SOON_MS));
    tool_fails(relay, alice, "upload_attachment", "{\"filename\":\"x\",\"file_data\":\"aGVsbG8=\"}",
        "fill its 702048 bytes");
    struct json_object *there =
        tool_json(foreign, "upload_attachment", "{\"filename\":\"x\",\"file_data\":\"aGVsbG8=\"}", NULL);
    json_object_put(there);
}
END_TEST

static void setup_quota(void)
{
    start((const char *const[]){"PATCHCORD_ATTACHMENT_QUOTA_BYTES=702048", NULL});
}

/* ---- uploads that do not end ---- */

/* A connection on which half of an announced body was sent. */
static int half_an_upload(const char *url)
{
    enum { ANNOUNCED = 8 * 1000 * 1000, SENT = 400 * 1000 };
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)relay->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    struct buf request = {0};
    buf_printf(&request, "PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", strstr(url, "/files/"),
        ANNOUNCED);
    for (size_t i = 0; i < SENT; i++)
        buf_putc(&request, 'x');
    for (size_t done = 0; done < request.len;) {
        const ssize_t sent = send(fd, request.data + done, request.len - done, MSG_NOSIGNAL);
        ck_assert_int_gt(sent, 0);
        done += (size_t)sent;
    }
    buf_free(&request);
    return fd;
}

static bool is_incoming(void *arg)
{
    return files_below("files.incoming") == *(int *)arg;
}

START_TEST(a_client_that_leaves_leaves_nothing)
{
    struct place place = new_place("data.bin");
    int one = 1;
    const int fd = half_an_upload(place.url);
    ck_assert(poll_until(is_incoming, &one, SOON_MS));
    close(fd);
    ck_assert(poll_until(nothing_is_incoming, NULL, SOON_MS));
    ck_assert_int_eq(files_below("files"), 0);
    ck_assert_int_eq(call("PUT", place.url, "Content-Type: application/octet-stream", "again"), 201);
    place_free(&place);
}
END_TEST

START_TEST(a_relay_that_ends_leaves_nothing_unfinished)
{
    struct place place = new_place("data.bin");
    int one = 1;
    const int fd = half_an_upload(place.url);
    ck_assert(poll_until(is_incoming, &one, SOON_MS));
    ck_assert_int_eq(relay_stop(relay), 0);
    ck_assert_int_eq(files_below("files.incoming"), 0);
    close(fd);
    place_free(&place);
}
END_TEST

START_TEST(a_killed_relay_has_no_half_files)
{
    enum { HALVES = 5 };
    int fds[HALVES], halves = HALVES;
    char *path = stored("whole.txt", "whole");
    for (int i = 0; i < HALVES; i++) {
        struct place place = new_place("data.bin");
        fds[i] = half_an_upload(place.url);
        place_free(&place);
    }
    ck_assert(poll_until(is_incoming, &halves, SOON_MS));
    relay_kill(relay);
    ck_assert_int_eq(files_below("files"), 1);
    ck_assert_int_eq(files_below("files.incoming"), HALVES);
    relay_restart(relay, NULL);
    ck_assert_int_eq(files_below("files.incoming"), 0);
    ck_assert(relay_log_has(relay, "unfinished_uploads_removed"));
    char *args = xasprintf("{\"path\":\"%s\"}", path);
    tool_says(relay, bob, "get_attachment", args, "> whole");
    for (int i = 0; i < HALVES; i++)
        close(fds[i]);
    free(args);
    free(path);
}
END_TEST

/* ---- for the operator ---- */

static int run_relay(const char *const argv[], const char *data_dir, struct buf *out)
{
    char *setting = xasprintf("PATCHCORD_DATA_DIR=%s", data_dir);
    struct program_result result;
    run_program(argv, (const char *const[]){setting, NULL}, NULL, SOON_MS, &result);
    buf_reset(out);
    buf_puts(out, buf_text(&result.out));
    buf_puts(out, buf_text(&result.err));
    const int exit_code = result.exit_code;
    program_result_free(&result);
    free(setting);
    return exit_code;
}

/* As if what was stored there had been so years ago. */
static void make_old(const char *path)
{
    char *command = xasprintf("mv 'files/%s' files/team/alice/1700000000000_old.txt", path);
    ck_assert_int_eq(shell(relay->data_dir, command, NULL), 0);
    free(command);
}

START_TEST(old_files_are_cleaned_up)
{
    struct buf out = {0};
    char *path = stored("old.txt", "old"), *young = stored("young.txt", "young");
    make_old(path);
    ck_assert_int_eq(run_relay((const char *const[]){"patchcord-relay", "cleanup", "--dry-run", NULL},
                         relay->data_dir, &out),
        0);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), ", 1 attachments removed"));
    ck_assert_int_eq(files_below("files"), 2);
    ck_assert_int_eq(
        run_relay((const char *const[]){"patchcord-relay", "cleanup", NULL}, relay->data_dir, &out), 0);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), ", 1 attachments removed"));
    ck_assert_int_eq(files_below("files"), 1);
    tool_fails(relay, bob, "get_attachment", "{\"path\":\"team/alice/1700000000000_old.txt\"}", "Not found");
    char *again = stored("old.txt", "old");
    make_old(again);
    http_reply_free(&reply);
    relay_call(relay, "POST", "/api/cleanup", "operator", NULL, NULL, &reply);
    int64_t removed = 0;
    ck_assert_int_eq(json_get_int(reply.json, "attachments", &removed), JSON_FIELD_FOUND);
    ck_assert_int_eq(removed, 1);
    ck_assert_int_eq(files_below("files"), 1);
    char *url = download_url(young);
    ck_assert_int_eq(call("GET", url, NULL, NULL), 200);
    free(url);
    free(again);
    free(path);
    free(young);
    buf_free(&out);
}
END_TEST

START_TEST(a_backup_has_files_and_key)
{
    struct buf out = {0};
    char *path = stored("kept.txt", "kept"), *url = download_url(path);
    struct place place = new_place("data.bin");
    int one = 1;
    const int fd = half_an_upload(place.url);
    ck_assert(poll_until(is_incoming, &one, SOON_MS));
    char *backup = xasprintf("%s/backup", temp_folder()), *restored = xasprintf("%s/data", temp_folder());
    ck_assert_int_eq(
        run_relay((const char *const[]){"patchcord-relay", "backup", backup, NULL}, relay->data_dir, &out),
        0);
    close(fd);
    ck_assert_int_eq(relay_stop(relay), 0);
    ck_assert_int_eq(
        run_relay((const char *const[]){"patchcord-relay", "restore", backup, NULL}, restored, &out), 0);

    struct relay_process *other = relay_start(restored, NULL);
    const char *behind = strstr(url, "/files/");
    char *moved = xasprintf("%s%s", other->url, behind);
    ck_assert_int_eq(call("GET", moved, NULL, NULL), 200);
    ck_assert_str_eq(buf_text(&reply.body), "kept");
    char *incoming =
        xasprintf("test ! -e '%s/files.incoming' && test -e '%s/files/%s'", backup, backup, path);
    ck_assert_int_eq(shell(restored, incoming, NULL), 0);
    free(incoming);
    free(moved);
    free(backup);
    free(restored);
    free(url);
    free(path);
    place_free(&place);
    buf_free(&out);
}
END_TEST

static void add(Suite *suite, const char *name, void (*before)(void), const TTest *const tests[])
{
    TCase *tcase = harness_case(suite, name);
    tcase_add_checked_fixture(tcase, before, teardown);
    for (size_t i = 0; tests[i]; i++)
        tcase_add_test(tcase, tests[i]);
}

int main(void)
{
    if (harness_skips_supabase("files are in its Storage"))
        return EXIT_SUCCESS;
    Suite *suite = suite_create("files");
    secret_init();
    add(suite, "limits", setup,
        (const TTest *const[]){an_upload_url_grants_just_that, hostile_targets_lead_nowhere,
            a_file_that_is_too_large_is_refused, an_empty_file_is_a_file,
            a_text_of_64_kb_is_shown_and_a_longer_one_is_not, NULL});
    add(suite, "files", setup_defaults,
        (const TTest *const[]){nine_megabytes_go_from_folder_to_folder_with_curl,
            a_download_is_safe_for_browsers_and_can_be_continued, a_text_is_shown_behind_marks,
            what_is_no_text_is_given_as_a_url, two_megabytes_come_in_base64,
            uploads_that_cannot_be_are_refused, paths_that_are_none_are_refused,
            the_older_tool_goes_on_working, a_client_that_leaves_leaves_nothing,
            a_relay_that_ends_leaves_nothing_unfinished, a_killed_relay_has_no_half_files,
            old_files_are_cleaned_up, harness_store_is("sqlite") ? a_backup_has_files_and_key : NULL, NULL});
    TCase *tls = harness_case(suite, "tls");
    tcase_add_checked_fixture(tls, NULL, teardown);
    tcase_add_test(tls, files_pass_over_tls);
    add(suite, "expiry", setup_short, (const TTest *const[]){a_download_url_expires, NULL});
    add(suite, "quota", setup_quota,
        (const TTest *const[]){the_quota_holds_under_uploads_at_the_same_time, NULL});
    return run_suite(suite);
}
