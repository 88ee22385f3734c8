/* tls-init: a self-signed certificate, for a network without a domain. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "../store/data_folder.h"
#include "command.h"

#define CERT_FILE "tls-cert.pem"
#define KEY_FILE  "tls-key.pem"

enum { SERIAL_BYTES = 16, LIFE_DAYS = 3650, CLOCK_SKEW_S = 3600, PIN_TEXT_SIZE = 64 };

struct pair {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
};

/* ---- the certificate ---- */

static int add_name(gnutls_x509_crt_t certificate, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(
            certificate, GNUTLS_SAN_IPADDRESS, address, sizeof(struct in_addr), GNUTLS_FSAN_APPEND);
    if (inet_pton(AF_INET6, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(
            certificate, GNUTLS_SAN_IPADDRESS, address, sizeof(struct in6_addr), GNUTLS_FSAN_APPEND);
    return gnutls_x509_crt_set_subject_alt_name(
        certificate, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

static int add_names(gnutls_x509_crt_t certificate, const struct command_line *line)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
    int error = 0;
    for (size_t i = 0; error == 0 && i < LENGTH_OF(always); i++)
        error = add_name(certificate, always[i]);
    for (size_t i = 0; error == 0 && i < line->given_count; i++)
        error = add_name(certificate, line->given[i].value);
    return error;
}

static int fill_in(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key, const struct command_line *line)
{
    unsigned char serial[SERIAL_BYTES];
    static const char name[] = "patchcord-relay";
    const time_t now = time(NULL);
    int error = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
    serial[0] =
        (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, of full length (RFC 5280 section 4.1.2.2) */
    if (error == 0)
        error = gnutls_x509_crt_set_version(certificate, 3);
    if (error == 0)
        error = gnutls_x509_crt_set_serial(certificate, serial, sizeof serial);
    if (error == 0)
        error = gnutls_x509_crt_set_activation_time(certificate, now - CLOCK_SKEW_S);
    if (error == 0)
        error = gnutls_x509_crt_set_expiration_time(certificate, now + (time_t)LIFE_DAYS * 86400);
    if (error == 0)
        error =
            gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, sizeof name - 1);
    if (error == 0)
        error = gnutls_x509_crt_set_key(certificate, key);
    if (error == 0)
        error = gnutls_x509_crt_set_basic_constraints(certificate, 0, -1);
    if (error == 0)
        error = gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (error == 0)
        error = gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0);
    if (error == 0)
        error = add_names(certificate, line);
    return error;
}

static int make_pair(struct pair *pair, const struct command_line *line)
{
    int error = gnutls_x509_privkey_init(&pair->key);
    if (error == 0)
        error = gnutls_x509_crt_init(&pair->certificate);
    if (error == 0)
        error = gnutls_x509_privkey_generate2(
            pair->key, GNUTLS_PK_EC, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0, NULL, 0);
    if (error == 0)
        error = fill_in(pair->certificate, pair->key, line);
    if (error == 0)
        error = gnutls_x509_crt_sign2(pair->certificate, pair->certificate, pair->key, GNUTLS_DIG_SHA256, 0);
    return error;
}

/* curl's form of a pin: the SHA-256 of the SubjectPublicKeyInfo (RFC 7469 section 2.4). */
static int make_pin(gnutls_x509_crt_t certificate, char out[static PIN_TEXT_SIZE])
{
    unsigned char digest[32];
    size_t size = sizeof digest;
    const int error = gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, digest, &size);
    if (error == 0)
        (void)sodium_bin2base64(out, PIN_TEXT_SIZE, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
    return error;
}

/* ---- the files ---- */

static bool write_file(const char *path, mode_t mode, const gnutls_datum_t *text, struct buf *why)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    bool fine = fd >= 0 && write(fd, text->data, text->size) == (ssize_t)text->size && fsync(fd) == 0;
    if (!fine)
        buf_printf(why, "cannot write %s: %s", path,
            errno == EEXIST ? "it is there already, and is not overwritten" : strerror(errno));
    if (fd >= 0 && close(fd) != 0)
        fine = false;
    if (fd >= 0 && !fine)
        (void)unlink(path);
    return fine;
}

static bool write_pair(const struct pair *pair, const char *cert_path, const char *key_path, struct buf *why)
{
    gnutls_datum_t key = {0}, certificate = {0};
    bool fine = false;
    if (gnutls_x509_privkey_export2_pkcs8(pair->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &key) !=
            0 ||
        gnutls_x509_crt_export2(pair->certificate, GNUTLS_X509_FMT_PEM, &certificate) != 0) {
        buf_puts(why, "GnuTLS cannot write the key or the certificate");
        goto out;
    }
    if (!write_file(key_path, 0600, &key, why))
        goto out;
    fine = write_file(cert_path, 0644, &certificate, why);
    if (!fine)
        (void)unlink(key_path);
out:
    if (key.data)
        secret_wipe(key.data, key.size);
    gnutls_free(key.data);
    gnutls_free(certificate.data);
    return fine;
}

/* An env file for the relay; what agents need stands in its comments. */
static int report(const char *cert_path, const char *key_path, const char *pin)
{
    const int written =
        printf("# For the relay's env file:\nPATCHCORD_TLS_CERT=%s\nPATCHCORD_TLS_KEY=%s\n"
               "# Agents trust it by its pin (patchcord agent --pin, curl --pinnedpubkey), or by a "
               "copy of the\n# certificate, not of the key (--ca, PATCHCORD_CA_FILE):\n"
               "# sha256//%s\n",
            cert_path, key_path, pin);
    return written < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int initialize(const struct command_line *line, const char *cert_path, const char *key_path)
{
    struct pair pair = {0};
    struct buf why = {0};
    char pin[PIN_TEXT_SIZE];
    int code;
    int error = make_pair(&pair, line);
    if (error == 0)
        error = make_pin(pair.certificate, pin);
    if (error != 0)
        code = command_fail("no certificate was made: %s", gnutls_strerror(error));
    else if (!write_pair(&pair, cert_path, key_path, &why))
        code = command_fail("%s", buf_text(&why));
    else
        code = report(cert_path, key_path, pin);
    gnutls_x509_crt_deinit(pair.certificate);
    gnutls_x509_privkey_deinit(pair.key);
    buf_free(&why);
    return code;
}

static int run(const struct command_line *line)
{
    struct config config;
    struct buf why = {0};
    if (!command_config(line, &config))
        return EXIT_FAILURE;
    secret_init();
    int code;
    char *cert_path = xasprintf("%s/" CERT_FILE, config.data_dir),
         *key_path = xasprintf("%s/" KEY_FILE, config.data_dir);
    if (data_folder_prepare(config.data_dir, &why))
        code = initialize(line, cert_path, key_path);
    else
        code = command_fail("%s", buf_text(&why));
    free(cert_path);
    free(key_path);
    buf_free(&why);
    config_free(&config);
    return code;
}

const struct command command_tls_init = {
    .name = "tls-init",
    .operands = "",
    .summary = "make a self-signed certificate",
    .help = "Writes an ECDSA key and a certificate of ten years for localhost and each --host into the "
            "data folder,\n"
            "and prints the settings that use them and the certificate's pin. What is there is not "
            "overwritten.\n",
    .options = {{"host", "NAME", "another name or address of the relay (may be repeated)"}},
    .run = run,
};
