/* certificate.c: TLS credentials by GnuTLS. */
#include "certificate.h"

#include <stdlib.h>

#include "../../common/alloc.h"
#include "../../common/clock.h"

enum { CHAIN_MAX = 16 };

struct certificate {
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_len;
    gnutls_privkey_t key;
    struct certificate *before; /* replaced by this one ... */
    int64_t replaced_ms;        /* ... when (monotonic), in the replaced one */
};

static struct certificate *in_use;

/* A chain and a key that do not belong together would only be noticed by clients. */
static int check_pair(const char *cert_file, const char *key_file)
{
    gnutls_certificate_credentials_t both;
    int code = gnutls_certificate_allocate_credentials(&both);
    if (code != GNUTLS_E_SUCCESS)
        return code;
    code = gnutls_certificate_set_x509_key_file(both, cert_file, key_file, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(both);
    return code < 0 ? code : GNUTLS_E_SUCCESS;
}

static int load_key(const char *key_file, gnutls_privkey_t *key)
{
    gnutls_datum_t pem;
    int code = gnutls_load_file(key_file, &pem);
    if (code != GNUTLS_E_SUCCESS)
        return code;
    code = gnutls_privkey_init(key);
    if (code == GNUTLS_E_SUCCESS)
        code = gnutls_privkey_import_x509_raw(*key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(pem.data, 0, pem.size);
    gnutls_free(pem.data);
    return code;
}

static int load_chain(const char *cert_file, struct certificate *c)
{
    gnutls_datum_t pem;
    int code = gnutls_load_file(cert_file, &pem);
    if (code != GNUTLS_E_SUCCESS)
        return code;
    unsigned len = CHAIN_MAX;
    code = gnutls_pcert_list_import_x509_raw(c->chain, &len, &pem, GNUTLS_X509_FMT_PEM, 0);
    gnutls_free(pem.data);
    if (code == GNUTLS_E_SUCCESS)
        c->chain_len = len;
    return code;
}

struct certificate *certificate_load(const char *cert_file, const char *key_file, struct buf *why)
{
    struct certificate *c = xcalloc(1, sizeof *c);
    int code = check_pair(cert_file, key_file);
    if (code == GNUTLS_E_SUCCESS)
        code = load_chain(cert_file, c);
    if (code == GNUTLS_E_SUCCESS)
        code = load_key(key_file, &c->key);
    if (code == GNUTLS_E_SUCCESS)
        return c;
    buf_printf(
        why, "cannot use TLS certificate %s with key %s: %s", cert_file, key_file, gnutls_strerror(code));
    certificate_free(c);
    return NULL;
}

void certificate_free(struct certificate *c)
{
    if (!c)
        return;
    if (in_use == c)
        in_use = NULL;
    certificate_free(c->before);
    for (unsigned i = 0; i < c->chain_len; i++)
        gnutls_pcert_deinit(&c->chain[i]);
    if (c->key)
        gnutls_privkey_deinit(c->key);
    free(c);
}

void certificate_use(struct certificate *c)
{
    int64_t now = clock_mono_ms();
    c->before = in_use;
    if (in_use)
        in_use->replaced_ms = now;
    in_use = c;
    struct certificate **place = &c->before;
    while (*place && now - (*place)->replaced_ms < CERTIFICATE_KEPT_MS)
        place = &(*place)->before;
    certificate_free(*place);
    *place = NULL;
}

int certificate_retrieve(gnutls_session_t session, const gnutls_datum_t *request_ca, int request_ca_count,
    const gnutls_pk_algorithm_t *algorithms, int algorithms_count, gnutls_pcert_st **chain,
    unsigned *chain_len, gnutls_privkey_t *key)
{
    (void)session, (void)request_ca, (void)request_ca_count, (void)algorithms, (void)algorithms_count;
    if (!in_use)
        return -1;
    *chain = in_use->chain;
    *chain_len = in_use->chain_len;
    *key = in_use->key;
    return 0;
}
