/* address.h: IP addresses and blocks of them (CIDR, RFC 4632 and RFC 4291), and the client behind trusted
 * proxies. Pure. */
#ifndef RELAY_AUTH_ADDRESS_H
#define RELAY_AUTH_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "../../common/buf.h"
#include "../../common/compiler.h"

/* IPv6; an IPv4 address as ::ffff:a.b.c.d, so that both forms of it are the same. */
struct address {
    unsigned char bytes[16];
};

/* Reads exactly len bytes: an IPv4 or IPv6 address, in brackets or not, with a port or not (as
 * X-Forwarded-For has them). */
MUST_CHECK bool address_parse(const char *text, size_t len, struct address *out);
/* Writes it as people do, IPv4 with dots. */
void address_format(const struct address *a, char out[static INET6_ADDRSTRLEN]);
/* What limits count by: an IPv4 address, or the /64 that an IPv6 address is in (a client has all of it). */
struct address address_for_limit(const struct address *a);

struct address_block {
    struct address base;
    unsigned bits; /* of the 128 */
};
struct address_blocks {
    struct address_block *items;
    size_t count;
};
/* Reads "10.0.0.0/8, 192.0.2.1, fd00::/8", or "none". NULL: loopback of both families. False: why has one
 * line. */
MUST_CHECK bool address_blocks_parse(const char *list, struct address_blocks *out, struct buf *why);
void address_blocks_free(struct address_blocks *blocks);
bool address_blocks_contain(const struct address_blocks *blocks, const struct address *a);

/* Walks an X-Forwarded-For list from its right end, as long as who added the entry is trusted, and returns
 * the first address that is not. An entry that is no address ends the walk at who wrote it. */
struct address address_behind(
    const struct address_blocks *trusted, struct address peer, const char *forwarded_for);

#endif
