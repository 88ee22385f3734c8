#include "address_class.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "../../common/compiler.h"

const char *const address_class_names[ADDRESS_CLASSES] = {
    [ADDRESS_PUBLIC] = "public",
    [ADDRESS_UNSPECIFIED] = "unspecified",
    [ADDRESS_LOOPBACK] = "loopback",
    [ADDRESS_PRIVATE] = "private",
    [ADDRESS_SHARED] = "shared",
    [ADDRESS_LINK_LOCAL] = "link-local",
    [ADDRESS_MULTICAST] = "multicast",
    [ADDRESS_DOCUMENTATION] = "documentation",
    [ADDRESS_BENCHMARK] = "benchmark",
    [ADDRESS_ANYCAST] = "anycast",
    [ADDRESS_TUNNEL] = "tunnel",
    [ADDRESS_RESERVED] = "reserved",
};

/* A block, and what its addresses are. Where carries is set, an IPv4 address stands at that offset, and what
 * that one is counts unless it is public. */
struct block {
    uint8_t base[IPV6_BYTES];
    unsigned bits;
    enum address_class class;
    size_t carries;
};

/* In both tables the first block that has the address decides; addresses of none are public. */
/* clang-format off */
static const struct block v4_blocks[] = {
    {{0}, 8, ADDRESS_UNSPECIFIED, 0},
    {{10}, 8, ADDRESS_PRIVATE, 0},
    {{100, 64}, 10, ADDRESS_SHARED, 0},
    {{127}, 8, ADDRESS_LOOPBACK, 0},
    {{169, 254}, 16, ADDRESS_LINK_LOCAL, 0},
    {{172, 16}, 12, ADDRESS_PRIVATE, 0},
    {{192, 0, 0, 9}, 32, ADDRESS_ANYCAST, 0},   /* PCP */
    {{192, 0, 0, 10}, 32, ADDRESS_ANYCAST, 0},  /* TURN */
    {{192, 0, 0}, 24, ADDRESS_RESERVED, 0},     /* IETF protocol assignments */
    {{192, 0, 2}, 24, ADDRESS_DOCUMENTATION, 0},
    {{192, 31, 196}, 24, ADDRESS_ANYCAST, 0},   /* AS112 */
    {{192, 52, 193}, 24, ADDRESS_ANYCAST, 0},   /* AMT */
    {{192, 88, 99}, 24, ADDRESS_TUNNEL, 0},     /* relays of 6to4 and 6a44 */
    {{192, 168}, 16, ADDRESS_PRIVATE, 0},
    {{192, 175, 48}, 24, ADDRESS_ANYCAST, 0},   /* AS112 */
    {{198, 18}, 15, ADDRESS_BENCHMARK, 0},
    {{198, 51, 100}, 24, ADDRESS_DOCUMENTATION, 0},
    {{203, 0, 113}, 24, ADDRESS_DOCUMENTATION, 0},
    {{224}, 4, ADDRESS_MULTICAST, 0},
    {{240}, 4, ADDRESS_RESERVED, 0},            /* the limited broadcast too */
};

static const struct block v6_blocks[] = {
    {{0}, 128, ADDRESS_UNSPECIFIED, 0},
    {{[15] = 1}, 128, ADDRESS_LOOPBACK, 0},
    {{0}, 96, ADDRESS_TUNNEL, 12},                                                    /* IPv4-compatible */
    {{[10] = 0xff, 0xff}, 96, ADDRESS_PUBLIC, 12},                                    /* IPv4-mapped */
    {{[8] = 0xff, 0xff}, 96, ADDRESS_PUBLIC, 12},                                     /* IPv4-translated, RFC 2765 */
    {{0x00, 0x64, 0xff, 0x9b}, 96, ADDRESS_PUBLIC, 12},                               /* NAT64, RFC 6052 */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, ADDRESS_PRIVATE, 0},                   /* NAT64 of a network's own, RFC 8215 */
    {{0x01}, 64, ADDRESS_RESERVED, 0},                                                /* discard only */
    {{0x01, [7] = 0x01}, 64, ADDRESS_RESERVED, 0},                                    /* dummy prefix, RFC 9780 */
    {{0x20, 0x01, 0x00, 0x00}, 32, ADDRESS_TUNNEL, 4},                                /* Teredo: its server's */
    {{0x20, 0x01, 0x00, 0x01, [15] = 1}, 128, ADDRESS_ANYCAST, 0},                    /* PCP */
    {{0x20, 0x01, 0x00, 0x01, [15] = 2}, 128, ADDRESS_ANYCAST, 0},                    /* TURN */
    {{0x20, 0x01, 0x00, 0x01, [15] = 3}, 128, ADDRESS_ANYCAST, 0},                    /* DNS-SD SRP */
    {{0x20, 0x01, 0x00, 0x02, 0x00, 0x00}, 48, ADDRESS_BENCHMARK, 0},
    {{0x20, 0x01, 0x00, 0x03}, 32, ADDRESS_ANYCAST, 0},                               /* AMT */
    {{0x20, 0x01, 0x00, 0x04, 0x01, 0x12}, 48, ADDRESS_ANYCAST, 0},                   /* AS112 */
    {{0x20, 0x01, 0x00, 0x00}, 23, ADDRESS_RESERVED, 0},                              /* the other IETF protocol assignments */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, ADDRESS_DOCUMENTATION, 0},
    {{0x20, 0x02}, 16, ADDRESS_TUNNEL, 2},                                            /* 6to4 */
    {{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48, ADDRESS_ANYCAST, 0},                   /* AS112 */
    {{0x3f, 0xfe}, 16, ADDRESS_RESERVED, 0},                                          /* 6bone, returned */
    {{0x3f, 0xff}, 20, ADDRESS_DOCUMENTATION, 0},
    {{0x20}, 3, ADDRESS_PUBLIC, 0},
    {{0x5f, 0x00}, 16, ADDRESS_RESERVED, 0},                                          /* SRv6 segments */
    {{0xfc}, 7, ADDRESS_PRIVATE, 0},
    {{0xfe, 0x80}, 10, ADDRESS_LINK_LOCAL, 0},
    {{0xfe, 0xc0}, 10, ADDRESS_PRIVATE, 0},                                           /* site-local */
    {{0xff}, 8, ADDRESS_MULTICAST, 0},
    {{0}, 0, ADDRESS_RESERVED, 0},
};
/* clang-format on */

enum { TEREDO_CLIENT_AT = 12, ISATAP_MARK_AT = 8, ISATAP_V4_AT = 12 };

static bool block_has(const struct block *block, const uint8_t *bytes)
{
    const unsigned whole = block->bits / 8, rest = block->bits % 8;
    if (memcmp(block->base, bytes, whole) != 0)
        return false;
    return rest == 0 || ((block->base[whole] ^ bytes[whole]) >> (8 - rest)) == 0;
}

enum address_class address_class_v4(const uint8_t bytes[static IPV4_BYTES])
{
    for (size_t i = 0; i < LENGTH_OF(v4_blocks); i++) {
        if (block_has(&v4_blocks[i], bytes))
            return v4_blocks[i].class;
    }
    return ADDRESS_PUBLIC;
}

/* The worse of the two, the carried one's where both are bad: it tells more. */
static enum address_class carrying(enum address_class class, const uint8_t *v4)
{
    const enum address_class carried = address_class_v4(v4);
    return carried == ADDRESS_PUBLIC ? class : carried;
}

/* RFC 4380 section 4: the client's address has its bits inverted. */
static enum address_class teredo_class(const uint8_t *bytes)
{
    uint8_t client[IPV4_BYTES];
    for (size_t i = 0; i < sizeof client; i++)
        client[i] = (uint8_t)~bytes[TEREDO_CLIENT_AT + i];
    return carrying(ADDRESS_TUNNEL, client);
}

/* RFC 5214 section 6.1: an interface id of 0000:5efe or 0200:5efe and an IPv4 address, below any prefix. */
static bool is_isatap(const uint8_t *bytes)
{
    const uint8_t *mark = bytes + ISATAP_MARK_AT;
    return (mark[0] & ~2U) == 0 && mark[1] == 0 && mark[2] == 0x5e && mark[3] == 0xfe;
}

static const struct block *find_v6(const uint8_t *bytes)
{
    const struct block *block = v6_blocks;
    while (!block_has(block, bytes))
        block++; /* the last one has every address */
    return block;
}

enum address_class address_class_v6(const uint8_t bytes[static IPV6_BYTES])
{
    const struct block *block = find_v6(bytes);
    enum address_class class = block->class;
    if (block->carries)
        class = carrying(class, bytes + block->carries);
    if (class == ADDRESS_TUNNEL && memcmp(bytes, "\x20\x01\0\0", 4) == 0)
        return teredo_class(bytes);
    if (class == ADDRESS_PUBLIC && is_isatap(bytes))
        return carrying(ADDRESS_TUNNEL, bytes + ISATAP_V4_AT);
    return class;
}

enum address_class address_class_of(const struct sockaddr *address, socklen_t len)
{
    if (len >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return address_class_v4((const uint8_t *)&v4.sin_addr);
    }
    if (len >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        return address_class_v6(v6.sin6_addr.s6_addr);
    }
    return ADDRESS_RESERVED;
}
