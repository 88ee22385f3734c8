/* url.h: RFC 3986 URLs as far as Patchcord needs them. Over libcurl's parser where there is one to share. */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "compiler.h"

struct url {
    char *scheme; /* "http" or "https" */
    char *host;   /* lower case, IPv6 without brackets */
    int port;     /* the scheme's own where none was given */
    char *path;   /* begins with '/', no trailing '/' but for the root */
};

/* Reads an http(s) URL without userinfo, query and fragment. The caller frees with url_free; on false nothing
 * is kept. */
MUST_CHECK bool url_parse(const char *text, struct url *out);
void url_free(struct url *u);
/* "https://host[:port]", the port only where it is not the scheme's: what a credential is bound to. Caller
 * frees. */
char *url_origin(const struct url *u);
/* True for localhost, *.localhost, 127.0.0.0/8 and ::1. */
bool url_host_is_loopback(const char *host);

/* Appends text percent-encoded (all but unreserved characters, section 2.3). */
void url_encode(struct buf *out, const char *text, size_t len);
/* Appends text percent-decoded ('+' is a space where plus is set). False for a malformed escape or a NUL. */
MUST_CHECK bool url_decode(struct buf *out, const char *text, size_t len, bool plus);

#endif
