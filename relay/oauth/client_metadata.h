/* client_metadata.h: what a client says about itself, whether it registers (RFC 7591 section 2) or publishes
 * a metadata document: read, held against our rules, and written again with nothing else in it. Pure. */
#ifndef RELAY_OAUTH_CLIENT_METADATA_H
#define RELAY_OAUTH_CLIENT_METADATA_H

#include <stdbool.h>
#include <stddef.h>

#include "../../common/compiler.h"
#include "../../common/json.h"

enum {
    CLIENT_NAME_MAX = 200,     /* bytes that are kept */
    CLIENT_REDIRECTS_MAX = 16, /* redirect URIs of one client */
};

/* How a client proves that it is itself (RFC 6749 section 2.3). */
enum client_auth { CLIENT_AUTH_NONE, CLIENT_AUTH_BASIC, CLIENT_AUTH_POST };
enum { CLIENT_AUTHS = 3 };
extern const char *const client_auth_names[CLIENT_AUTHS]; /* "none", "client_secret_basic", … */

struct client_metadata {
    char *name; /* valid UTF-8 without NUL, as it was given otherwise: html_name shows it; "" for none */
    char **redirect_uris;
    size_t redirect_uris_count;
    enum client_auth auth;
};

/* The errors of RFC 7591 section 3.2.2. */
enum client_metadata_fault { CLIENT_METADATA_FINE, CLIENT_METADATA_BAD_REDIRECT, CLIENT_METADATA_BAD };

/* Reads an object. auth is what counts where it says nothing. On a fault nothing is kept, and why has a
 * sentence. */
MUST_CHECK enum client_metadata_fault client_metadata_read(
    struct json_object *object, enum client_auth auth, struct client_metadata *out, struct buf *why);
void client_metadata_free(struct client_metadata *metadata);

/* The object that client_metadata_read reads as the same; the caller puts it. */
struct json_object *client_metadata_write(const struct client_metadata *metadata);

/* The registered redirect URI that allows the given one, or NULL. Borrowed. */
const char *client_metadata_redirect(const struct client_metadata *metadata, const char *given);

#endif
