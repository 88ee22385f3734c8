/* authorize_request.h: what a client asks for at /authorize (OAuth 2.1 section 4.1.1; RFC 7636, 8707), from
 * its parameters to the answer that it gets (section 4.1.2; RFC 9207).
 *
 * Nothing leads away from here before a person decided: anybody may register a client, and a relay that sent
 * browsers wherever such a client says would lend it its name (RFC 9700 section 4.11.2). What is wrong with a
 * request is shown on a page, with a link that tells the client. */
#ifndef RELAY_OAUTH_AUTHORIZE_REQUEST_H
#define RELAY_OAUTH_AUTHORIZE_REQUEST_H

#include "../../common/compiler.h"
#include "form.h"
#include "oauth_client.h"
#include "redirect_uri.h"

enum { AUTHORIZE_STATE_MAX = 4096 }; /* bytes of the client's own state */

/* A request whose client and redirect URI are what they should be. All texts are borrowed. */
struct authorize_request {
    const char *client_id, *client_name, *client_host; /* the host of its document; NULL: it registered */
    const char *redirect_uri;
    struct redirect_uri redirect;
    const char *challenge, *scope, *state;
};

/* False: something is wrong with it, and the exchange is answered. form and client outlive the result, which
 * authorize_request_free frees. */
MUST_CHECK bool authorize_request_read(struct exchange *ex, const struct form *form,
    const struct oauth_client *client, struct authorize_request *out);
void authorize_request_free(struct authorize_request *request);

/* Appends it as the state of a page's form, for the browser that asks (consent.h). */
void authorize_request_seal(struct exchange *ex, const struct authorize_request *request, struct buf *out);
/* Reads what authorize_request_seal appended, from the form that came back. False: the exchange is answered.
 * *sealed holds its texts, and an "id" for consent_try; the caller frees both. */
MUST_CHECK bool authorize_request_open(
    struct exchange *ex, const struct form *form, struct form *sealed, struct authorize_request *out);

/* Answers by sending the browser to the client with that parameter, and the client's state and our name. */
void authorize_request_answer(
    struct exchange *ex, const struct authorize_request *request, const char *name, const char *value);

#endif
