/* client_document.h: clients whose client_id is the https URL of a document that describes them (OAuth Client
 * ID Metadata Document). The document is fetched as anything that somebody else names, kept for as long as
 * its headers say, within bounds, and must name its own URL as its client_id. */
#ifndef RELAY_OAUTH_CLIENT_DOCUMENT_H
#define RELAY_OAUTH_CLIENT_DOCUMENT_H

#include "../auth/lru.h"
#include "../relay.h"
#include "client_metadata.h"

enum {
    CLIENT_DOCUMENT_URL_MAX = 512,
    CLIENT_DOCUMENT_MAX = 32 * 1024,        /* bytes */
    CLIENT_DOCUMENT_TIMEOUT_MS = 10 * 1000, /* of a fetch */
    CLIENT_DOCUMENT_FETCHES_MAX = 8,        /* under way at a time, */
    CLIENT_DOCUMENT_FETCHES_PER_ADDRESS = 4,
    CLIENT_DOCUMENTS_MAX = 256,            /* that are kept */
    CLIENT_DOCUMENT_KEEP_MS = 3600 * 1000, /* where its headers do not say */
    CLIENT_DOCUMENT_KEEP_MAX_MS = 86400 * 1000,
};

/* True for what is to be read as a URL, and not as the id of a registration. */
bool client_document_is_id(const char *client_id);

/* The host of such a URL; the caller frees. NULL where it breaks a rule: https, a path, no query, fragment,
 * user name or dot segment, at most CLIENT_DOCUMENT_URL_MAX bytes. Pure. */
char *client_document_host(const char *client_id);

/* For how long Cache-Control (RFC 9111 section 5.2.2; NULL: none) lets a document be kept, within bounds; 0:
 * not at all. Pure. */
int64_t client_document_keep_ms(const char *cache_control);

/* Reads a document that was found at that URL. False: why has a sentence. Pure. */
MUST_CHECK bool client_document_read(
    const char *client_id, const char *text, size_t len, struct client_metadata *out, struct buf *why);

/* From what is kept, or from where it is, for whom that address stands (authenticator_limit_key). False: why
 * has a sentence. *host: the caller frees. */
MUST_CHECK bool client_document_get(const struct relay *relay, const char *client_id, const char *address,
    struct client_metadata *out, char **host, struct buf *why);

/* The table of kept documents, for its owner. */
void client_documents_init(struct lru *documents);

#endif
