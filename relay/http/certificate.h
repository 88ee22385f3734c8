/* certificate.h: the server's TLS certificate, which may be read again while handshakes go on. For the loop
 * thread. */
#ifndef RELAY_HTTP_CERTIFICATE_H
#define RELAY_HTTP_CERTIFICATE_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

struct certificate;

/* Reads both PEM files and checks that they belong together. NULL: why has one line. */
struct certificate *certificate_load(const char *cert_file, const char *key_file, struct buf *why);
/* Also those before it. */
void certificate_free(struct certificate *c);

enum { CERTIFICATE_KEPT_MS = 3 * 60 * 1000 }; /* longer than any handshake takes */

/* Makes c what later handshakes are given (MHD_OPTION_HTTPS_CERT_CALLBACK has no argument of its own: there
 * is one such certificate in a process). The one before belongs to c from now on, because a handshake may be
 * using it; it is freed by the first certificate_use after CERTIFICATE_KEPT_MS, or with c. */
void certificate_use(struct certificate *c);
/* A gnutls_certificate_retrieve_function2. */
int certificate_retrieve(gnutls_session_t session, const gnutls_datum_t *request_ca, int request_ca_count,
    const gnutls_pk_algorithm_t *algorithms, int algorithms_count, gnutls_pcert_st **chain,
    unsigned *chain_len, gnutls_privkey_t *key);

#endif
