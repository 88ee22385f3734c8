/* auto_approval.h: whom a client becomes where the operator lets clients in without a connect code, on a
 * private network: by its client_id, or by where its answer is sent. Never by the name it gives itself. */
#ifndef RELAY_OAUTH_AUTO_APPROVAL_H
#define RELAY_OAUTH_AUTO_APPROVAL_H

#include <stdbool.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"
#include "../../common/ident.h"

struct auto_approval;

struct auto_approval_options {
    const char *clients; /* "client_id=namespace:agent", separated by commas; NULL: none */
    /* "agent:domain1,domain2;…", each in place of what the table of known clients has for that agent; a
     * domain stands for those below it too, and may have a path behind it. NULL: the table alone. */
    const char *known_clients;
    const char *namespace_id; /* of the known clients */
};
/* NULL: why has one line that names the setting. */
struct auto_approval *auto_approval_new(const struct auto_approval_options *options, struct buf *why);
void auto_approval_free(struct auto_approval *approval);
/* Whom that client becomes; false: nobody. redirect_uri is one of the client's own. */
MUST_CHECK bool auto_approval_find(
    const struct auto_approval *approval, const char *client_id, const char *redirect_uri, struct ident *out);

/* True where a relay of that URL is reached from its own machine or a private network alone, by what the URL
 * says: a loopback or private address, or a name under .local, .internal or .home.arpa. */
bool auto_approval_is_private(const char *public_url);

#endif
