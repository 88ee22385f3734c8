#include "store_cipher.h"

#include <bsd/string.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/secret.h"

_Static_assert(CIPHER_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the size of a key");

#define VERSION "v1:"

enum {
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    VERSION_LEN = sizeof VERSION - 1,
    KEY_ID_LEN = CIPHER_KEY_ID_SIZE - 1,
    HEAD_LEN = VERSION_LEN + KEY_ID_LEN + 1,
};

struct cipher_key {
    unsigned char key[CIPHER_KEY_BYTES];
    unsigned char nonce_key[CIPHER_KEY_BYTES]; /* what nonces are made with */
    char id[CIPHER_KEY_ID_SIZE];
};

struct store_cipher {
    struct cipher_key keys[CIPHER_KEYS_MAX];
    size_t count;
};

/* ---- keys ---- */

/* One purpose of a key gives another key: BLAKE2b keyed with it. */
static void derive(unsigned char *out, size_t len, const unsigned char *key, const char *purpose)
{
    crypto_generichash(out, len, (const unsigned char *)purpose, strlen(purpose), key, CIPHER_KEY_BYTES);
}

static bool decode(const char *text, size_t len, unsigned char *out)
{
    static const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
        sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
    for (size_t i = 0; i < LENGTH_OF(variants); i++) {
        size_t got = 0;
        if (sodium_base642bin(out, CIPHER_KEY_BYTES, text, len, NULL, &got, NULL, variants[i]) == 0 &&
            got == CIPHER_KEY_BYTES)
            return true;
    }
    return false;
}

static bool add_key(struct store_cipher *cipher, const char *text, size_t len)
{
    unsigned char digest[crypto_generichash_BYTES_MIN];
    struct cipher_key *key = &cipher->keys[cipher->count];
    if (!decode(text, len, key->key))
        return false;
    derive(key->nonce_key, sizeof key->nonce_key, key->key, "patchcord nonce");
    derive(digest, sizeof digest, key->key, "patchcord key id");
    sodium_bin2hex(key->id, sizeof key->id, digest, KEY_ID_LEN / 2);
    cipher->count++;
    return true;
}

static bool add_keys(struct store_cipher *cipher, const char *keys, struct buf *why)
{
    for (const char *at = keys; *at;) {
        const size_t blank = strspn(at, " ,"), len = strcspn(at + blank, " ,");
        at += blank + len;
        if (len == 0)
            continue;
        if (cipher->count == CIPHER_KEYS_MAX) {
            buf_printf(why, "has more than %d keys", CIPHER_KEYS_MAX);
            return false;
        }
        if (!add_key(cipher, at - len, len)) {
            buf_printf(why, "must have keys of %d bytes in base64 between commas, and number %zu is none",
                CIPHER_KEY_BYTES, cipher->count + 1);
            return false;
        }
    }
    if (cipher->count == 0)
        buf_puts(why, "has no key");
    return cipher->count > 0;
}

struct store_cipher *store_cipher_new(const char *keys, struct buf *why)
{
    secret_init();
    struct store_cipher *cipher = xcalloc(1, sizeof *cipher);
    if (add_keys(cipher, keys, why))
        return cipher;
    store_cipher_free(cipher);
    return NULL;
}

void store_cipher_free(struct store_cipher *cipher)
{
    if (cipher)
        secret_wipe(cipher, sizeof *cipher);
    free(cipher);
}

size_t store_cipher_keys(const struct store_cipher *cipher)
{
    return cipher->count;
}

/* ---- sealing ---- */

static void make_nonce(const struct cipher_key *key, const struct cipher_context *context, const char *text,
    size_t len, unsigned char nonce[static NONCE_BYTES])
{
    crypto_generichash_state state;
    if (!context->message_id) {
        randombytes_buf(nonce, NONCE_BYTES);
        return;
    }
    crypto_generichash_init(&state, key->nonce_key, sizeof key->nonce_key, NONCE_BYTES);
    /* With their zero bytes, so that what is one's end is not the other's beginning. */
    crypto_generichash_update(&state, (const unsigned char *)context->from, strlen(context->from) + 1);
    crypto_generichash_update(
        &state, (const unsigned char *)context->message_id, strlen(context->message_id) + 1);
    crypto_generichash_update(&state, (const unsigned char *)text, len);
    crypto_generichash_final(&state, nonce, NONCE_BYTES);
}

void store_cipher_seal(const struct store_cipher *cipher, size_t key, const struct cipher_context *context,
    const char *text, size_t len, struct buf *out)
{
    const struct cipher_key *with = &cipher->keys[key];
    const size_t raw_len = NONCE_BYTES + len + TAG_BYTES,
                 room = sodium_base64_encoded_len(raw_len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    unsigned char *raw = xmalloc(raw_len);
    make_nonce(with, context, text, len, raw);
    crypto_aead_xchacha20poly1305_ietf_encrypt(raw + NONCE_BYTES, NULL, (const unsigned char *)text, len,
        (const unsigned char *)context->from, strlen(context->from), NULL, raw, with->key);
    buf_printf(out, VERSION "%s:", with->id);
    sodium_bin2base64(buf_reserve(out, room), room, raw, raw_len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buf_commit(out, room - 1);
    free(raw);
}

/* ---- opening ---- */

static const struct cipher_key *find_key(const struct store_cipher *cipher, const char *id)
{
    for (size_t i = 0; i < cipher->count; i++) {
        if (strcmp(cipher->keys[i].id, id) == 0)
            return &cipher->keys[i];
    }
    return NULL;
}

static bool open_raw(
    const struct cipher_key *key, const char *from, const unsigned char *raw, size_t raw_len, struct buf *out)
{
    if (raw_len < NONCE_BYTES + TAG_BYTES)
        return false;
    const size_t len = raw_len - NONCE_BYTES - TAG_BYTES;
    unsigned char *text = (unsigned char *)buf_reserve(out, len + 1);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(text, NULL, NULL, raw + NONCE_BYTES, raw_len - NONCE_BYTES,
            (const unsigned char *)from, strlen(from), raw, key->key) != 0)
        return false;
    buf_commit(out, len);
    return true;
}

enum cipher_open store_cipher_open(const struct store_cipher *cipher, const char *from, const char *sealed,
    size_t len, struct buf *out, char key_id[static CIPHER_KEY_ID_SIZE])
{
    *key_id = '\0';
    if (len < HEAD_LEN || memcmp(sealed, VERSION, VERSION_LEN) != 0 || sealed[HEAD_LEN - 1] != ':')
        return CIPHER_CHANGED;
    memcpy(key_id, sealed + VERSION_LEN, KEY_ID_LEN);
    key_id[KEY_ID_LEN] = '\0';
    if (strspn(key_id, "0123456789abcdef") != KEY_ID_LEN)
        return CIPHER_CHANGED;
    const struct cipher_key *key = find_key(cipher, key_id);
    if (!key)
        return CIPHER_NO_KEY;
    unsigned char *raw = xmalloc(len);
    size_t raw_len = 0;
    const bool opened = sodium_base642bin(raw, len, sealed + HEAD_LEN, len - HEAD_LEN, NULL, &raw_len, NULL,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
                        open_raw(key, from, raw, raw_len, out);
    free(raw);
    return opened ? CIPHER_OPENED : CIPHER_CHANGED;
}
