#include "harness_web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../common/alloc.h"
#include "harness.h"
#include "harness_process.h"

enum { REQUEST_MAX = 16 * 1024, DNS_MAX = 512, DNS_PORT = 53, BACKLOG = 64, CERT_DAYS = 2, DAY_S = 86400 };

/* ---- the network ---- */

static bool write_text(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    const bool fine = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return fine;
}

/* Without privileges: root of a user namespace of our own. */
static bool enter_namespaces(void)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0)
        return true;
    char *users = xasprintf("0 %u 1\n", (unsigned)geteuid()),
         *groups = xasprintf("0 %u 1\n", (unsigned)getegid());
    const bool fine = unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == 0 &&
                      write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/uid_map", users) &&
                      write_text("/proc/self/gid_map", groups);
    free(users);
    free(groups);
    return fine;
}

static bool run_ip(const char *words)
{
    char *command = xasprintf("PATH=$PATH:/usr/sbin:/sbin ip %s", words);
    const int status = system(command);
    free(command);
    return status == 0;
}

static bool lead_everything_here(struct buf *why)
{
    static const char *const commands[] = {"link set lo up", "address add 2606:2800:220:1::2/64 dev lo nodad",
        "route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo"};
    for (size_t i = 0; i < LENGTH_OF(commands); i++) {
        if (!run_ip(commands[i])) {
            buf_printf(why, "`ip %s` failed", commands[i]);
            return false;
        }
    }
    return true;
}

/* The file that libc reads, in this mount namespace alone. */
static bool resolve_here(struct buf *why)
{
    char path[] = "/tmp/patchcord-resolv-XXXXXX";
    const int fd = mkstemp(path);
    bool fine = fd >= 0 && write_text(path, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n") &&
                mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
    if (!fine)
        buf_printf(why, "/etc/resolv.conf cannot be replaced: %s", strerror(errno));
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    return fine;
}

bool web_enter(struct buf *why)
{
    if (!enter_namespaces()) {
        buf_printf(why, "no network namespace without root (%s)", strerror(errno));
        return false;
    }
    return lead_everything_here(why) && resolve_here(why);
}

/* ---- what happened ---- */

struct visit {
    char address[INET6_ADDRSTRLEN];
};
static struct {
    pthread_mutex_t lock;
    const struct web_name *names;
    unsigned questions[2][256]; /* by kind and row */
    struct visit *visits;
    size_t count, ended;
    web_serve_fn *serve;
    gnutls_certificate_credentials_t credentials;
    char *ca_file;
} web = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note_visit(int fd)
{
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof local;
    struct visit visit = {0};
    if (getsockname(fd, (struct sockaddr *)&local, &len) != 0)
        return;
    const void *bytes = local.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&local)->sin_addr
                                                   : (void *)&((struct sockaddr_in6 *)&local)->sin6_addr;
    if (!inet_ntop(local.ss_family, bytes, visit.address, sizeof visit.address))
        return;
    pthread_mutex_lock(&web.lock);
    web.visits = xreallocarray(web.visits, web.count + 1, sizeof *web.visits);
    web.visits[web.count++] = visit;
    pthread_mutex_unlock(&web.lock);
}

/* Under the lock, so that what the thread did comes before what the test does next. */
static void note_end(void)
{
    pthread_mutex_lock(&web.lock);
    web.ended++;
    pthread_mutex_unlock(&web.lock);
}

size_t web_connections(void)
{
    pthread_mutex_lock(&web.lock);
    const size_t count = web.count;
    pthread_mutex_unlock(&web.lock);
    return count;
}

static bool all_ended(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&web.lock);
    const bool is_so = web.ended == web.count;
    pthread_mutex_unlock(&web.lock);
    return is_so;
}

bool web_is_quiet(int timeout_ms)
{
    return poll_until(all_ended, NULL, timeout_ms);
}

static bool is_listed(const char *const list[], const char *address)
{
    for (size_t i = 0; list[i]; i++) {
        if (strcmp(list[i], address) == 0)
            return true;
    }
    return false;
}

size_t web_connections_elsewhere(const char *const addresses[], const char **where)
{
    static struct visit last;
    size_t count = 0;
    last.address[0] = '\0';
    pthread_mutex_lock(&web.lock);
    for (size_t i = 0; i < web.count; i++) {
        if (is_listed(addresses, web.visits[i].address))
            continue;
        count++;
        last = web.visits[i];
    }
    pthread_mutex_unlock(&web.lock);
    *where = last.address;
    return count;
}

static void start_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, arg) != 0)
        harness_fail("no thread for the test's web");
    pthread_detach(thread);
}

static int bind_to(int family, int type, uint16_t port)
{
    const int fd = socket(family, type | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const bool is_v4 = family == AF_INET;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!is_v4)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof v4 : sizeof v6) != 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) != 0))
        harness_fail("port %d of the test's web: %s", port, strerror(errno));
    return fd;
}

/* ---- DNS (RFC 1035), as much as libc asks ---- */

enum { DNS_HEADER = 12, TYPE_A = 1, TYPE_AAAA = 28, LABEL_MAX = 63, DNS_NO_SUCH_NAME = 3 };

/* The question's name with dots; the offset behind type and class, 0 for what is no question. */
static size_t read_question(const unsigned char *packet, size_t len, char name[static DNS_MAX], int *type)
{
    size_t at = DNS_HEADER, used = 0;
    while (at < len && packet[at] != 0) {
        const size_t label = packet[at];
        if (label > LABEL_MAX || at + 1 + label >= len)
            return 0;
        memcpy(name + used, packet + at + 1, label);
        used += label;
        name[used++] = '.';
        at += 1 + label;
    }
    if (used == 0 || at + 5 > len)
        return 0;
    name[used - 1] = '\0';
    *type = packet[at + 1] << 8 | packet[at + 2];
    return at + 5;
}

/* What the table says to this question now; NULL: no such name. */
static const char *look_up(const char *name, int type)
{
    for (size_t i = 0; web.names[i].name; i++) {
        if (strcasecmp(web.names[i].name, name) != 0)
            continue;
        pthread_mutex_lock(&web.lock);
        const unsigned asked = web.questions[type == TYPE_AAAA][i]++;
        pthread_mutex_unlock(&web.lock);
        return asked > 0 && web.names[i].later ? web.names[i].later : web.names[i].addresses;
    }
    return NULL;
}

/* A pointer to the question's name, type, class IN, no time to live, the address. */
static size_t add_answer(unsigned char *packet, size_t len, int type, const char *address)
{
    const bool is_v4 = type == TYPE_A;
    const unsigned char head[] = {
        0xc0, DNS_HEADER, 0, (unsigned char)type, 0, 1, 0, 0, 0, 0, 0, is_v4 ? 4 : 16};
    if (len + sizeof head + 16 > DNS_MAX ||
        inet_pton(is_v4 ? AF_INET : AF_INET6, address, packet + len + sizeof head) != 1)
        return len;
    memcpy(packet + len, head, sizeof head);
    packet[7]++; /* the answers' count */
    return len + sizeof head + head[11];
}

/* The answer's length; 0: none. */
static size_t answer_question(unsigned char *packet, size_t len)
{
    char name[DNS_MAX];
    int type = 0;
    size_t end = len > DNS_HEADER ? read_question(packet, len, name, &type) : 0;
    const char *addresses = end > 0 ? look_up(name, type) : NULL;
    if (end == 0 || (addresses && strcmp(addresses, WEB_SILENT) == 0))
        return 0;
    packet[2] = 0x84; /* an answer, authoritative */
    packet[3] = addresses ? 0 : DNS_NO_SUCH_NAME;
    memset(packet + 6, 0, 6);
    char *list = xstrdup(addresses ? addresses : ""), *rest = list, *word;
    while ((word = strsep(&rest, " ")))
        end = add_answer(packet, end, type, word);
    free(list);
    return end;
}

static void *serve_dns(void *arg)
{
    const int fd = *(const int *)arg;
    for (;;) {
        unsigned char packet[DNS_MAX];
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        const ssize_t got = recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_len);
        const size_t len = got > 0 ? answer_question(packet, (size_t)got) : 0;
        if (len > 0)
            (void)sendto(fd, packet, len, 0, (struct sockaddr *)&from, from_len);
    }
    return NULL;
}

/* ---- certificates ---- */

static void must(int code)
{
    if (code < 0)
        harness_fail("the test's certificate: %s", gnutls_strerror(code));
}

static gnutls_x509_privkey_t make_key(void)
{
    gnutls_x509_privkey_t key;
    must(gnutls_x509_privkey_init(&key));
    must(gnutls_x509_privkey_generate2(
        key, GNUTLS_PK_EC, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0, NULL, 0));
    return key;
}

static gnutls_x509_crt_t make_certificate(gnutls_x509_privkey_t key, const char *name, bool is_ca)
{
    gnutls_x509_crt_t certificate;
    const time_t now = time(NULL);
    unsigned char serial[8];
    must(gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial));
    serial[0] &= 0x7f;
    must(gnutls_x509_crt_init(&certificate));
    must(gnutls_x509_crt_set_version(certificate, 3));
    must(gnutls_x509_crt_set_serial(certificate, serial, sizeof serial));
    must(gnutls_x509_crt_set_activation_time(certificate, now - DAY_S));
    must(gnutls_x509_crt_set_expiration_time(certificate, now + CERT_DAYS * DAY_S));
    must(gnutls_x509_crt_set_dn_by_oid(
        certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)));
    must(gnutls_x509_crt_set_key(certificate, key));
    must(gnutls_x509_crt_set_basic_constraints(certificate, is_ca, -1));
    must(gnutls_x509_crt_set_key_usage(
        certificate, is_ca ? GNUTLS_KEY_KEY_CERT_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE));
    return certificate;
}

static void add_host(gnutls_x509_crt_t certificate, const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    const bool is_v4 = inet_pton(AF_INET, host, bytes) == 1,
               is_v6 = !is_v4 && inet_pton(AF_INET6, host, bytes) == 1;
    if (is_v4 || is_v6)
        must(gnutls_x509_crt_set_subject_alt_name(
            certificate, GNUTLS_SAN_IPADDRESS, bytes, is_v4 ? 4 : sizeof bytes, GNUTLS_FSAN_APPEND));
    else
        must(gnutls_x509_crt_set_subject_alt_name(
            certificate, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host), GNUTLS_FSAN_APPEND));
}

static void write_authority(gnutls_x509_crt_t authority)
{
    gnutls_datum_t pem;
    must(gnutls_x509_crt_export2(authority, GNUTLS_X509_FMT_PEM, &pem));
    web.ca_file = xasprintf("%s/ca.pem", temp_folder());
    if (!write_text(web.ca_file, (const char *)pem.data))
        harness_fail("%s: %s", web.ca_file, strerror(errno));
    gnutls_free(pem.data);
}

static void make_certificates(const char *const hosts[])
{
    gnutls_x509_privkey_t ca_key = make_key(), key = make_key();
    gnutls_x509_crt_t authority = make_certificate(ca_key, "test authority", true),
                      certificate = make_certificate(key, "test web", false);
    must(gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER, 0));
    for (size_t i = 0; hosts[i]; i++)
        add_host(certificate, hosts[i]);
    must(gnutls_x509_crt_sign2(authority, authority, ca_key, GNUTLS_DIG_SHA256, 0));
    must(gnutls_x509_crt_sign2(certificate, authority, ca_key, GNUTLS_DIG_SHA256, 0));
    write_authority(authority);
    must(gnutls_certificate_allocate_credentials(&web.credentials));
    must(gnutls_certificate_set_x509_key(web.credentials, &certificate, 1, key));
    gnutls_x509_crt_deinit(authority);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(ca_key);
    gnutls_x509_privkey_deinit(key);
}

const char *web_ca_file(void)
{
    return web.ca_file;
}

/* ---- https ---- */

struct web_client {
    int fd;
    gnutls_session_t session;
    char request[REQUEST_MAX];
};

bool web_send(struct web_client *client, const void *bytes, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        const ssize_t put = gnutls_record_send(client->session, (const char *)bytes + sent, len - sent);
        if (put < 0 && put != GNUTLS_E_AGAIN && put != GNUTLS_E_INTERRUPTED)
            return false;
        sent += put > 0 ? (size_t)put : 0;
    }
    return true;
}

bool web_puts(struct web_client *client, const char *text)
{
    return web_send(client, text, strlen(text));
}

bool web_is_gone(struct web_client *client, int timeout_ms)
{
    struct pollfd fd = {.fd = client->fd, .events = POLLIN | POLLRDHUP};
    return poll(&fd, 1, timeout_ms) > 0;
}

const char *web_request(const struct web_client *client)
{
    return client->request;
}

static bool read_request(struct web_client *client)
{
    size_t len = 0;
    while (!strstr(client->request, "\r\n\r\n")) {
        const ssize_t got = gnutls_record_recv(client->session, client->request + len, REQUEST_MAX - 1 - len);
        if (got <= 0)
            return false;
        len += (size_t)got;
    }
    return true;
}

static void *end_client(struct web_client *client)
{
    close(client->fd);
    free(client);
    note_end();
    return NULL;
}

static void serve_request(struct web_client *client)
{
    const char *path = strchr(client->request, ' ');
    char *copy = path ? xmemdup_text(path + 1, strcspn(path + 1, " \r")) : NULL;
    if (copy)
        web.serve(client, copy);
    free(copy);
}

static void *serve_client(void *arg)
{
    struct web_client *client = arg;
    if (gnutls_init(&client->session, GNUTLS_SERVER) == 0 &&
        gnutls_set_default_priority(client->session) == 0 &&
        gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, web.credentials) == 0) {
        gnutls_transport_set_int(client->session, client->fd);
        if (gnutls_handshake(client->session) == 0 && read_request(client)) {
            serve_request(client);
            gnutls_bye(client->session, GNUTLS_SHUT_WR);
        }
    }
    gnutls_deinit(client->session);
    return end_client(client);
}

static void *serve_plain(void *arg)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nplain\n";
    struct web_client *client = arg;
    if (read(client->fd, client->request, REQUEST_MAX - 1) > 0)
        (void)!write(client->fd, answer, sizeof answer - 1);
    return end_client(client);
}

static void *serve_stalled(void *arg)
{
    struct web_client *client = arg;
    while (read(client->fd, client->request, REQUEST_MAX) > 0) {
    }
    return end_client(client);
}

/* ---- listening ---- */

static const struct door {
    uint16_t port;
    void *(*serve)(void *client);
} doors[] = {{WEB_PORT, serve_client}, {WEB_PLAIN_PORT, serve_plain}, {WEB_STALLED_PORT, serve_stalled}};

struct listener {
    const struct door *door;
    int fd;
};

static void *take_clients(void *arg)
{
    const struct listener *listener = arg;
    for (;;) {
        const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        note_visit(fd);
        struct web_client *client = xcalloc(1, sizeof *client);
        client->fd = fd;
        start_thread(listener->door->serve, client);
    }
    return NULL;
}

void web_start(const struct web_name *names, const char *const hosts[], web_serve_fn *serve)
{
    static struct listener listeners[2 * LENGTH_OF(doors)];
    static int dns;
    web.names = names;
    web.serve = serve;
    make_certificates(hosts);
    dns = bind_to(AF_INET, SOCK_DGRAM, DNS_PORT);
    start_thread(serve_dns, &dns);
    for (size_t i = 0; i < LENGTH_OF(listeners); i++) {
        listeners[i].door = &doors[i / 2];
        listeners[i].fd = bind_to(i % 2 ? AF_INET6 : AF_INET, SOCK_STREAM, listeners[i].door->port);
        start_thread(take_clients, &listeners[i]);
    }
}
