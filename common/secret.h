/* secret.h: bearer tokens and other secrets. Over libsodium; call secret_init once before anything else here.
 */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

enum {
    TOKEN_RANDOM_BYTES = 32, /* 256 bits */
    TOKEN_TEXT_SIZE = 48,    /* "pc_", 43 characters of base64url, NUL, rounded up */
    TOKEN_MAX_LEN = 4096,    /* a longer credential is refused unread */
    SHA256_HEX_SIZE = 65,    /* 64 lower-case hex digits and NUL */
    CREDENTIAL_ID_SIZE = 13, /* the first 12 hex digits of the hash: how operators name a token */
};

/* Prepares libsodium; exits the process where the system has no randomness. Idempotent. */
void secret_init(void);
/* Mints a token: "pc_" and 256 random bits as unpadded base64url. */
void secret_token_mint(char out[static TOKEN_TEXT_SIZE]);
/* SHA-256 of len bytes as lower-case hex: what the store keeps of a token. */
void secret_sha256_hex(const void *bytes, size_t len, char out[static SHA256_HEX_SIZE]);
/* Compares in time that depends on the lengths alone. */
bool secret_equal(const char *a, const char *b);
/* Wipes and frees a C string; NULL is fine. */
void secret_free(char *text);
/* Wipes a buffer of a known size. */
void secret_wipe(void *bytes, size_t len);
/* Reads one line from descriptor fd (at most TOKEN_MAX_LEN bytes, the newline and surrounding blanks
 * dropped), without echo where it is a terminal, asking with prompt on /dev/tty. Returns NULL where nothing
 * was given, or it was too long. The caller frees with secret_free. */
char *secret_read(int fd, const char *prompt);

#endif
