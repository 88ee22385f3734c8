/* The same over TLS, and a certificate that changes while serving. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../common/alloc.h"
#include "http_rig.h"
#include "unit.h"

enum { SOON_MS = 3000, PEM_MAX = 8192 };

static char folder[PATH_MAX];
static char *cert_file, *key_file;

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

/* A self-signed certificate of that serial number, and its key. */
static void make_certificate(unsigned char serial)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    char pem[PEM_MAX];
    size_t len = sizeof pem;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_crt_init(&cert);
    ck_assert_int_eq(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
        0);
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, &serial, 1);
    gnutls_x509_crt_set_activation_time(cert, time(NULL) - 60);
    gnutls_x509_crt_set_expiration_time(cert, time(NULL) + 3600);
    gnutls_x509_crt_set_dn(cert, "CN=localhost", NULL);
    gnutls_x509_crt_set_key(cert, key);
    ck_assert_int_eq(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
    ck_assert_int_eq(gnutls_x509_crt_export(cert, GNUTLS_X509_FMT_PEM, pem, &len), 0);
    write_file(cert_file, pem, len);
    len = sizeof pem;
    ck_assert_int_eq(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, pem, &len), 0);
    write_file(key_file, pem, len);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}

static void make_folder(void)
{
    unit_folder(folder);
    cert_file = xasprintf("%s/cert.pem", folder);
    key_file = xasprintf("%s/key.pem", folder);
    make_certificate(1);
}

static void free_paths(void)
{
    free(cert_file);
    free(key_file);
}

static void setup(void)
{
    make_folder();
    rig_start(cert_file, key_file);
}

static void teardown(void)
{
    rig_stop();
    free_paths();
}

struct client {
    int fd;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
};

/* Zero, or GnuTLS' code. */
static int client_open(struct client *c, const char *priorities)
{
    c->fd = rig_connect();
    gnutls_init(&c->session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    gnutls_certificate_allocate_credentials(&c->credentials);
    gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, c->credentials);
    gnutls_priority_set_direct(c->session, priorities, NULL);
    gnutls_transport_set_int(c->session, c->fd);
    int code;
    while ((code = gnutls_handshake(c->session)) < 0 && !gnutls_error_is_fatal(code))
        continue;
    return code;
}

static void client_close(struct client *c)
{
    gnutls_deinit(c->session);
    gnutls_certificate_free_credentials(c->credentials);
    close(c->fd);
}

static void client_send(struct client *c, const char *text)
{
    ck_assert_int_eq(gnutls_record_send(c->session, text, strlen(text)), (ssize_t)strlen(text));
}

static void client_expect(struct client *c, const char *text)
{
    struct buf got = {0};
    while (!strstr(buf_text(&got), text)) {
        char bytes[1024];
        ssize_t len = gnutls_record_recv(c->session, bytes, sizeof bytes);
        ck_assert_msg(len > 0 || len == GNUTLS_E_AGAIN, "%s expected, got: %s", text, buf_text(&got));
        if (len > 0)
            buf_append(&got, bytes, (size_t)len);
    }
    buf_free(&got);
}

static int serial_served(void)
{
    struct client c;
    unsigned count = 0;
    ck_assert_int_eq(client_open(&c, "NORMAL"), 0);
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(c.session, &count);
    ck_assert_uint_eq(count, 1);
    gnutls_x509_crt_t cert;
    unsigned char serial[32];
    size_t len = sizeof serial;
    gnutls_x509_crt_init(&cert);
    gnutls_x509_crt_import(cert, &chain[0], GNUTLS_X509_FMT_DER);
    gnutls_x509_crt_get_serial(cert, serial, &len);
    gnutls_x509_crt_deinit(cert);
    client_close(&c);
    return serial[len - 1];
}

START_TEST(requests_over_tls)
{
    struct client c;
    ck_assert_int_eq(client_open(&c, "NORMAL"), 0);
    for (int i = 1; i <= 2; i++) {
        client_send(&c, "GET /big?bytes=100 HTTP/1.1\r\nHost: x\r\n\r\n");
        client_expect(&c, "bbbb");
        ck_assert(rig_reaches(&rig.delivered, i, SOON_MS));
    }
    client_send(&c, "GET /wait?key=a HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert(rig_parked(1, SOON_MS));
    parking_notify(http_server_parking(rig.server), "a");
    client_expect(&c, "news");
    client_send(&c, "GET /stream?events=9 HTTP/1.1\r\nHost: x\r\n\r\n");
    client_expect(&c, "event 0");
    ck_assert(rig_parked(1, SOON_MS));
    parking_notify(http_server_parking(rig.server), "stream");
    client_expect(&c, "event 1");
    client_close(&c);
    ck_assert(rig_reaches(&rig.lost, 1, SOON_MS));
}
END_TEST

START_TEST(a_client_that_goes_is_noticed)
{
    struct client c;
    ck_assert_int_eq(client_open(&c, "NORMAL"), 0);
    client_send(&c, "GET /wait?key=a HTTP/1.1\r\nHost: x\r\n\r\n");
    ck_assert(rig_parked(1, SOON_MS));
    client_close(&c);
    ck_assert(rig_reaches(&rig.lost, 1, SOON_MS));
}
END_TEST

/* The refusal in the middle of a body goes past the library, but not past TLS. */
START_TEST(long_chunks_are_refused)
{
    struct client c;
    struct buf request = {0};
    ck_assert_int_eq(client_open(&c, "NORMAL"), 0);
    buf_puts(&request, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n");
    buf_printf(&request, "%02000d\r\n", 0);
    client_send(&c, request.data);
    client_expect(&c, "payload_too_large");
    client_close(&c);
    buf_free(&request);
}
END_TEST

START_TEST(old_tls_is_refused)
{
    struct client c;
    ck_assert_int_eq(client_open(&c, "NORMAL:-VERS-ALL:+VERS-TLS1.2"), 0);
    client_close(&c);
    ck_assert_int_lt(client_open(&c, "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT"), 0);
    client_close(&c);
}
END_TEST

START_TEST(the_certificate_is_read_again)
{
    struct client before;
    ck_assert_int_eq(serial_served(), 1);
    ck_assert_int_eq(client_open(&before, "NORMAL"), 0);
    make_certificate(2);
    ck_assert_int_eq(serial_served(), 1);
    kill(getpid(), SIGHUP);
    ck_assert(rig_reaches(&rig.reloaded, 1, SOON_MS));
    ck_assert_int_eq(serial_served(), 2);
    client_send(&before, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    client_expect(&before, "hello");
    client_close(&before);

    write_file(cert_file, "nonsense", 8);
    kill(getpid(), SIGHUP);
    ck_assert(rig_reaches(&rig.reloaded, 2, SOON_MS));
    ck_assert_int_eq(serial_served(), 2);
}
END_TEST

static void refuses(const char *cert, const char *key)
{
    struct buf why = {0};
    static const struct route no_routes[] = {{0}};
    struct http_server_options options = {.host = "127.0.0.1",
        .workers = 1,
        .routes = no_routes,
        .version = "x",
        .tls_cert_file = cert,
        .tls_key_file = key};
    ck_assert_ptr_null(http_server_new(&options, &why));
    ck_assert_ptr_nonnull(strstr(buf_text(&why), cert));
    ck_assert_ptr_null(strchr(buf_text(&why), '\n'));
    buf_free(&why);
}

START_TEST(bad_pairs_do_not_start)
{
    make_folder();
    char other_key[PATH_MAX];
    snprintf(other_key, sizeof other_key, "%s.old", key_file);
    ck_assert_int_eq(rename(key_file, other_key), 0);
    refuses(cert_file, key_file);
    make_certificate(2);
    refuses(cert_file, other_key);
    refuses("/nowhere/cert.pem", key_file);
    unlink(other_key);
    free_paths();
}
END_TEST

int main(void)
{
    TCase *tests;
    Suite *suite = unit_suite("http tls", &tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, requests_over_tls);
    tcase_add_test(tests, a_client_that_goes_is_noticed);
    tcase_add_test(tests, long_chunks_are_refused);
    tcase_add_test(tests, old_tls_is_refused);
    tcase_add_test(tests, the_certificate_is_read_again);
    TCase *starts = tcase_create("http tls start");
    suite_add_tcase(suite, starts);
    tcase_add_test(starts, bad_pairs_do_not_start);
    return run_unit(suite);
}
