#include "signed_state.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/url.h"
#include "../../common/uuid.h"

_Static_assert(SIGNED_STATE_KEY_BYTES == crypto_auth_KEYBYTES, "the key is libsodium's");

enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

static void add_base64(struct buf *out, const void *bytes, size_t len)
{
    const size_t size = sodium_base64_ENCODED_LEN(len, VARIANT);
    sodium_bin2base64(buf_reserve(out, size), size, bytes, len, VARIANT);
    buf_commit(out, size - 1);
}

static bool read_base64(const char *text, size_t len, struct buf *out)
{
    size_t decoded = 0;
    char *to = buf_reserve(out, len + 1);
    if (sodium_base642bin((unsigned char *)to, len + 1, text, len, NULL, &decoded, NULL, VARIANT) != 0)
        return false;
    buf_commit(out, decoded);
    return true;
}

/* What is signed: purpose and browser hold no NUL. */
static void write_signed(const struct signed_state_scope *scope, const struct buf *payload, struct buf *out)
{
    buf_append(out, scope->purpose, strlen(scope->purpose) + 1);
    buf_append(out, scope->browser, strlen(scope->browser) + 1);
    buf_append(out, buf_text(payload), payload->len);
}

static void sign(const struct signed_state_scope *scope, const struct buf *payload,
    unsigned char mac[static crypto_auth_BYTES])
{
    struct buf text = {0};
    write_signed(scope, payload, &text);
    crypto_auth(mac, (const unsigned char *)text.data, text.len, scope->key);
    buf_free(&text);
}

static void add_field(struct buf *out, const char *name, const char *value)
{
    if (out->len > 0)
        buf_putc(out, '&');
    url_encode(out, name, strlen(name));
    buf_putc(out, '=');
    url_encode(out, value, strlen(value));
}

void signed_state_seal(const struct signed_state_scope *scope, const struct signed_state_field fields[],
    size_t count, int64_t until_ms, struct buf *out)
{
    struct buf payload = {0};
    char id[UUID_SIZE], until[24];
    unsigned char mac[crypto_auth_BYTES];
    uuid_v4(id);
    snprintf(until, sizeof until, "%" PRId64, until_ms);
    add_field(&payload, "id", id);
    add_field(&payload, "until", until);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value)
            add_field(&payload, fields[i].name, fields[i].value);
    }
    sign(scope, &payload, mac);
    add_base64(out, payload.data, payload.len);
    buf_putc(out, '.');
    add_base64(out, mac, sizeof mac);
    buf_free(&payload);
}

static bool is_signed(
    const struct signed_state_scope *scope, const struct buf *payload, const struct buf *mac)
{
    unsigned char wanted[crypto_auth_BYTES];
    sign(scope, payload, wanted);
    return mac->len == sizeof wanted && sodium_memcmp(wanted, mac->data, sizeof wanted) == 0;
}

/* What was signed is what we wrote. */
static bool read_payload(const struct buf *payload, int64_t now_ms, struct form *out)
{
    const char *problem = NULL;
    if (!form_parse(buf_text(payload), payload->len, out, &problem))
        return false;
    const char *until = form_get(out, "until");
    if (until && form_get(out, "id") && strtoll(until, NULL, 10) > now_ms)
        return true;
    form_free(out);
    return false;
}

bool signed_state_open(
    const struct signed_state_scope *scope, const char *text, int64_t now_ms, struct form *out)
{
    struct buf payload = {0}, mac = {0};
    const char *dot = strchr(text, '.');
    *out = (struct form){0};
    const bool is_fine = dot && strlen(text) <= SIGNED_STATE_MAX &&
                         read_base64(text, (size_t)(dot - text), &payload) &&
                         read_base64(dot + 1, strlen(dot + 1), &mac) && is_signed(scope, &payload, &mac) &&
                         read_payload(&payload, now_ms, out);
    buf_free(&payload);
    buf_free(&mac);
    return is_fine;
}
