/* store_oauth.h: what the relay remembers of those who log in: clients, grants, and what proves a grant
 * (OAuth 2.1; RFC 6749, 7591, 7009, 8628). The same promises as store.h: each operation is atomic, and on
 * disk when it is DONE.
 *
 * The store never sees a secret: tokens and authorization codes come as their SHA-256, codes that people type
 * (connect codes, user codes, invitations) as a keyed hash; both are lower-case hex. Times are wall-clock
 * milliseconds. */
#ifndef RELAY_STORE_STORE_OAUTH_H
#define RELAY_STORE_STORE_OAUTH_H

#include "store.h"

/* Whom something lets in: an agent in its own namespace, and under the same name in those beside. */
struct store_subject {
    char *namespace_id, *agent;
    char **also; /* further namespaces, distinct, without its own; of a grant by name */
    size_t also_count;
};
void store_subject_free(struct store_subject *subject);

/* ---- clients (RFC 7591) ---- */

struct store_client {
    char *client_id;
    char *metadata;                    /* the registration as it was answered: JSON, without a secret */
    char secret_hash[SHA256_HEX_SIZE]; /* "": a public client */
    int64_t created_ms, used_ms;       /* used: when it last got a token; 0: never */
};
struct store_clients {
    struct store_client *items;
    size_t count;
};
void store_clients_free(struct store_clients *clients);

/* REFUSED (TOO_MANY) where max_unused clients are there that never got a token; REFUSED (EXISTS) where that
 * client_id is. */
MUST_CHECK enum store_status store_client_add(
    struct store *s, const struct store_client *client, int64_t max_unused, enum store_refusal *refusal);
/* ABSENT: no such client. Frees with store_clients_free (one item). */
MUST_CHECK enum store_status store_client_find(
    struct store *s, const char *client_id, struct store_clients *result);

/* ---- codes that the operator hands out ---- */

enum store_code_kind {
    CODE_CONNECT, /* typed into the consent page: decides whom a client becomes */
    CODE_INVITE,  /* becomes a bearer token */
};
/* REFUSED (EXISTS) where that hash is there. */
MUST_CHECK enum store_status store_code_add(struct store *s, enum store_code_kind kind,
    const char hash[static SHA256_HEX_SIZE], const struct store_subject *subject, int64_t expires_ms,
    enum store_refusal *refusal);
/* Turns an invitation into that bearer token of its agent (namespace_id and agent of token are not read).
 * ABSENT: no such code, it was used, or it has run out. */
MUST_CHECK enum store_status store_invite_redeem(struct store *s, const char hash[static SHA256_HEX_SIZE],
    const struct store_token *token, struct store_subject *subject);

/* ---- authorizations and grants ---- */

/* What an authorization code stands for, beside its subject. */
struct store_authorization {
    const char *client_id, *client_name; /* the name as it is shown */
    const char *redirect_uri;
    const char *challenge; /* PKCE S256, as it was sent (RFC 7636 section 4.2) */
    const char *audience;  /* the resource (RFC 8707) */
    const char *scope;
    int64_t expires_ms;
};
/* Uses up a connect code and stores the authorization code for its subject: both or none. connect_hash NULL:
 * subject is given (identities that the configuration approves), else it is filled in. ABSENT: no such
 * connect code, it was used, or it has run out. */
MUST_CHECK enum store_status store_authorize(struct store *s, const char *connect_hash,
    const char code_hash[static SHA256_HEX_SIZE], const struct store_authorization *authorization,
    struct store_subject *subject);

struct store_grant {
    char id[UUID_SIZE];
    char *client_id, *client_name;
    struct store_subject subject;
    char *audience, *scope;
    int64_t created_ms, used_ms; /* used: 0 never, and no finer than some minutes */
    int64_t expires_ms;          /* of its last refresh token: the grant and all its tokens end with it */
};
struct store_grants {
    struct store_grant *items;
    size_t count;
};
void store_grants_free(struct store_grants *grants);

/* A pair of tokens about to be handed out. */
struct store_token_pair {
    char access_hash[SHA256_HEX_SIZE], refresh_hash[SHA256_HEX_SIZE];
    int64_t access_expires_ms, refresh_expires_ms;
};
/* Turns an authorization code into a grant with its first pair; *result has that grant. redirect_uri,
 * challenge and audience (NULL: not said again) must be what they were. ABSENT: no such code for that client,
 * run out, or one of these differs (the code stays). REFUSED (USED): that client redeemed it before, whatever
 * it says of the rest now; what it gave has been revoked now. */
struct store_redemption {
    const char *client_id, *redirect_uri, *challenge, *audience;
    struct store_token_pair pair;
};
MUST_CHECK enum store_status store_code_redeem(struct store *s, const char code_hash[static SHA256_HEX_SIZE],
    const struct store_redemption *redemption, struct store_grants *result, enum store_refusal *refusal);

enum { REFRESH_GRACE_MS = 30 * 1000 };
/* Rotates: the refresh token is used up, and a new pair joins the grant; its older access tokens run on to
 * their end. Up to REFRESH_GRACE_MS after its first use a repeat gets a pair beside it. ABSENT: no such token
 * of that client, run out, of a revoked grant, or for another audience (NULL: not said; nothing is used up).
 * REFUSED (USED): a later repeat, for whatever audience; the grant has been revoked now. */
MUST_CHECK enum store_status store_refresh(struct store *s, const char refresh_hash[static SHA256_HEX_SIZE],
    const char *client_id, const char *audience, const struct store_token_pair *pair,
    struct store_grants *result, enum store_refusal *refusal);

/* Those that stand, oldest first. */
MUST_CHECK enum store_status store_grant_list(struct store *s, struct store_grants *result);
/* Which grants to end: those that fit every field that is set. At least one is. */
struct store_grant_choice {
    const char *id_prefix; /* unambiguous */
    const char *client_id;
    const char *namespace_id, *agent; /* the subject's own; agent only with namespace_id */
    const char *token_hash;           /* the grant of that access or refresh token (RFC 7009) */
    bool all;
};
/* *count: how many. ABSENT where none fitted; REFUSED where id_prefix fits several. Access ends at once. */
MUST_CHECK enum store_status store_grant_end(
    struct store *s, const struct store_grant_choice *choice, int64_t *count);

/* ---- devices (RFC 8628): a bridge that asks to be let in ---- */

struct store_device {
    char device_hash[SHA256_HEX_SIZE]; /* SHA-256 of the device code */
    char user_hash[SHA256_HEX_SIZE];   /* keyed hash of the user code */
    char *machine, *address;           /* what the requester calls itself; where it called from */
    int64_t created_ms, expires_ms;
};
void store_device_free(struct store_device *device);
/* REFUSED (TOO_MANY) where max are waiting; REFUSED (EXISTS) where the user code is taken. */
MUST_CHECK enum store_status store_device_add(
    struct store *s, const struct store_device *device, int64_t max, enum store_refusal *refusal);
/* The one that waits under that user code. ABSENT: none, decided or run out. */
MUST_CHECK enum store_status store_device_find(
    struct store *s, const char user_hash[static SHA256_HEX_SIZE], struct store_device *result);
/* Approves with a connect code, which is used up, both or none; connect_hash NULL denies. ABSENT: no such
 * device (REFUSAL_NONE) or no such connect code (REFUSAL_USED). */
MUST_CHECK enum store_status store_device_decide(struct store *s,
    const char user_hash[static SHA256_HEX_SIZE], const char *connect_hash, struct store_subject *subject,
    enum store_refusal *refusal);
/* The device asks. DONE: approved, and the token is its agent's bearer token now (once; namespace_id and
 * agent of token are not read; a bearer token has no further namespaces). REFUSED: PENDING, SLOW_DOWN (asked
 * within interval_ms of the last time) or DENIED. ABSENT: no such device code, used, or run out. */
MUST_CHECK enum store_status store_device_redeem(struct store *s,
    const char device_hash[static SHA256_HEX_SIZE], const struct store_token *token, int64_t interval_ms,
    struct store_subject *subject, enum store_refusal *refusal);

/* ---- housekeeping ---- */

struct store_oauth_cleanup {
    int64_t clients; /* registrations that never got a token, older than max_age_ms */
    int64_t grants;  /* ended or run out */
    int64_t codes;   /* of all kinds, run out; the operator's also where they were used */
    int64_t tokens;  /* run out */
};
/* What the relay calls that with: a client that was registered and never used is kept for a day. */
enum { CLIENT_UNUSED_MS = 24 * 3600 * 1000 };
/* dry_run only counts. */
MUST_CHECK enum store_status store_oauth_cleanup(
    struct store *s, int64_t max_age_ms, bool dry_run, struct store_oauth_cleanup *result);

#endif
