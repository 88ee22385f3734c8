/* authority.h: what the parts of the authorization server share; for this folder alone (oauth.h is for the
 * others). */
#ifndef RELAY_OAUTH_AUTHORITY_H
#define RELAY_OAUTH_AUTHORITY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../common/secret.h"
#include "../auth/lru.h"
#include "../auth/rate_limit.h"
#include "auto_approval.h"
#include "oauth.h"
#include "signed_state.h"

struct oauth {
    char *public_url; /* the issuer */
    char *name;       /* the relay's, for people */
    char *mcp_path, *bearer_path;
    char *resource; /* what tokens are for: public_url and mcp_path */
    int64_t access_ttl_ms, refresh_ttl_ms;
    struct auto_approval *auto_approval;       /* NULL: nobody gets in without a connect code */
    uint8_t state_key[SIGNED_STATE_KEY_BYTES]; /* of pages; the same for all relays of a database */

    pthread_mutex_t lock;     /* of what follows */
    struct rate_limit *asks;  /* what strangers make the relay remember or fetch, by address */
    struct rate_limit *calls; /* what is looked up, and remembered, for clients, by address */
    struct lru tries;         /* struct tries, by the id of a request for a person's consent */
    struct lru documents;     /* of client_document.c */

    struct concurrency *fetches; /* of documents, under way: by the asking address, and of all */
};

/* Counts what a stranger makes the relay do. False: it was one too many, and is answered with 429. */
MUST_CHECK bool authority_admit(struct oauth *oauth, struct exchange *ex);
/* The same for a client's calls, of which there may be more. */
MUST_CHECK bool authority_admit_call(struct oauth *oauth, struct exchange *ex);

struct relay;
/* A grant ended: identities are looked up anew, and what is parked looks whether it still may. */
void authority_changed(const struct relay *relay);

enum { AUTHORITY_TRIES_MAX = 5 }; /* codes that may be typed for one request */
/* Counts one for the request of that id. False: it has had them all. */
MUST_CHECK bool authority_try(struct oauth *oauth, const char *id);

/* The resource that a client named, if it is ours: authority's resource, its trailing slash or not, or the
 * public URL itself; another loopback name is the same host. NULL stands for ours. */
bool authority_is_resource(const struct oauth *oauth, const char *resource);

#endif
