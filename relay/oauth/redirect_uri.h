/* redirect_uri.h: where a client may have an answer sent, and which of its URIs is meant (OAuth 2.1 sections
 * 2.3 and 4.1.1; RFC 8252 for programs on the user's own machine). Pure.
 *
 * Taken are https://host…; http://localhost…, http://127.0.0.1… and http://[::1]…, which never leave the
 * machine; and schemes that belong to one program: those with a dot in them (RFC 8252 section 7.1), and a few
 * that well-known editors have registered. Without user name, fragment, blanks and non-ASCII characters. */
#ifndef RELAY_OAUTH_REDIRECT_URI_H
#define RELAY_OAUTH_REDIRECT_URI_H

#include <stdbool.h>

#include "../../common/compiler.h"

enum { REDIRECT_URI_MAX = 2048 };

enum redirect_kind {
    REDIRECT_WEB,      /* https */
    REDIRECT_LOOPBACK, /* http to this very machine */
    REDIRECT_APP,      /* a scheme of a program's own */
};

struct redirect_uri {
    enum redirect_kind kind;
    /* What it leads to, as a person is told: "claude.ai", "localhost:3118", "cursor:". */
    char *shown;
    /* The same as a source expression of a Content-Security-Policy: "https://claude.ai", "cursor:". */
    char *source;
    char *host; /* without its port; NULL for REDIRECT_APP */
};

/* False: nothing is kept, and *problem has a clause ("must not have a fragment"). */
MUST_CHECK bool redirect_uri_parse(const char *text, struct redirect_uri *out, const char **problem);
void redirect_uri_free(struct redirect_uri *uri);

/* True where given is the registered one, to the byte; of REDIRECT_LOOPBACK the port may differ (RFC 8252
 * section 7.3). Both have been parsed before. */
bool redirect_uri_matches(const char *registered, const char *given);

#endif
