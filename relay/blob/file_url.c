#include "file_url.h"

#include <assert.h>
#include <bsd/stdlib.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "../../common/clock.h"
#include "../../common/url.h"

static_assert(FILE_URL_KEY_BYTES == crypto_auth_hmacsha256_KEYBYTES, "libsodium's key size");

enum { SIGNATURE_HEX = 2 * crypto_auth_hmacsha256_BYTES };

/* None of the parts can have a line end, so that no two grants are the same text. */
static void describe(const struct blob_grant *grant, struct buf *out)
{
    buf_printf(out, "patchcord file 1\n%s\n%s\n%" PRId64 "\n", grant->is_upload ? "PUT" : "GET",
        grant->path.text, grant->expires_ms / MS_PER_SECOND);
    if (grant->is_upload)
        buf_printf(out, "%" PRId64 "\n%s\n", grant->max_bytes, grant->type);
}

void file_url_write(const uint8_t key[static FILE_URL_KEY_BYTES], const char *public_url,
    const struct blob_grant *grant, struct buf *out)
{
    unsigned char signature[crypto_auth_hmacsha256_BYTES];
    char hex[SIGNATURE_HEX + 1];
    struct buf text = {0};

    describe(grant, &text);
    crypto_auth_hmacsha256(signature, (const unsigned char *)text.data, text.len, key);
    sodium_bin2hex(hex, sizeof hex, signature, sizeof signature);
    buf_free(&text);
    buf_printf(
        out, "%s/files/%s?expires=%" PRId64, public_url, grant->path.text, grant->expires_ms / MS_PER_SECOND);
    if (grant->is_upload) {
        buf_printf(out, "&max=%" PRId64 "&type=", grant->max_bytes);
        url_encode(out, grant->type, strlen(grant->type));
    }
    buf_printf(out, "&signature=%s", hex);
}

static bool is_signed(
    const uint8_t key[static FILE_URL_KEY_BYTES], const struct blob_grant *grant, const char *hex)
{
    unsigned char signature[crypto_auth_hmacsha256_BYTES];
    size_t len = 0;
    if (strlen(hex) != SIGNATURE_HEX ||
        sodium_hex2bin(signature, sizeof signature, hex, SIGNATURE_HEX, NULL, &len, NULL) != 0 ||
        len != sizeof signature)
        return false;
    struct buf text = {0};
    describe(grant, &text);
    const bool is_ours =
        crypto_auth_hmacsha256_verify(signature, (const unsigned char *)text.data, text.len, key) == 0;
    buf_free(&text);
    return is_ours;
}

static bool read_number(const char *text, int64_t max, int64_t *number)
{
    const char *problem = NULL;
    if (!text || strspn(text, "0123456789") != strlen(text))
        return false;
    *number = strtonum(text, 1, max, &problem);
    return !problem;
}

enum blob_url file_url_check(const uint8_t key[static FILE_URL_KEY_BYTES], bool is_upload, const char *path,
    const char *(*parameter)(const void *request, const char *name), const void *request, int64_t now_ms,
    struct blob_grant *grant)
{
    struct blob_grant asked = {0};
    const char *problem, *signature = parameter(request, "signature"), *type = parameter(request, "type");
    int64_t expires_s;

    memset(grant, 0, sizeof *grant);
    if (!blob_path_parse(path, &asked.path, &problem) || strcmp(asked.path.text, path) != 0 || !signature ||
        !read_number(parameter(request, "expires"), INT64_MAX / MS_PER_SECOND, &expires_s))
        return BLOB_URL_MALFORMED;
    asked.expires_ms = expires_s * MS_PER_SECOND;
    asked.is_upload = type != NULL;
    if (asked.is_upload && (!media_type_parse(type, asked.type) || strcmp(asked.type, type) != 0 ||
                               !read_number(parameter(request, "max"), INT64_MAX, &asked.max_bytes)))
        return BLOB_URL_MALFORMED;
    if (!is_signed(key, &asked, signature))
        return BLOB_URL_FORGED;
    if (asked.is_upload != is_upload)
        return BLOB_URL_OTHER_METHOD;
    if (asked.expires_ms <= now_ms)
        return BLOB_URL_EXPIRED;
    *grant = asked;
    return BLOB_URL_VALID;
}
