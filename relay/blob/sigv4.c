#include "sigv4.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"
#include "../../common/secret.h"
#include "../../common/url.h"

enum {
    HASH_BYTES = crypto_auth_hmacsha256_BYTES,
    HASH_HEX_SIZE = 2 * HASH_BYTES + 1,
    DAY_LEN = 8,
    PRESIGN_PAIRS = 5, /* what a presigned URL has beside its own query */
};

#define ALGORITHM "AWS4-HMAC-SHA256"

void sigv4_date(int64_t at_ms, char out[static SIGV4_DATE_SIZE])
{
    const time_t seconds = (time_t)(at_ms / MS_PER_SECOND);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    const size_t len = strftime(out, SIGV4_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc);
    assert(len == SIGV4_DATE_SIZE - 1);
    (void)len;
}

/* ---- the canonical request ---- */

static int by_name(const void *a, const void *b)
{
    const struct sigv4_pair *left = a, *right = b;
    return strcmp(left->name, right->name);
}

void sigv4_query(const struct sigv4_pair *query, size_t count, struct buf *out)
{
    struct sigv4_pair *sorted = xcalloc(count + 1, sizeof *sorted);
    if (count > 0)
        memcpy(sorted, query, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_putc(out, '&');
        url_encode(out, sorted[i].name, strlen(sorted[i].name));
        buf_putc(out, '=');
        url_encode(out, sorted[i].value, strlen(sorted[i].value));
    }
    free(sorted);
}

static void signed_headers(const struct sigv4_request *request, struct buf *out)
{
    for (size_t i = 0; i < request->headers_count; i++)
        buf_printf(out, "%s%s", i > 0 ? ";" : "", request->headers[i].name);
}

static void canonical(const struct sigv4_request *request, struct buf *out)
{
    buf_printf(out, "%s\n%s\n", request->method, request->path);
    sigv4_query(request->query, request->query_count, out);
    buf_putc(out, '\n');
    for (size_t i = 0; i < request->headers_count; i++)
        buf_printf(out, "%s:%s\n", request->headers[i].name, request->headers[i].value);
    buf_putc(out, '\n');
    signed_headers(request, out);
    buf_printf(out, "\n%s", request->payload_hash);
}

/* ---- the signature ---- */

static void hmac(const void *key, size_t key_len, const char *text, unsigned char out[static HASH_BYTES])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, strlen(text));
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

static void scope(const struct sigv4_key *key, const char *date, struct buf *out)
{
    buf_printf(out, "%.*s/%s/%s/aws4_request", DAY_LEN, date, key->region, key->service);
}

static void sign(
    const struct sigv4_key *key, const struct sigv4_request *request, char out[static HASH_HEX_SIZE])
{
    char date[SIGV4_DATE_SIZE], day[DAY_LEN + 1], hash[SHA256_HEX_SIZE];
    unsigned char mac[HASH_BYTES];
    struct buf text = {0}, first = {0};

    sigv4_date(request->at_ms, date);
    snprintf(day, sizeof day, "%.*s", DAY_LEN, date);
    canonical(request, &text);
    secret_sha256_hex(buf_text(&text), text.len, hash);
    buf_reset(&text);
    buf_printf(&text, ALGORITHM "\n%s\n", date);
    scope(key, date, &text);
    buf_printf(&text, "\n%s", hash);

    buf_printf(&first, "AWS4%s", key->secret_key);
    hmac(first.data, first.len, day, mac);
    hmac(mac, sizeof mac, key->region, mac);
    hmac(mac, sizeof mac, key->service, mac);
    hmac(mac, sizeof mac, "aws4_request", mac);
    hmac(mac, sizeof mac, buf_text(&text), mac);
    sodium_bin2hex(out, HASH_HEX_SIZE, mac, sizeof mac);
    sodium_memzero(mac, sizeof mac);
    buf_wipe(&first);
    buf_free(&text);
}

void sigv4_authorize(const struct sigv4_key *key, const struct sigv4_request *request, struct buf *out)
{
    char date[SIGV4_DATE_SIZE], signature[HASH_HEX_SIZE];
    sigv4_date(request->at_ms, date);
    sign(key, request, signature);
    buf_printf(out, ALGORITHM " Credential=%s/", key->access_key);
    scope(key, date, out);
    buf_puts(out, ",SignedHeaders=");
    signed_headers(request, out);
    buf_printf(out, ",Signature=%s", signature);
}

void sigv4_presign(
    const struct sigv4_key *key, const struct sigv4_request *request, int64_t expires_s, struct buf *out)
{
    char date[SIGV4_DATE_SIZE], signature[HASH_HEX_SIZE];
    struct buf credential = {0}, names = {0}, expires = {0};
    struct sigv4_request asked = *request;

    sigv4_date(request->at_ms, date);
    buf_printf(&credential, "%s/", key->access_key);
    scope(key, date, &credential);
    signed_headers(request, &names);
    buf_printf(&expires, "%" PRId64, expires_s);
    const struct sigv4_pair added[PRESIGN_PAIRS] = {
        {"X-Amz-Algorithm", ALGORITHM},
        {"X-Amz-Credential", buf_text(&credential)},
        {"X-Amz-Date", date},
        {"X-Amz-Expires", buf_text(&expires)},
        {"X-Amz-SignedHeaders", buf_text(&names)},
    };
    struct sigv4_pair *query = xcalloc(request->query_count + PRESIGN_PAIRS, sizeof *query);
    if (request->query_count > 0)
        memcpy(query, request->query, request->query_count * sizeof *query);
    memcpy(query + request->query_count, added, sizeof added);
    asked.query = query;
    asked.query_count = request->query_count + PRESIGN_PAIRS;
    asked.payload_hash = SIGV4_UNSIGNED;
    sign(key, &asked, signature);
    sigv4_query(query, asked.query_count, out);
    buf_printf(out, "&X-Amz-Signature=%s", signature);
    free(query);
    buf_free(&credential);
    buf_free(&names);
    buf_free(&expires);
}
