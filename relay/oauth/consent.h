/* consent.h: what the pages on which a person decides have in common: the signed state that binds a form to
 * the browser it was made for. */
#ifndef RELAY_OAUTH_CONSENT_H
#define RELAY_OAUTH_CONSENT_H

#include "../../common/compiler.h"
#include "authority.h"
#include "signed_state.h"

enum { CONSENT_LIFE_MS = 600 * 1000 }; /* of a page */

/* Appends the state for a form of that purpose (a word), for the browser that asks. */
void consent_seal(struct exchange *ex, const char *purpose, const struct signed_state_field fields[],
    size_t count, struct buf *out);
/* What consent_seal put into the state that a form came with. False: it is not one of this browser's, or has
 * run out, and the exchange is answered. The caller frees with form_free. */
MUST_CHECK bool consent_open(
    struct exchange *ex, const char *purpose, const struct form *form, struct form *out);

/* A code was typed in answer to the state of that id: counts it, by the address too. False: it is one too
 * many, and the exchange is answered. */
MUST_CHECK bool consent_try(struct exchange *ex, const char *id);

/* A page that says no, without a way on. */
void consent_refuse(struct exchange *ex, int status, const char *text);
/* The same where the store failed. */
void consent_store_failed(struct exchange *ex);

#endif
