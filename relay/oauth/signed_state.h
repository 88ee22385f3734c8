/* signed_state.h: what a page hands to its own form, so that the relay remembers nothing of those who only
 * look: fields that the browser can read and not change, for that browser alone, for one purpose, and for a
 * while. Pure but for the randomness of its id. */
#ifndef RELAY_OAUTH_SIGNED_STATE_H
#define RELAY_OAUTH_SIGNED_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "form.h"

enum { SIGNED_STATE_KEY_BYTES = 32, SIGNED_STATE_MAX = 16 * 1024 };

struct signed_state_field {
    const char *name, *value; /* a NULL value is left out */
};

/* Where and how long a state counts. */
struct signed_state_scope {
    const uint8_t *key;  /* SIGNED_STATE_KEY_BYTES */
    const char *purpose; /* a word of ours */
    const char *browser; /* browser_cookie.h */
};

/* Appends the fields, and one "id" that is no other state's, as characters of base64url and a dot. */
void signed_state_seal(const struct signed_state_scope *scope, const struct signed_state_field fields[],
    size_t count, int64_t until_ms, struct buf *out);
/* False for all that signed_state_seal did not make with that scope, and for what has run out. The caller
 * frees with form_free. */
MUST_CHECK bool signed_state_open(
    const struct signed_state_scope *scope, const char *text, int64_t now_ms, struct form *out);

#endif
