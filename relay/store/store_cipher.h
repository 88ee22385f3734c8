/* store_cipher.h: message texts sealed before a store sees them (XChaCha20-Poly1305), for operators who do
 * not own the disk or the database.
 *
 * A sealed text is ASCII: "v1:" KEY_ID ":" base64url(nonce, ciphertext, tag). The nonce follows from key,
 * context and text, so that the same text under the same message id is sealed to the same bytes: a repeat is
 * recognised as one. Without an id it is random. The context is authenticated: a text cannot be given to
 * another sender. */
#ifndef RELAY_STORE_STORE_CIPHER_H
#define RELAY_STORE_STORE_CIPHER_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

enum { CIPHER_KEY_BYTES = 32, CIPHER_KEYS_MAX = 8, CIPHER_KEY_ID_SIZE = 9 /* 8 hex digits and NUL */ };

struct store_cipher;

/* keys: base64 (either alphabet) of CIPHER_KEY_BYTES each, between commas: the first one writes, all read.
 * NULL: why says which is wrong, without quoting it. */
struct store_cipher *store_cipher_new(const char *keys, struct buf *why);
/* Wipes the keys. NULL is fine. */
void store_cipher_free(struct store_cipher *cipher);
size_t store_cipher_keys(const struct store_cipher *cipher);

/* What a text is bound to. */
struct cipher_context {
    const char *from;       /* the sender's name */
    const char *message_id; /* of the send; NULL: none was given, the nonce is random */
};
/* Appends the text, sealed with key number key (0: the one that writes). */
void store_cipher_seal(const struct store_cipher *cipher, size_t key, const struct cipher_context *context,
    const char *text, size_t len, struct buf *out);

enum cipher_open {
    CIPHER_OPENED,
    CIPHER_NO_KEY,  /* sealed with a key that is not among these; key_id has its id */
    CIPHER_CHANGED, /* not what was sealed, or for another sender */
};
/* Appends the text behind a sealed one. from: whom the store says it is of. */
enum cipher_open store_cipher_open(const struct store_cipher *cipher, const char *from, const char *sealed,
    size_t len, struct buf *out, char key_id[static CIPHER_KEY_ID_SIZE]);

#endif
