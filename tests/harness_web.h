/* harness_web.h: a web of the test's own: a network namespace in which every address, public or not, leads
 * back to the test, a DNS server that answers as told, and an https server that listens on all of them and
 * remembers which it was reached at. Its threads end with the test's process.
 *
 * So a program that is tricked into connecting somewhere does connect, and is seen. */
#ifndef TESTS_HARNESS_WEB_H
#define TESTS_HARNESS_WEB_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/buf.h"
#include "../common/compiler.h"

/* Puts this process and its children into such a network. Before any thread, once, as root or where users may
 * have namespaces. False: why has one line. */
MUST_CHECK bool web_enter(struct buf *why);

/* What DNS says: addresses separated by blanks; later (NULL: the same) from the second question of a kind on.
 * Names that no row has do not exist. */
struct web_name {
    const char *name; /* NULL ends the table */
    const char *addresses, *later;
};
#define WEB_SILENT "silent" /* as addresses: no answer at all */

struct web_client;
/* Answers one request; path is decoded no further. On a thread of its own. */
typedef void web_serve_fn(struct web_client *client, const char *path);

enum { WEB_PORT = 443, WEB_PLAIN_PORT = 80, WEB_STALLED_PORT = 8443 };
/* Starts DNS, https on WEB_PORT with a certificate for the names and addresses in hosts (NULL-ended), plain
 * http on WEB_PLAIN_PORT that answers with 200, and a port that takes connections and says nothing. */
void web_start(const struct web_name *names, const char *const hosts[], web_serve_fn *serve);
/* The authority behind the certificate, PEM. Borrowed. */
const char *web_ca_file(void);

/* False: the client is gone. */
bool web_send(struct web_client *client, const void *bytes, size_t len);
bool web_puts(struct web_client *client, const char *text);
/* True once the client has hung up, at most timeout_ms later. */
bool web_is_gone(struct web_client *client, int timeout_ms);
/* Request line and headers. */
const char *web_request(const struct web_client *client);

/* Connections since the start, those at any address but the given ones (NULL-ended), and an address of those
 * ("" where there is none; borrowed until the next call). */
size_t web_connections(void);
/* True once every connection has ended; false after timeout_ms. */
bool web_is_quiet(int timeout_ms);
size_t web_connections_elsewhere(const char *const addresses[], const char **where);

#endif
