/* address_class.h: what kind of place an IP address is, by the IANA registries of special-purpose IPv4 and
 * IPv6 addresses (RFC 6890). Pure.
 *
 * Stricter than "globally reachable": of IPv6 only what has been given out for unicast (2000::/3) is public,
 * and anycast blocks that any network may answer itself (AS112, AMT, PCP) are not. An address that carries
 * an IPv4 address is no better than what it carries. */
#ifndef RELAY_FETCH_ADDRESS_CLASS_H
#define RELAY_FETCH_ADDRESS_CLASS_H

#include <stdint.h>
#include <sys/socket.h>

enum address_class {
    ADDRESS_PUBLIC,
    ADDRESS_UNSPECIFIED, /* this host on this network */
    ADDRESS_LOOPBACK,
    ADDRESS_PRIVATE, /* RFC 1918, unique local, site-local */
    ADDRESS_SHARED,  /* between a carrier and its customers: RFC 6598 */
    ADDRESS_LINK_LOCAL,
    ADDRESS_MULTICAST,
    ADDRESS_DOCUMENTATION,
    ADDRESS_BENCHMARK,
    ADDRESS_ANYCAST,  /* a service of the nearest network, which may be ours */
    ADDRESS_TUNNEL,   /* 6to4, Teredo, ISATAP, IPv4-compatible: where it leads is for somebody else to say */
    ADDRESS_RESERVED, /* everything else that was not given out */
    ADDRESS_CLASSES
};

enum { IPV4_BYTES = 4, IPV6_BYTES = 16 };

enum address_class address_class_v4(const uint8_t bytes[static IPV4_BYTES]);
/* IPv4-mapped, IPv4-translated and NAT64 addresses are what they carry. */
enum address_class address_class_v6(const uint8_t bytes[static IPV6_BYTES]);
/* Other families, and a length that does not fit, are RESERVED. */
enum address_class address_class_of(const struct sockaddr *address, socklen_t len);

/* For logs and tests: "loopback". */
extern const char *const address_class_names[ADDRESS_CLASSES];

#endif
