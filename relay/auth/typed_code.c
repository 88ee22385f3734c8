#include "typed_code.h"

#include <assert.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/alloc.h"
#include "../../common/key_file.h"
#include "../../common/utf8.h"

enum { GROUP = 4, HASH_BYTES = 32 };
_Static_assert(TYPED_CODE_SIZE == TYPED_CODE_LONG + (TYPED_CODE_LONG - 1) / GROUP + 1, "fits the longest");
_Static_assert(2 * HASH_BYTES + 1 == SHA256_HEX_SIZE, "as long as the store's other hashes");

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

struct typed_code_key {
    uint8_t bytes[KEY_FILE_BYTES];
};

/* ---- text ---- */

/* Writes the character number index, behind a dash where a group begins. */
static char *put(char *at, size_t index, char c)
{
    if (index > 0 && index % GROUP == 0)
        *at++ = '-';
    *at++ = c;
    return at;
}

void typed_code_mint(size_t characters, char out[static TYPED_CODE_SIZE])
{
    assert(characters <= TYPED_CODE_LONG);
    for (size_t i = 0; i < characters; i++)
        out = put(out, i, alphabet[randombytes_uniform(sizeof alphabet - 1)]);
    *out = '\0';
}

/* Blanks and dashes, with those that phones and word processors put in their place. */
static bool is_between(uint32_t c)
{
    static const uint32_t those[] = {' ', '\t', '\r', '\n', '-', '_', '.', 0xa0, 0xad, 0x2007, 0x2010, 0x2011,
        0x2012, 0x2013, 0x2014, 0x2015, 0x200b, 0x202f, 0x2060, 0x2212, 0xfeff};
    for (size_t i = 0; i < LENGTH_OF(those); i++) {
        if (c == those[i])
            return true;
    }
    return false;
}

/* The character that was meant, or NUL. */
static char read_character(uint32_t c)
{
    if (c >= 'a' && c <= 'z')
        c -= 'a' - 'A';
    if (c == 'O')
        return '0';
    if (c == 'I' || c == 'L')
        return '1';
    return c > 0 && c < 0x80 && strchr(alphabet, (int)c) ? (char)c : '\0';
}

/* How many characters were read into out, or 0 where it is no code. */
static size_t read_into(const char *typed, char *out)
{
    size_t count = 0;
    for (size_t left = strlen(typed), len; left > 0; typed += len, left -= len) {
        uint32_t c;
        len = utf8_decode(typed, left, &c);
        if (len == 0)
            return 0;
        if (is_between(c))
            continue;
        const char meant = read_character(c);
        if (meant == '\0' || count == TYPED_CODE_LONG)
            return 0;
        out = put(out, count++, meant);
    }
    *out = '\0';
    return count;
}

bool typed_code_read(const char *typed, char out[static TYPED_CODE_SIZE])
{
    const size_t count = read_into(typed, out);
    if (count == TYPED_CODE_LONG || count == TYPED_CODE_SHORT)
        return true;
    secret_wipe(out, TYPED_CODE_SIZE);
    return false;
}

/* ---- the key ---- */

/* Argon2id, RFC 9106. The salt is the purpose: relays that share a store have nothing else in common. */
static bool derive(const char *credential, uint8_t key[static KEY_FILE_BYTES], struct buf *why)
{
    static const unsigned char salt[crypto_pwhash_SALTBYTES + 1] = "patchcord: codes";
    if (crypto_pwhash(key, KEY_FILE_BYTES, credential, strlen(credential), salt,
            crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
            crypto_pwhash_ALG_ARGON2ID13) == 0)
        return true;
    buf_printf(why, "the key of typed codes could not be made: it takes %u MB of memory for a moment",
        crypto_pwhash_MEMLIMIT_INTERACTIVE >> 20);
    return false;
}

struct typed_code_key *typed_code_key_open(const char *data_dir, const char *credential, struct buf *why)
{
    struct typed_code_key *key = xcalloc(1, sizeof *key);
    if (credential ? derive(credential, key->bytes, why)
                   : key_file_load(data_dir, TYPED_CODE_KEY_NAME, "typed codes", key->bytes, why))
        return key;
    typed_code_key_free(key);
    return NULL;
}

void typed_code_key_free(struct typed_code_key *key)
{
    if (key)
        sodium_memzero(key, sizeof *key);
    free(key);
}

void typed_code_key_derive(
    const struct typed_code_key *key, const char *purpose, unsigned char out[static TYPED_CODE_DERIVED_BYTES])
{
    crypto_generichash(out, TYPED_CODE_DERIVED_BYTES, (const unsigned char *)purpose, strlen(purpose),
        key->bytes, sizeof key->bytes);
}

bool typed_code_hash(const struct typed_code_key *key, const char *typed, char out[static SHA256_HEX_SIZE])
{
    char code[TYPED_CODE_SIZE];
    unsigned char hash[HASH_BYTES];
    *out = '\0';
    if (!typed_code_read(typed, code))
        return false;
    crypto_generichash(
        hash, sizeof hash, (const unsigned char *)code, strlen(code), key->bytes, sizeof key->bytes);
    sodium_bin2hex(out, SHA256_HEX_SIZE, hash, sizeof hash);
    sodium_memzero(code, sizeof code);
    sodium_memzero(hash, sizeof hash);
    return true;
}
