/* oauth.h: the relay's authorization server: OAuth 2.1 for clients that log in (RFC 6749, 7591, 7636, 8414,
 * 8628, 7009, 9207, 9728, Client ID Metadata Documents).
 *
 * Nobody gets in without a code that the operator handed out, whatever client asks, unless the operator said
 * so for a private network. What is handed out is opaque, random and stored as a hash; nothing secret is
 * logged. */
#ifndef RELAY_OAUTH_OAUTH_H
#define RELAY_OAUTH_OAUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "../http/exchange.h"

/* There is one kind of access, and this is its name. */
#define OAUTH_SCOPE "messages"

struct oauth;
struct typed_code_key;

struct oauth_options {
    const char *public_url; /* the issuer */
    const char *name;       /* the relay's, for people */
    const char *mcp_path, *bearer_path;
    const struct typed_code_key *code_key; /* what pages are signed with is derived from it */
    int64_t access_ttl_ms, refresh_ttl_ms;
    int64_t asks_per_minute, ban_ms; /* of one address: registrations and the like; 0: no limit */
    int64_t calls_per_minute;        /* the same, of what clients ask of the token endpoint and give back */
    bool auto_approve;
    const char *clients, *known_clients; /* as auto_approval_options has them */
    const char *default_namespace;
};
/* NULL: why has one line that says what is wrong and what to do. Warns where somebody may get in without a
 * code. */
struct oauth *oauth_new(const struct oauth_options *options, struct buf *why);
void oauth_free(struct oauth *oauth);

enum { OAUTH_FORM_MAX = 32 * 1024, OAUTH_REGISTRATION_MAX = 16 * 1024 }; /* bytes of a body */

handler_fn oauth_server_metadata, oauth_resource_metadata;
handler_fn oauth_register;
handler_fn oauth_authorize, oauth_authorize_decide;
handler_fn oauth_token, oauth_revoke;
handler_fn oauth_device_authorization, oauth_device, oauth_device_decide;

#endif
