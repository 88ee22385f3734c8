/* oauth_client.h: who asks: clients that registered, and those whose client_id is the URL of a document that
 * describes them. */
#ifndef RELAY_OAUTH_OAUTH_CLIENT_H
#define RELAY_OAUTH_OAUTH_CLIENT_H

#include "../../common/secret.h"
#include "../http/exchange.h"
#include "../relay.h"
#include "client_metadata.h"

struct oauth_client {
    char *id;
    struct client_metadata metadata;
    char *host; /* that published its document; NULL: it registered */
};
void oauth_client_free(struct oauth_client *client);

enum oauth_client_found {
    OAUTH_CLIENT_FOUND,
    OAUTH_CLIENT_UNKNOWN, /* no such registration, or a document that cannot be had or is wrong: why */
    OAUTH_CLIENT_FAULT,   /* the store failed */
};
/* May fetch a document, for the client at the exchange's address. why gets a sentence for people where the client is unknown. */
MUST_CHECK enum oauth_client_found oauth_client_find(
    struct exchange *ex, const char *client_id, struct oauth_client *out, struct buf *why);

#endif
