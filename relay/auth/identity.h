/* identity.h: makes the counted identities of authenticator.h. */
#ifndef RELAY_AUTH_IDENTITY_H
#define RELAY_AUTH_IDENTITY_H

#include "authenticator.h"

/* The caller holds the one reference. audience may be NULL. */
const struct identity *identity_new(
    const char *namespace_id, const char *agent, const char *audience, const char *credential_hash);

#endif
