/* url_visit.h: somebody who was given a URL, and nothing else. */
#ifndef TESTS_URL_VISIT_H
#define TESTS_URL_VISIT_H

#include <check.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/buf.h"

struct said {
    const char *body;
    size_t len, at;
    struct buf answer;
    struct buf headers;
};

static inline size_t on_room(char *into, size_t size, size_t count, void *arg)
{
    struct said *said = arg;
    const size_t left = said->len - said->at, room = size * count, n = left < room ? left : room;
    memcpy(into, said->body + said->at, n);
    said->at += n;
    return n;
}

static inline size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    buf_append(arg, bytes, size * count);
    return size * count;
}

/* The status. body NULL: GET, whose answer goes to out (may be NULL) and its headers to headers (may be
 * NULL). */
static inline int url_visit(
    const char *url, const char *type, const char *body, size_t len, struct buf *out, struct buf *headers)
{
    CURL *easy = curl_easy_init();
    struct said said = {.body = body, .len = len};
    char *line = xasprintf("Content-Type: %s", type ? type : "");
    struct curl_slist *lines = curl_slist_append(NULL, line);
    long status = 0;
    lines = curl_slist_append(lines, "Expect:");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &said.answer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &said.headers);
    if (body) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)len);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_room);
        curl_easy_setopt(easy, CURLOPT_READDATA, &said);
    }
    ck_assert_int_eq(curl_easy_perform(easy), CURLE_OK);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (out)
        buf_puts(out, buf_text(&said.answer));
    if (headers)
        buf_puts(headers, buf_text(&said.headers));
    buf_free(&said.answer);
    buf_free(&said.headers);
    curl_slist_free_all(lines);
    curl_easy_cleanup(easy);
    free(line);
    return (int)status;
}

#endif
