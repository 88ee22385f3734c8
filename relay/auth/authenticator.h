/* authenticator.h: from a request's credential to an identity, with limits and bans on the way.
 *
 * Identities are cached for IDENTITY_CACHE_MS by the credential's hash, and all are forgotten when the store
 * says that an administrator changed something. Tokens are hashed as soon as they are read; nothing here
 * keeps one. Every function may be called from any thread. */
#ifndef RELAY_AUTH_AUTHENTICATOR_H
#define RELAY_AUTH_AUTHENTICATOR_H

#include "../../common/compiler.h"
#include "../../common/ident.h"
#include "../../common/secret.h"
#include "../http/exchange.h"
#include "../store/store.h"

enum { IDENTITY_CACHE_MS = 30 * 1000 };

/* Who calls. Immutable and counted: identity_release when done. */
struct identity {
    char *namespace_id, *agent;
    /* Further namespaces in which it is the same agent: those of a grant. */
    char **also;
    size_t also_count;
    char *address;      /* "agent@namespace", of its own */
    char *parking_keys; /* of parking.h: its address in each namespace */
    char *audience;     /* the resource that an access token is for; NULL: a bearer token, which is for all */
    char credential_hash[SHA256_HEX_SIZE];
};
void identity_release(const struct identity *who);
const struct identity *identity_retain(const struct identity *who);
/* Who that is to the store; borrows from it. */
struct store_caller identity_caller(const struct identity *who);
bool identity_is_in(const struct identity *who, const char *namespace_id);
/* How an agent is named to that one: by its address, where it is not of its own namespace. */
void identity_name(
    const struct identity *who, const char *namespace_id, const char *agent, char out[static ADDRESS_SIZE]);

/* What the request's headers tell about the program that calls. */
enum client_type { CLIENT_UNKNOWN, CLIENT_CLAUDE_CODE, CLIENT_CODEX, CLIENT_OTHER };
struct client {
    enum client_type type;
    bool acks;              /* X-Patchcord-Ack: 1 */
    size_t max_offer_bytes; /* what it can show at once */
};
/* How it is shown to others: cleaned for display and bounded, "" where unknown. */
struct client_labels {
    char type_name[41]; /* "claude_code" */
    char machine[41], platform[41], display_name[41], user_agent[81], request_host[81];
};
void client_read(const struct exchange *ex, struct client *out, struct client_labels *labels);

struct authenticator_options {
    int64_t rate_limit_per_minute, anon_rate_limit_per_minute; /* 0: no limit */
    int64_t ban_seconds;
    int64_t presence_interval_ms;
    const char *trusted_proxies; /* addresses and CIDR blocks, separated by commas; NULL: loopback */
    const char *public_url;
    const char *mcp_path; /* behind public_url, the resource that access tokens are for */
    const char *scope;    /* that they have; clients that come without one are told */
};

struct authenticator;

/* Reads the bans that are in force from the store. NULL: why has one line. */
struct authenticator *authenticator_new(
    const struct authenticator_options *options, struct store *store, struct buf *why);
void authenticator_free(struct authenticator *a);

enum access {
    ACCESS_METERED, /* counts against the rate limit */
    ACCESS_FREE,    /* acks, releases, events, inbox peeks: does not, and a ban does not stop it */
};

/* Finds out who calls. NULL: the exchange is answered already (401 with WWW-Authenticate, 429 with
 * Retry-After, 503 where the store failed, or 400 for a token in the URL). The metadata path goes into
 * WWW-Authenticate's resource_metadata; access tokens of clients that logged in count there alone (NULL:
 * plain Bearer, and bearer tokens alone). */
const struct identity *authenticate(
    struct authenticator *a, struct exchange *ex, enum access access, const char *metadata_path) MUST_CHECK;

enum operator_access {
    OPERATOR_ALLOWED,
    OPERATOR_DENIED,  /* counted as a failed login; the caller answers 401 */
    OPERATOR_LIMITED, /* answered already: 429 */
};
/* Whether the bearer credential is that secret of the operator's (NULL: there is none, nobody is let in). */
enum operator_access authenticate_operator(
    struct authenticator *a, struct exchange *ex, const char *secret) MUST_CHECK;

/* Counts a try at a secret that could be guessed (a code) as a failed login of the client's address, before
 * it is looked at. False: there were too many, and it is answered with 429. */
bool authenticator_count_try(struct authenticator *a, struct exchange *ex) MUST_CHECK;

/* True where the request has no Origin, or one of those that may call this relay. False: answered with 403.
 */
bool authenticator_check_origin(const struct authenticator *a, struct exchange *ex) MUST_CHECK;

/* Whether the request's credential was seen to be good a moment ago. Does not ask the store, so it does not
 * block, and is no proof either way: who is let in is decided by authenticate. */
bool authenticator_knows(struct authenticator *a, const struct exchange *ex);

/* False where the credential has been revoked or has run out meanwhile: asked by what was parked, when it
 * wakes. */
bool identity_is_current(struct authenticator *a, const struct identity *who);

/* The client's address: the peer's, or what a trusted proxy says in X-Forwarded-For. forwarded tells whether
 * any forwarding header was there. */
void client_address(const struct authenticator *a, const struct exchange *ex,
    char out[static INET6_ADDRSTRLEN], bool *forwarded);

/* True at most once per presence interval and agent: fill *presence (borrowing from labels) and store it with
 * the call. */
bool presence_due(struct authenticator *a, const struct identity *who, const struct client_labels *labels,
    struct store_presence *presence);

/* What limits of strangers count by: the client's address, or the block of it that one client has. */
void authenticator_limit_key(
    const struct authenticator *a, const struct exchange *ex, char out[static INET6_ADDRSTRLEN]);
/* Answers with 429 and Retry-After. */
void authenticator_answer_limited(struct exchange *ex, int64_t retry_ms);

/* Forgets all cached identities (the store's changed callback). */
void authenticator_forget(struct authenticator *a);
/* Credentials and addresses banned now, for metrics. */
size_t authenticator_bans(struct authenticator *a);

#endif
