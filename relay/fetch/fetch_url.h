/* fetch_url.h: which URLs the relay fetches for somebody at all: https, a host, no credentials. Where they
 * lead is for safe_fetch.c to see, at the socket. Pure.
 *
 * What is checked is what is fetched: libcurl gets the parsed URL, and never reads the text again. */
#ifndef RELAY_FETCH_FETCH_URL_H
#define RELAY_FETCH_FETCH_URL_H

#include <curl/curl.h>
#include <stdbool.h>

#include "../../common/compiler.h"

enum { FETCH_URL_MAX = 2048 };

/* NULL: *problem has a clause ("must begin with https://"). The caller frees with curl_url_cleanup. */
CURLU *fetch_url_parse(const char *text, const char **problem);
/* Goes from the URL to where a Location header points (RFC 9110 section 10.2.2), by the same rules. False:
 * *problem has a clause, and the URL is not to be used any more. */
MUST_CHECK bool fetch_url_follow(CURLU *url, const char *location, const char **problem);
/* The host without brackets, and the whole URL. The caller frees with curl_free; NULL for want of memory
 * alone. */
char *fetch_url_host(CURLU *url);
char *fetch_url_text(CURLU *url);

#endif
