/* client_proof.h: which client calls the token or the revocation endpoint, and its proof (RFC 6749 section
 * 2.3): a secret in the Authorization header or in the body, or for public clients none. */
#ifndef RELAY_OAUTH_CLIENT_PROOF_H
#define RELAY_OAUTH_CLIENT_PROOF_H

#include <stdbool.h>

#include "../../common/compiler.h"
#include "../http/exchange.h"
#include "form.h"

/* The bridge: public, known without a registration, and able to ask for what only it is given. */
#define CLIENT_OF_BRIDGE "patchcord"

/* The client_id, which the caller frees. NULL: it is unknown, or has not proved itself, and the exchange is
 * answered (invalid_client is 401, at which clients register again). */
char *client_proof_read(struct exchange *ex, const struct form *form) MUST_CHECK;

/* "Basic <base64 of id:secret>" (section 2.3.1: both are form-encoded). False for anything else. Both are the
 * caller's; secret_free the secret. Pure. */
MUST_CHECK bool client_proof_basic(const char *header, char **client_id, char **secret);

#endif
