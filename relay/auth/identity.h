/* identity.h: makes the counted identities of authenticator.h. */
#ifndef RELAY_AUTH_IDENTITY_H
#define RELAY_AUTH_IDENTITY_H

#include "authenticator.h"

/* Whom that token stands for. The caller holds the one reference. */
const struct identity *identity_new(const struct store_token *token);

#endif
