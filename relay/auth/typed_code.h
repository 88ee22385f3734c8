/* typed_code.h: codes that people read, type and paste: connect codes, invitations, user codes of devices.
 *
 * Crockford's base32 (digits and letters without I, L, O and U) in groups of four: "8Q2M-ZT0K-51WX-H". What a
 * person types may have either case, blanks or dashes anywhere, the letter O for 0, and I or L for 1. The
 * store gets a keyed hash (BLAKE2b), whose key is not in the database: who has that alone can try no codes.
 */
#ifndef RELAY_AUTH_TYPED_CODE_H
#define RELAY_AUTH_TYPED_CODE_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "../../common/secret.h"

/* How many characters a code has, of 5 bits each. */
enum {
    TYPED_CODE_LONG = 13, /* 65 bits: opens something by itself */
    TYPED_CODE_SHORT = 8, /* 40 bits: only names what another code opens */
    TYPED_CODE_SIZE = 17, /* the longest in groups, and NUL */
};

/* A new code of that many characters, in groups. Wipe it after use. */
void typed_code_mint(size_t characters, char out[static TYPED_CODE_SIZE]);
/* What a person typed, as typed_code_mint writes it. False (out is ""): it is no code of either length. */
MUST_CHECK bool typed_code_read(const char *typed, char out[static TYPED_CODE_SIZE]);

struct typed_code_key;

#define TYPED_CODE_KEY_NAME "codes.key"
/* The key of a relay's codes, the same for all its processes: derived from a credential of its store, or
 * where that is NULL, kept in data_dir/codes.key, which is made where it is missing. What the key signs can be
 * seen by anybody, so deriving takes a tenth of a second and 64 MB: passwords are not to be guessed by it. NULL:
 * why has one line.
 */
struct typed_code_key *typed_code_key_open(const char *data_dir, const char *credential, struct buf *why);
/* Wipes it; NULL is fine. */
void typed_code_key_free(struct typed_code_key *key);

enum { TYPED_CODE_DERIVED_BYTES = 32 };
/* Another key that all the relay's processes have, for that purpose (a text in lower case, which is no code).
 */
void typed_code_key_derive(const struct typed_code_key *key, const char *purpose,
    unsigned char out[static TYPED_CODE_DERIVED_BYTES]);

/* The hash that the store has of what a person typed: lower-case hex. False (out is ""): it is no code. */
MUST_CHECK bool typed_code_hash(
    const struct typed_code_key *key, const char *typed, char out[static SHA256_HEX_SIZE]);

#endif
